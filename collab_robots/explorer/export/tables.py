"""
Tables of a ledger: one kind of row each, with the same columns in every format.

Every time is there twice: s as a float, and ``…_ns`` as a whole number, rounded to the µs, which
is what a float holds of the time since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import heapq
from typing import Any, NamedTuple, TypeVar

from collab_robots.explorer.book.answers import Answer, Contribution
from collab_robots.explorer.book.reader import Filter, Reader, Told
from collab_robots.explorer.export import listing
from collab_robots.explorer.export.forms import What

_MICRO, _NANO = 1e6, 1000


class Span(NamedTuple):
    """
    A time from which to export.

    :param since: s, None: from the beginning; as ``until``, to the end. Both are part of it.
    """

    since: float | None = None
    until: float | None = None

    def holds(self, time: float) -> bool:
        """Tell whether a time is in it."""
        return (self.since is None or time >= self.since) and (
            self.until is None or time <= self.until
        )

    @property
    def blocks(self) -> Filter:
        """What selects the blocks that were issued then."""
        return Filter(since=self.since, until=self.until)


class BlockRow(NamedTuple):
    """
    A block; see :class:`collab_robots.explorer.book.answers.Block`.

    :param calls: their names.
    """

    id: str
    robot: str | None
    seq: int
    issued: float
    issued_ns: int
    received: float
    received_ns: int
    state: str
    position: int | None
    depth: int
    round: int
    epoch: int
    size: int
    parents: tuple[str, ...]
    calls: tuple[str, ...]


class CallRow(NamedTuple):
    """
    A contract call, and what came of it.

    :param block: id of the one it is in; ``robot`` to ``position`` are that one's.
    :param number: which of the block's calls, from 0.
    """

    block: str
    number: int
    robot: str | None
    issued: float
    issued_ns: int
    state: str
    position: int | None
    name: str
    words: str
    ok: bool
    reason: str
    events: tuple[str, ...]
    task: str | None


class TaskRow(NamedTuple):
    """A task as it stands; see :class:`collab_robots.explorer.book.answers.Task`."""

    id: str
    words: str
    kind: str
    x: float
    y: float
    round: int
    state: str
    why: str
    holder: str | None
    priority: int
    deadline: float
    proposed: float
    proposed_ns: int
    award_from: float
    lease_until: float
    bids: dict[str, float]
    completed: dict[str, float]


class LeaseRow(NamedTuple):
    """Who had a task when; see :class:`collab_robots.explorer.book.answers.Bar`."""

    task: str
    words: str
    kind: str
    robot: str
    begin: float
    begin_ns: int
    until: float
    until_ns: int
    end: str


class EventRow(NamedTuple):
    """Something that happened; see :class:`collab_robots.explorer.book.answers.Event`."""

    time: float
    time_ns: int
    robot: str
    kind: str
    words: str
    ok: bool
    block: str | None
    task: str | None


class SightingRow(NamedTuple):
    """Something a robot's camera recognised, at (x, y), m."""

    time: float
    time_ns: int
    robot: str
    x: float
    y: float
    class_id: int
    label: str
    confidence: float


class SketchRow(NamedTuple):
    """
    A region as a robot drew it; see :class:`collab_robots.explorer.book.answers.Sketch`.

    :param region_x: its column; ``region_y`` its row.
    :param counts: its robot is believed.
    """

    time: float
    time_ns: int
    robot: str
    region_x: int
    region_y: int
    counts: bool
    rows: tuple[str, ...]


Row = BlockRow | CallRow | TaskRow | LeaseRow | EventRow | SightingRow | SketchRow
AnyRow = TypeVar('AnyRow', BlockRow, CallRow, TaskRow, LeaseRow, EventRow, SightingRow, SketchRow)


class Table(NamedTuple):
    """
    A table.

    :param row: the type of its rows, which says the columns and their types.
    :param rows: yields them, oldest first; blocks and calls in the ledger's order.
    """

    row: type[Row]
    rows: Callable[[Reader, Span, Told], Iterator[Row]]


def ns(seconds: float) -> int:
    """Return s as whole ns, rounded to the µs."""
    return round(seconds * _MICRO) * _NANO


def _row(kind: type[AnyRow], answer: Answer, **others: Any) -> AnyRow:
    """Return the row of an answer; ``others`` are the columns that it has not under their name."""

    def value(column: str) -> Any:
        if column in others:
            return others[column]
        if column.endswith('_ns'):
            return ns(getattr(answer, column.removesuffix('_ns')))
        return getattr(answer, column)

    return kind._make(map(value, kind._fields))


def _blocks(reader: Reader, span: Span, told: Told) -> Iterator[BlockRow]:
    for block in listing.blocks(reader, span.blocks, told):
        calls = tuple(call.name for call in block.calls)
        yield _row(BlockRow, block, state=block.state.value, calls=calls)


def _calls(reader: Reader, span: Span, told: Told) -> Iterator[CallRow]:
    for block in listing.blocks(reader, span.blocks, told):
        for number, call in enumerate(block.calls):
            yield _row(
                CallRow,
                call,
                block=block.id,
                number=number,
                robot=block.robot,
                issued=block.issued,
                issued_ns=ns(block.issued),
                state=block.state.value,
                position=block.position,
            )


def _tasks(reader: Reader, span: Span, told: Told) -> Iterator[TaskRow]:
    for task in listing.tasks(reader, None, told):
        if span.holds(task.proposed):
            yield _row(TaskRow, task, x=task.place[0], y=task.place[1])


def _leases(reader: Reader, span: Span, told: Told) -> Iterator[LeaseRow]:
    for bar in reader.timeline(span.since, span.until):
        yield _row(LeaseRow, bar)


def _events(reader: Reader, span: Span, told: Told) -> Iterator[EventRow]:
    histories = [listing.history(reader, robot, told) for robot in reader.overview().robots]
    for event in heapq.merge(*histories, key=lambda event: event.time):
        if span.holds(event.time):
            yield _row(EventRow, event)


def _sightings(reader: Reader, span: Span, told: Told) -> Iterator[SightingRow]:
    for seen in sorted(reader.map().sightings, key=lambda seen: seen.time):
        if span.holds(seen.time):
            yield _row(SightingRow, seen, x=seen.place[0], y=seen.place[1])


def _sketches(reader: Reader, span: Span, told: Told) -> Iterator[SketchRow]:
    for x, y, made in sketches(reader, span):
        yield _row(SketchRow, made, region_x=x, region_y=y, rows=made.sketch.rows)


def sketches(reader: Reader, span: Span) -> list[tuple[int, int, Contribution]]:
    """Return what robots sketched, and of which region (x, y), oldest first."""
    found = [
        (*region.region, made)
        for region in reader.map().regions
        for made in region.contributions
        if span.holds(made.time)
    ]
    return sorted(found, key=lambda found: (found[2].time, found[2].robot, found[:2]))


TABLES = {
    What.BLOCKS: Table(BlockRow, _blocks),
    What.CALLS: Table(CallRow, _calls),
    What.TASKS: Table(TaskRow, _tasks),
    What.LEASES: Table(LeaseRow, _leases),
    What.EVENTS: Table(EventRow, _events),
    What.SIGHTINGS: Table(SightingRow, _sightings),
    What.SKETCHES: Table(SketchRow, _sketches),
}
