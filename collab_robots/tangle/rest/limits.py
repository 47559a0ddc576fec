"""What a client may ask of a robot's HTTP server, and how much of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """
    Times in seconds, sizes in bytes.

    :param connections: at a time; more are closed at once.
    :param queue: requests that wait for the ledger; more are answered 503.
    :param body: of a request.
    :param idle: without a whole request head a connection is closed after it.
    :param receive: for a body to arrive.
    :param answer: for the ledger to answer; then 503.
    :param lifetime: of a connection.
    :param reads: GET requests a second of one address.
    :param writes: POST requests a second of one address.
    :param seconds_saved: of unused requests, at most.
    :param addresses: that are kept apart; the longest unheard one is forgotten.
    :param foreign_block: size of an unsigned data block.
    :param foreign_rate: bytes/s of unsigned data blocks, from all clients together.
    :param foreign_burst: bytes of them at once.
    """

    connections: int = 32
    queue: int = 64
    body: int = 128 * 1024
    idle: float = 10.0
    receive: float = 5.0
    answer: float = 5.0
    lifetime: float = 600.0
    reads: float = 500.0
    writes: float = 100.0
    seconds_saved: float = 2.0
    addresses: int = 256
    foreign_block: int = 8 * 1024
    foreign_rate: float = 2 * 1024
    foreign_burst: float = 64 * 1024


class Budget:
    """
    Token buckets, one per key.

    :param rate: what comes in a second.
    :param burst: what is saved at most.
    :param keys: how many are kept apart.
    """

    def __init__(self, rate: float, burst: float, keys: int = 1) -> None:
        self._rate = rate
        self._burst = burst
        self._keys = keys
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, at

    def take(self, key: str, cost: float, now: float) -> float:
        """
        Take from a key's bucket, if enough is there.

        :param now: s, of a clock that does not go back.
        :returns: 0, or in how many seconds there will be enough.
        """
        left, at = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        wait = max(0.0, (cost - left) / self._rate)
        self._left[key] = (left if wait else left - cost, now)
        self._left.move_to_end(key)
        while len(self._left) > self._keys:
            self._left.popitem(last=False)
        return wait
