"""The policies of the inference benchmark as what a requester asks for each frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
import json
from pathlib import Path
from typing import Any

from benchmarks.baselines import dsc, dyno, neurosurgeon
from benchmarks.baselines.offload import Candidate
from benchmarks.inference_bytes import DSC, DYNO, MAX_LOSS, OURS, Row, Way, WHOLE
from collab_robots.inference.options import Kind, LOCAL, Option
from collab_robots.inference.planner.objective import LATENCY
from collab_robots.inference.planner.plan import Planner
from collab_robots.inference.planner.table import HelperState
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import helper_steps, own_steps, Times
from collab_robots.inference.runtime.course import ANSWER_BITS, Chooser, Course, follow
from collab_robots.inference.runtime.messages import Hop

DELAY_S = 0.005  # of an exchange, for Neurosurgeon, which is told the rate and nothing else
BURST = 4000  # bytes that the token bucket lets pass at once: 32 kbit

Figures = Mapping[Way, Mapping[str, float]]


def dump(rows: Mapping[Way, Row], path: Path) -> None:
    """Write what each way sends and how often it is right."""
    table = [[way.packing, str(way.option), row.figures()] for way, row in rows.items()]
    path.write_text(json.dumps(table), encoding='utf-8')


def load(path: Path) -> Figures:
    """Read what :func:`dump` wrote."""
    table = json.loads(path.read_text(encoding='utf-8'))
    return {Way(packing, Option.parse(option)): row for packing, option, row in table}


@dataclass(frozen=True)
class Known:
    """
    What a policy may know.

    :param figures: of each way, bytes and accuracy.
    :param sheet: the same, as our planner wants it.
    :param shapes: of the tensors at all cuts.
    :param slowness: how many times slower than the measuring computer this robot is.
    """

    figures: Figures
    sheet: Sheet
    shapes: Sequence[tuple[int, ...]]
    slowness: float

    @property
    def last(self) -> int:
        """The model's last cut."""
        return len(self.shapes) - 1

    def candidates(self, packing: str, own: Times, helper: HelperState) -> list[Candidate]:
        """Return all ways of a packing, and those that need none, with what they take now."""
        return [
            self._candidate(way, own, helper)
            for way in self.figures
            if way.packing == packing or way.option.kind is not Kind.SPLIT
        ]

    def _candidate(self, way: Way, own: Times, helper: HelperState) -> Candidate:
        row, option = self.figures[way], way.option
        if option.kind is Kind.SPLIT:  # packing takes what it took, not what ours takes
            plain = own_steps(option, self.last)[0]
            head = own.of(plain[:-1]) + self.slowness * row['encode_ms'] / 1e3
            tail = row['share_ms'] / 1e3
        else:
            head, tail = own.of(own_steps(option, self.last)[0]), 0.0
            tail = helper.times.of(helper_steps(option, self.last))
        return Candidate(option, head, row['bytes'], tail, row['top1'])


def policy(command: Mapping[str, Any], known: Known, rate: Callable[[], float]) -> Chooser:
    """
    Return the policy that a command names.

    :param rate: the link's true rate now, bit/s, for who may know it.
    """
    name = command['choose']
    if name == 'fixed':
        return _fixed(Option.parse(command['option']), known.last)
    if name == 'line':
        return _line(command['cuts'], command['robots'], command['bits'], known.last)
    if name in _BASELINES:
        return _BASELINES[name](known, rate)
    planner = Planner()

    def ours(own: Times, helpers: Sequence[HelperState]) -> Course:
        if name == 'oracle':
            helpers = [_with_rate(helper, rate()) for helper in helpers]
        return follow(planner.plan(own, known.sheet, helpers, LATENCY), known.last)

    return ours


def _with_rate(helper: HelperState, rate: float) -> HelperState:
    link = replace(helper.link, rate_bps=rate, burst=BURST, age_s=0.0)
    return replace(helper, link=link)


def _course(option: Option, helpers: Sequence[HelperState], last: int) -> Course:
    """Return the course of an option with the only helper that there is."""
    if not option.remote or not helpers:
        return Course(LOCAL)
    return Course(option, (Hop(helpers[0].name, last, ANSWER_BITS),))


def _fixed(option: Option, last: int) -> Chooser:
    return lambda own, helpers: _course(option, helpers, last)


def _line(cuts: Sequence[int], robots: Sequence[str], bits: int, last: int) -> Chooser:
    """Return what hands every frame along a line of robots, the first one being this."""
    ends = [*cuts[1:], last]
    hops = [
        Hop(robot, end, ANSWER_BITS if end == last else bits)
        for robot, end in zip(robots, ends, strict=True)
    ]
    option = Option(Kind.SPLIT, cuts[0], bits)
    return lambda own, helpers: Course(option, tuple(hops))


def _neurosurgeon(known: Known, rate: Callable[[], float]) -> Chooser:
    chosen: list[Option] = []

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        if not chosen and helpers:
            candidates = known.candidates(OURS, own, helpers[0])
            chosen.append(neurosurgeon.choose(candidates, rate(), DELAY_S).option)
        return _course(chosen[0] if chosen else LOCAL, helpers, known.last)

    return choose


def _dsc(known: Known, rate: Callable[[], float]) -> Chooser:
    cuts = dsc.bottlenecks(known.shapes)

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        if not helpers:
            return Course(LOCAL)
        candidates, link = known.candidates(DSC, own, helpers[0]), helpers[0].link
        found = dsc.choose(candidates, cuts, link.rate_bps, link.delay_s)
        return _course(found.option, helpers, known.last)

    return choose


def _dyno(known: Known, rate: Callable[[], float]) -> Chooser:
    floor = known.figures[Way(WHOLE, LOCAL)]['top1'] - MAX_LOSS

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        if not helpers:
            return Course(LOCAL)
        candidates, link = known.candidates(DYNO, own, helpers[0]), helpers[0].link
        found = dyno.choose(candidates, link.rate_bps, link.delay_s, floor)
        return _course(found.option, helpers, known.last)

    return choose


_BASELINES = {'neurosurgeon': _neurosurgeon, 'dsc': _dsc, 'dyno': _dyno}
