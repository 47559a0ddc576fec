"""The receiver's end of a frame's chunks: some of them, until all are there or time is over."""

from __future__ import annotations

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import Kind
from collab_robots.inference.runtime.messages import MAX_MISSING, Work

FIRST_GAP = SECOND // 20  # ns of silence after a first chunk until the others are missed
LEAST_GAP = SECOND // 100  # ns: what is out of order is not lost
ROUNDS = 2  # times that what is missing is asked for before it is filled, where it can be
MAX_DOUBLINGS = 3  # of the time between two rounds
MAX_FILL = 0.5  # share of a tensor that may be missing


class Arriving:
    """
    Chunks that came so far.

    :param work: the first that came.
    :param now: ns.
    :param until: when it must be computed, ns.
    """

    def __init__(self, work: Work, now: int, until: int) -> None:
        self.work = work
        self.chunks: list[bytes | None] = [None] * work.chunks
        self.left = work.chunks
        self.until = until
        self._size = 0
        self._gap = FIRST_GAP
        self._last = now
        self._rounds = 0

    def add(self, work: Work, now: int) -> bool:
        """
        Take a chunk.

        :returns: whether it is new.
        :raises RefusedError: if it is of something else than the first, or more than announced.
        """
        if _without_chunk(work) != _without_chunk(self.work):
            raise RefusedError(Refusal.MALFORMED, 'chunks of one attempt contradict one another')
        if self.chunks[work.chunk] is not None:
            return False
        self._size += len(work.data)
        self.left -= 1
        if self._size > work.size or (not self.left and self._size < work.size):
            raise RefusedError(Refusal.MALFORMED, f'expected {work.size} bytes, got {self._size}')
        if self.left < work.chunks - 1:
            between = 3 * (now - self._last)
            self._gap = max(between, LEAST_GAP, 0 if self._gap == FIRST_GAP else self._gap)
        self.chunks[work.chunk] = work.data
        self._last = now
        return True

    @property
    def missing(self) -> tuple[int, ...]:
        """Those that did not come, as many as fit into a reply."""
        holes = (index for index, chunk in enumerate(self.chunks) if chunk is None)
        return tuple(index for index, _ in zip(holes, range(MAX_MISSING), strict=False))

    def is_quiet(self, now: int) -> bool:
        """
        Tell whether it is time to ask for what is missing; each time is later than the last.

        Once the last chunk is there, those before it are late.
        """
        gap = LEAST_GAP if self.chunks[-1] is not None else self._gap
        return now - self._last >= gap << min(self._rounds, MAX_DOUBLINGS)

    def asked(self, now: int) -> None:
        """Take note that it was asked for what is missing."""
        self._rounds += 1
        self._last = now

    def is_enough(self, now: int, margin: int) -> bool:
        """
        Tell whether to go on with what is there: there is no time for more, but enough to fill.

        :param margin: ns that the rest takes.
        """
        if self.work.option.kind is not Kind.SPLIT:
            return False
        late = now + margin >= self.until or (self._rounds >= ROUNDS and self.is_quiet(now))
        return late and self.left <= MAX_FILL * len(self.chunks)


def _without_chunk(work: Work) -> tuple[object, ...]:
    return (
        work.sender,
        work.model,
        work.option,
        work.route,
        work.done,
        work.lost,
        work.chunks,
        work.size,
    )
