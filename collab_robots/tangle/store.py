"""
The ledger's file: SQLite in WAL mode, so that it survives a crash and can be read meanwhile.

Rule 1 of the ledger: an own record is durable before anybody else sees it. ``commit()`` returns
only when everything added so far is on the disk (``synchronous=FULL``), in one transaction, so a
record never lies there without the parents that came before it.

Damage is noticed: SQLite checks its structure at opening, each row carries a checksum of its
columns beside the block's id, and the lock file beside the ledger holds the number of the last
commit. If the ledger is behind it, its end is gone (a lost or damaged ``-wal`` file, an old copy):
such a store is ``incomplete``. See :mod:`collab_robots.tangle.repair` for what can be saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
import logging
from pathlib import Path
import sqlite3

from collab_robots.core.errors import StoreError
from collab_robots.core.files import sync_folder
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block_store import BlockStore, Row
from collab_robots.tangle.salvage import PAGE
from collab_robots.tangle.store_lock import last_commit, StoreLock
from collab_robots.tangle.store_reader import COLUMNS, StoreReader
from collab_robots.tangle.store_rows import (
    meta_checksum,
    proof_checksum,
    row_checksum,
    row_of,
    SCHEMA,
    snapshot_digest,
    TABLES,
)

__all__ = ['SCHEMA', 'BlockStore', 'Row', 'Store', 'StoreReader']

log = logging.getLogger(__name__)

_BUSY = 0.2  # s to wait for a reader that holds a lock
_MAX_WAL = 4 << 20  # bytes that the -wal file keeps when it is empty
_MAX_COMMITS = (1 << 31) - 1  # what a file's header holds


class Store(StoreReader):
    """
    The one writer of a ledger's file, a :class:`BlockStore`. Not for several threads at a time.

    :param path: is made if it does not exist; ``':memory:'`` for tests and simulations.
    :param fleet: whose ledger it is.
    :param robot: name of the robot it belongs to.
    :raises StoreError: if the file is damaged, of another schema, fleet or robot, cannot be
        written, or another process has it open.
    """

    def __init__(self, path: Path | str, fleet: Fleet, robot: str) -> None:
        self._path = str(path)
        self._added: dict[bytes, Row] = {}
        self._removed: set[bytes] = set()
        self._new_proofs: dict[int, tuple[bytes, bytes]] = {}
        self._lock = None if self._path == ':memory:' else StoreLock(self._path)
        noted = None if self._lock is None else last_commit(self._path)
        try:
            with self._explained():
                self._db = sqlite3.connect(
                    self._path, isolation_level=None, check_same_thread=False, timeout=_BUSY
                )
                self._prepare(fleet, robot, noted)
        except StoreError:
            self.close()
            raise

    @staticmethod
    def read(path: Path | str) -> StoreReader:
        """Open the file for reading only, also while its robot runs."""
        return StoreReader(path)

    @property
    def uncommitted(self) -> int:
        """How many blocks were added or removed since the last successful commit."""
        return len(self._added) + len(self._removed)

    def mark_incomplete(self, why: str) -> None:
        """
        Take note that own records may be lost; durable on return.

        :raises StoreError: if it is not.
        """
        with self._transaction():
            self._write_meta({**self._meta, 'incomplete': why})

    def mark_complete(self) -> None:
        """
        Take note that all that the robot ever issued is here again; durable on return.

        :raises StoreError: if it is not.
        """
        if self.incomplete:
            meta = dict(self._meta)
            del meta['incomplete']
            with self._transaction():
                self._write_meta(meta)

    def add(self, row: Row) -> None:
        """Take a block; it is readable at once and durable after the next :meth:`commit`."""
        self._added[row.id] = row
        if self._removed:
            self._removed.discard(row.id)

    def remove(self, ids: Iterable[bytes]) -> None:
        """Forget blocks, at once and durably after the next :meth:`commit`."""
        for identity in ids:
            self._added.pop(identity, None)
            self._removed.add(identity)

    def add_proof(self, issuer: int, first: bytes, second: bytes) -> None:
        """
        Take a proof of equivocation; a later one of the same issuer is passed over.

        :param issuer: roster index.
        :param first: whole block.
        :param second: whole block.
        """
        self._new_proofs.setdefault(issuer, (first, second))

    def commit(self) -> None:
        """
        Make everything since the last commit durable, or nothing of it.

        :raises StoreError: if that fails (disk full, locked); nothing is forgotten and the next
            call tries again.
        """
        if self._added or self._removed or self._new_proofs:
            with self._transaction():
                self._write_changes()
            self._forget_changes()

    def save_snapshot(self, index: int, data: bytes, drop: Iterable[bytes]) -> None:
        """
        Replace the snapshot and forget the blocks ``drop``, together with a commit.

        :param index: counts snapshots.
        :raises StoreError: if that fails; then nothing of it happened.
        """
        with self._transaction():
            self._write_changes()
            self._db.execute('DELETE FROM snapshots')
            self._db.execute(
                'INSERT INTO snapshots VALUES (?, ?, ?)',
                (index, data, snapshot_digest(index, data)),
            )
            self._db.executemany('DELETE FROM blocks WHERE id = ?', ((key,) for key in drop))
        self._forget_changes()
        self._checkpoint('TRUNCATE')

    def get(self, identity: bytes) -> Row | None:
        """
        Return one block.

        :raises StoreError: if it cannot be read or is not as it was written.
        """
        if identity in self._added:
            return self._added[identity]
        return None if identity in self._removed else super().get(identity)

    def chain(self, issuer: int, first: int, last: int) -> list[Row]:
        """
        Return an issuer's blocks from ``first`` to ``last``, both branches where it equivocated.

        :raises StoreError: if one cannot be read or is not as it was written.
        """
        rows = self._select('WHERE issuer = ? AND seq BETWEEN ? AND ?', issuer, first, last)
        return [row for row in rows if row.id not in self._added] + [
            row
            for row in self._added.values()
            if row.issuer == issuer and first <= row.seq <= last
        ]

    def proofs(self) -> dict[int, tuple[bytes, bytes]]:
        """
        Return the two blocks of each proof of equivocation, by roster index.

        :raises StoreError: if one cannot be read or is not as it was written.
        """
        return {**self._new_proofs, **super().proofs()}

    def close(self) -> None:
        """
        Close the file without committing; the operating system does the same after a crash.

        It is left as one file: what was committed is moved out of the ``-wal`` file.
        """
        if hasattr(self, '_db'):
            if hasattr(self, '_meta') and 'in_use' in self._meta:
                meta = {key: value for key, value in self._meta.items() if key != 'in_use'}
                with suppress(StoreError), self._transaction():  # as after a crash, if it fails
                    self._write_meta(meta)
            self._db.close()
        if self._lock is not None:
            self._lock.release()

    def _select(self, where: str, *values: object) -> list[Row]:
        with self._explained():
            found = self._db.execute(f'SELECT {COLUMNS} FROM blocks {where}', values)
            rows = [row_of(row) for row in found]
        return [row for row in rows if row.id not in self._removed] if self._removed else rows

    def _prepare(self, fleet: Fleet, robot: str, noted: int | None) -> None:
        for pragma in (
            f'page_size = {PAGE}',
            'journal_mode = WAL',
            'synchronous = FULL',
            f'journal_size_limit = {_MAX_WAL}',
            'cell_size_check = ON',
        ):
            self._db.execute(f'PRAGMA {pragma}')
        if not self._db.execute('SELECT count(*) FROM sqlite_master').fetchone()[0]:
            self._create(fleet, robot)
        self.check()
        self._meta = self._read_meta()
        if self._meta['fleet_id'] != fleet.id.hex() or self._meta['robot'] != robot:
            raise StoreError(
                f'{self._path}: is the ledger of robot {self._meta["robot"]!r} in fleet '
                f'{self._meta["fleet"]!r} ({self._meta["fleet_id"]}), not of {robot!r} in fleet '
                f'{fleet.fleet!r} ({fleet.id.hex()})'
            )
        self._look_for_a_lost_end(noted)
        if self.incomplete:
            log.error('%s: %s; own records may be among it', self._path, self._meta['incomplete'])

    def _create(self, fleet: Fleet, robot: str) -> None:
        meta = {
            'schema': SCHEMA,
            'fleet': fleet.fleet,
            'fleet_id': fleet.id.hex(),
            'robot': robot,
        }
        self._db.execute('BEGIN IMMEDIATE')
        for statement in TABLES:
            self._db.execute(statement)
        self._write_meta(meta)
        self._db.execute('COMMIT')
        if self._lock is not None:
            sync_folder(Path(self._path).parent)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Make what is done inside durable, or nothing of it."""
        before = dict(self._meta)
        try:
            with self._explained():
                self._db.execute('BEGIN IMMEDIATE')
                first = 'in_use' not in self._meta
                if first:
                    self._write_meta({**self._meta, 'in_use': '1'})
                yield
                commits = self._commits + (self._commits < _MAX_COMMITS)
                self._db.execute(f'PRAGMA user_version = {commits}')
                self._db.execute('COMMIT')
        except BaseException:
            self._meta = before
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    self._db.execute('ROLLBACK')
            raise
        self._commits = commits
        if self._lock is not None:
            self._lock.note(commits)
        if first:
            self._checkpoint('PASSIVE')  # that it is in use has to be in the main file

    def _write_meta(self, meta: dict[str, str]) -> None:
        self._meta = {**meta, 'checksum': meta_checksum(meta)}
        self._db.execute('DELETE FROM meta')
        self._db.executemany('INSERT INTO meta VALUES (?, ?)', self._meta.items())

    def _write_changes(self) -> None:
        self._db.executemany(
            'DELETE FROM blocks WHERE id = ?', ((identity,) for identity in self._removed)
        )
        self._db.executemany(
            'INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            ((*row, row_checksum(row)) for row in self._added.values()),
        )
        self._db.executemany(
            'INSERT OR IGNORE INTO proofs VALUES (?, ?, ?, ?)',
            (
                (issuer, *blocks, proof_checksum(issuer, *blocks))
                for issuer, blocks in self._new_proofs.items()
            ),
        )

    def _forget_changes(self) -> None:
        self._added.clear()
        self._removed.clear()
        self._new_proofs.clear()

    def _checkpoint(self, kind: str) -> None:
        with suppress(sqlite3.Error):  # a reader may hold it up; the next one does it
            self._db.execute(f'PRAGMA wal_checkpoint({kind})').fetchone()
