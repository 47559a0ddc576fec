"""
Follows a ledger's file: orders and executes what is new in it, as its robot did.

It goes on from the last state that the index holds, so a large ledger is read through only once.
"""

from __future__ import annotations

from collections.abc import Sequence

from collab_robots.contract.calls.words import describe, key_of
from collab_robots.contract.receipt import Receipt
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.acts import acts_of
from collab_robots.explorer.book.answers import Call
from collab_robots.explorer.book.ids import task_shown
from collab_robots.explorer.book.index import Index, Known, Saved
from collab_robots.explorer.book.reader import Told
from collab_robots.explorer.book.texts import words_of
from collab_robots.tangle.approval import accepted_heights
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.cut import Cut
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.handover import roster_of
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.snapshot import Attested, Snapshot
from collab_robots.tangle.store_reader import StoreReader
from collab_robots.tangle.tangle import Tangle

INTERVAL = 2_000  # final records between two saved states
STEP = 500  # records that are executed at a time
_WINDOW = round(LedgerConfig().active_window * SECOND)


def fleet_of(index: Index, genesis: Fleet, epoch: int) -> Fleet:
    """Return the fleet with the roster of an epoch."""
    fleet = genesis
    for number, roster in index.epochs(epoch):
        fleet = fleet.later(number, roster)
    return fleet


