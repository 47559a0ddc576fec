"""
What a robot may send to its teammates, shared out by kind: the most important goes first.

It says when a message goes and what is lost; it does not know what is in one, or how it travels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from enum import IntEnum
import math

from collab_robots.core.budget import Budget
from collab_robots.core.clock import Clock

BURST_S = 0.05  # of a rate, that may go at once after a silence
HOLD_S = 2.0  # of a rate, that may wait; then the oldest is lost, as on the air
DEBT_S = 1.0  # of a rate, that the ledger leaves others to make up for; the air lost the rest

Go = Callable[[], None]
_Queue = dict[Hashable, tuple[int, Go]]  # the oldest first


class Traffic(IntEnum):
    """Kinds of what robots say to one another, the most important first."""

    LEDGER = 0  # blocks, with tasks as the records in them; announcements, requests
    SNAPSHOT = 1  # for who was away for long
    TILES = 2  # of the map, and requests for them
    ANSWERS = 3  # to work for networks, and offers to do some
    TENSORS = 4  # work for networks


class Uplink:
    """
    Lets messages go, by strict priority within a rate; what has no limit goes at once.

    The ledger is never held back, but what it takes is missing to the others. In any time of T s,
    what others send is at most ``rate * (BURST_S + T)`` and one message.

    :param clock: a steady one.
    """

    def __init__(self, clock: Clock) -> None:
        self.sent: Counter[Traffic] = Counter()
        """Bytes of each kind."""
        self.lost: Counter[Traffic] = Counter()
        """Messages of each kind for which there was no room."""
        self._clock = clock
        self._limits: dict[Traffic | None, Budget] = {}
        self._queues: dict[Traffic, _Queue] = {kind: {} for kind in Traffic}
        self._waiting: Counter[Traffic] = Counter()

    @property
    def waiting(self) -> Counter[Traffic]:
        """Return the bytes of each kind that wait."""
        return self._waiting.copy()

    def limit(self, rate: float, kind: Traffic | None = None) -> None:
        """
        Set what may be sent from now on.

        :param rate: bytes/s; 0: no limit.
        :param kind: what the limit is for; None: all kinds together.
        """
        if rate:
            self._limits[kind] = Budget(rate, max(1.0, BURST_S * rate))
        else:
            self._limits.pop(kind, None)

    def send(self, kind: Traffic, size: int, go: Go, about: Hashable = None) -> None:
        """
        Take a message that is to go now or later, or never.

        :param size: bytes that it takes on the air.
        :param go: sends it.
        :param about: takes the place of the one about the same that waits; None: of none.
        """
        if kind is Traffic.LEDGER:
            self._send(kind, size, go, self._clock.now_ns())
            return
        queue = self._queues[kind]
        key = object() if about is None else about
        replaced = queue[key][0] if key in queue else 0
        queue[key] = (size, go)
        self._waiting[kind] += size - replaced
        self.send_due()
        room = HOLD_S * min((limit.rate for limit in self._limits_of(kind)), default=math.inf)
        while len(queue) > 1 and self._waiting[kind] > room:
            self._next(kind)
            self.lost[kind] += 1

    def send_due(self) -> None:
        """Send what waits, as far as the rate lets it; to be called every few ms."""
        now = self._clock.now_ns()
        for kind, queue in self._queues.items():
            while queue and all(limit.has(now, 1) for limit in self._limits_of(kind)):
                self._send(kind, *self._next(kind), now)

    def _limits_of(self, kind: Traffic) -> list[Budget]:
        return [self._limits[key] for key in (None, kind) if key in self._limits]

    def _next(self, kind: Traffic) -> tuple[int, Go]:
        """Take the oldest of a kind out of its queue."""
        queue = self._queues[kind]
        size, go = queue.pop(next(iter(queue)))
        self._waiting[kind] -= size
        return size, go

    def _send(self, kind: Traffic, size: int, go: Go, now: int) -> None:
        for limit in self._limits_of(kind):
            most = DEBT_S * limit.rate if kind is Traffic.LEDGER else math.inf
            limit.owe(now, size, most)
        self.sent[kind] += size
        go()
