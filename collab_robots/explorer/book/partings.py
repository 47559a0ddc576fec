"""Splits in words: what each side did meanwhile, and how it was joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import json

from collab_robots.core.clock import SECOND
from collab_robots.explorer.agreement import Act
from collab_robots.explorer.book import history
from collab_robots.explorer.book.answers import Side, Split
from collab_robots.explorer.book.ids import shown, task_shown
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.splits import Hearing, Parting
from collab_robots.tangle.handover import Roster
from collab_robots.tangle.quorum import Quorum

SETTLED = 10.0  # s after a split; what is not final by then, though later records are, is lost


class Partings:
    """
    Follows who hears whom.

    :param names: of robots, by roster index; it may grow.
    """

    def __init__(self, index: Index, names: Sequence[str]) -> None:
        self.hearing = Hearing(len(names))
        self._index = index
        self._names = names
        self._taken = 0
        self._cleared = index.cleared

    def look(self) -> None:
        """Take the records that are new in the index."""
        if self._cleared != self._index.cleared:
            self.hearing, self._taken = Hearing(len(self._names)), 0
            self._cleared = self._index.cleared
        self.hearing.grow(len(self._names))
        for number, issuer, seq, issued_at, seen in self._index.db.execute(
            'SELECT n, issuer, seq, issued_at, seen FROM blocks WHERE n > ? ORDER BY n',
            (self._taken,),
        ):
            self._taken = number
            if issuer >= 0:
                self.hearing.tell(issuer, seq, issued_at / SECOND, json.loads(seen))

    def splits(self, rosters: Mapping[int, Roster]) -> tuple[Split, ...]:
        """
        Return all splits, oldest first.

        :param rosters: by epoch.
        """
        last = rosters[max(rosters)]
        left = {index for index, (*_, weight) in enumerate(last) if not weight}
        return tuple(
            self._split(one, self._quorum(one, rosters)) for one in self.hearing.partings(left)
        )

    def _quorum(self, parting: Parting, rosters: Mapping[int, Roster]) -> Quorum:
        """Return who was enough when a split began."""
        (epoch,) = self._index.db.execute(
            'SELECT epoch FROM blocks WHERE issued_at >= ? ORDER BY issued_at, n',
            (round(parting.begin * SECOND),),
        ).fetchone()
        return Quorum([weight for *_, weight in rosters[epoch]])

    def _split(self, parting: Parting, quorum: Quorum) -> Split:
        begin, end = parting.begin, parting.end
        until = end if end is not None else self.hearing.now
        during = history.acts(self._index, 'time BETWEEN ? AND ?', begin, until)
        sides = tuple(self._side(one, begin, until, quorum, during) for one in parting.sides)
        span = [round(time * SECOND) for time in (begin, until)]
        joined = self._index.db.execute(
            'SELECT id FROM blocks WHERE issued_at >= ? AND issuer >= 0 AND ? ORDER BY issued_at',
            (span[1], end is not None),
        ).fetchone()  # it ended with this record, which has all sides in its past
        (lost,) = self._index.db.execute(
            'SELECT count(*) FROM blocks WHERE issued_at BETWEEN ? AND ? AND position IS NULL '
            'AND ? < (SELECT max(issued_at) FROM blocks WHERE position IS NOT NULL)',
            (*span, span[1] + round(SETTLED * SECOND)),
        ).fetchone()
        who = ' | '.join(', '.join(side.robots) for side in sides)
        silent = ''.join(
            f'; {side.robots[0]} issued nothing: off, or alone'
            for side in sides
            if len(side.robots) == 1 and not side.blocks
        )
        return Split(
            id=f'{begin:.3f}',
            begin=begin,
            end=end,
            sides=sides,
            joined=shown(joined[0]) if joined else None,
            blocks_lost=lost,
            twice=_twice(sides, during),
            words=f'{who} did not hear one another for {until - begin:.1f} s'
            f'{"" if end is not None else ", and do not yet"}{silent}',
        )

    def _side(
        self,
        members: Sequence[int],
        begin: float,
        until: float,
        quorum: Quorum,
        acts: Sequence[Act],
    ) -> Side:
        names = tuple(self._names[member] for member in members)
        marks = ','.join('?' * len(members))
        blocks, calls = self._index.db.execute(
            'SELECT count(*), coalesce(sum(calls), 0) FROM blocks '
            f'WHERE issued_at BETWEEN ? AND ? AND issuer IN ({marks})',
            (round(begin * SECOND), round(until * SECOND), *members),
        ).fetchone()
        return Side(
            robots=names,
            blocks=blocks,
            calls=calls,
            done=len({act.task for act in acts if act.name == 'complete' and act.robot in names}),
            finalised=quorum.reached(sum(1 << member for member in members)),
        )


def _twice(sides: Sequence[Side], acts: Sequence[Act]) -> tuple[str, ...]:
    """Return the tasks that robots of several sides were awarded."""
    found: dict[str, set[int]] = {}
    for act in acts:
        if act.name == 'award':
            for number, side in enumerate(sides):
                if act.robot in side.robots:
                    found.setdefault(act.task, set()).add(number)
    return tuple(
        task_shown(bytes.fromhex(task)) for task, where in found.items() if len(where) > 1
    )
