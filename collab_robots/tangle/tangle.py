"""
The DAG, its final order and the order of the rest, kept in step.

It is what a set of records means, without disk, clock or peers: the same records give the same
entries and the same orders, in whichever sequence they come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from collab_robots.core.errors import Refusal, RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle import roots
from collab_robots.tangle.block import decode_block, ID_BYTES
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.cut import Cut, Root
from collab_robots.tangle.dag import Dag, Entry, FOREIGN
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.finality import Finality, slots_of
from collab_robots.tangle.handover import Handover, Roster
from collab_robots.tangle.order import key_of, Order
from collab_robots.tangle.record import (
    decode_record,
    foreign_record,
    MAX_SEQ,
    Record,
    RECORD_TAG,
)
from collab_robots.tangle.settings import SNAPSHOT_INTERVAL
from collab_robots.tangle.snapshot import Attested, Snapshot, State


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
    :param state: says when the final records change the roster; without it they never do.
    """

    def __init__(
        self,
        fleet: Fleet,
        snapshot_interval: int = SNAPSHOT_INTERVAL,
        state: State | None = None,
    ) -> None:
        self.proofs: dict[int, Proof] = {}
        """Per roster index of a proven equivocator, the proof."""
        self.snapshot: Snapshot | None = None
        """What a store's content began with."""
        self.handovers: tuple[Handover, ...] = ()
        """Those that lead from the fleet file to the roster."""
        self.orphans: list[Row] = []
        """Blocks of a store whose parents are not here, or whose issuer has yet to join."""
        self.superseded: list[bytes] = []
        """Ids of those that the snapshot stands for."""
        self.cuts: list[tuple[Fleet, Cut]] = []
        """New ones, oldest first; whoever makes snapshots of them takes them out."""
        self.cut_index = 0
        """Of the last cut."""
        self.is_over = False
        """The fleet has another roster after the last cut: nothing more becomes final here."""
        self._interval = snapshot_interval
        self._state = state
        self._enrol(fleet)

    def _enrol(self, fleet: Fleet) -> None:
        """Begin with a roster."""
        self.fleet = fleet
        self.dag = Dag([robot.weight for robot in fleet.robots])
        self.finality = Finality(self.dag)
        self.order = Order()
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
            if self.is_over:
                break
            batch = self._past(leader)
            self.order.finalise(batch)
            for one in batch:
                self._count(one)
            final += batch
            roster = self._state.next_roster(self.order.final) if self._state else None
            if roster is not None:
                self._hand_over(leader, roster)
            elif self.order.final // self._interval > self._cut_at // self._interval:
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
    def equivocators(self) -> Collection[int]:
        """The issuers that are known to have signed two records with one seq."""
        return {*self.proofs, *self.dag.forks}

    @property
    def unvouched(self) -> Collection[int]:
        """The issuers whose blocks count only in the past of another's record."""
        return {FOREIGN, *self.equivocators, *self.fleet.left}

    def begin(self, store: Stored) -> None:
        """
        Take the snapshot and the proofs of a store, before its blocks.

        :raises StoreError: if one of them is damaged.
        """
        stored = store.snapshot()
        if stored is not None:
            try:
                attested, self.snapshot = Attested.decode(stored[1], self.fleet)
                self.install(self.snapshot, attested.chain(self.snapshot.fleet))
                if self._state is not None:
                    self._state.restore(
                        self.snapshot.cut.position, self.snapshot.state, self.snapshot.fleet
                    )
            except RefusedError as error:
                raise StoreError(f'the stored snapshot is damaged: {error}') from None
        for issuer, (first, second) in store.proofs().items():
            try:
                self.proofs[issuer] = Proof.of(first, second, self.fleet)
            except RefusedError as error:
                raise StoreError(f'a stored proof of equivocation is damaged: {error}') from None
        if self._state is not None:
            self._state.follow(self.order)

    def load(self, rows: Iterable[Row]) -> Iterator[tuple[Entry, Added]]:
        """
        Take the blocks of the store that this tangle began with.

        :param rows: parents first; their signatures were checked before they were stored.
        :returns: each entry with what came of it.
        :raises StoreError: if a block does not fit the others.
        """
        for row in rows:
            if row.issuer >= self.dag.members:
                self.orphans.append(row)
                continue
            if row.id in self.dag.entries:
                continue  # a root: its block may be half of a proof of equivocation
            if self.covers(row.issuer, row.seq):
                self.superseded.append(row.id)
                continue
            try:
                record = decode(row.raw)
                may_lack = self.snapshot is not None or self.orphans
                if may_lack and self.dag.missing(record.parents):
                    self.orphans.append(row)
                    continue
                entry = self.dag.place(row.id, record, row.issuer)
            except (RefusedError, LookupError) as error:
                raise StoreError(
                    f'the stored block {row.id.hex()} does not fit the others: {error}'
                ) from None
            yield entry, self.add(entry)

    def covers(self, issuer: int, seq: int) -> bool:
        """Tell whether a record is final and pruned; one beside a held one is an equivocation."""
        if issuer == FOREIGN or self.dag.at(issuer, seq) is not None:
            return False
        return seq < min(self.pruned[issuer], self.dag.forks.get(issuer, MAX_SEQ) - 1)

    def install(self, snapshot: Snapshot, handovers: tuple[Handover, ...] = ()) -> None:
        """
        Begin with a snapshot, before anything else is added.

        :param handovers: that lead from the fleet file to its roster.
        :raises RefusedError: SNAPSHOT if its roots do not fit together.
        """
        cut = snapshot.cut
        self._enrol(snapshot.fleet)
        self.handovers = handovers
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
            *others, last = self._roots
            self.dag.tips[last.id] = last
            for entry in others:
                entry.children = 1  # all are in the past of the last one: never tips again

    def behind(self, cut: Cut) -> list[Entry]:
        """
        Return what is final at a cut and whose blocks are not needed.

        Roots need none. Where an epoch ends theirs are new, and may prove an equivocation.
        """
        kept = {root.id for root in cut.roots} if self.is_over else ()
        return [entry for entry in self._final_at(cut) if entry.id not in kept]

    def prune(self, cut: Cut) -> None:
        """Drop what is final at a cut and no root of it."""
        kept = {root.id for root in cut.roots}
        self.pruned = cut.heights
        self.order.prune(cut.position)
        self.dag.prune([entry for entry in self._final_at(cut) if entry.id not in kept])

    def _final_at(self, cut: Cut) -> Iterator[Entry]:
        return (one for one in self.dag.entries.values() if 0 <= one.position < cut.position)

    def _cut(self, leader: Entry) -> None:
        """Note what a snapshot at the end of a leader's batch holds."""
        slot = self.finality.slot_of(leader) + 1
        kept = roots.choose_roots(
            self._held(),
            (self._cut_at, self.order.final),
            slot // self.finality.leaders,
            self._final_forks,
        )
        self._note_cut(self.fleet, slot, kept, self._describe(kept))

    def _hand_over(self, leader: Entry, roster: Roster) -> None:
        """
        End the epoch with a leader's batch: the next one begins there, a round later.

        What is final then counts as having passed the rounds before; the new roster's rounds are
        those of the records after it. So what is not final here is not lost: it becomes final by
        the votes of the new roster.
        """
        self.is_over = True
        fleet = self.fleet.later(self.fleet.epoch + 1, roster)
        joined = len(fleet.robots) - self.dag.members
        kept = self._held()  # all of it: blocks of before are dropped at once
        described = [
            root._replace(
                round=leader.round,
                support=(1 << len(fleet.robots)) - 1,
                witness=False,
                seen=(*root.seen, *(0,) * joined),
            )
            for root in self._describe(kept)
        ]
        self._final_heights += [0] * joined
        slot = (leader.round + 1) * slots_of([weight for *_, weight in roster])
        self._note_cut(fleet, slot, kept, described)

    def _held(self) -> list[Entry]:
        """Return the roots of the last cut and what became final since, in final order."""
        order = self.order
        return [*self._roots, *order.entries[self._cut_at - order.base : order.final - order.base]]

    def _describe(self, kept: Sequence[Entry]) -> Sequence[Root]:
        return roots.describe(self.dag, kept, self._final_forks)

    def _note_cut(
        self, fleet: Fleet, slot: int, kept: list[Entry], described: Sequence[Root]
    ) -> None:
        """
        Note a cut at the end of the final order.

        :param fleet: from there on.
        :param slot: that is decided next.
        :param kept: the final records that are roots.
        """
        self.cut_index += 1
        self._roots, self._root_ids = kept, {entry.id for entry in kept}
        self._cut_at = self.order.final
        cut = Cut(
            self.cut_index,
            self.order.final,
            self.order.final_digest,
            self._final_set.to_bytes(ID_BYTES, 'big'),
            slot,
            tuple(self._final_heights),
            tuple(described),
        )
        self.cuts.append((fleet, cut))

    def _is_stale(self, entry: Entry) -> bool:
        """
        Tell whether others may have pruned final records that a record names.

        They are old, or in the past of its issuer's previous record already, so that roots are
        not chosen for it. Nobody honest names those. Who vouches for it may become unreadable to
        those others. It is not stale any more when somebody did, to whom it came sooner. Nor does
        a record of who left the fleet count before somebody vouched for it.
        """
        previous = entry.previous
        if entry.issuer in self.fleet.left or (previous is not None and previous.stale):
            return True
        if entry.issuer == FOREIGN:
            return False
        floor = min(self._cut_at, self.order.final - roots.ROOT_WINDOW)

        def may_be_gone(parent: Entry) -> bool:
            if parent is previous:
                return False
            if previous is not None and parent.issuer != FOREIGN and previous.sees(parent):
                return True
            return 0 <= parent.position < floor and parent.id not in self._root_ids

        held = self.dag.entries
        return any(may_be_gone(held[one]) for one in entry.record.parents if one in held)

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
