"""How much somebody may use in a time."""

from __future__ import annotations

import math

from collab_robots.core.clock import SECOND


class Budget:
    """
    A token bucket, of bytes or messages.

    :param rate: what comes in, 1/s.
    :param burst: what it holds at most, and at first.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at = 0

    def has(self, now: int, amount: float) -> bool:
        """Tell whether ``amount`` is there at ``now`` (ns)."""
        passed = max(0, now - self._at)  # should the clock ever go back
        self._left = min(self._burst, self._left + passed * self.rate / SECOND)
        self._at = now
        return amount <= self._left

    def take(self, now: int, amount: float) -> bool:
        """Take ``amount`` out at ``now`` (ns); False, and nothing, if they are not there."""
        if not self.has(now, amount):
            return False
        self._left -= amount
        return True

    def owe(self, now: int, amount: float, limit: float = math.inf) -> None:
        """
        Take ``amount`` out at ``now`` (ns), also what is not there: it has to come in first.

        :param limit: nothing is added to a debt beyond it.
        """
        self.has(now, amount)
        self._left = min(self._left, max(self._left - amount, -limit))
