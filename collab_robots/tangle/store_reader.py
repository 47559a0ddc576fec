"""Read a ledger's file, also while its robot writes it; see :mod:`collab_robots.tangle.store`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
import sqlite3
from typing import NamedTuple

from collab_robots.core.errors import StoreError
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.store_lock import last_commit
from collab_robots.tangle.store_rows import meta_checksum, proof_of, row_of, SCHEMA, snapshot_of

COLUMNS = 'id, raw, issuer, seq, issued_at, received_at, depth, checksum'
_ORDER = 'ORDER BY issued_at, depth, id'
_AFTER = 'rowid > coalesce((SELECT rowid FROM blocks WHERE rowid = ? AND id = ?), 0)'
_INTERNAL = ('checksum', 'in_use')


class Newest(NamedTuple):
    """A block that came last; the row of one that is taken out is used again."""

    row: int
    id: bytes


NOTHING = Newest(0, b'')


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
        noted = last_commit(self._path)  # before the ledger: its robot may be writing
        with self._explained():
            uri = Path(path).absolute().as_uri() + '?mode=ro'
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None)
            self._meta = self._read_meta()
            self._look_for_a_lost_end(noted)

    @property
    def meta(self) -> dict[str, str]:
        """What the file says of itself: schema, fleet (name), fleet_id (hex), robot."""
        return {key: value for key, value in self._meta.items() if key not in _INTERNAL}

    @property
    def incomplete(self) -> bool:
        """True: own records that were durable may be lost; the robot must not issue yet."""
        return 'incomplete' in self._meta

    def load(self, after: Newest = NOTHING) -> Iterator[Row]:
        """
        Yield all blocks on the disk, parents before children.

        :param after: only those that came after it was :attr:`newest`; all, if it is not here
            any more.
        :raises StoreError: if one cannot be read or is not as it was written.
        """
        with self._explained():
            for values in self._db.execute(
                f'SELECT {COLUMNS} FROM blocks WHERE {_AFTER} {_ORDER}', after
            ):
                yield row_of(values)

    def get(self, identity: bytes) -> Row | None:
        """
        Return one block.

        :raises StoreError: if it cannot be read or is not as it was written.
        """
        with self._explained():
            query = f'SELECT {COLUMNS} FROM blocks WHERE id = ?'
            values = self._db.execute(query, (identity,)).fetchone()
            return row_of(values) if values is not None else None

    @property
    def newest(self) -> Newest:
        """The block that came last."""
        with self._explained():
            row, identity = self._db.execute('SELECT max(rowid), id FROM blocks').fetchone()
            return NOTHING if row is None else Newest(row, identity)

    def count(self, after: Newest = NOTHING) -> int:
        """Return how many blocks there are; see :meth:`load`."""
        with self._explained():
            query = f'SELECT count(*) FROM blocks WHERE {_AFTER}'
            return int(self._db.execute(query, after).fetchone()[0])

    def is_whole(self, heights: Sequence[int]) -> bool:
        """Tell whether all records below some heights, per roster index, are on the disk."""
        query = 'SELECT count(DISTINCT seq) FROM blocks WHERE issuer = ? AND seq < ?'
        with self._explained():
            return all(
                self._db.execute(query, (issuer, height)).fetchone()[0] == height
                for issuer, height in enumerate(heights)
            )

    def proofs(self) -> dict[int, tuple[bytes, bytes]]:
        """
        Return the two blocks of each proof of equivocation, by roster index.

        :raises StoreError: if one cannot be read or is not as it was written.
        """
        with self._explained():
            found = self._db.execute('SELECT issuer, first, second, checksum FROM proofs')
            return dict(proof_of(values) for values in found)

    def snapshot(self) -> tuple[int, bytes] | None:
        """
        Return index and bytes of the newest snapshot.

        :raises StoreError: if it cannot be read or is not as it was written.
        """
        with self._explained():
            found = self._db.execute(
                'SELECT number, data, digest FROM snapshots ORDER BY number DESC'
            ).fetchone()
            return snapshot_of(found) if found else None

    def check(self) -> None:
        """
        Look at every page of the file; :meth:`load` looks at what is in the rows.

        :raises StoreError: if it is damaged.
        """
        with self._explained():
            problem = self._db.execute('PRAGMA integrity_check(1)').fetchone()[0]
            if problem != 'ok':
                raise ValueError(problem.splitlines()[-1])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read_meta(self) -> dict[str, str]:
        meta: dict[str, str] = dict(self._db.execute('SELECT key, value FROM meta'))
        if meta.get('schema') != SCHEMA:
            raise StoreError(
                f'{self._path}: expected schema {SCHEMA}, found {meta.get("schema", "none")}; '
                f'{self._advice()}'
            )
        if meta.get('checksum') != meta_checksum(meta):
            raise ValueError('its description does not match its checksum')
        return meta

    def _look_for_a_lost_end(self, noted: int | None) -> None:
        """
        Compare the file's last commit with the one that was noted beside it.

        A ledger without the note is trusted if it was closed: somebody moved it.
        """
        (self._commits,) = self._db.execute('PRAGMA user_version').fetchone()
        lost = ''
        if noted is not None and noted > self._commits:
            lost = f'its end is lost: commits {self._commits + 1} to {noted}'
            self._commits = noted
        elif noted is None and 'in_use' in self._meta and self._path != ':memory:':
            lost = 'its end may be lost: it was not closed, and its lock file is gone'
        if lost and not self.incomplete:
            self._meta['incomplete'] = lost

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise what SQLite or a damaged value raises as our own error."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if 'malformed' in str(error) or 'decode' in str(error) or 'no such' in str(error):
                raise self._damaged(error) from None
            raise StoreError(f'{self._path}: {error}') from None
        except OSError as error:
            raise StoreError(f'{self._path}: {error.strerror}') from None
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            raise self._damaged(error) from None

    def _damaged(self, problem: object) -> StoreError:
        return StoreError(f'{self._path}: damaged: {problem}; {self._advice()}')

    def _advice(self) -> str:
        return f'"collab-robots ledger repair {self._path}" says what is lost and saves the rest'
