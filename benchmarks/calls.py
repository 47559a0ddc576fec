"""
Random calls of the whole suite, good ones and bad ones.

Every call of every contract comes up. Arguments come from small pools, so that calls are about the
same things; a few are extremes, and a few calls are cut off or nonsense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from eth_utils.crypto import keccak

from collab_robots.contract.artifact import suite
from collab_robots.contract.calls import tasks
from collab_robots.contract.calls.common import Kind

Fields = tuple[Any, ...]

KEYS = [
    tasks.task_key(Kind.EXPLORE, 1, 2, 0),
    tasks.task_key(Kind.EXPLORE, 1, 2, 1),
    tasks.task_key(Kind.INSPECT, -3, 4, 0),
    tasks.task_key(Kind.VERIFY, 0, 1, 0),
    tasks.task_key(Kind.INFER, 0, 0, 0),
]
SALT = b's' * 32
_ALL = (1 << 256) - 1


class RandomCalls:
    """
    A source of calls.

    :param robots: addresses of the roster.
    """

    def __init__(self, robots: Sequence[bytes], random: Random) -> None:
        self._robots = robots
        self._random = random
        self._calls = list(suite().calls.values())
        self._ids = [keccak(text=f'some id {number}') for number in range(3)]
        self._special: dict[str, Callable[[], Fields]] = {
            'propose': self._propose,
            'bidSealed': lambda: (KEYS[0], self._commitment()),
            'reveal': lambda: (KEYS[0], self._pick([5, 6]), SALT),
            'awardBatch': lambda: (self._awards(),),
            'submitSketch': self._sketch,
            'permit': lambda: (self._part(), self._random.randrange(16)),
            'vote': lambda: (self._change(),),
        }

    def heard(self, output: bytes) -> None:
        """Take the id that a successful call returned into the pool."""
        if len(output) == 32:
            self._ids = [*self._ids[-7:], output]

    def sender(self) -> bytes:
        """Return who calls."""
        return self._random.choice([*self._robots, *self._robots, b'\7' * 20])

    def call(self) -> bytes:
        """Return a call."""
        odds = self._random.random()
        if odds < 0.02:
            return self._random.randbytes(self._random.randrange(9))
        call = self._random.choice(self._calls)
        special = self._special.get(call.name)
        if special is not None and odds < 0.9:
            values = special()
        else:
            kinds = zip(call.types, call.names, strict=True)
            values = tuple(self._value(kind, name) for kind, name in kinds)
        data: bytes = call.encode(*values)
        return data[: self._random.randrange(len(data))] if odds < 0.04 else data

    def _pick(self, values: Sequence[Any]) -> Any:
        return self._random.choice(values)

    def _value(self, kind: str, name: str) -> Any:
        if kind.endswith('[]'):
            return [self._value(kind[:-2], name) for _ in range(self._random.randrange(4))]
        if kind.startswith('('):
            return tuple(self._value(part, name) for part in _parts(kind))
        if kind == 'address':
            return self.sender()
        if kind == 'bool':
            return self._random.random() < 0.5
        if kind == 'bytes32':
            if name == 'key' or self._random.random() < 0.3:
                return self._pick([*KEYS, *KEYS[:1] * 20, bytes(32)])
            return self._pick(self._ids)
        bits = int(kind.removeprefix('u').removeprefix('int'))
        if kind.startswith('int'):
            return self._pick([-1, 0, 1, 2, -(1 << (bits - 1)), (1 << (bits - 1)) - 1])
        return self._pick([0, 1, 1, 2, 3, 5, 100, (1 << bits) - 1])

    def _propose(self) -> Fields:
        kind, x, y, round_ = tasks.identity_of(self._pick([*KEYS, KEYS[0]]))
        terms = tasks.Terms(
            self._pick([0, 0, 7]),
            self._pick([0, 0, 130]),
            self._pick([0, 0, 1]),
            self._pick([False, False, True]),
        )
        return kind, x, y, round_, terms

    def _commitment(self) -> bytes:
        return tasks.commitment_of(KEYS[0], self._pick(self._robots), self._pick([5, 6]), SALT)

    def _awards(self) -> list[Fields]:
        count = self._random.randrange(1, 3)
        return [(self._pick(KEYS[:2]), self._pick(self._robots), 100) for _ in range(count)]

    def _sketch(self) -> Fields:
        wall = 0xFFFF << 16 * self._random.randrange(3)  # a row, mostly where others saw one
        if self._random.random() < 0.3:
            wall |= 0xFFFF << 16 * self._random.randrange(8, 11)
        unknown = 0xFF << self._random.randrange(256)
        free = _ALL & ~wall & ~unknown
        return self._pick([0, 1]), self._pick([0, 1]), free, wall & ~unknown

    def _part(self) -> Fields:
        half = self._random.randrange(3)
        return self._pick([b'm' * 32, b'n' * 32]), half, self._pick([0, 3]), b'd' * 32

    def _change(self) -> Fields:
        kind = self._random.randrange(1, 6)
        joins = kind == 1
        key = self._pick([b'k' * 32, b'l' * 32]) if kind in (1, 3) else bytes(32)
        name = self._pick([b'newcomer', b'other']).ljust(32, b'\0') if joins else bytes(32)
        weight = self._pick([1, 2]) if kind in (1, 4) else 0
        robot = 0 if joins else self._random.randrange(len(self._robots))
        return kind, robot, 0 if joins else self._pick([0, 0, 1]), weight, key, name


def _parts(kind: str) -> list[str]:
    """Split a tuple of plain types."""
    return kind.strip('()').split(',')
