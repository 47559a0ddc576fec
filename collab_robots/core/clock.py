"""Time is an argument: everything below the nodes asks a clock it was given."""

from __future__ import annotations

import time
from typing import Protocol

SECOND = 1_000_000_000  # ns


class Clock(Protocol):
    """Source of the current time."""

    def now_ns(self) -> int:
        """Return the time in ns since an epoch that all robots of a fleet share."""
        ...


class SteadyClock:
    """Time that never jumps, since some moment of this process: to measure what work takes."""

    def now_ns(self) -> int:
        """Return the time, ns."""
        return time.perf_counter_ns()


class ManualClock:
    """
    A clock that stands still until it is moved: for tests and simulations.

    :param start_ns: the first time it tells, ns.
    """

    def __init__(self, start_ns: int = 0) -> None:
        self._now = start_ns

    def now_ns(self) -> int:
        """Return the time that was last set, ns."""
        return self._now

    def advance(self, seconds: float) -> None:
        """
        Move on.

        :param seconds: how far; not negative.
        :raises ValueError: if the clock would go back.
        """
        if seconds < 0:
            raise ValueError(f'a clock only goes forward, not by {seconds} s')
        self._now += round(seconds * SECOND)
