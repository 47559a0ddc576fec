"""
Follows a ledger's file: orders and executes what is new in it, as its robot did.

It goes on from the last state that the index holds, so a large ledger is read through only once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from collab_robots.contract.calls.words import describe, key_of
from collab_robots.contract.receipt import Receipt
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.acts import acts_of
from collab_robots.explorer.book.answers import Call
from collab_robots.explorer.book.ids import task_shown
from collab_robots.explorer.book.index import format_newest, Index, Known, parse_newest, Saved
from collab_robots.explorer.book.reader import Told
from collab_robots.explorer.book.texts import words_of
from collab_robots.tangle.approval import accepted_heights
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.cut import Cut
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.handover import roster_of
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.snapshot import Attested, Snapshot
from collab_robots.tangle.store_reader import StoreReader
from collab_robots.tangle.tangle import Tangle

INTERVAL = 2_000  # final records between two saved states
STEP = 500  # records that are executed at a time
Receipts = tuple[Receipt, ...]
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
        self._store = store
        self._index = index
        self._genesis = fleet
        self._begin()

    @property
    def fleet(self) -> Fleet:
        """With the roster of the present epoch."""
        return self.tangle.fleet

    @property
    def is_behind(self) -> bool:
        """Another process took blocks into the index."""
        return format_newest(self._newest) != self._index.get('newest')

    def catch_up(self, told: Told) -> None:
        """
        Take what is new in the file.

        :raises StoreError: if the file is damaged.
        """
        self._read(told)
        if self._is_cut_off():
            self._index.clear()
            self._begin()
            self._read(told)

    def _begin(self) -> None:
        """Begin with the last saved state, or with nothing."""
        self.runner = Runner(self._genesis)
        """Executes the records; another one after the index was cleared."""
        self._newest = parse_newest(self._index.get('newest'))
        self._fresh: list[Entry] = []  # final, and not told yet
        self._tentative: dict[bytes, Receipts] = {}  # ids, and what was told of them
        self._misfits: dict[bytes, str] = {}
        self._cut_before: Cut | None = None
        if not self._index.get('newest'):
            self._begin_index()
        saved = self._index.saved()
        if saved is None:
            self.tangle = Tangle(self._genesis, INTERVAL, self.runner)
            self.runner.follow(self.tangle.order)
        else:
            fleet = fleet_of(self._index, self._genesis, max(0, saved.epoch - 1))
            self._install(Snapshot.decode(saved.data, fleet))
        held = self._index.db.execute(
            'SELECT id FROM blocks WHERE position IS NULL OR position >= ?',
            (self.tangle.order.base,),
        )
        for row in self._rows({identity for (identity,) in held} | self._index.waiting()):
            self._load(row)
        self._fresh.clear()  # it was told
        self.runner.update(self.tangle.order)
        self._tentative = {entry.id: () for entry in self.tangle.order.tentative}

    def _begin_index(self) -> None:
        """Keep what the file begins with, if that is not its first block."""
        found = self._file_snapshot()
        if found is None or self._store.is_whole(found[1].cut.heights):
            return
        attested, snapshot = found
        fleet = self._genesis
        with self._index.changing():
            for handover in attested.chain(snapshot.fleet):
                fleet = handover.follow(fleet)
                self._index.save_epoch(fleet.epoch, roster_of(fleet))
            self._save(snapshot)
            self._index.set('base', str(snapshot.cut.position))

    def _is_cut_off(self) -> bool:
        """Tell whether the robot dropped blocks that were not read."""
        if not (self._misfits or self.tangle.orphans):
            return False
        found = self._file_snapshot()
        return found is not None and found[1].cut.position > self.tangle.order.final

    def _read(self, told: Told) -> None:
        """Take the blocks that are new in the file."""
        after, newest = self._newest, self._store.newest
        total, rows = self._store.count(after), self._store.load(after)
        for done in range(0, total, STEP):
            with self._index.changing():
                for row in islice(rows, STEP):
                    self._take(row)
                self._tell_final()
            told('blocks', min(done + STEP, total), total)
        self._newest = newest
        with self._index.changing():
            self._take_proofs()
            for row in self._rows(list(self._misfits) if total else ()):
                self._take(row)
            self.tangle.detach(lambda entry: self._store.get(entry.id) is None)
            self._tell_final()
            self._tell_tentative()
            self._index.wait(self._misfits.keys() | {row.id for row in self.tangle.orphans})
            self._index.set('misfit', next(iter(self._misfits.values()), ''))
            self._index.set('newest', format_newest(newest))

    def _take_proofs(self) -> None:
        for issuer, (first, second) in self._store.proofs().items():
            if issuer not in self.tangle.proofs:
                try:
                    self.tangle.proofs[issuer] = Proof.of(first, second, self.fleet)
                except RefusedError as error:
                    raise StoreError(f'a proof of equivocation is damaged: {error}') from None

    def _install(self, snapshot: Snapshot) -> None:
        self.tangle = Tangle(snapshot.fleet, INTERVAL, self.runner)
        self.tangle.install(snapshot)
        self._cut_before = None
        self.runner.restore(snapshot.cut.position, snapshot.state, snapshot.fleet)
        self.runner.follow(self.tangle.order)

    def _take(self, row: Row) -> None:
        """Take a block of the file, unless it is known to be final."""
        number, position = self._index.place_of(row.id)
        if position is not None and position < self.tangle.order.final:
            return
        entry = self._load(row)
        if entry is not None and number is None:
            self._add(row, entry)
        while self.tangle.is_over:
            self._hand_over()
        if self.tangle.cuts:
            self._cut()

    def _load(self, row: Row) -> Entry | None:
        """Attach a block, if it fits the others."""
        self._misfits.pop(row.id, None)
        waiting = len(self.tangle.orphans)
        try:
            loaded = list(self.tangle.load([row]))
        except StoreError as error:
            self._misfits[row.id] = str(error)
            return None
        if len(self.tangle.orphans) > waiting and row.issuer < self.tangle.dag.members:
            self.tangle.orphans.pop()
            self._misfits[row.id] = f'the parents of block {row.id.hex()} are not here'
        for entry, added in loaded:
            self._fresh += added.final
            return entry
        return None

    def _rows(self, ids: Collection[bytes]) -> list[Row]:
        """Return blocks that the file holds, parents first."""
        rows = [row for identity in ids if (row := self._store.get(identity)) is not None]
        return sorted(rows, key=lambda row: (row.issued_at, row.depth, row.id))

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
                self._heights(entry),
                len(row.raw),
                len(entry.record.calls),
                self.fleet.epoch,
                entry.record.parents,
            )
        )
        if row.issuer == FOREIGN:
            self._index.say(number, words_of(row.raw))

    def _heights(self, entry: Entry) -> list[int]:
        """Return how many records of each robot are in an entry's past."""
        dag = self.tangle.dag
        if not dag.forks:
            return list(entry.seen)
        return [dag.height(entry.seen, issuer) for issuer in range(dag.members)]

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
        rest = {entry.id for entry in self.tangle.order.tentative}
        rest |= {row.id for row in self.tangle.orphans} | self._misfits.keys()
        self._index.save_epoch(later.epoch, roster_of(later))
        self._save(snapshot)
        self._install(snapshot)
        for row in self._rows(rest):
            entry = self._load(row)
            number, _ = self._index.place_of(row.id)
            if entry is not None and number is None:
                self._add(row, entry)
            elif entry is not None and number is not None:
                heights = self._heights(entry)
                self._index.change(number, entry.round, entry.witness, heights, later.epoch)

    def _save(self, snapshot: Snapshot) -> None:
        """Keep a state to go on from; its roots have the newest final record of each robot."""
        cut = snapshot.cut
        latest = max((root.issued_at for root in cut.roots), default=0)
        self._index.save(Saved(cut.position, latest, snapshot.fleet.epoch, snapshot.encode()))

    def _tell_final(self) -> None:
        """Execute what is there, and note what came of what is final."""
        self.runner.update(self.tangle.order)
        for entry in self._fresh:
            number, _ = self._index.place_of(entry.id)
            if number is not None:
                self._index.finalise(number, entry.position, self.fleet.epoch)
                self._tell(number, entry, self._tentative.pop(entry.id, ()))
        self._fresh.clear()

    def _tell_tentative(self) -> None:
        """Note what comes of the rest at present, and what of it is accepted."""
        heights, index = self._accepted(), self._index
        present = {entry.id: entry for entry in self.tangle.order.tentative}
        gone = self._tentative.keys() - present.keys() - self._misfits.keys()
        index.remove([n for one in gone if (n := index.place_of(one)[0]) is not None])
        before, self._tentative = self._tentative, {}
        for identity, entry in present.items():
            number, _ = index.place_of(identity)
            if number is not None:
                self._tentative[identity] = self._tell(number, entry, before.get(identity, ()))
                ok = entry.issuer != FOREIGN and entry.record.seq < heights[entry.issuer]
                index.accept(number, ok)

    def _tell(self, number: int, entry: Entry, before: Receipts) -> Receipts:
        """
        Note what came of a record's calls.

        :param before: what was noted already.
        """
        receipts = self.runner.receipts.get(entry.id, ())
        if receipts != before:
            calls = [
                call_of(data, receipt, self.fleet)
                for data, receipt in zip(entry.record.calls, receipts, strict=True)
            ]
            self._index.tell(number, calls, list(acts_of(entry, receipts, self.fleet)))
        return receipts

    def _accepted(self) -> Sequence[int]:
        """Return, per roster index, how many records are accepted, for who has the file."""
        tangle, dag = self.tangle, self.tangle.dag
        newest = [dag.newest(robot) for robot in range(dag.members)]
        present = max((one.record.issued_at for one in newest if one is not None), default=0)
        return accepted_heights(
            [one.seen if one is not None else None for one in newest],
            [robot.weight for robot in self.fleet.robots],
            [
                index
                for index, one in enumerate(newest)
                if one is not None
                and one.record.issued_at >= present - _WINDOW
                and index not in tangle.unvouched
            ],
            {issuer: proof.seq for issuer, proof in tangle.proofs.items()} | dag.forks,
        )

    def _file_snapshot(self) -> tuple[Attested, Snapshot] | None:
        stored = self._store.snapshot()
        if stored is None:
            return None
        try:
            return Attested.decode(stored[1], self._genesis)
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
