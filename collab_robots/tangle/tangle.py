"""
The DAG, its final order and the order of the rest, kept in step.

It is what a set of records means, without disk, clock or peers: the same records give the same
entries and the same orders, in whichever sequence they come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from collab_robots.core.errors import RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import decode_block
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.dag import Dag, Entry, FOREIGN
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.finality import Finality
from collab_robots.tangle.order import key_of, Order
from collab_robots.tangle.record import decode_record, foreign_record, Record, RECORD_TAG


class Stored(Protocol):
    """The part of a store that is read here; see BlockStore."""

    def load(self) -> Iterator[Row]: ...
    def proofs(self) -> dict[int, tuple[bytes, bytes]]: ...
    def snapshot(self) -> tuple[int, bytes] | None: ...


class Tangle:
    """
    All that is solid.

    :param fleet: the roster.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.dag = Dag([robot.weight for robot in fleet.robots])
        self.finality = Finality(self.dag)
        self.order = Order()
        self.proofs: dict[int, Proof] = {}
        """Per roster index of a proven equivocator, the proof."""

    def add(self, entry: Entry) -> list[Entry]:
        """
        Attach a placed entry.

        :returns: the entries that it makes final, in order.
        """
        self.dag.attach(entry)
        self.order.insert(entry)
        final: list[Entry] = []
        for leader in self.finality.add(entry):
            batch = self._past(leader)
            self.order.finalise(batch)
            final += batch
        return final

    def detach(self, issuers: Collection[int]) -> list[Entry]:
        """
        Take out what only these issuers stand for.

        :returns: the entries taken out.
        """
        out = self.dag.detach_tips(issuers)
        for entry in out:
            self.order.remove(entry)
        if out:
            self.finality.remove(out)
        return out

    @property
    def unvouched(self) -> Collection[int]:
        """The issuers whose blocks count only in the past of another's record."""
        return {FOREIGN, *self.proofs}

    def load(self, store: Stored) -> Iterator[tuple[Entry, list[Entry]]]:
        """
        Take what lies in a store; signatures were checked before it was stored.

        :returns: each entry with those that it made final.
        :raises StoreError: if a block does not fit the others.
        """
        for issuer, (first, second) in store.proofs().items():
            try:
                self.proofs[issuer] = Proof.of(first, second, self.fleet)
            except RefusedError as error:
                raise StoreError(f'a stored proof of equivocation is damaged: {error}') from None
        for row in store.load():
            try:
                entry = self.dag.place(row.id, decode(row.raw), row.issuer)
            except (RefusedError, LookupError) as error:
                raise StoreError(
                    f'the stored block {row.id.hex()} does not fit the others: {error}'
                ) from None
            yield entry, self.add(entry)

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
