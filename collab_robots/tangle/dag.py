"""
The DAG of solid records: those whose whole past is here.

It checks how a record fits its past, and knows tips, chains, rounds and equivocation. It does not
know bytes, clocks, peers or the order; records whose parents are missing wait in
:mod:`collab_robots.tangle.solidifier`. Everything that an :class:`Entry` says but its position is
a function of its past, so it is the same on every robot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import GENESIS
from collab_robots.tangle.quorum import Quorum
from collab_robots.tangle.record import Record

FOREIGN = -1
"""Issuer of an unsigned data block: it has no weight and nothing of it reaches a contract."""

MAX_FOREIGN = 3  # parents of one record that are foreign


@dataclass(eq=False, slots=True)
class Entry:
    """
    One solid record and its place in the DAG.

    :param id: block id, 32 bytes.
    :param record: of a foreign block a stand-in without calls, as old as its youngest parent.
    :param issuer: roster index, or ``FOREIGN``.
    :param branch: index into ``seen`` of the chain it is on: the issuer, or, beyond the roster, a
        branch that an equivocator began.
    :param depth: longest path from genesis, at least 1.
    :param seen: per branch: one more than the highest seq of it in this record's past, itself
        included; branches beyond the end count as 0.
    :param round: the highest round of a parent, plus one if its past holds witnesses of that round
        from a quorum of the roster.
    :param support: bit mask of the issuers whose witness of ``round`` is in its past, itself
        included.
    :param witness: it is the first of its issuer's chain in ``round``.
    :param previous: the issuer's record before it, while that one is held.
    :param position: in the final order, from 0; -1 while it is not final.
    :param children: how many held entries name it as parent.
    :param stale: it counts only if a record that does not names it: what it names is final for so
        long that others may have pruned it, or its issuer has left the fleet.
    """

    id: bytes
    record: Record
    issuer: int
    branch: int
    depth: int
    seen: tuple[int, ...]
    round: int
    support: int
    witness: bool
    previous: Entry | None = field(repr=False)
    position: int = -1
    children: int = 0
    stale: bool = False

    def sees(self, other: Entry) -> bool:
        """Tell whether a signed record is in this one's past; each sees itself."""
        branch = other.branch
        return branch < len(self.seen) and self.seen[branch] > other.record.seq


