"""What each piece of work takes on a robot: measured once at rest, then kept fresh."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
import itertools
import math
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import Kind, Option

MAX_SECONDS = 600.0  # of one piece of work; more is no measurement
MIN_SECONDS = 1e-7
WINDOW = 9  # of the latest measurements that tell the load; half of them may be outliers
GAIN = 0.05  # how fast a step's own factor moves
_BOUND = math.log(1000.0)  # between a robot at rest and the same one under load
_FIXED = (math.inf, 0.0)  # s, of what is not known and of nothing
_UNKNOWN, _NOTHING = range(2)


class Do(str, Enum):
    """What a piece of work does."""

    PREPARE = 'prepare'  # a picture for the model
    STAGE = 'stage'  # the model from one cut to another
    EXIT = 'exit'  # the early exit of a cut
    ENCODE = 'encode'  # what an option sends
    DECODE = 'decode'  # and, of a picture, prepare


class Step(NamedTuple):
    """
    One piece of work.

    :param start: the cut where a stage starts.
    :param end: the cut where a stage ends, or an exit's cut.
    :param what: the option, without exit, whose payload is encoded or decoded; None for the rest.
    """

    do: Do
    start: int = 0
    end: int = 0
    what: Option | None = None


PREPARE = Step(Do.PREPARE)


def stage(start: int, end: int) -> Step:
    """Return the work of running the model from one cut to another."""
    return Step(Do.STAGE, start, end)


def payload(option: Option) -> Option:
    """Return the option without its exit: what says how the payload is made."""
    return Option(option.kind, option.cut, option.bits, option.bottleneck, option.quality)


def own_steps(option: Option, last: int) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """
    Return what this robot does for an option.

    :param last: the model's last cut.
    :returns: what it always does, and what it does only if the option's exit has no answer.
    """
    if option.kind in (Kind.JPEG, Kind.RAW):
        return (Step(Do.ENCODE, what=option),), ()
    end = option.cut if option.remote else last
    send = (Step(Do.ENCODE, what=payload(option)),) if option.remote else ()
    if option.exit < 0:
        return (PREPARE, stage(0, end), *send), ()
    rest = (stage(option.exit, end),) if option.exit < end else ()
    asked = (PREPARE, stage(0, option.exit), Step(Do.EXIT, end=option.exit))
    return asked, rest + send


def helper_steps(option: Option, last: int) -> tuple[Step, ...]:
    """Return what the helper does for an option."""
    if not option.remote:
        return ()
    return Step(Do.DECODE, what=payload(option)), stage(option.cut, last)


def check_seconds(seconds: float) -> float:
    """
    Return a duration if it can be one.

    :raises RefusedError: if it is NaN, not between 0.1 us and ten minutes, or no number.
    """
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise RefusedError(Refusal.MALFORMED, f'expected seconds, got {seconds!r:.40}')
    return float(seconds)


@dataclass(frozen=True, eq=False)
class Jobs:
    """
    Many jobs to be priced at once, again and again.

    :param rows: the steps of each.
    """

    rows: tuple[tuple[Step, ...], ...]

    @property
    def width(self) -> int:
        """The most steps that a row has."""
        return max((len(row) for row in self.rows), default=0)


class Times:
    """
    What each step takes on one robot.

    An estimate is the time at rest, times the load, times the step's own factor. The load is the
    median of the last ratios of measured to expected, whatever step they come from: another
    process, a hot processor or a quota slow all steps alike, and a few outliers do not move it.
    The own factor moves slowly; it takes what the first measurement got wrong about one step.

    A stage between two cuts that was not measured takes the difference of the two heads, and what
    cutting costs.

    :param base: time of each step at rest, s.
    :raises RefusedError: if a time is none.
    """

    def __init__(self, base: Mapping[Step, float]) -> None:
        self._base = {step: check_seconds(seconds) for step, seconds in base.items()}
        self.last = max((step.end for step in self._base if step.do is Do.STAGE), default=0)
        self._overhead = self._cost_of_cutting()
        self._places = dict(zip(self._base, itertools.count(len(_FIXED)), strict=False))
        self._rest = np.array([*_FIXED, *self._base.values()])  # s
        self._own = np.zeros_like(self._rest)  # logarithms
        self._ratios: deque[float] = deque(maxlen=WINDOW)
        self._load = 0.0
        self._now = self._rest
        self._rows: WeakKeyDictionary[Jobs, npt.NDArray[np.intp]] = WeakKeyDictionary()

    def __contains__(self, step: Step) -> bool:
        """Whether the step's time is known, or can be told from others'."""
        return self._place(step) != _UNKNOWN

    def __getitem__(self, step: Step) -> float:
        """
        Return what a step takes now, s.

        :raises KeyError: if that is not known.
        """
        place = self._place(step)
        if place == _UNKNOWN:
            raise KeyError(step)
        return float(self._now[place])

    @property
    def load(self) -> float:
        """How many times slower the robot is now than at rest."""
        return math.exp(self._load)

    @property
    def whole(self) -> float:
        """What the whole model takes now, s."""
        return self[stage(0, self.last)]

    def items(self) -> Iterable[tuple[Step, float]]:
        """Return all steps that were measured and what they take now, s."""
        return ((step, self[step]) for step in self._base)

    def of(self, steps: Iterable[Step]) -> float:
        """
        Return what steps one after another take now, s.

        :raises KeyError: if one of them is not known.
        """
        return sum(self[step] for step in steps)

    def vector(self, jobs: Jobs) -> npt.NDArray[np.float64]:
        """Return what each row takes now, s; infinity where it is not known."""
        places = self._rows.get(jobs)
        if places is None:
            places = np.full((len(jobs.rows), jobs.width), _NOTHING)
            for row, steps in zip(places, jobs.rows, strict=True):
                row[: len(steps)] = [self._place(step) for step in steps]
            self._rows[jobs] = places
        seconds: npt.NDArray[np.float64] = self._now[places].sum(axis=1)
        return seconds

    def add(self, steps: Iterable[Step], seconds: float) -> None:
        """
        Take a measurement in.

        :param steps: what was done, one after another.
        :param seconds: what all of them took together.
        :raises RefusedError: if that is no time.
        :raises KeyError: if one of the steps is not known.
        """
        steps = tuple(steps)
        usual = self.of(steps) / self.load
        ratio = float(np.clip(math.log(check_seconds(seconds) / usual), -_BOUND, _BOUND))
        self._ratios.append(ratio)
        self._load = float(np.median(self._ratios))
        places = [self._place(step) for step in steps]
        moved = self._own[places] + GAIN * np.clip(ratio - self._load, -1.0, 1.0)
        self._own[places] = np.clip(moved, -_BOUND, _BOUND)
        self._now = self._rest * np.exp(self._load + self._own)

    def like(self, whole: float) -> Times:
        """
        Return the times of another robot of which only one is known yet.

        :param whole: what the whole model takes there, s, as it announced.
        :raises RefusedError: if that is no time.
        """
        factor = check_seconds(whole) / self.whole
        return Times(
            {
                step: min(max(seconds * factor, MIN_SECONDS), MAX_SECONDS)
                for step, seconds in self.items()
            }
        )

    def _place(self, step: Step) -> int:
        """Return where a step's numbers are; a stage between two known heads gets a place."""
        place = self._places.get(step)
        if place is not None:
            return place
        long, short = (self._base.get(stage(0, cut)) for cut in (step.end, step.start))
        if step.do is not Do.STAGE or long is None or short is None:
            return _UNKNOWN
        self._places[step] = len(self._rest)
        rest = max(long - short, 0.0) + self._overhead
        self._rest = np.append(self._rest, rest)
        self._own = np.append(self._own, 0.0)
        self._now = np.append(self._now, rest * self.load)
        return self._places[step]

    def _cost_of_cutting(self) -> float:
        """Return by how much a head and its tail take longer than the whole model, s."""
        whole = self._base.get(stage(0, self.last), 0.0)
        pairs = [(stage(0, cut), stage(cut, self.last)) for cut in range(1, self.last)]
        more = [
            self._base[head] + self._base[tail] - whole
            for head, tail in pairs
            if head in self._base and tail in self._base
        ]
        return max(float(np.median(more)), MIN_SECONDS) if more else MIN_SECONDS
