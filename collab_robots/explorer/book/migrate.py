"""
Open a ledger file of an old schema: a copy of it is brought up to date, the file stays as it is.

Schema 1 (before proofs and snapshots) had no checksums: a copy's are made from what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
import sqlite3
from tempfile import TemporaryDirectory

from collab_robots.core.errors import StoreError
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.salvage import PAGE
from collab_robots.tangle.store_rows import meta_checksum, row_checksum, SCHEMA, TABLES

OLDEST = '1'
_COLUMNS = ', '.join(Row._fields)


@contextmanager
def current(path: Path) -> Iterator[Path]:
    """
    Give the path of a ledger file of today's schema, for as long as the context lasts.

    :param path: itself if it is one.
    :raises StoreError: if it is no ledger, of a newer schema, or cannot be read.
    """
    found = describe(path)
    schema = found.get('schema', '')
    if schema == SCHEMA:
        yield path
        return
    if schema != OLDEST:
        owner = f'the ledger of robot {found.get("robot")!r} in fleet {found.get("fleet")!r}'
        raise StoreError(
            f'{path}: {owner} has schema {schema!r:.20}, and {OLDEST} to {SCHEMA} can be read here'
        )
    with TemporaryDirectory(prefix='collab-robots-') as folder:
        copy = Path(folder, path.name)
        try:
            _migrate(path, copy, found)
        except sqlite3.Error as error:
            raise StoreError(f'{path}: of schema {schema}, cannot be migrated: {error}') from None
        yield copy


def describe(path: Path) -> dict[str, str]:
    """
    Return what a ledger file of any schema says of itself, unchecked.

    :raises StoreError: if it is no ledger or cannot be read.
    """
    if not path.is_file():
        raise StoreError(f'{path}: there is no ledger here')
    try:
        with closing(sqlite3.connect(_uri(path), uri=True)) as db:
            return {str(key): str(value) for key, value in db.execute('SELECT * FROM meta')}
    except (sqlite3.Error, ValueError) as error:
        raise StoreError(f'{path}: no ledger, or damaged: {error}') from None


def _migrate(path: Path, copy: Path, meta: dict[str, str]) -> None:
    meta = {**meta, 'schema': SCHEMA}
    meta['checksum'] = meta_checksum(meta)
    with (
        closing(sqlite3.connect(_uri(path), uri=True)) as old,
        closing(sqlite3.connect(copy, isolation_level=None)) as new,
    ):
        for statement in (f'PRAGMA page_size = {PAGE}', 'PRAGMA journal_mode = WAL', 'BEGIN'):
            new.execute(statement)
        for table in TABLES:
            new.execute(table)
        new.executemany('INSERT INTO meta VALUES (?, ?)', meta.items())
        rows = map(Row._make, old.execute(f'SELECT {_COLUMNS} FROM blocks ORDER BY rowid'))
        new.executemany(
            'INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            ((*row, row_checksum(row)) for row in rows),
        )
        new.execute('COMMIT')


def _uri(path: Path) -> str:
    return path.absolute().as_uri() + '?mode=ro'
