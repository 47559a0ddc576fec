"""The policies of the inference benchmark as what a requester asks for each frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
import itertools
from typing import Any

from benchmarks.baselines import dsc, dyno, neurosurgeon
from benchmarks.baselines.offload import Candidate
from benchmarks.inference_bytes import MAX_LOSS
from benchmarks.inference_ways import Costs, DSC, DYNO, FLOAT, floor, Way
from collab_robots.inference.options import Kind, LOCAL, NO_EXIT, Option
from collab_robots.inference.planner.line import plan_line
from collab_robots.inference.planner.objective import LATENCY
from collab_robots.inference.planner.plan import Planner
from collab_robots.inference.planner.table import HelperState
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import helper_steps, own_steps, Times
from collab_robots.inference.runtime.course import ANSWER_BITS, Chooser, Course, follow
from collab_robots.inference.runtime.messages import Hop

DELAY_S = 0.005  # of an exchange, for Neurosurgeon, which is told the rate and nothing else
BURST = 4000  # bytes that the token bucket lets pass at once: 32 kbit


@dataclass(frozen=True)
class Known:
    """
    What a policy may know.

    :param costs: of each way.
    :param sheet: what our planner gets.
    :param shapes: of the tensors at all cuts.
    :param slowness: how many times slower than the measuring computer this robot is.
    """

    costs: Costs
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
            for way in self.costs
            if (way.packing == packing or way.option.kind in (Kind.LOCAL, Kind.RAW))
            and way.option.exit == NO_EXIT
        ]

    def _candidate(self, way: Way, own: Times, helper: HelperState) -> Candidate:
        cost, option = self.costs[way], way.option
        first = own_steps(option, self.last)[0]
        if option.kind is Kind.SPLIT:  # packing takes what theirs takes, not what ours does
            head = own.of(first[:-1]) + self.slowness * cost.encode_s
            return Candidate(option, head, cost.bytes, cost.helper_s, cost.top1)
        tail = helper.times.of(helper_steps(option, self.last))
        return Candidate(option, own.of(first), cost.bytes, tail, cost.top1)


def policy(command: Mapping[str, Any], known: Known, rate: Callable[[], float]) -> Chooser:
    """
    Return the policy that a command names.

    :param rate: the link's true rate now, bit/s, for who may know it.
    """
    name = command['choose']
    if name == 'fixed':
        return _fixed(Option.parse(command['option']), known.last)
    if name == 'turns':
        return _turns(Option.parse(command['option']), known.last)
    if name in _OTHERS:
        return _OTHERS[name](known, rate)
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


def _turns(option: Option, last: int) -> Chooser:
    """Return what asks one helper after the other, so that all their links are known."""
    turn = itertools.count()

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        start = next(turn) % max(len(helpers), 1)
        return _course(option, helpers[start:], last)

    return choose


def _line(known: Known, rate: Callable[[], float]) -> Chooser:
    """Return what hands every frame along the line of robots that is planned for the first."""
    chosen: list[Course] = []

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        if not chosen:
            plan = plan_line(own, known.sheet, helpers, MAX_LOSS)
            first, *legs = plan.legs
            bits = [leg.send.bits if leg.send else ANSWER_BITS for leg in legs]
            hops = tuple(Hop(leg.robot, leg.end, bit) for leg, bit in zip(legs, bits, strict=True))
            chosen.append(Course(first.send or LOCAL, hops))
        return chosen[0]

    return choose


def _neurosurgeon(known: Known, rate: Callable[[], float]) -> Chooser:
    chosen: list[Option] = []

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        if not chosen and helpers:
            candidates = known.candidates(FLOAT, own, helpers[0])
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
    least = floor(known.costs, MAX_LOSS)

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        if not helpers:
            return Course(LOCAL)
        candidates, link = known.candidates(DYNO, own, helpers[0]), helpers[0].link
        found = dyno.choose(candidates, link.rate_bps, link.delay_s, least)
        return _course(found.option, helpers, known.last)

    return choose


_OTHERS = {'neurosurgeon': _neurosurgeon, 'dsc': _dsc, 'dyno': _dyno, 'line': _line}
