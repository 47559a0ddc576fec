"""Where ``ledger top`` gets what it shows: from one thread that reads the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TypeVar

from collab_robots.explorer.book.answers import Block, Overview, Robot, Task, Trust
from collab_robots.explorer.book.reader import Filter, MAX_PAGE, Reader, Told

Answer = TypeVar('Answer')

LINES = 200  # of blocks and tasks; more are on the pages of ``tail`` and ``tasks``
SECONDS = 60  # of traffic

Opener = Callable[[Told], AbstractContextManager[Reader]]


@dataclass(frozen=True)
class Look:
    """
    What a ledger said at one time.

    :param blocks: the newest, newest first; as ``tasks``.
    :param records: received in each of the last ``SECONDS`` s up to the newest; so ``bytes_``.
        What came late before the first look, such as after a split, is not among it.
    """

    overview: Overview
    blocks: tuple[Block, ...]
    robots: tuple[Robot, ...]
    tasks: tuple[Task, ...]
    trust: Trust
    records: tuple[int, ...]
    bytes_: tuple[int, ...]


class Meter:
    """Counts what was received in each of the last seconds."""

    def __init__(self) -> None:
        self._records = Counter[int]()
        self._bytes = Counter[int]()

    def take(self, blocks: Iterable[Block]) -> None:
        """Count blocks; each only once."""
        for block in blocks:
            self._records[int(block.received)] += 1
            self._bytes[int(block.received)] += block.size
        for seconds in (self._records, self._bytes):
            for second in [second for second in seconds if second <= self._last - SECONDS]:
                del seconds[second]

    def rates(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return records and bytes of each second, oldest first."""
        seconds = range(self._last - SECONDS + 1, self._last + 1)
        return tuple(self._records[s] for s in seconds), tuple(self._bytes[s] for s in seconds)

    @property
    def _last(self) -> int:
        return max(self._records, default=0)


class Feed:
    """
    Reads a ledger, in one thread and beside the screen.

    :param opener: opens the ledger in that thread.
    :param told: how far that has come; is called in that thread.
    """

    def __init__(self, opener: Opener, told: Told) -> None:
        self._opener = opener
        self._told = told
        self._thread = ThreadPoolExecutor(1, 'ledger')
        self._kept = ExitStack()
        self._meter = Meter()
        self._reader: Reader
        self._closed = False

    async def open(self) -> Look:
        """
        Open the ledger and look at it for the first time.

        :raises CollabError: if it cannot be read, as for every question.
        """
        return await self._run(self._open)

    async def look(self, last: Look) -> Look:
        """Return how the ledger is now: the last look itself if nothing has changed."""
        return await self._run(lambda: self._look(last))

    async def ask(self, question: Callable[[Reader], Answer]) -> Answer:
        """Ask the ledger something else."""
        return await self._run(lambda: question(self._reader))

    def close(self) -> None:
        """Stop reading, also while the ledger is being opened."""
        self._closed = True
        self._thread.submit(self._kept.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> Look:
        self._reader = self._kept.enter_context(self._opener(self._progress))
        overview = self._reader.overview()
        lately, page = Filter(since=overview.last - SECONDS), None
        while True:
            found = self._reader.blocks(lately, page, MAX_PAGE)
            self._meter.take(found.items)
            page = found.next
            if page is None:
                return self._all(overview)

    def _progress(self, what: str, done: int, total: int) -> None:
        if self._closed:
            raise asyncio.CancelledError
        self._told(what, done, total)

    def _look(self, last: Look) -> Look:
        news = self._reader.news(last.overview.version, MAX_PAGE)
        if news.version == last.overview.version:
            return last
        self._meter.take(news.blocks)
        return self._all(news.overview)

    def _all(self, overview: Overview) -> Look:
        return Look(
            overview,
            self._reader.blocks(limit=LINES).items,
            self._reader.robots(),
            self._reader.tasks(limit=LINES).items,
            self._reader.trust(),
            *self._meter.rates(),
        )
