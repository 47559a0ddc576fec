"""A robot's ledger file as it lies on the disk, and the fleet file that belongs to it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.store import Store


@dataclass(frozen=True)
class LedgerFile:
    """
    What a ledger file held when it was read; its robot may write on.

    :param rows: parents first.
    """

    rows: list[Row]
    pairs: dict[int, tuple[bytes, bytes]]
    begun: tuple[int, bytes] | None

    @property
    def identity(self) -> frozenset[bytes]:
        """Equal for files that say the same."""
        return frozenset([*(row.id for row in self.rows), self.begun[1] if self.begun else b''])

    def proofs(self) -> dict[int, tuple[bytes, bytes]]:
        """Return the proofs of equivocation."""
        return self.pairs

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return the snapshot that the rest goes on from."""
        return self.begun


def read_file(path: Path, fleet: Fleet) -> LedgerFile:
    """
    Read a ledger file whole.

    :raises ConfigError: if it is of another fleet.
    :raises StoreError: if it is missing or damaged.
    """
    with closing(Store.read(path)) as store:
        if store.meta.get('fleet_id') != fleet.id.hex():
            raise ConfigError(
                f'{path}: is of fleet {store.meta.get("fleet")!r}, not of {fleet.fleet!r}; '
                'name its fleet file with --fleet'
            )
        # In this order: what is pruned meanwhile is in the snapshot.
        return LedgerFile(list(store.load()), store.proofs(), store.snapshot())


def find_fleet(db: Path, fleet: Path | None) -> Fleet:
    """
    Load the fleet file that belongs to a ledger.

    :raises ConfigError: if there is none or it is malformed.
    """
    return Fleet.load(fleet_file(db, fleet))


def fleet_file(db: Path, fleet: Path | None) -> Path:
    """
    Return the path of the fleet file that belongs to a ledger.

    :param fleet: its path; None looks beside the ledger and one folder up.
    :raises ConfigError: if there is none.
    """
    if fleet is not None:
        return fleet
    beside = db.resolve().parent
    places = [folder / 'fleet.yaml' for folder in (beside, beside.parent)]
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(f'no fleet file at {places[0]} or {places[1]}; name it with --fleet')
