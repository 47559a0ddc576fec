"""
The DAG of solid records: those whose whole past is here.

It checks how a record fits its past, and knows tips, chains and equivocation. It does not know
bytes, clocks, peers or the order; records whose parents are missing wait in
:mod:`collab_robots.tangle.solidifier`.
"""

from __future__ import annotations

from dataclasses import dataclass

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import GENESIS
from collab_robots.tangle.record import Record


@dataclass(eq=False, slots=True)
class Entry:
    """
    One solid record and its place in the DAG.

    :param id: block id, 32 bytes.
    :param issuer: roster index.
    :param depth: longest path from genesis, at least 1.
    :param seen: per roster index: how long that issuer's chain is in this record's past, itself
        included. ``seen[i] > s`` means: record ``s`` of issuer ``i`` is in the past, or, if ``i``
        equivocated at or before ``s``, at least one of its branches is.
    """

    id: bytes
    record: Record
    issuer: int
    depth: int
    seen: tuple[int, ...]


class Dag:
    """
    Solid records of one fleet.

    :param members: size of the roster.

    Equivocation (two records of one issuer with one ``seq``) is only noticed here: both branches
    are kept, and ``forks`` names the place. Its proof and its punishment belong to the final
    order, which does not exist yet.
    """

    def __init__(self, members: int) -> None:
        self.members = members
        self.entries: dict[bytes, Entry] = {}
        self.tips: dict[bytes, Entry] = {}
        """Entries that no entry names as parent."""
        self.chains: tuple[list[Entry], ...] = tuple([] for _ in range(members))
        """Per issuer, the entry of each seq; of several with one seq the one that came first."""
        self.forks: dict[int, int] = {}
        """Lowest seq that an issuer used twice, for those who did."""
        self.digest = 0
        """XOR of all ids as big-endian integers: equal digests mean equal sets."""

    def heights(self) -> tuple[int, ...]:
        """Return, per roster index, how many records of that issuer are here without a gap."""
        return tuple(len(chain) for chain in self.chains)

    def newest(self, issuer: int) -> Entry | None:
        """Return the last record of an issuer's chain."""
        chain = self.chains[issuer]
        return chain[-1] if chain else None

    def missing(self, record: Record) -> list[bytes]:
        """Return the parents of a record that are not here."""
        return [
            parent for parent in record.parents if parent not in self.entries and parent != GENESIS
        ]

    def place(self, block_id: bytes, record: Record, issuer: int) -> Entry:
        """
        Find the place of a record whose parents are all here, without adding it.

        :raises RefusedError: SEQUENCE if it does not continue the issuer's chain, that is, its
            previous record is not a parent or its past holds a later one; TIME if a parent is
            newer. Both depend on its past only, so every robot decides the same.
        """
        parents = [self.entries[parent] for parent in record.parents if parent != GENESIS]
        if parents:
            past = [
                max(column) for column in zip(*(parent.seen for parent in parents), strict=True)
            ]
        else:
            past = [0] * self.members
        seq = record.seq
        continues = seq == 0 or any(
            parent.issuer == issuer and parent.record.seq == seq - 1 for parent in parents
        )
        if past[issuer] != seq or not continues:
            raise RefusedError(
                Refusal.SEQUENCE,
                f'record {seq} of robot {issuer} does not follow its previous one; '
                f'its past holds {past[issuer]}',
            )
        if any(parent.record.issued_at > record.issued_at for parent in parents):
            raise RefusedError(Refusal.TIME, f'issued at {record.issued_at} ns, before a parent')
        past[issuer] = seq + 1
        depth = 1 + max((parent.depth for parent in parents), default=0)
        return Entry(block_id, record, issuer, depth, tuple(past))

    def insert(self, block_id: bytes, record: Record, issuer: int) -> Entry:
        """
        Place and attach a record.

        :raises RefusedError: as :meth:`place`.
        """
        entry = self.place(block_id, record, issuer)
        self.attach(entry)
        return entry

    def attach(self, entry: Entry) -> None:
        """Add a placed entry, once."""
        self.entries[entry.id] = entry
        for parent in entry.record.parents:
            self.tips.pop(parent, None)
        self.tips[entry.id] = entry
        self.digest ^= int.from_bytes(entry.id, 'big')
        chain, seq = self.chains[entry.issuer], entry.record.seq
        if seq == len(chain):
            chain.append(entry)
        else:
            self.forks[entry.issuer] = min(seq, self.forks.get(entry.issuer, seq))
