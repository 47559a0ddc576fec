"""Whether a helper is asked at all: not for a while after a fault, then with one frame."""

from __future__ import annotations

from enum import Enum

from collab_robots.core.clock import SECOND
from collab_robots.inference.runtime.events import Fault

# How long a helper is left alone after its first fault in a row; each further one doubles it.
HOLD = {Fault.TIMEOUT: SECOND, Fault.REFUSED: SECOND // 4, Fault.WRONG: 15 * SECOND}
MAX_HOLD = 60 * SECOND
_MAX_DOUBLINGS = 8


class State(Enum):
    """Of a breaker."""

    CLOSED = 'closed'  # asked
    OPEN = 'open'  # left alone
    HALF_OPEN = 'half_open'  # one frame is there to see


class Breaker:
    """Closed, open after a fault, half-open with one frame when time is over and it was heard."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._row = 0
        self._opened = 0
        self._until = 0
        self._silent = False

    def is_ready(self, now: int, heard: int) -> bool:
        """
        Tell whether a frame may be sent.

        :param now: ns.
        :param heard: when the helper last offered its help, ns; who was silent gets no
            frame to try before it is heard.
        """
        if self.state is State.OPEN:
            return now >= self._until and (heard > self._opened or not self._silent)
        return self.state is State.CLOSED

    def sent(self) -> None:
        """Take note of a frame that is sent: the only one, if the breaker was open."""
        if self.state is State.OPEN:
            self.state = State.HALF_OPEN

    def answered(self) -> None:
        """Close: the helper works."""
        self.state = State.CLOSED
        self._row = 0

    def failed(self, fault: Fault, now: int) -> None:
        """Open, or stay so for longer; ``now`` in ns."""
        hold = HOLD[fault] << min(self._row, _MAX_DOUBLINGS)
        self._row += 1
        self.state = State.OPEN
        self._opened = now
        self._silent = fault is Fault.TIMEOUT
        self._until = max(self._until, now + min(hold, MAX_HOLD))

    def dropped(self) -> None:
        """Take note that nobody waits for the frame that was to show: the next one will."""
        if self.state is State.HALF_OPEN:
            self.state = State.OPEN
