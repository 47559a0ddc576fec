"""
The DAG, its final order and the order of the rest, kept in step.

It is what a set of records means, without disk, clock or peers: the same records give the same
entries and the same orders, in whichever sequence they come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple, Protocol

from collab_robots.core.errors import Refusal, RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle import roots
from collab_robots.tangle.block import decode_block, ID_BYTES
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.cut import Cut
from collab_robots.tangle.dag import Dag, Entry, FOREIGN
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.finality import Finality
from collab_robots.tangle.order import key_of, Order
from collab_robots.tangle.record import (
    decode_record,
    foreign_record,
    MAX_SEQ,
    Record,
    RECORD_TAG,
)
from collab_robots.tangle.settings import SNAPSHOT_INTERVAL
from collab_robots.tangle.snapshot import Attested, Snapshot


class Stored(Protocol):
    """The part of a store that is read here; see BlockStore."""

    def proofs(self) -> dict[int, tuple[bytes, bytes]]: ...
    def snapshot(self) -> tuple[int, bytes] | None: ...


class Added(NamedTuple):
    """
    What came of a new record.

    :param vouched: what others may build on from now on: itself unless it is stale, and what was
        stale in its past.
    :param final: what it makes final, in order.
    """

    vouched: list[Entry]
    final: list[Entry]


class Tangle:
    """
    All that is solid.

    :param fleet: the roster.
    """

    def __init__(self, fleet: Fleet, snapshot_interval: int = SNAPSHOT_INTERVAL) -> None:
        self.fleet = fleet
        self.dag = Dag([robot.weight for robot in fleet.robots])
        self.finality = Finality(self.dag)
        self.order = Order()
        self.proofs: dict[int, Proof] = {}
        """Per roster index of a proven equivocator, the proof."""
        self.snapshot: Snapshot | None = None
        """What a store's content began with."""
        self.orphans: list[Row] = []
        """Blocks of a store whose parents are not here."""
        self.superseded: list[bytes] = []
        """Ids of those that the snapshot stands for."""
        self.cuts: list[Cut] = []
        """New ones, oldest first; whoever makes snapshots of them takes them out."""
        self.cut_index = 0
        """Of the last cut."""
        self._interval = snapshot_interval
        self._roots: list[Entry] = []  # of the last cut
        self._root_ids: set[bytes] = set()
        self._cut_at = 0
        self._final_heights = [0] * self.dag.members
        self._final_forks: dict[int, int] = {}
        self._final_set = 0
        self.pruned: tuple[int, ...] = (0,) * self.dag.members
        """Per roster index: the first seq that is still held in full."""

    def add(self, entry: Entry) -> Added:
        """Attach a placed entry."""
        entry.stale = self._is_stale(entry)
        vouched = [] if entry.stale else self._vouch(entry)
        self.dag.attach(entry)
        self.order.insert(entry)
        final: list[Entry] = []
        for leader in self.finality.add(entry):
            batch = self._past(leader)
            self.order.finalise(batch)
            for one in batch:
                self._count(one)
            final += batch
            if self.order.final // self._interval > self.cut_index:
                self._cut(leader)
        return Added(vouched, final)

    def _count(self, entry: Entry) -> None:
        """Take a new final record into account for the next cut."""
        self._final_set ^= int.from_bytes(entry.id, 'big')
        issuer, seq = entry.issuer, entry.record.seq
        if issuer == FOREIGN:
            return
        if seq < self._final_heights[issuer]:
            self._final_forks[issuer] = min(seq, self._final_forks.get(issuer, seq))
        else:
            self._final_heights[issuer] = seq + 1

    def detach(self, unwanted: Callable[[Entry], bool]) -> list[Entry]:
        """
        Take out what nobody names and nobody wants.

        :returns: the entries taken out.
        """
        out = self.dag.detach_tips(unwanted)
        for entry in out:
            self.order.remove(entry)
        if out:
            self.finality.remove(out)
        return out

    @property
    def unvouched(self) -> Collection[int]:
        """The issuers whose blocks count only in the past of another's record."""
        return {FOREIGN, *self.proofs, *self.dag.forks}

    def begin(self, store: Stored) -> None:
        """
        Take the proofs and the snapshot of a store, before its blocks.

        :raises StoreError: if one of them is damaged.
        """
        for issuer, (first, second) in store.proofs().items():
            try:
                self.proofs[issuer] = Proof.of(first, second, self.fleet)
            except RefusedError as error:
                raise StoreError(f'a stored proof of equivocation is damaged: {error}') from None
        stored = store.snapshot()
        if stored is not None:
            try:
                self.snapshot = Attested.decode(stored[1], self.fleet)[1]
                self.install(self.snapshot.cut)
            except RefusedError as error:
                raise StoreError(f'the stored snapshot is damaged: {error}') from None

    def load(self, rows: Iterable[Row]) -> Iterator[tuple[Entry, Added]]:
        """
        Take the blocks of the store that this tangle began with.

        :param rows: parents first; their signatures were checked before they were stored.
        :returns: each entry with what came of it.
        :raises StoreError: if a block does not fit the others.
        """
        for row in rows:
            if self.covers(row.issuer, row.seq) or row.id in self.dag.entries:
                self.superseded.append(row.id)
                continue
            try:
                record = decode(row.raw)
                if self.snapshot is not None and self.dag.missing(record.parents):
                    self.orphans.append(row)
                    continue
                entry = self.dag.place(row.id, record, row.issuer)
            except (RefusedError, LookupError) as error:
                raise StoreError(
                    f'the stored block {row.id.hex()} does not fit the others: {error}'
                ) from None
            yield entry, self.add(entry)

    def covers(self, issuer: int, seq: int) -> bool:
        """Tell whether a record is final and pruned."""
        if issuer == FOREIGN:
            return False
        return seq < min(self.pruned[issuer], self.dag.forks.get(issuer, MAX_SEQ) - 1)

    def install(self, cut: Cut) -> None:
        """
        Begin with a snapshot, before anything else is added.

        :raises RefusedError: SNAPSHOT if its roots do not fit together.
        """
        self.order = Order(cut.position, cut.final_digest)
        self.finality.next = cut.slot
        self.dag.digest = int.from_bytes(cut.set_digest, 'big')
        self.cut_index = cut.index
        self._final_set = self.dag.digest
        self._final_heights = list(cut.heights)
        self._cut_at, self.pruned = cut.position, cut.heights
        self._root_ids = {root.id for root in cut.roots}
        first = cut.slot // self.finality.leaders
        for root in cut.roots:
            if root.round > first:
                raise RefusedError(Refusal.SNAPSHOT, f'a root of round {root.round}, not final')
            entry = roots.install(self.dag, root)
            self._roots.append(entry)
            if entry.round >= first:
                self.finality.add(entry)
        self._final_forks = dict(self.dag.forks)
        if self._roots:
            self.dag.tips[self._roots[-1].id] = self._roots[-1]

    def behind(self, cut: Cut) -> list[Entry]:
        """Return what is final at a cut, its roots included: their blocks are not needed."""
        return [entry for entry in self.dag.entries.values() if 0 <= entry.position < cut.position]

    def prune(self, cut: Cut) -> None:
        """Drop what is final at a cut and no root of it."""
        kept = {root.id for root in cut.roots}
        self.pruned = cut.heights
        self.order.prune(cut.position)
        self.dag.prune([entry for entry in self.behind(cut) if entry.id not in kept])

    def _cut(self, leader: Entry) -> None:
        """Note what a snapshot at the end of a leader's batch holds."""
        order, position, before = self.order, self.order.final, self._cut_at
        self.cut_index = position // self._interval
        held = {entry.id: entry for entry in self._roots}
        held.update((entry.id, entry) for entry in order.entries[: position - order.base])
        slot = self.finality.slot_of(leader) + 1
        self._roots = roots.choose_roots(
            sorted(held.values(), key=lambda entry: entry.position),
            (before, position),
            slot // self.finality.leaders,
            self._final_forks,
        )
        self._root_ids = {entry.id for entry in self._roots}
        self._cut_at = position
        self.cuts.append(
            Cut(
                self.cut_index,
                position,
                order.final_digest,
                self._final_set.to_bytes(ID_BYTES, 'big'),
                slot,
                tuple(self._final_heights),
                roots.describe(self.dag, self._roots, self._final_forks),
            )
        )

    def _is_stale(self, entry: Entry) -> bool:
        """
        Tell whether a record names final ones so old that others may have pruned them.

        Nobody honest does so. Who vouches for it may become unreadable to those others. It is not
        stale any more when somebody did, to whom it came sooner.
        """
        previous = entry.previous
        if previous is not None and previous.stale:
            return True
        floor = min(self._cut_at, self.order.final - roots.ROOT_WINDOW)
        if floor <= 0 or entry.issuer == FOREIGN:
            return False
        held = self.dag.entries
        return any(
            0 <= parent.position < floor
            and parent is not previous
            and parent_id not in self._root_ids
            for parent_id in entry.record.parents
            if (parent := held.get(parent_id)) is not None
        )

    def _vouch(self, entry: Entry) -> list[Entry]:
        """Return an entry that is not stale, and what was stale in its past."""
        held, found = self.dag.entries, [entry]
        for one in found:
            for parent_id in one.record.parents:
                self.dag.tips.pop(parent_id, None)
                parent = held.get(parent_id)
                if parent is not None and parent.stale:
                    parent.stale = False
                    found.append(parent)
        return found

    def _past(self, leader: Entry) -> list[Entry]:
        """Return what is in a leader's past, itself included, and not final, in order."""
        if leader.position >= 0:
            return []
        held, found, stack = self.dag.entries, {leader}, [leader]
        while stack:
            for parent_id in stack.pop().record.parents:
                parent = held.get(parent_id)
                if parent is not None and parent.position < 0 and parent not in found:
                    found.add(parent)
                    stack.append(parent)
        return sorted(found, key=key_of)


def decode(raw: bytes) -> Record:
    """
    Read a block: a signed record (not verified yet) or the stand-in of a foreign one.

    :raises RefusedError: as the decoders do.
    """
    block = decode_block(raw)
    return decode_record(block) if block.tag == RECORD_TAG else foreign_record(block)
