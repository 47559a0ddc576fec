"""What happened, as events: of a robot, of a task."""

from __future__ import annotations

from collections.abc import Sequence

from collab_robots.core.clock import SECOND
from collab_robots.explorer.agreement import Act, Lease
from collab_robots.explorer.book import answers
from collab_robots.explorer.book.answers import Event, Page
from collab_robots.explorer.book.blocks import Blocks, within
from collab_robots.explorer.book.ids import shown, task_shown
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.reader import MAX_PAGE
from collab_robots.explorer.book.search import start_of

_EVENT = (
    'SELECT issued_at, issuer, name, words, ok, reason, events, id, task '
    'FROM calls JOIN blocks ON n = block '
)


def of_robot(index: Index, blocks: Blocks, name: str, page: str | None, limit: int) -> Page[Event]:
    """List what a robot called, newest first."""
    own = [at for at, one in enumerate(blocks.names) if one == name]
    where = f'WHERE issuer IN ({",".join("?" * len(own))})'
    start, limit = start_of(page), within(limit, MAX_PAGE)
    (total,) = index.db.execute(
        f'SELECT coalesce(sum(calls), 0) FROM blocks {where}', own
    ).fetchone()
    rows = index.db.execute(
        f'{_EVENT} {where} ORDER BY issued_at DESC, n DESC, ordinal LIMIT ? OFFSET ?',
        (*own, limit, start),
    )
    items = tuple(_event(blocks, row) for row in rows)
    end = start + len(items)
    return Page(items=items, total=total, next=str(end) if end < total else None)


def of_task(index: Index, blocks: Blocks, key: bytes, until: int) -> tuple[Event, ...]:
    """List what was called about a task until a time, ns, oldest first."""
    rows = index.db.execute(
        f'{_EVENT} WHERE (task = ? OR n IN (SELECT block FROM acts WHERE task = ?) '
        "AND name = 'awardBatch') AND issued_at <= ? ORDER BY issued_at, n, ordinal",
        (key, key.hex(), until),
    )
    return tuple(_event(blocks, row) for row in rows)


def acts(index: Index, where: str = '1', *values: object) -> list[Act]:
    """Return the calls about tasks that took effect and meet a condition of SQL."""
    return [
        Act(*row)
        for row in index.db.execute(
            f'SELECT time, robot, name, task FROM acts WHERE {where}', values
        )
    ]


def lease_of(lease: Lease, now: float) -> answers.Lease:
    """Return when a robot had a task, as it is shown."""
    return answers.Lease(
        robot=lease.robot, begin=lease.start, until=min(lease.closed, now), end=_end(lease, now)
    )


def bars(held: Sequence[Lease], now: float) -> tuple[answers.Bar, ...]:
    """Return leases as a timeline shows them, oldest first."""
    from collab_robots.contract.calls.tasks import task_words  # brings the contracts

    found = []
    for lease in sorted(held, key=lambda one: one.start):
        key = bytes.fromhex(lease.task)
        words = task_words(key)
        found.append(
            answers.Bar(
                task=task_shown(key),
                words=words,
                kind=words.split(' ')[0],
                **lease_of(lease, now).model_dump(),
            )
        )
    return tuple(found)


def _end(lease: Lease, now: float) -> str:
    if lease.done:
        return 'done'
    if lease.end is not None:
        return 'released'
    return 'lapsed' if lease.until < now else 'held'


def _event(blocks: Blocks, row: tuple[int, int, str, str, int, str, str, bytes, bytes]) -> Event:
    issued_at, issuer, name, words, ok, reason, events, identity, task = row
    told = '; '.join([words, *([reason] if reason else []), *events.splitlines()])
    return Event(
        time=issued_at / SECOND,
        robot=blocks.names[issuer],
        kind=name,
        words=told,
        ok=bool(ok),
        block=shown(identity),
        task=task_shown(task) if task else None,
    )