class Follower:
    """
    See the module.

    :param fleet: the fleet file.
    :param index: takes what is found out.
    :raises StoreError: if the ledger is damaged.
    """

    def __init__(self, fleet: Fleet, store: StoreReader, index: Index) -> None:
        self.runner = Runner(fleet)
        self._store = store
        self._index = index
        self._genesis = fleet
        self._fresh: list[Entry] = []  # final, and not told yet
        self._tentative: set[bytes] = set()  # ids of those that were told as tentative
        self._cut_before: Cut | None = None
        self._begin()

    @property
    def fleet(self) -> Fleet:
        """With the roster of the present epoch."""
        return self.tangle.fleet

    def catch_up(self, told: Told) -> None:
        """
        Take what is new in the file.

        :raises StoreError: if the file is damaged.
        """
        after, newest = int(self._index.get('newest', '0')), self._store.newest
        total = self._store.count(after)
        with self._index.changing():
            for done, row in enumerate(self._store.load(after), 1):
                self._take(row)
                if done % STEP == 0:
                    self._tell_final()
                    told('blocks', done, total)
            self._tell_final()
            self._tell_tentative()
            self._index.set('newest', str(newest))

    def _begin(self) -> None:
        """Begin with the last saved state, with the file's snapshot, or with nothing."""
        saved = self._index.saved()
        self.tangle = Tangle(self._genesis, INTERVAL, self.runner)
        if saved is not None:
            self._restart(saved)
            return
        snapshot = self._file_snapshot()
        if snapshot is not None and not self._store.is_whole(snapshot.cut.heights):
            self.tangle.begin(self._store)
        else:
            self.runner.follow(self.tangle.order)
        with self._index.changing():
            self._index.save_epoch(self.fleet.epoch, roster_of(self.fleet))
            self._index.set('base', str(self.tangle.order.base))

    def _restart(self, saved: Saved) -> None:
        fleet = fleet_of(self._index, self._genesis, max(0, saved.epoch - 1))
        snapshot = Snapshot.decode(saved.data, fleet)
        self._install(snapshot)
        held = self._index.db.execute(
            'SELECT id FROM blocks WHERE position IS NULL OR position >= ? '
            'ORDER BY issued_at, depth, id',
            (saved.position,),
        )
        for (identity,) in held.fetchall():
            row = self._store.get(identity)
            if row is not None:
                self._load(row)
        self._fresh.clear()  # it was told
        self._tentative = {entry.id for entry in self.tangle.order.tentative}

    def _install(self, snapshot: Snapshot) -> None:
        self.tangle = Tangle(snapshot.fleet, INTERVAL, self.runner)
        self.tangle.install(snapshot)
        self._cut_before = None
        self.runner.restore(snapshot.cut.position, snapshot.state, snapshot.fleet)
        self.runner.follow(self.tangle.order)

    def _take(self, row: Row) -> None:
        """Take a new block of the file."""
        if self._index.number_of(row.id) is None:
            for entry in self._load(row):
                self._add(row, entry)
        if self.tangle.is_over:
            self._hand_over()
        elif self.tangle.cuts:
            self._cut()

    def _load(self, row: Row) -> list[Entry]:
        """Attach a block, if it fits the others."""
        try:
            loaded = list(self.tangle.load([row]))
        except StoreError as error:
            self._index.set('misfit', str(error))
            return []
        for _, added in loaded:
            self._fresh += added.final
        return [entry for entry, _ in loaded]

    def _add(self, row: Row, entry: Entry) -> None:
        number = self._index.add(
            Known(
                row.id,
                row.issuer,
                row.seq,
                entry.record.issued_at,
                row.received_at,
                entry.depth,
                entry.round,
                entry.witness,
                entry.seen[: len(self.fleet.robots)],
                len(row.raw),
                len(entry.record.calls),
                self.fleet.epoch,
                entry.record.parents,
            )
        )
        if row.issuer == FOREIGN:
            self._index.say(number, words_of(row.raw))

    def _cut(self) -> None:
        """Save the state at a cut, and forget what came before the cut before."""
        self._tell_final()
        for fleet, cut in self.tangle.cuts:
            self._save(Snapshot(fleet, cut, self.runner.state_at(cut.position)))
            if self._cut_before is not None:
                self.tangle.prune(self._cut_before)
            self._cut_before = cut
        self.tangle.cuts.clear()

    def _hand_over(self) -> None:
        """Go on with the roster that the fleet decided on."""
        self._tell_final()
        later, cut = self.tangle.cuts[-1]
        snapshot = Snapshot(later, cut, self.runner.state_at(cut.position))
        rest = [entry.id for entry in self.tangle.order.tentative]
        rest += [row.id for row in self.tangle.orphans]
        self._index.save_epoch(later.epoch, roster_of(later))
        self._save(snapshot)
        self._install(snapshot)
        rows = [row for identity in rest if (row := self._store.get(identity)) is not None]
        for row in sorted(rows, key=lambda row: (row.issued_at, row.depth, row.id)):
            for entry in self._load(row):
                if self._index.number_of(row.id) is None:
                    self._add(row, entry)

    def _save(self, snapshot: Snapshot) -> None:
        position = snapshot.cut.position
        (latest,) = self._index.db.execute(
            'SELECT max(issued_at) FROM blocks WHERE position < ?', (position,)
        ).fetchone()
        self._index.save(Saved(position, latest or 0, snapshot.fleet.epoch, snapshot.encode()))

    def _tell_final(self) -> None:
        """Execute what is there, and note what came of what is final."""
        self.runner.update(self.tangle.order)
        for entry in self._fresh:
            number = self._index.number_of(entry.id)
            if number is not None:
                self._index.finalise(number, entry.position, self.fleet.epoch)
                self._tell(number, entry)
                self._tentative.discard(entry.id)
        self._fresh.clear()

    def _tell_tentative(self) -> None:
        """Note what comes of the rest at present, and what of it is accepted."""
        heights, index = self._accepted(), self._index
        present = {entry.id: entry for entry in self.tangle.order.tentative}
        gone = self._tentative - present.keys()
        index.remove([n for one in gone if (n := index.number_of(one)) is not None])
        for identity, entry in present.items():
            number = index.number_of(identity)
            if number is not None:
                self._tell(number, entry)
                ok = entry.issuer != FOREIGN and entry.record.seq < heights[entry.issuer]
                index.accept(number, ok)
        self._tentative = set(present)

    def _tell(self, number: int, entry: Entry) -> None:
        receipts = self.runner.receipts.get(entry.id, ())
        if receipts:
            calls = [
                call_of(data, receipt, self.fleet)
                for data, receipt in zip(entry.record.calls, receipts, strict=True)
            ]
            self._index.tell(number, calls, list(acts_of(entry, receipts, self.fleet)))

    def _accepted(self) -> Sequence[int]:
        """Return, per roster index, how many records are accepted, for who has the file."""
        dag, fleet = self.tangle.dag, self.fleet
        newest = [dag.newest(robot) for robot in range(dag.members)]
        present = max((one.record.issued_at for one in newest if one is not None), default=0)
        return accepted_heights(
            [one.seen if one is not None else None for one in newest],
            [robot.weight for robot in fleet.robots],
            [
                index
                for index, one in enumerate(newest)
                if one is not None
                and one.record.issued_at >= present - _WINDOW
                and index not in self.tangle.unvouched
            ],
            dag.forks,
        )

    def _file_snapshot(self) -> Snapshot | None:
        stored = self._store.snapshot()
        if stored is None:
            return None
        try:
            return Attested.decode(stored[1], self._genesis)[1]
        except RefusedError as error:
            raise StoreError(f'the stored snapshot is damaged: {error}') from None


def call_of(data: bytes, receipt: Receipt, fleet: Fleet) -> Call:
    """Put a call and what came of it into words."""
    key = key_of(data)
    return Call(
        name=receipt.call,
        words=describe(data, fleet.name_by_address),
        ok=receipt.ok,
        reason=receipt.reason,
        events=receipt.events,
        task=task_shown(key) if key is not None else None,
    )
