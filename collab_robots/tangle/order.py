"""
The order of all solid records: the final ones, then the tentative rest.

The final part is irrevocable. The rest is by ``(issued_at, depth, id)``: every robot with the same
records has the same order, whatever came first, but a record that arrives late may belong before
others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
import hashlib

from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.dag import Entry

Key = tuple[int, int, bytes]


def key_of(entry: Entry) -> Key:
    """Return the sort key: topological, as a child is deeper than its parents and never older."""
    return (entry.record.issued_at, entry.depth, entry.id)


class Order:
    """
    Positions count from the beginning of the ledger.

    :param base: how many final records are pruned: the position of the first that is held.
    :param digest: of the final order up to there, 32 bytes.
    """

    def __init__(self, base: int = 0, digest: bytes = bytes(ID_BYTES)) -> None:
        self.base = base
        self.final = base
        """How many records are final, those included that are pruned."""
        self.final_digest = digest
        """BLAKE2b of the digest before and the id, one after the other: equal counts and equal
        digests mean equal final orders."""
        self._entries: list[Entry] = []
        self._keys: list[Key] = []  # of the tentative entries only
        self._changed = base

    @property
    def entries(self) -> Sequence[Entry]:
        """All records from position ``base`` on; do not change it."""
        return self._entries

    @property
    def tentative(self) -> Sequence[Entry]:
        """The records that are not final, in order."""
        return self._entries[self.final - self.base :]

    def __len__(self) -> int:
        """Return how many records there are, pruned ones included."""
        return self.base + len(self._entries)

    def insert(self, entry: Entry) -> None:
        """Put a record into its place: cheap at the end, else it moves what follows."""
        key = key_of(entry)
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
            self._entries.append(entry)
            return
        index = bisect_left(self._keys, key)
        self._keys.insert(index, key)
        self._entries.insert(self.final - self.base + index, entry)
        self._changed = min(self._changed, self.final + index)

    def remove(self, entry: Entry) -> None:
        """Take out a tentative record."""
        index = bisect_left(self._keys, key_of(entry))
        del self._keys[index]
        del self._entries[self.final - self.base + index]
        self._changed = min(self._changed, self.final + index)

    def finalise(self, entries: Sequence[Entry]) -> None:
        """
        Append tentative records to the final order.

        :param entries: in the order that they are to have.
        """
        start = self.final - self.base
        count = len(entries)
        if self._entries[start : start + count] != entries:
            moved = set(entries)
            rest = [entry for entry in self._entries[start:] if entry not in moved]
            changed = next(
                index
                for index, entry in enumerate(entries)
                if self._entries[start + index] is not entry
            )
            self._changed = min(self._changed, self.final + changed)
            self._entries[start:] = [*entries, *rest]
            self._keys = [key_of(entry) for entry in rest]
        else:
            del self._keys[:count]
        for entry in entries:
            entry.position = self.final
            self.final += 1
            self.final_digest = chain_digest(self.final_digest, entry.id)

    def prune(self, base: int) -> list[Entry]:
        """
        Drop the final records before a position.

        :returns: them.
        """
        count = max(0, min(base, self.final) - self.base)
        dropped = self._entries[:count]
        del self._entries[:count]
        self.base += count
        self._changed = max(self._changed, self.base)
        return dropped

    def changed_from(self) -> int:
        """
        Return the lowest position that changed since the last call, then forget it.

        It is for one consumer, which executes the entries. If nothing changed, it is the length.
        """
        changed, self._changed = self._changed, len(self)
        return changed


def chain_digest(before: bytes, identity: bytes) -> bytes:
    """Return the digest of a final order that goes on with a record."""
    return hashlib.blake2b(before + identity, digest_size=ID_BYTES).digest()
