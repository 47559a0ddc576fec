"""What can be asked of a ledger, wherever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from collab_robots.explorer.book import answers

MAX_PAGE = 500
MAX_DAG = 20_000
MAX_QUERY = 200  # characters

Told = Callable[[str, int, int], None]
"""Progress: of what, how much is done, of how much."""


@dataclass(frozen=True)
class Filter:
    """
    Which blocks to list.

    :param robot: name; ``unsigned`` for unsigned data blocks.
    :param kind: name of a contract call, ``heartbeat`` for records without, ``reverted``.
    :param state: how far they have come.
    :param since: issued then or later, s.
    :param until: issued then or earlier, s.
    """

    robot: str | None = None
    kind: str | None = None
    state: answers.State | None = None
    since: float | None = None
    until: float | None = None


ALL = Filter()


@dataclass(frozen=True)
class Moment:
    """
    A time to look back to.

    ``time``: what all records that were issued until then, s, come to in the order they have now.
    ``position``: what the first so many final records come to. One of both.
    """

    time: float | None = None
    position: int | None = None


class Reader(Protocol):
    """
    Answers questions about one ledger; see :mod:`.answers`.

    Ids go by any unique beginning, with or without ``0x``. ``page`` is the ``next`` of the page
    before. ``at`` None is now.

    Every question raises:
    :raises StoreError: if the ledger is damaged or cannot be read.
    :raises ConfigError: if the question makes no sense: an id that names nothing, or several
        things; a robot that is not in the fleet; a time out of range.
    :raises UnreachableError: if it is elsewhere, and that does not answer.
    """

    def overview(self, at: Moment | None = None) -> answers.Overview:
        """Say how the ledger is, or was."""
        ...

    def blocks(
        self, which: Filter = ALL, page: str | None = None, limit: int = 50
    ) -> answers.Page[answers.Block]:
        """List blocks, newest first."""
        ...

    def block(self, identity: str) -> answers.BlockDetails:
        """Tell all about a block."""
        ...

    def dag(
        self,
        around: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 2_000,
    ) -> answers.Dag:
        """Return a part of the DAG: the newest blocks, those of a time, or those near a block."""
        ...

    def robots(self, at: Moment | None = None) -> tuple[answers.Robot, ...]:
        """Tell of all robots that are or were in the fleet."""
        ...

    def robot(self, name: str, page: str | None = None, limit: int = 50) -> answers.RobotDetails:
        """Tell all that a robot did."""
        ...

    def tasks(
        self,
        state: str | None = None,
        at: Moment | None = None,
        page: str | None = None,
        limit: int = 50,
    ) -> answers.Page[answers.Task]:
        """List tasks, newest first."""
        ...

    def task(self, identity: str, at: Moment | None = None) -> answers.TaskDetails:
        """
        Tell all about a task.

        :param identity: also its words, such as ``explore 3 -1``: the last round of these.
        """
        ...

    def timeline(
        self, since: float | None = None, until: float | None = None
    ) -> tuple[answers.Bar, ...]:
        """Return who had which task when, oldest first."""
        ...

    def trust(self, at: Moment | None = None) -> answers.Trust:
        """Say who is trusted, and why."""
        ...

    def models(self, at: Moment | None = None) -> answers.Models:
        """List models that robots serve."""
        ...

    def map(self, at: Moment | None = None) -> answers.Map:
        """Return the map that the ledger knows, and who contributed what."""
        ...

    def splits(self) -> tuple[answers.Split, ...]:
        """Say when robots did not hear one another, what each side did, and how it was joined."""
        ...

    def find(self, query: str, page: str | None = None, limit: int = 50) -> answers.Found:
        """Search for ids, robots, tasks, words of calls, tags, data and times."""
        ...

    def activity(self, intervals: int = 120) -> answers.Activity:
        """Say how much happened when."""
        ...

    def news(self, since: int, limit: int = 200) -> answers.News:
        """
        Look whether the ledger has grown, and say what changed.

        :param since: version of the last :meth:`overview` or :meth:`news`.
        """
        ...
