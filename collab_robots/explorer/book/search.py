"""Search for whatever somebody typed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.answers import Found, Hit, Page, Task
from collab_robots.explorer.book.blocks import Blocks, nanoseconds, within
from collab_robots.explorer.book.ids import digits_of, LEAST, shown, span
from collab_robots.explorer.book.index import CALLS, Index
from collab_robots.explorer.book.reader import MAX_PAGE, MAX_QUERY
from collab_robots.tangle.dag import FOREIGN

LEAST_TEXT = 3  # letters that the index can find
ACCEPTS = (
    'the beginning of an id of a block, at least 4 digits: 0x3fa9',
    'the name of a robot: robot1',
    'a task: explore 3 -1, or its id',
    'words of calls, of why they were reverted, and of events, at least 3 letters: bid 4.2 m',
    'a tag or the data of an unsigned block: sensor/7',
    'a time, s or ISO 8601: 73.5 or 2026-11-22T10:00:00Z',
)


def find(
    index: Index, blocks: Blocks, query: str, page: str | None, limit: int, tasks: Sequence[Hit]
) -> Found:
    """
    Search; see :meth:`.reader.Reader.find`.

    :param tasks: those that the query names.
    :raises ConfigError: if the query is too long.
    """
    if len(query) > MAX_QUERY:
        raise ConfigError(f'expected at most {MAX_QUERY} characters, got {len(query)}')
    query = query.encode(errors='replace').decode().replace('\0', ' ').strip()
    limit, start = within(limit, MAX_PAGE), start_of(page)
    searched, hits = [], list[Hit]()
    if query:
        hits += _robots(blocks, query)
        searched.append('robots')
        hits += tasks
        searched.append('tasks')
        digits = digits_of(query)
        if digits is not None and len(digits) >= LEAST:
            hits += _ids(index, blocks, digits)
            searched.append('ids of blocks')
        time = time_of(query)
        if time is not None:
            hits += _near(index, blocks, time)
            searched.append('the time')
    total, words = len(hits), list[Hit]()
    if len(query) >= LEAST_TEXT:
        searched.append('words of calls, reasons, events, tags and data')
        count, words = _words(index, blocks, query, max(0, start - len(hits)), limit)
        total += count
    shown_hits = [*hits[start:], *words][:limit]
    end = start + len(shown_hits)
    return Found(
        query=query,
        searched=tuple(searched),
        accepts=ACCEPTS,
        hits=Page(items=tuple(shown_hits), total=total, next=str(end) if end < total else None),
    )


def time_of(text: str) -> float | None:
    """Return the time, s, that somebody wrote as a number or by ISO 8601; None: it is none."""
    try:
        value = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text.replace('Z', '+00:00'))
        except ValueError:
            return None
        value = moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    return value if abs(value) < 1e10 else None


def _robots(blocks: Blocks, query: str) -> list[Hit]:
    return [
        Hit(kind='robot', id=name, title=name, words='a robot of the fleet', time=0.0)
        for name in dict.fromkeys(blocks.names)
        if query.lower() in name.lower()
    ]


def _ids(index: Index, blocks: Blocks, digits: str) -> list[Hit]:
    rows = index.db.execute(
        'SELECT n, id, issuer, seq, issued_at FROM blocks WHERE id BETWEEN ? AND ? LIMIT ?',
        (*span(digits), MAX_PAGE),
    )
    return [_hit(index, blocks, 'block', row, None) for row in rows.fetchall()]


def _near(index: Index, blocks: Blocks, time: float) -> list[Hit]:
    """Return the last block before a time."""
    row = index.db.execute(
        'SELECT n, id, issuer, seq, issued_at FROM blocks WHERE issued_at <= ? '
        'ORDER BY issued_at DESC LIMIT 1',
        (nanoseconds(time),),
    ).fetchone()
    if row is None:
        return []
    return [_hit(index, blocks, 'time', row, None).model_copy(update={'time': time})]


def _words(
    index: Index, blocks: Blocks, query: str, start: int, limit: int
) -> tuple[int, list[Hit]]:
    """Return how often the index has all words of a query, and some of them, newest first."""
    parts = [part for part in query.split() if len(part) >= LEAST_TEXT] or [query]
    asked = ' '.join('"' + part.replace('"', '""') + '"' for part in parts)
    (count,) = index.db.execute(
        'SELECT count(*) FROM words WHERE words MATCH ?', (asked,)
    ).fetchone()
    rows = index.db.execute(
        'SELECT blocks.n, blocks.id, issuer, seq, issued_at, text, words.rowid FROM '
        '(SELECT rowid, text FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ? OFFSET ?) '
        f'AS words JOIN blocks ON blocks.n = words.rowid / {CALLS} ORDER BY words.rowid DESC',
        (asked, limit, start),
    )
    return count, [
        _hit(index, blocks, 'data' if row[2] == FOREIGN else 'call', row, row[5])
        for row in rows.fetchall()
    ]


def _hit(index: Index, blocks: Blocks, kind: str, row: Sequence[Any], words: str | None) -> Hit:
    number, identity, issuer, seq, issued_at, *_ = row
    name = blocks.name_of(issuer)
    if words is None:
        words = '; '.join(call.words for call in blocks.calls_of(number)) or 'no calls'
    return Hit(
        kind=kind,
        id=shown(identity),
        title=f'{name} {seq}' if name is not None else 'unsigned block',
        words=words[:MAX_QUERY],
        time=issued_at / SECOND,
    )


def start_of(page: str | None) -> int:
    """
    Return where a page begins.

    :raises ConfigError: if it is not the ``next`` of one.
    """
    if page is None:
        return 0
    if not (page.isdecimal() and len(page) < 10):
        raise ConfigError(f'expected the "next" of a page before, got {page[:80]!r}')
    return int(page)


def task_hit(task: Task) -> Hit:
    """Return a task as something that was found."""
    words = f'{task.state}: {task.why}'
    return Hit(kind='task', id=task.id, title=task.words, words=words, time=task.proposed)
