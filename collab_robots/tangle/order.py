"""
The deterministic order of all solid records.

Every robot with the same set of records has the same order, whatever came first. It is tentative:
a record that arrives late may belong before others. The irrevocable prefix (the final order, read
off the DAG by a DAG-BFT rule) will be kept beside it by the same class.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence

from collab_robots.tangle.dag import Entry

Key = tuple[int, int, bytes]


class Order:
    """
    All solid records by ``(issued_at, depth, id)``: parents always come before children.

    A child is deeper than its parents and never older, so the key is topological by itself.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._keys: list[Key] = []
        self._changed = 0

    @property
    def entries(self) -> Sequence[Entry]:
        """All solid records in order; do not change it."""
        return self._entries

    def insert(self, entry: Entry) -> int:
        """
        Put a record into its place.

        :returns: its position; cheap at the end, a memory move of what follows elsewhere.
        """
        key = (entry.record.issued_at, entry.depth, entry.id)
        if not self._keys or key > self._keys[-1]:
            position = len(self._keys)
            self._keys.append(key)
            self._entries.append(entry)
        else:
            position = bisect(self._keys, key)
            self._keys.insert(position, key)
            self._entries.insert(position, entry)
        self._changed = min(self._changed, position)
        return position

    def changed_from(self) -> int:
        """
        Return the lowest position that changed since the last call, then forget it.

        It is for one consumer, which executes the entries. If nothing changed, it is the length.
        """
        changed, self._changed = self._changed, len(self._entries)
        return changed
