"""The store's in-memory twin: what is committed survives a simulated crash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collab_robots.core.errors import StoreError
from collab_robots.tangle.block_store import Row


class MemoryStore:
    """
    A :class:`BlockStore` of plain dicts, for simulations.

    :param incomplete: what :attr:`incomplete` says at first.
    """

    def __init__(self, incomplete: bool = False) -> None:
        self.full = False
        """True: the disk takes nothing more."""
        self._incomplete = incomplete
        self._rows: dict[bytes, Row] = {}
        self._chains: dict[int, dict[int, dict[bytes, Row]]] = {}
        self._before: dict[bytes, Row | None] = {}
        """What was there at the last commit, of the ids that changed since."""
        self._proofs: dict[int, tuple[bytes, bytes]] = {}
        self._new_proofs: dict[int, tuple[bytes, bytes]] = {}
        self._snapshot: tuple[int, bytes] | None = None

    @property
    def uncommitted(self) -> int:
        """How many blocks were added or removed since the last successful commit."""
        return len(self._before)

    @property
    def incomplete(self) -> bool:
        """True: own records that were durable may be lost."""
        return self._incomplete

    def mark_complete(self) -> None:
        """
        Take note that all own records are here.

        :raises StoreError: if the disk is full.
        """
        self._check_space()
        self._incomplete = False

    def add(self, row: Row) -> None:
        """Take a block."""
        if row.id not in self._rows:
            self._before.setdefault(row.id, None)
            self._put(row)

    def remove(self, ids: Iterable[bytes]) -> None:
        """Forget blocks."""
        for identity in ids:
            row = self._rows.get(identity)
            if row is not None:
                self._before.setdefault(identity, row)
                self._take(row)

    def add_proof(self, issuer: int, first: bytes, second: bytes) -> None:
        """Take a proof of equivocation, the first of each issuer."""
        if issuer not in self._proofs:
            self._new_proofs.setdefault(issuer, (first, second))

    def commit(self) -> None:
        """
        Make everything durable.

        :raises StoreError: if the disk is full.
        """
        if self._before or self._new_proofs:
            self._check_space()
            self._before.clear()
            self._proofs.update(self._new_proofs)
            self._new_proofs.clear()

    def crash(self) -> None:
        """Lose what was not committed."""
        for identity, row in self._before.items():
            now = self._rows.get(identity)
            if now is not None:
                self._take(now)
            if row is not None:
                self._put(row)
        self._before.clear()
        self._new_proofs.clear()

    def get(self, identity: bytes) -> Row | None:
        """Return one block."""
        return self._rows.get(identity)

    def chain(self, issuer: int, first: int, last: int) -> list[Row]:
        """Return an issuer's blocks from ``first`` to ``last``."""
        chain = self._chains.get(issuer, {})
        if last - first < len(chain):
            seqs: Iterable[int] = (seq for seq in range(first, last + 1) if seq in chain)
        else:
            seqs = sorted(seq for seq in chain if first <= seq <= last)
        return [row for seq in seqs for row in chain[seq].values()]

    def load(self) -> Iterator[Row]:
        """Yield all durable blocks, parents before children."""
        durable = {**self._rows, **self._before}
        yield from sorted(
            (row for row in durable.values() if row is not None),
            key=lambda row: (row.issued_at, row.depth, row.id),
        )

    def proofs(self) -> dict[int, tuple[bytes, bytes]]:
        """Return the two blocks of each proof."""
        return {**self._proofs, **self._new_proofs}

    def save_snapshot(self, index: int, data: bytes, drop: Iterable[bytes]) -> None:
        """
        Replace the snapshot and forget the blocks ``drop``, together with a commit.

        :raises StoreError: if the disk is full.
        """
        self._check_space()
        self._snapshot = (index, data)
        self.remove(drop)
        self.commit()

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return index and bytes of the snapshot."""
        return self._snapshot

    def close(self) -> None:
        """Do nothing: the next robot that uses it opens it again."""

    def _put(self, row: Row) -> None:
        self._rows[row.id] = row
        chain = self._chains.get(row.issuer)
        if chain is None:
            chain = self._chains[row.issuer] = {}
        same = chain.get(row.seq)
        if same is None:
            chain[row.seq] = {row.id: row}
        else:
            same[row.id] = row

    def _take(self, row: Row) -> None:
        del self._rows[row.id]
        chain = self._chains[row.issuer]
        del chain[row.seq][row.id]
        if not chain[row.seq]:
            del chain[row.seq]

    def _check_space(self) -> None:
        if self.full:
            raise StoreError('memory: the disk is full')
