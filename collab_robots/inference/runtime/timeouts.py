"""How long to wait for a helper: from how far its answers came from when they were expected."""

from __future__ import annotations

FIRST_FACTOR = 3.0  # of the expected time, while nothing was measured
LEAST = 0.02  # s between the expected time and the timeout: the scheduler's noise
MOST = 5.0  # s; a robot does not wait longer for what it can compute itself
BACKOFF = 2.0
MAX_BACKOFF = 4.0


class Timeouts:
    """
    The retransmission timeout of RFC 6298, of an answer's lateness instead of its round trip.

    What is expected differs from frame to frame, because bytes, cuts and queues do; what is
    measured is how late answers are. Late answers of attempts that were given up count as well, or
    a timeout that is too short would stay so.

    :param least: s between the expected time and the timeout, at least.
    """

    def __init__(self, least: float = LEAST) -> None:
        self._least = least
        self._late: float | None = None
        self._deviation = 0.0
        self._backoff = 1.0

    def add(self, expected: float, measured: float) -> None:
        """Count an answer: how long it was expected to take, and took, s."""
        late = measured - expected
        if self._late is None:
            self._late, self._deviation = late, abs(late) / 2
        else:
            self._deviation += (abs(late - self._late) - self._deviation) / 4
            self._late += (late - self._late) / 8
        self._backoff = 1.0

    def expired(self) -> None:
        """Count an answer that did not come: the next is waited for longer, until one comes."""
        self._backoff = min(self._backoff * BACKOFF, MAX_BACKOFF)

    def seconds(self, expected: float) -> float:
        """Return how long to wait for an answer that is expected in so many s."""
        if self._late is None:
            wait = max(FIRST_FACTOR * expected, expected + self._least)
        else:
            wait = max(expected + self._late, 0.0) + max(4 * self._deviation, self._least)
        return min(wait * self._backoff, MOST)
