"""Turn fuzzed bytes into values; whatever the bytes are, there are values, and they end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar('T')


class Reader:
    """
    Reads values off bytes; beyond the end it reads zeros.

    :param data: of one fuzzed input.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return self._at < len(self._data)

    def uint(self, size: int) -> int:
        """Read an unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.take(size), 'big')

    def below(self, limit: int) -> int:
        """Read a small integer from 0 to ``limit - 1``."""
        return self.uint(1) % limit

    def take(self, size: int) -> bytes:
        """Read up to ``size`` bytes."""
        found = self._data[self._at : self._at + size]
        self._at += size
        return found

    def chunk(self) -> bytes:
        """Read bytes after their length: of one byte, or of two after a 255."""
        size = self.uint(1)
        return self.take(size if size < 255 else self.uint(2))

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(len(self._data))

    def pick(self, choices: Sequence[T]) -> T:
        """Choose one."""
        return choices[self.below(len(choices))]

    def uints(self, size: int, limit: int) -> tuple[int, ...]:
        """Read a list of at most ``limit`` integers of ``size`` bytes."""
        return tuple(self.uint(size) for _ in range(min(self.uint(1), limit)))

    def strings(self, size: int, limit: int) -> tuple[bytes, ...]:
        """Read a list of at most ``limit`` byte strings of ``size``."""
        return tuple(self.take(size).ljust(size, b'\0') for _ in range(min(self.uint(1), limit)))
