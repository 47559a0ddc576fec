"""The order that a ledger's file holds, over all its epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from collab_robots.core.errors import RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.snapshot import Attested, Snapshot, State
from collab_robots.tangle.tangle import Stored, Tangle

_NEVER = 1 << 62  # final records between two snapshots: here nobody needs any


class File(Stored, Protocol):
    """What a file held: its snapshot and proofs, and its blocks, parents first."""

    @property
    def rows(self) -> Sequence[Row]: ...


class Replay:
    """
    Finds the order again, as the robot did.

    A file that holds all blocks is read from the first one, another from its snapshot on.

    :param state: executes the order. At the end of an epoch it starts anew from there.
    :param on_end: called then, before.
    :raises StoreError: if the file is damaged.
    """

    def __init__(
        self,
        fleet: Fleet,
        file: File,
        state: State | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.tangle = Tangle(fleet, _NEVER, state)
        """Of the last epoch."""
        self.tangle.begin(_Blank() if _is_whole(file, fleet) else file)
        self.base = self.tangle.order.base
        """How many final records are not held."""
        self.begins: list[Snapshot] = []
        """What each epoch begins with that does not begin with the file's first block."""
        if self.tangle.snapshot is not None:
            self.begins.append(self.tangle.snapshot)
        self._past: list[Entry] = []
        self._load(file.rows)
        while self.tangle.is_over and state is not None:
            order = self.tangle.order
            self._past += order.entries[: order.final - order.base]
            later, cut = self.tangle.cuts[-1]
            snapshot = Snapshot(later, cut, state.state_at(cut.position))
            self.begins.append(snapshot)
            on_end()
            self.tangle = Tangle(later, _NEVER, state)
            self.tangle.install(snapshot)
            state.restore(cut.position, snapshot.state, later)
            state.follow(self.tangle.order)
            self._load(file.rows)

    @property
    def entries(self) -> Sequence[Entry]:
        """All records that are held, in order, from position ``base`` on."""
        return [*self._past, *self.tangle.order.entries]

    @property
    def final(self) -> int:
        """How many records are final, those included that are not held."""
        return self.tangle.order.final

    def _load(self, rows: Sequence[Row]) -> None:
        for _ in self.tangle.load(rows):
            pass


class _Blank:
    """A file that holds nothing beside its blocks."""

    def snapshot(self) -> None:
        return None

    def proofs(self) -> dict[int, tuple[bytes, bytes]]:
        return {}


def _is_whole(file: File, fleet: Fleet) -> bool:
    """Tell whether all blocks are there that the file's snapshot stands for."""
    stored = file.snapshot()
    if stored is None:
        return False  # and nothing to leave out
    try:
        cut = Attested.decode(stored[1], fleet)[1].cut
    except RefusedError as error:
        raise StoreError(f'the stored snapshot is damaged: {error}') from None
    held = {(row.issuer, row.seq) for row in file.rows}
    return all(
        (issuer, seq) in held for issuer, height in enumerate(cut.heights) for seq in range(height)
    )
