"""Long lists, oldest first: readers list the newest first, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from tempfile import TemporaryFile
from typing import TypeVar

from pydantic import TypeAdapter

from collab_robots.explorer.book.answers import Block, Event, Page, Task
from collab_robots.explorer.book.reader import Filter, MAX_PAGE, Moment, Reader, Told

Item = TypeVar('Item')


def blocks(reader: Reader, which: Filter, told: Told) -> Iterator[Block]:
    """Yield blocks, oldest first."""
    return _oldest_first(lambda page: reader.blocks(which, page, MAX_PAGE), Block, 'blocks', told)


def tasks(reader: Reader, at: Moment | None, told: Told) -> Iterator[Task]:
    """Yield tasks, the earliest proposed first."""
    return _oldest_first(
        lambda page: reader.tasks(at=at, page=page, limit=MAX_PAGE), Task, 'tasks', told
    )


def history(reader: Reader, robot: str, told: Told) -> Iterator[Event]:
    """Yield what a robot did, oldest first."""
    return _oldest_first(
        lambda page: reader.robot(robot, page, MAX_PAGE).history, Event, robot, told
    )


def _oldest_first(
    ask: Callable[[str | None], Page[Item]], model: type[Item], what: str, told: Told
) -> Iterator[Item]:
    """
    Yield a list from its end; all pages lie on the disk meanwhile, and one in memory.

    :param ask: returns a page, by the ``next`` of the one before.
    """
    adapter = TypeAdapter(tuple[model, ...])  # type: ignore[valid-type]  # known when it runs
    ends, page, done = [0], ask(None), 0
    with TemporaryFile(prefix='collab-robots-') as spool:
        while True:
            spool.write(adapter.dump_json(page.items))
            ends.append(spool.tell())
            done += len(page.items)
            told(f'reading {what}', done, page.total)
            if page.next is None:
                break
            page = ask(page.next)
        for end, begin in pairwise(reversed(ends)):
            spool.seek(begin)
            yield from reversed(adapter.validate_json(spool.read(end - begin)))
