"""When a robot writes to its disk, and what it does when the disk fails."""

from __future__ import annotations

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import StoreError
from collab_robots.tangle.block_store import BlockStore
from collab_robots.tangle.settings import LedgerConfig


class Disk:
    """Commits what is in a store on time; after a failure it lets a while pass."""

    def __init__(self, store: BlockStore, config: LedgerConfig) -> None:
        self.alarm = ''
        """What failed last; empty if the disk works."""
        self._store = store
        self._config = config
        self._due = -(1 << 63)

    @property
    def is_full(self) -> bool:
        """Tell whether so much is in memory only that nothing more may be received."""
        return self._store.uncommitted >= self._config.max_uncommitted

    def is_resting(self, now: int) -> bool:
        """Tell whether it failed so lately that nothing is to be tried at ``now`` (ns)."""
        return bool(self.alarm) and now < self._due

    def commit_if_due(self, now: int) -> None:
        """Commit, if it is time."""
        if now >= self._due:
            self.commit(now)

    def commit(self, now: int) -> None:
        """Write what was received to the disk."""
        try:
            self._store.commit()
        except StoreError as error:
            self.failed(error, now)
        else:
            self.worked(now)

    def worked(self, now: int) -> None:
        """Take note of a commit."""
        self.alarm = ''
        self._due = now + round(self._config.commit_interval * SECOND)

    def failed(self, error: StoreError, now: int) -> None:
        """Take note that something could not be written or read."""
        self.alarm = str(error)
        self._due = now + round(self._config.commit_retry * SECOND)

    def raw(self, identity: bytes, now: int) -> bytes | None:
        """Return the bytes of a block; None if it is not there or cannot be read."""
        try:
            row = self._store.get(identity)
        except StoreError as error:
            self.failed(error, now)
            return None
        return row.raw if row is not None else None
