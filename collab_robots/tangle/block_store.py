"""What a ledger needs of the place where its blocks lie; see Store and MemoryStore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    """
    One solid block as it is stored.

    :param issuer: roster index; -1: an unsigned data block.
    :param issued_at: ns, of the record.
    :param received_at: ns, local clock.
    :param depth: longest path from genesis.
    """

    id: bytes
    raw: bytes
    issuer: int
    seq: int
    issued_at: int
    received_at: int
    depth: int


class BlockStore(Protocol):
    """
    One robot's blocks, proofs of equivocation and newest snapshot. Not for several threads.

    What is added or removed is so for the reader at once, and durable after :meth:`commit`.
    """

    @property
    def uncommitted(self) -> int:
        """How many blocks were added or removed since the last successful commit."""
        ...

    @property
    def incomplete(self) -> bool:
        """True: own records that were durable may be lost; the robot must not issue yet."""
        ...

    def mark_complete(self) -> None:
        """
        Take note that all that the robot ever issued is here again; durable on return.

        :raises StoreError: if it is not.
        """
        ...

    def add(self, row: Row) -> None:
        """Take a block."""
        ...

    def remove(self, ids: Iterable[bytes]) -> None:
        """Forget blocks; those that are not here are passed over."""
        ...

    def add_proof(self, issuer: int, first: bytes, second: bytes) -> None:
        """
        Take a proof of equivocation; a later one of the same issuer is passed over.

        :param issuer: roster index.
        :param first: whole block.
        :param second: whole block.
        """
        ...

    def commit(self) -> None:
        """
        Make everything since the last commit durable, or nothing of it.

        :raises StoreError: if that fails (disk full, locked); nothing is forgotten and the next
            call tries again.
        """
        ...

    def get(self, identity: bytes) -> Row | None:
        """
        Return one block.

        :raises StoreError: if it cannot be read or is damaged.
        """
        ...

    def chain(self, issuer: int, first: int, last: int) -> list[Row]:
        """
        Return an issuer's blocks from ``first`` to ``last``, both branches where it equivocated.

        :raises StoreError: if one cannot be read or is damaged.
        """
        ...

    def load(self) -> Iterator[Row]:
        """
        Yield all durable blocks, parents before children.

        :raises StoreError: if one cannot be read or is damaged.
        """
        ...

    def proofs(self) -> dict[int, tuple[bytes, bytes]]:
        """
        Return the two blocks of each proof, by roster index.

        :raises StoreError: if they cannot be read or are damaged.
        """
        ...

    def save_snapshot(self, index: int, data: bytes, drop: Iterable[bytes]) -> None:
        """
        Replace the snapshot and forget the blocks ``drop``, together with a commit.

        :param index: counts snapshots.
        :raises StoreError: if that fails; then nothing of it happened.
        """
        ...

    def snapshot(self) -> tuple[int, bytes] | None:
        """
        Return index and bytes of the snapshot.

        :raises StoreError: if it cannot be read or is damaged.
        """
        ...

    def close(self) -> None:
        """Give the place free without committing, as a crash does."""
        ...
