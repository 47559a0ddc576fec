"""States of the past: gone on from the last saved one, with what came until then."""

from __future__ import annotations

from collections import OrderedDict

from collab_robots.contract.runner import Runner
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.book.blocks import nanoseconds
from collab_robots.explorer.book.follower import fleet_of
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.reader import Moment
from collab_robots.tangle.block import decode_block
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import decode_record, foreign_record, RECORD_TAG
from collab_robots.tangle.snapshot import Snapshot
from collab_robots.tangle.store_reader import StoreReader

KEPT = 4  # states


class Moments:
    """
    See the module.

    :param fleet: the fleet file.
    """

    def __init__(self, fleet: Fleet, index: Index, store: StoreReader) -> None:
        self._fleet = fleet
        self._index = index
        self._store = store
        self._kept: OrderedDict[tuple[Moment, int], tuple[Runner, int]] = OrderedDict()

    def at(self, moment: Moment, version: int) -> tuple[Runner, int]:
        """
        Return the state of a moment, and its time: when the newest record before was issued, ns.

        :param version: of the index.
        :raises ConfigError: if it is before what the file holds, or no moment.
        """
        key = (moment, version)
        if key not in self._kept:
            self._kept[key] = self._make(moment)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _make(self, moment: Moment) -> tuple[Runner, int]:
        if (moment.time is None) == (moment.position is None):
            raise ConfigError('expected a time or a position to look back to')
        if moment.time is not None:
            end = nanoseconds(moment.time)
            return self._run('latest <= ?', '(issued_at <= ?)', end, end)
        position = moment.position
        (final,) = self._index.db.execute('SELECT max(position) + 1 FROM blocks').fetchone()
        if position is None or not 0 <= position <= (final or 0):
            raise ConfigError(f'expected a position from 0 to {final or 0}, got {position}')
        return self._run('position <= ?', '(position < ?)', position, None)

    def _run(
        self, saved_where: str, where: str, value: int, now: int | None
    ) -> tuple[Runner, int]:
        """Execute what meets a condition, from the last saved state that does."""
        runner, order = Runner(self._fleet), Order()
        saved = self._index.saved(saved_where, value)
        latest = 0
        if saved is not None:
            fleet = fleet_of(self._index, self._fleet, max(0, saved.epoch - 1))
            snapshot = Snapshot.decode(saved.data, fleet)
            runner.restore(saved.position, snapshot.state, snapshot.fleet)
            order, latest = Order(saved.position), saved.latest
        elif (base := int(self._index.get('base', '0'))) > 0:
            raise ConfigError(f'the file does not hold its first {base} final records any more')
        rows = self._index.db.execute(
            'SELECT id, issuer, depth, position IS NOT NULL FROM blocks '
            f'WHERE {where} AND (position IS NULL OR position >= ?) AND issuer < ? '
            'ORDER BY position IS NULL, position, issued_at, depth, id',
            (value, order.base, len(runner.fleet.robots)),
        ).fetchall()
        entries = [self._entry(identity, issuer, depth) for identity, issuer, depth, _ in rows]
        for entry in entries:
            order.insert(entry)
        order.finalise([entry for entry, row in zip(entries, rows, strict=True) if row[3]])
        runner.update(order)
        latest = max([latest, *(entry.record.issued_at for entry in entries)])
        return runner, latest if now is None else max(now, 0)

    def _entry(self, identity: bytes, issuer: int, depth: int) -> Entry:
        """Return a record for a runner, which needs no place in the DAG."""
        row = self._store.get(identity)
        if row is None:
            raise ConfigError('the file does not hold the records of that time any more')
        block = decode_block(row.raw)
        record = decode_record(block) if block.tag == RECORD_TAG else foreign_record(block)
        branch = issuer if issuer != FOREIGN else FOREIGN
        return Entry(identity, record, issuer, branch, depth, (), 0, 0, False, None)
