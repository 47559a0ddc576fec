"""Questions about blocks, answered from the index."""

from __future__ import annotations

from collections.abc import Sequence
import json
import sqlite3
from typing import Any

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.answers import (
    Block,
    BlockDetails,
    Call,
    Dag,
    News,
    Overview,
    Page,
    Split,
    State,
)
from collab_robots.explorer.book.ids import bounds, one, shown, task_shown
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.reader import Filter, MAX_DAG, MAX_PAGE
from collab_robots.explorer.book.texts import text_of
from collab_robots.tangle.block import decode_block
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.record import RECORD_TAG
from collab_robots.tangle.store_reader import StoreReader

UNSIGNED = 'unsigned'
_COLUMNS = (
    'n, id, issuer, seq, issued_at, received_at, depth, round, epoch, position, accepted, size'
)
_STATES = tuple(State)


class Blocks:
    """
    See the module.

    :param names: of robots, by roster index.
    """

    def __init__(self, index: Index, store: StoreReader, names: Sequence[str]) -> None:
        self._index = index
        self._store = store
        self.names = names

    def page(self, which: Filter, page: str | None, limit: int) -> Page[Block]:
        """List blocks, newest first."""
        where, values = self._where(which)
        (total,) = self._db.execute(
            f'SELECT count(*) FROM blocks WHERE {where}', values
        ).fetchone()
        if page is not None:
            issued_at, number = _place(page)
            where += ' AND (issued_at, n) < (?, ?)'
            values += [issued_at, number]
        limit = within(limit, MAX_PAGE)
        rows = self._db.execute(
            f'SELECT {_COLUMNS} FROM blocks WHERE {where} ORDER BY issued_at DESC, n DESC LIMIT ?',
            [*values, limit + 1],
        ).fetchall()
        more = len(rows) > limit
        last = rows[limit - 1] if more else None
        return Page(
            items=self.of(rows[:limit]),
            total=total,
            next=f'{last[4]}-{last[0]}' if last is not None else None,
        )

    def of(self, rows: Sequence[Sequence[Any]]) -> tuple[Block, ...]:
        """Return blocks of rows with the columns of a block."""
        return tuple(Block(**self._fields(row)) for row in rows)

    def find(self, identity: str) -> int:
        """
        Return the number of a block.

        :raises ConfigError: if it is none or several.
        """
        found = self._db.execute(
            'SELECT id FROM blocks WHERE id BETWEEN ? AND ? LIMIT 2', bounds('block', identity)
        ).fetchall()
        number, _ = self._index.place_of(one('block', identity, [row[0] for row in found]))
        assert number is not None
        return number

    def details(self, identity: str) -> BlockDetails:
        """Tell all about a block."""
        number = self.find(identity)
        row = self._db.execute(
            f'SELECT {_COLUMNS}, seen, witness FROM blocks WHERE n = ?', (number,)
        ).fetchone()
        stored = self._store.get(row[1])
        block = decode_block(stored.raw) if stored is not None else None
        is_record = block is not None and block.tag == RECORD_TAG
        seen = json.loads(row[-2])
        children = self._db.execute(
            'SELECT id FROM blocks JOIN edges ON n = child WHERE parent = ? ORDER BY issued_at',
            (number,),
        )
        return BlockDetails(
            **self._fields(row),
            children=tuple(shown(child) for (child,) in children),
            heard={self.names[at]: height for at, height in enumerate(seen) if height},
            approved_by=self._approvers(row[2], row[3]) if row[2] != FOREIGN else (),
            witness=bool(row[-1]),
            tag=text_of(block.tag) if block is not None else '',
            data='' if block is None or is_record else text_of(block.data),
            raw=stored.raw.hex() if stored is not None else '',
        )

    def _approvers(self, issuer: int, seq: int) -> tuple[str, ...]:
        """Return who has a record in the past of its newest one."""
        newest = self._db.execute(
            'SELECT issuer, seen, max(seq) FROM blocks WHERE issuer >= 0 GROUP BY issuer'
        )
        return tuple(
            self.names[robot]
            for robot, seen, _ in newest
            if issuer < len(heights := json.loads(seen)) and heights[issuer] > seq
        )

    def dag(
        self,
        around: str | None,
        since: float | None,
        until: float | None,
        limit: int,
        splits: Sequence[Split],
    ) -> Dag:
        """Return a part of the DAG."""
        limit = within(limit, MAX_DAG)
        where, values = '1', []
        if around is not None:
            number = self.find(around)
            (time,) = self._db.execute(
                'SELECT issued_at FROM blocks WHERE n = ?', (number,)
            ).fetchone()
            query = (
                'SELECT n FROM (SELECT n FROM blocks WHERE issued_at {} ? '
                'ORDER BY issued_at {} LIMIT ?)'
            )
            where = f'n IN ({query.format("<=", "DESC")}) OR n IN ({query.format(">", "ASC")})'
            values = [time, limit // 2, time, limit - limit // 2]
        else:
            where, values = self._where(Filter(since=since, until=until))
        rows = self._db.execute(
            'SELECT n, id, issuer, seq, issued_at, depth, round, position, accepted, calls '
            f'FROM blocks WHERE {where} ORDER BY issued_at DESC, n DESC LIMIT ?',
            [*values, limit + 1],
        ).fetchall()
        cut, rows = len(rows) > limit, rows[limit - 1 :: -1] if len(rows) > limit else rows[::-1]
        at = {row[0]: place for place, row in enumerate(rows)}
        edges = self._edges(at)
        return Dag(
            robots=tuple(self.names),
            id=tuple(shown(row[1]) for row in rows),
            robot=tuple(row[2] for row in rows),
            seq=tuple(row[3] for row in rows),
            issued=tuple(row[4] / SECOND for row in rows),
            depth=tuple(row[5] for row in rows),
            round=tuple(row[6] for row in rows),
            state=tuple(_state(row[7], row[8]) for row in rows),
            side=tuple(self._side(row[2], row[4] / SECOND, splits) for row in rows),
            calls=tuple(row[9] for row in rows),
            edges=edges,
            cut=cut,
        )

    def news(self, since: int, limit: int, overview: Overview) -> News:
        """Say what changed since a version."""
        rows = self._db.execute(
            f'SELECT {_COLUMNS} FROM blocks WHERE changed > ? AND born > ? '
            'ORDER BY n DESC LIMIT ?',
            (since, since, within(limit, MAX_PAGE)),
        ).fetchall()
        states = self._db.execute(
            'SELECT id, position, accepted FROM blocks WHERE changed > ? AND born <= ? '
            'ORDER BY n DESC LIMIT ?',
            (since, since, MAX_DAG),
        )
        return News(
            version=self._index.version,
            overview=overview,
            blocks=self.of(rows[::-1]),
            states={
                shown(identity): _STATES[_state(position, accepted)]
                for identity, position, accepted in states
            },
        )

    def calls_of(self, number: int) -> tuple[Call, ...]:
        """Return the calls of a block."""
        rows = self._db.execute(
            'SELECT name, words, ok, reason, events, task FROM calls WHERE block = ? '
            'ORDER BY ordinal',
            (number,),
        )
        return tuple(
            Call(
                name=name,
                words=words,
                ok=bool(ok),
                reason=reason,
                events=tuple(events.splitlines()),
                task=task_shown(task) if task else None,
            )
            for name, words, ok, reason, events, task in rows
        )

    def name_of(self, issuer: int) -> str | None:
        """Return the name of an issuer; None for that of an unsigned block."""
        return None if issuer == FOREIGN else self.names[issuer]

    @property
    def _db(self) -> sqlite3.Connection:
        return self._index.db

    def _fields(self, row: Sequence[Any]) -> dict[str, Any]:
        number, identity, issuer, seq, issued_at, received_at, depth, round_, *rest = row
        epoch, position, accepted, size, *_ = rest
        parents = self._db.execute(
            'SELECT id FROM blocks JOIN edges ON n = parent WHERE child = ? ORDER BY id', (number,)
        )
        return {
            'id': shown(identity),
            'robot': self.name_of(issuer),
            'seq': seq,
            'issued': issued_at / SECOND,
            'received': received_at / SECOND,
            'state': _STATES[_state(position, accepted)],
            'position': position,
            'depth': depth,
            'round': round_,
            'epoch': epoch,
            'size': size,
            'parents': tuple(shown(parent) for (parent,) in parents),
            'calls': self.calls_of(number),
        }

    def _where(self, which: Filter) -> tuple[str, list[Any]]:
        """Return the condition of a filter."""
        where, values = ['1'], list[Any]()
        if which.robot is not None:
            where.append('issuer = ?')
            values.append(FOREIGN if which.robot == UNSIGNED else self.index_of(which.robot))
        if which.kind == 'heartbeat':
            where.append('calls = 0 AND issuer >= 0')
        elif which.kind == 'reverted':
            where.append('reverted > 0')
        elif which.kind is not None:
            where.append('n IN (SELECT block FROM calls WHERE name = ?)')
            values.append(which.kind)
        if which.state is State.FINAL:
            where.append('position IS NOT NULL')
        elif which.state is not None:
            where.append('position IS NULL AND accepted = ?')
            values.append(which.state is State.ACCEPTED)
        for condition, time in (('>=', which.since), ('<=', which.until)):
            if time is not None:
                where.append(f'issued_at {condition} ?')
                values.append(nanoseconds(time))
        return ' AND '.join(where), values

    def index_of(self, robot: str) -> int:
        """
        Return the roster index of a robot: the last one, if it had several keys.

        :raises ConfigError: if it is not in the fleet.
        """
        for index in reversed(range(len(self.names))):
            if self.names[index] == robot:
                return index
        raise ConfigError(f'no robot {robot[:80]!r}; there are: {", ".join(self.names)}')

    def _edges(self, at: dict[int, int]) -> tuple[int, ...]:
        """Return the edges between blocks, by number, as places."""
        if not at:
            return ()
        found = self._db.execute(
            'SELECT child, parent FROM edges WHERE child BETWEEN ? AND ?', (min(at), max(at))
        )
        return tuple(
            place
            for child, parent in found
            if child in at and parent in at
            for place in (at[child], at[parent])
        )

    def _side(self, issuer: int, time: float, splits: Sequence[Split]) -> int:
        for split in splits:
            if issuer != FOREIGN and split.begin <= time and (not split.end or time <= split.end):
                name = self.names[issuer]
                return next(
                    (number for number, side in enumerate(split.sides, 1) if name in side.robots),
                    0,
                )
        return 0


def _state(position: int | None, accepted: int) -> int:
    return 2 if position is not None else int(accepted)


def within(limit: int, most: int) -> int:
    """
    Return the size of a page.

    :raises ConfigError: if it is out of range.
    """
    if not 1 <= limit <= most:
        raise ConfigError(f'expected 1 to {most} at once, got {limit}')
    return limit


def nanoseconds(time: float) -> int:
    """
    Return a time in ns.

    :raises ConfigError: if it is out of range.
    """
    if not abs(time) < 1e10:
        raise ConfigError(f'expected a time in s, got {time}')
    return round(time * SECOND)


def _place(page: str) -> tuple[int, int]:
    """Read where a page begins."""
    parts = page.split('-')
    if len(parts) != 2 or not all(part.isdecimal() and len(part) < 20 for part in parts):
        raise ConfigError(f'expected the "next" of a page before, got {page[:80]!r}')
    return int(parts[0]), int(parts[1])