class Dag:
    """
    Solid records of one fleet.

    :param weights: of the roster, in its order.

    A second record of an issuer with the same ``seq`` begins a branch: both are kept, and
    ``forks`` names the place.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        self.members = len(weights)
        self.weights = tuple(weights)
        self.quorum = Quorum(weights)
        self.entries: dict[bytes, Entry] = {}
        self.tips: dict[bytes, Entry] = {}
        """Entries that no entry names as parent but stale ones."""
        self.chains: tuple[list[Entry], ...] = tuple([] for _ in weights)
        """Per issuer, its entries from ``bases`` on; of several with one seq the first."""
        self.bases = [0] * self.members
        """Per issuer, the seq of the first entry of its chain: those before are pruned."""
        self.forks: dict[int, int] = {}
        """Lowest seq that an issuer used twice, for those who did."""
        self.digest = 0
        """XOR of all ids as big-endian integers: equal digests mean equal sets."""
        self.branches = [(issuer, 0, 0) for issuer in range(self.members)]
        """Per branch, as ``Entry.seen`` counts them: issuer, first seq, next free seq."""

    def heights(self) -> tuple[int, ...]:
        """Return, per roster index, how long that issuer's chain is, without a gap."""
        return tuple(
            base + len(chain) for base, chain in zip(self.bases, self.chains, strict=True)
        )

    def newest(self, issuer: int) -> Entry | None:
        """Return the last record of an issuer's chain; foreign blocks are in none."""
        chain = self.chains[issuer] if issuer != FOREIGN else []
        return chain[-1] if chain else None

    def at(self, issuer: int, seq: int) -> Entry | None:
        """Return the record of an issuer's chain with a seq, if it is held."""
        chain, index = self.chains[issuer], seq - self.bases[issuer]
        return chain[index] if 0 <= index < len(chain) else None

    def all_at(self, issuer: int, seq: int) -> list[Entry]:
        """Return the records of an issuer with a seq that are held, on all its branches."""
        if issuer in self.forks:
            held = self.entries.values()
            return [one for one in held if (one.issuer, one.record.seq) == (issuer, seq)]
        entry = self.at(issuer, seq)
        return [entry] if entry is not None else []

    def missing(self, parents: Iterable[bytes]) -> list[bytes]:
        """Return those parents that are not here."""
        return [parent for parent in parents if parent not in self.entries and parent != GENESIS]

    def place(self, block_id: bytes, record: Record, issuer: int) -> Entry:
        """
        Find the place of a record whose parents are all here, without adding it.

        :raises RefusedError: SEQUENCE if it does not continue the issuer's chain, that is, its
            previous record is not a parent or its past holds another record of the issuer; TIME
            if a parent is newer; EQUIVOCATION if it newly names a record of an issuer whose
            equivocation the issuer's own previous record had in its past; FLOOD if too many
            parents are foreign; PARENTS if a foreign block has a foreign parent. All depend on
            its past only, so every robot decides the same.
        """
        parents = [self.entries[parent] for parent in record.parents if parent != GENESIS]
        past = self._merge(parents)
        youngest, depth, round_, support = 0, 1, 0, 0
        for parent in parents:
            youngest = max(youngest, parent.record.issued_at)
            depth = max(depth, parent.depth + 1)
            if parent.round > round_:
                round_, support = parent.round, parent.support
            elif parent.round == round_:
                support |= parent.support
        if issuer == FOREIGN:
            record = replace(record, issued_at=youngest)
            if any(parent.issuer == FOREIGN for parent in parents):
                raise RefusedError(Refusal.PARENTS, 'a foreign block goes on with another one')
            return Entry(
                block_id,
                record,
                FOREIGN,
                FOREIGN,
                depth,
                tuple(past),
                round_,
                support,
                False,
                None,
            )
        if youngest > record.issued_at:
            raise RefusedError(Refusal.TIME, f'issued at {record.issued_at} ns, before a parent')
        previous = self._previous(record, issuer, parents, past)
        self._check_parents(issuer, previous, parents)
        branch = previous.branch if previous is not None else issuer
        if self.branches[branch][2] != record.seq:
            branch = len(self.branches)
            past += [0] * (branch + 1 - len(past))
        past[branch] = record.seq + 1
        if self.quorum.reached(support):
            round_, support = round_ + 1, 0
        return Entry(
            block_id,
            record,
            issuer,
            branch,
            depth,
            tuple(past),
            round_,
            support | 1 << issuer,
            previous is None or previous.round < round_,
            previous,
        )

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
        for parent_id in entry.record.parents:
            parent = self.entries.get(parent_id)
            if parent is not None:
                parent.children += 1
                if not entry.stale:
                    self.tips.pop(parent_id, None)
        self.tips[entry.id] = entry
        self.digest ^= int.from_bytes(entry.id, 'big')
        if entry.issuer != FOREIGN:
            self._extend(entry)

    def detach_tips(self, unwanted: Callable[[Entry], bool]) -> list[Entry]:
        """
        Take out what nobody names and nobody wants, again and again.

        What is final stays.

        :returns: the entries taken out, children first.
        """
        out = []
        stack = list(self.tips)
        while stack:
            entry = self.entries.get(stack.pop())
            if entry is None or entry.children or entry.position >= 0 or not unwanted(entry):
                continue
            self._detach(entry)
            out.append(entry)
            stack += entry.record.parents
        return out

    def prune(self, entries: Iterable[Entry]) -> None:
        """Drop final entries; whoever names one as parent from now on never becomes solid."""
        for entry in entries:
            del self.entries[entry.id]
            self.tips.pop(entry.id, None)
            entry.previous = None  # else the whole chain would stay in memory
        for issuer, chain in enumerate(self.chains):
            kept = len(chain)
            while kept and chain[kept - 1].id in self.entries:
                kept -= 1
            self.bases[issuer] += kept
            del chain[:kept]

    def adopt(self, entry: Entry) -> None:
        """Add a root of a snapshot: it has no parents here, and counts in ``digest`` already."""
        self.entries[entry.id] = entry
        if entry.issuer != FOREIGN:
            self._extend(entry)

    def height(self, seen: Sequence[int], issuer: int) -> int:
        """Return one more than the highest seq of an issuer, on any branch, that was seen."""
        return max(self._own(seen, issuer), default=0)

    def proves(self, entry: Entry, issuer: int) -> bool:
        """Tell whether an entry's past holds two records of an issuer with one seq."""
        longest = held = 0
        for (owner, first, _), height in zip(self.branches, entry.seen, strict=False):
            if owner == issuer and height:
                longest = max(longest, height)
                held += height - first
        return held > longest

    def _merge(self, parents: Sequence[Entry]) -> list[int]:
        """Return, per branch, the highest of what the parents saw."""
        if not parents:
            return [0] * self.members
        rows = [parent.seen for parent in parents]
        if len(rows) == 1:
            return list(rows[0])
        if len(self.branches) == self.members:
            return list(map(max, *rows))
        return [max(column) for column in zip_longest(*rows, fillvalue=0)]

    def _previous(
        self, record: Record, issuer: int, parents: Sequence[Entry], past: Sequence[int]
    ) -> Entry | None:
        """Return the issuer's record before, the only one of its branch tips in the past."""
        seq, previous = record.seq, None
        for parent in parents:
            if parent.issuer == issuer and parent.record.seq == seq - 1:
                previous = parent
                break
        if previous is None:
            fits = seq == 0 and not any(self._own(past, issuer))
        else:
            fits = self._own(past, issuer) == self._own(previous.seen, issuer)
        if not fits:
            raise RefusedError(
                Refusal.SEQUENCE,
                f'record {seq} of robot {issuer} does not follow its previous one; '
                f'its past holds {past[issuer]}',
            )
        return previous

    def _own(self, seen: Sequence[int], issuer: int) -> list[int]:
        """Return the heights of an issuer's branches, without zeros at the end."""
        if issuer not in self.forks:
            return [seen[issuer]]
        heights = [
            height if owner == issuer else 0
            for (owner, _, _), height in zip(self.branches, seen, strict=False)
        ]
        while heights and not heights[-1]:
            heights.pop()
        return heights

    def _check_parents(
        self, issuer: int, previous: Entry | None, parents: Sequence[Entry]
    ) -> None:
        foreign = 0
        for parent in parents:
            if parent.issuer == FOREIGN:
                foreign += 1
            elif (
                parent.issuer in self.forks
                and previous is not None
                and not previous.sees(parent)
                and self.proves(previous, parent.issuer)
            ):
                raise RefusedError(
                    Refusal.EQUIVOCATION,
                    f'robot {issuer} goes on with robot {parent.issuer}, whose equivocation it '
                    'has in its past',
                )
        if foreign > MAX_FOREIGN:
            raise RefusedError(Refusal.FLOOD, f'{foreign} foreign parents, at most {MAX_FOREIGN}')

    def _extend(self, entry: Entry) -> None:
        """Add a signed entry to its branch."""
        issuer, seq = entry.issuer, entry.record.seq
        if entry.branch == len(self.branches):
            self.branches.append((issuer, seq, seq + 1))
            self.forks[issuer] = min(seq, self.forks.get(issuer, seq))
        else:
            _, first, _ = self.branches[entry.branch]
            self.branches[entry.branch] = (issuer, first, seq + 1)
            if entry.branch == issuer:
                chain = self.chains[issuer]
                if seq != self.bases[issuer] + len(chain):  # after roots with a gap
                    chain.clear()
                    self.bases[issuer] = seq
                chain.append(entry)

    def _detach(self, entry: Entry) -> None:
        """Take out a tip."""
        del self.entries[entry.id]
        del self.tips[entry.id]
        self.digest ^= int.from_bytes(entry.id, 'big')
        for parent_id in entry.record.parents:
            parent = self.entries.get(parent_id)
            if parent is not None:
                parent.children -= 1
                if not parent.children:
                    self.tips[parent_id] = parent
        if entry.issuer == FOREIGN:
            return
        issuer, first, _ = self.branches[entry.branch]
        if entry.branch == issuer:
            self.chains[issuer].pop()
        self.branches[entry.branch] = (issuer, first, entry.record.seq)
        if entry.branch == len(self.branches) - 1 >= self.members and entry.record.seq == first:
            self.branches.pop()
