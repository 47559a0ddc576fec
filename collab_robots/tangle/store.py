"""
The ledger's file: SQLite in WAL mode, so that it survives a crash and can be read meanwhile.

Rule 1 of the ledger: an own record is durable before anybody else sees it. ``commit()`` returns
only when everything added so far is on the disk (``synchronous=FULL``), in one transaction, so a
record never lies there without the parents that came before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
import fcntl
import os
from pathlib import Path
import sqlite3
from typing import NamedTuple

from collab_robots.core.errors import StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import block_id

SCHEMA = '1'
_TABLES = (
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
    'CREATE TABLE blocks (id BLOB PRIMARY KEY, raw BLOB NOT NULL, issuer INT NOT NULL, '
    'seq INT NOT NULL, issued_at INT NOT NULL, received_at INT NOT NULL, depth INT NOT NULL)',
    'CREATE INDEX blocks_by_chain ON blocks (issuer, seq)',
)
_ADVICE = 'move it away and start again: the robot then fetches the ledger from its teammates'
_COLUMNS = 'id, raw, issuer, seq, issued_at, received_at, depth'
_ORDER = 'ORDER BY issued_at, depth, id'


class Row(NamedTuple):
    """
    One solid block as it is stored.

    :param issuer: roster index.
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


class StoreReader:
    """
    Reads a ledger's file, also while its robot writes it.

    :param path: an existing file.
    :raises StoreError: if it is no ledger, of another schema, or damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        if not Path(path).is_file():
            raise StoreError(f'{path}: there is no ledger here')
        try:
            uri = Path(path).absolute().as_uri() + '?mode=ro'
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None)
            self._check()
        except sqlite3.Error as error:
            raise self._error(error) from None

    @property
    def meta(self) -> dict[str, str]:
        """What the file says of itself: schema, fleet (name), fleet_id (hex), robot."""
        return dict(self._db.execute('SELECT key, value FROM meta'))

    def load(self) -> Iterator[Row]:
        """
        Yield all blocks on the disk, parents before children.

        :raises StoreError: if a block's bytes are not those that its id names.
        """
        try:
            for values in self._db.execute(f'SELECT {_COLUMNS} FROM blocks {_ORDER}'):
                row = Row(*values)
                if block_id(row.raw) != row.id:
                    raise StoreError(
                        f'{self._path}: damaged: block {row.seq} of robot {row.issuer} '
                        f'does not match its id; {_ADVICE}'
                    )
                yield row
        except (sqlite3.Error, TypeError) as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _check(self) -> None:
        schema = self._db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        if schema != (SCHEMA,):
            found = schema[0] if schema else 'none'
            raise StoreError(f'{self._path}: expected schema {SCHEMA}, found {found}')

    def _error(self, error: Exception) -> StoreError:
        if isinstance(error, sqlite3.OperationalError) and 'malformed' not in str(error):
            return StoreError(f'{self._path}: {error}')
        return StoreError(f'{self._path}: damaged: {error}; {_ADVICE}')


class Store(StoreReader):
    """
    The one writer of a ledger's file. Not for several threads at a time.

    :param path: is made if it does not exist; ``':memory:'`` for tests and simulations.
    :param fleet: whose ledger it is.
    :param robot: name of the robot it belongs to.
    :raises StoreError: if the file is damaged, of another schema, fleet or robot, cannot be
        written, or another process has it open.
    """

    def __init__(self, path: Path | str, fleet: Fleet, robot: str) -> None:
        self._path = str(path)
        self._added: dict[bytes, Row] = {}
        self._lock = -1 if self._path == ':memory:' else self._take_lock()
        try:
            self._db = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=0.2
            )
            self._prepare(fleet, robot)
        except sqlite3.Error as error:
            self.close()
            raise self._error(error) from None
        except StoreError:
            self.close()
            raise

    @staticmethod
    def read(path: Path | str) -> StoreReader:
        """Open the file for reading only, also while its robot runs."""
        return StoreReader(path)

    @property
    def uncommitted(self) -> int:
        """How many blocks were added since the last successful commit."""
        return len(self._added)

    def add(self, row: Row) -> None:
        """Take a block; it is readable at once and durable after the next :meth:`commit`."""
        self._added[row.id] = row

    def commit(self) -> None:
        """
        Make everything that was added durable, or nothing of it.

        :raises StoreError: if that fails (disk full, locked); what was added is kept and the
            next call tries again.
        """
        if not self._added:
            return
        try:
            self._db.execute('BEGIN IMMEDIATE')
            self._db.executemany(
                'INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)', self._added.values()
            )
            self._db.execute('COMMIT')
        except sqlite3.Error as error:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    self._db.execute('ROLLBACK')
            raise self._error(error) from None
        self._added.clear()

    def get(self, identity: bytes) -> Row | None:
        """
        Return one block.

        :raises StoreError: if the file cannot be read.
        """
        if identity in self._added:
            return self._added[identity]
        return next(iter(self._select('WHERE id = ?', identity)), None)

    def chain(self, issuer: int, first: int, last: int) -> list[Row]:
        """
        Return an issuer's blocks from ``first`` to ``last``, both branches where it equivocated.

        :raises StoreError: if the file cannot be read.
        """
        rows = self._select('WHERE issuer = ? AND seq BETWEEN ? AND ?', issuer, first, last)
        rows += [
            row
            for row in self._added.values()
            if row.issuer == issuer and first <= row.seq <= last
        ]
        return rows

    def close(self) -> None:
        """Close the file without committing; the operating system does the same after a crash."""
        if hasattr(self, '_db'):
            self._db.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _select(self, where: str, *values: object) -> list[Row]:
        try:
            found = self._db.execute(f'SELECT {_COLUMNS} FROM blocks {where}', values)
            return [Row(*row) for row in found]
        except sqlite3.Error as error:
            raise self._error(error) from None

    def _take_lock(self) -> int:
        path = self._path + '.lock'
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f'{path}: cannot be written: {error.strerror}') from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StoreError(
                f'{self._path}: another process has this ledger open; stop it first'
            ) from None
        return lock

    def _prepare(self, fleet: Fleet, robot: str) -> None:
        self._db.execute('PRAGMA journal_mode = WAL')
        self._db.execute('PRAGMA synchronous = FULL')
        if not self._db.execute('SELECT count(*) FROM sqlite_master').fetchone()[0]:
            self._create(
                {
                    'schema': SCHEMA,
                    'fleet': fleet.fleet,
                    'fleet_id': fleet.id.hex(),
                    'robot': robot,
                }
            )
        problems = self._db.execute('PRAGMA quick_check(1)').fetchone()[0]
        if problems != 'ok':
            raise StoreError(f'{self._path}: damaged: {problems.splitlines()[-1]}; {_ADVICE}')
        self._check()
        meta = self.meta
        if meta['fleet_id'] != fleet.id.hex() or meta['robot'] != robot:
            raise StoreError(
                f'{self._path}: is the ledger of robot {meta["robot"]!r} in fleet '
                f'{meta["fleet"]!r} ({meta["fleet_id"]}), not of {robot!r} in fleet '
                f'{fleet.fleet!r} ({fleet.id.hex()})'
            )

    def _create(self, meta: dict[str, str]) -> None:
        self._db.execute('BEGIN IMMEDIATE')
        for statement in _TABLES:
            self._db.execute(statement)
        self._db.executemany('INSERT INTO meta VALUES (?, ?)', meta.items())
        self._db.execute('COMMIT')
