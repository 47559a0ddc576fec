"""What each piece of work takes on a robot: measured once at rest, then kept fresh."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import Kind, Option

MAX_SECONDS = 600.0  # of one piece of work; more is no measurement
MIN_SECONDS = 1e-7
WINDOW = 9  # of the latest measurements that tell the load; half of them may be outliers
GAIN = 0.05  # how fast a step's own part moves
MAX_FACTOR = 1000.0  # between a robot at rest and the same one under load


class Do(str, Enum):
    """What a piece of work does."""

    PREPARE = 'prepare'  # a picture for the model
    STAGE = 'stage'  # the model from one cut to another
    EXIT = 'exit'  # the early exit of a cut
    ENCODE = 'encode'  # what an option sends
    DECODE = 'decode'


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
    picture = () if option.kind is Kind.SPLIT else (PREPARE,)
    return (Step(Do.DECODE, what=payload(option)), *picture, stage(option.cut, last))


def check_seconds(seconds: float) -> float:
    """
    Return a duration if it can be one.

    :raises RefusedError: if it is NaN, not between 0.1 us and ten minutes, or no number.
    """
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise RefusedError(Refusal.MALFORMED, f'expected seconds, got {seconds!r:.40}')
    return float(seconds)


class Times:
    """
    What each step takes on one robot.

    An estimate is the time at rest, times the load, times the step's own factor. The load is the
    median of the last ratios of measured to expected, whatever step they come from: another
    process, a hot processor or a quota slow all steps alike, and a few outliers do not move it.
    The own factor moves slowly; it takes what the first measurement got wrong about one step.

    :param base: time of each step at rest, s.
    :raises RefusedError: if a time is none.
    """

    def __init__(self, base: Mapping[Step, float]) -> None:
        self._base = {step: check_seconds(seconds) for step, seconds in base.items()}
        self._own = dict.fromkeys(self._base, 0.0)  # logarithms
        self._ratios: deque[float] = deque(maxlen=WINDOW)
        self._load = 0.0
        self.last = max((step.end for step in self._base if step.do is Do.STAGE), default=0)
        self._overhead = self._cost_of_cutting()

    def __contains__(self, step: Step) -> bool:
        """Whether the step's time is known, or can be told from others'."""
        return step in self._base or (step.do is Do.STAGE and self._at_rest(step) is not None)

    def __getitem__(self, step: Step) -> float:
        """
        Return what a step takes now, s.

        :raises KeyError: if that is not known.
        """
        seconds = self._at_rest(step)
        if seconds is None:
            raise KeyError(step)
        return seconds * math.exp(self._load + self._own.get(step, 0.0))

    @property
    def load(self) -> float:
        """How many times slower the robot is now than at rest."""
        return math.exp(self._load)

    @property
    def whole(self) -> float:
        """What the whole model takes now, s."""
        return self[stage(0, self.last)]

    def items(self) -> Iterable[tuple[Step, float]]:
        """Return all measured steps and what they take now, s."""
        return ((step, self[step]) for step in self._base)

    def of(self, steps: Iterable[Step]) -> float:
        """Return what steps one after another take now, s."""
        return sum(self[step] for step in steps)

    def vector(self, steps: Iterable[Step]) -> npt.NDArray[np.float64]:
        """Return what each of these takes now, s; infinity where it is not known."""
        return np.array([self[step] if step in self else math.inf for step in steps])

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
        bound = math.log(MAX_FACTOR)
        ratio = min(max(math.log(check_seconds(seconds) / usual), -bound), bound)
        self._ratios.append(ratio)
        self._load = float(np.median(self._ratios))
        for step in steps:
            if step in self._own:
                moved = self._own[step] + GAIN * min(max(ratio - self._load, -1.0), 1.0)
                self._own[step] = min(max(moved, -bound), bound)

    def like(self, whole: float) -> Times:
        """
        Return the times of another robot of which only one is known yet.

        :param whole: what the whole model takes there, s, as it announced.
        :raises RefusedError: if that is no time.
        """
        factor = check_seconds(whole) / self.whole
        return Times({step: _clip(seconds * factor) for step, seconds in self.items()})

    def _at_rest(self, step: Step) -> float | None:
        """Return a step's time at rest, s; a stage's also as the difference of two heads."""
        if step in self._base or step.do is not Do.STAGE:
            return self._base.get(step)
        long, short = self._base.get(stage(0, step.end)), self._base.get(stage(0, step.start))
        if long is None or short is None:
            return None
        return max(long - short, 0.0) + self._overhead

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


def _clip(seconds: float) -> float:
    return min(max(seconds, MIN_SECONDS), MAX_SECONDS)
