"""
What was found out about a ledger's file, in a file of its own: found out once, asked often.

It is made from the ledger alone and can be deleted at any time. It also holds the states of the
contracts at some places of the final order, to go on from and to look back to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
import json
from pathlib import Path
import sqlite3
from typing import Any, NamedTuple
import zlib

from collab_robots.core.errors import StoreError
from collab_robots.explorer.agreement import Act
from collab_robots.explorer.book.answers import Call
from collab_robots.explorer.book.ids import task_key
from collab_robots.tangle.handover import MAX_EPOCHS, Roster
from collab_robots.tangle.store_reader import Newest

FORM = '2'  # of the tables and of what is in them
CALLS = 64  # more than a record has calls
PATIENCE = 60.0  # s; another process may be writing
TABLES = (
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)',
    'CREATE TABLE blocks (n INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, issuer INT NOT NULL, '
    'seq INT NOT NULL, issued_at INT NOT NULL, received_at INT NOT NULL, depth INT NOT NULL, '
    'round INT NOT NULL, witness INT NOT NULL, seen TEXT NOT NULL, size INT NOT NULL, '
    'calls INT NOT NULL, reverted INT NOT NULL DEFAULT 0, epoch INT NOT NULL, position INT, '
    'accepted INT NOT NULL DEFAULT 0, born INT NOT NULL, changed INT NOT NULL)',
    'CREATE INDEX blocks_by_time ON blocks (issued_at, n)',
    'CREATE INDEX blocks_by_issuer ON blocks (issuer, issued_at)',
    'CREATE INDEX blocks_by_position ON blocks (position)',
    'CREATE INDEX blocks_by_change ON blocks (changed)',
    'CREATE TABLE edges (child INT, parent INT, PRIMARY KEY (child, parent)) WITHOUT ROWID',
    'CREATE INDEX edges_by_parent ON edges (parent)',
    'CREATE TABLE calls (block INT, ordinal INT, name TEXT NOT NULL, words TEXT NOT NULL, '
    'ok INT NOT NULL, reason TEXT NOT NULL, events TEXT NOT NULL, task BLOB, '
    'PRIMARY KEY (block, ordinal)) WITHOUT ROWID',
    'CREATE INDEX calls_by_task ON calls (task, block)',
    'CREATE INDEX calls_by_name ON calls (name, block)',
    'CREATE TABLE acts (block INT NOT NULL, time REAL NOT NULL, robot TEXT NOT NULL, '
    'name TEXT NOT NULL, task TEXT NOT NULL)',
    'CREATE INDEX acts_by_block ON acts (block)',
    'CREATE INDEX acts_by_task ON acts (task)',
    'CREATE VIRTUAL TABLE words USING fts5(text, tokenize="trigram")',
    'CREATE TABLE states (position INTEGER PRIMARY KEY, latest INT NOT NULL, epoch INT NOT NULL, '
    'data BLOB NOT NULL)',
    'CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, roster TEXT NOT NULL)',
    'CREATE TABLE waiting (id BLOB PRIMARY KEY) WITHOUT ROWID',
    'CREATE TABLE told (question TEXT PRIMARY KEY, version INT NOT NULL, answer TEXT NOT NULL)',
)


class Known(NamedTuple):
    """A block, as it is added; see :class:`collab_robots.tangle.dag.Entry`."""

    id: bytes
    issuer: int
    seq: int
    issued_at: int
    received_at: int
    depth: int
    round: int
    witness: bool
    seen: Sequence[int]
    size: int
    calls: int
    epoch: int
    parents: Sequence[bytes]


class Saved(NamedTuple):
    """
    A state to go on from.

    :param latest: when the newest of the final records before was issued, ns.
    :param data: encoded :class:`collab_robots.tangle.snapshot.Snapshot`.
    """

    position: int
    latest: int
    epoch: int
    data: bytes


class Index:
    """
    See the module. Its owner reads tables through :attr:`db`, and writes through the methods.

    Several processes may follow one ledger with one index: each notes what it finds, which is the
    same.

    :param path: is made anew if it is not an index of ``about``; None, or what cannot be written:
        in memory.
    :param about: what tells the ledger apart.
    """

    def __init__(self, path: Path | None, about: dict[str, str]) -> None:
        self._about = {'form': FORM, **about}
        self._path = path
        self.cleared = 0
        """How often everything was forgotten."""
        try:
            self._open()
        except sqlite3.OperationalError:  # not to be written
            self._path = None
            self._open()
        except sqlite3.DatabaseError:  # damaged: it can be made again
            self._delete()
            self._open()

    @property
    def version(self) -> int:
        """Grows when anything changes."""
        return int(self.get('version', '0'))

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def clear(self) -> None:
        """Forget everything but the version."""
        version = self.version
        self._delete()
        self._open()
        self.set('version', str(version + 1))
        self.cleared += 1

    @contextmanager
    def changing(self) -> Iterator[None]:
        """
        Make what is written inside durable, or nothing of it; the version grows.

        :raises StoreError: if it cannot be written.
        """
        try:
            self.db.execute('BEGIN IMMEDIATE')
            self._next = self.version + 1
            self.set('version', str(self._next))
            yield
            self.db.execute('COMMIT')
        except sqlite3.Error as error:
            raise StoreError(f'{self._path}: {error}; delete it and try again') from None
        finally:
            if self.db.in_transaction:
                self.db.execute('ROLLBACK')

    def get(self, key: str, default: str = '') -> str:
        """Return a note."""
        found = self.db.execute('SELECT value FROM meta WHERE key = ?', (key,)).fetchone()
        return str(found[0]) if found else default

    def set(self, key: str, value: str) -> None:
        """Take a note."""
        self.db.execute('INSERT OR REPLACE INTO meta VALUES (?, ?)', (key, value))

    def add(self, block: Known) -> int:
        """Add a block; return its number."""
        *columns, parents = block
        columns[8] = json.dumps(block.seen, separators=(',', ':'))
        number = self.db.execute(
            'INSERT INTO blocks (id, issuer, seq, issued_at, received_at, depth, round, witness, '
            'seen, size, calls, epoch, born, changed) VALUES '
            '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
            (*columns, self._next, self._next),
        ).lastrowid
        assert number is not None
        self.db.executemany(
            'INSERT OR IGNORE INTO edges SELECT ?, n FROM blocks WHERE id = ?',
            ((number, parent) for parent in parents),
        )
        return number

    def place_of(self, identity: bytes) -> tuple[int, int | None] | tuple[None, None]:
        """Return the number of a block, and its position in the final order."""
        found = self.db.execute('SELECT n, position FROM blocks WHERE id = ?', (identity,))
        return found.fetchone() or (None, None)

    def change(
        self, number: int, round_: int, witness: bool, seen: Sequence[int], epoch: int
    ) -> None:
        """Take note of a block's place in another epoch; see :class:`Known`."""
        self.db.execute(
            'UPDATE blocks SET round = ?, witness = ?, seen = ?, epoch = ?, changed = ? '
            'WHERE n = ?',
            (round_, witness, json.dumps(seen, separators=(',', ':')), epoch, self._next, number),
        )

    def finalise(self, number: int, position: int, epoch: int) -> None:
        """Take note that a block is final."""
        self.db.execute(
            'UPDATE blocks SET position = ?, epoch = ?, accepted = 1, changed = ? '
            'WHERE n = ? AND position IS NULL',
            (position, epoch, self._next, number),
        )

    def accept(self, number: int, accepted: bool) -> None:
        """Take note whether a block that is not final is accepted."""
        self.db.execute(
            'UPDATE blocks SET accepted = ?, changed = ? WHERE n = ? AND accepted != ?',
            (accepted, self._next, number, accepted),
        )

    def tell(self, number: int, calls: Sequence[Call], acts: Sequence[Act]) -> None:
        """Take note what came of a block's calls, in place of what was noted before."""
        first = number * CALLS
        self._forget_words(number)
        self.db.execute('DELETE FROM calls WHERE block = ?', (number,))
        self.db.execute('DELETE FROM acts WHERE block = ?', (number,))
        for ordinal, call in enumerate(calls):
            events = '\n'.join(call.events)
            task = task_key(call.task) if call.task else None
            self.db.execute(
                'INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
                (number, ordinal, call.name, call.words, call.ok, call.reason, events, task),
            )
            text = ' '.join((call.name, call.words, call.reason, events))
            self.db.execute(
                'INSERT INTO words (rowid, text) VALUES (?, ?)', (first + ordinal, text)
            )
        self.db.executemany(
            'INSERT INTO acts VALUES (?, ?, ?, ?, ?)', ((number, *act) for act in acts)
        )
        self.db.execute(
            'UPDATE blocks SET reverted = ? WHERE n = ?',
            (sum(not call.ok for call in calls), number),
        )

    def say(self, number: int, text: str) -> None:
        """Take note of the words that an unsigned block holds."""
        self._forget_words(number)
        self._say(number * CALLS, text)

    def _say(self, row: int, text: str) -> None:
        self.db.execute('INSERT INTO words (rowid, text) VALUES (?, ?)', (row, text))

    def _forget_words(self, number: int) -> None:
        self.db.execute(
            'DELETE FROM words WHERE rowid >= ? AND rowid < ?',
            (number * CALLS, (number + 1) * CALLS),
        )

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget blocks that the robot took out."""
        for number in numbers:
            self.tell(number, (), ())
            self.db.execute('DELETE FROM edges WHERE child = ? OR parent = ?', (number, number))
            self.db.execute('DELETE FROM blocks WHERE n = ?', (number,))

    def save(self, state: Saved) -> None:
        """Keep a state to go on from."""
        position, latest, epoch, data = state
        self.db.execute(
            'INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)',
            (position, latest, epoch, zlib.compress(data, 1)),
        )

    def saved(self, condition: str = '1', *values: object) -> Saved | None:
        """Return the last state that meets a condition of SQL, of a position, latest and epoch."""
        found = self.db.execute(
            f'SELECT position, latest, epoch, data FROM states WHERE {condition} '
            'ORDER BY position DESC LIMIT 1',
            values,
        ).fetchone()
        if found is None:
            return None
        position, latest, epoch, data = found
        return Saved(position, latest, epoch, zlib.decompress(data))

    def save_epoch(self, epoch: int, roster: Roster) -> None:
        """Keep the roster that an epoch begins with."""
        rows = [[name, key.hex(), weight] for name, key, weight in roster]
        self.db.execute('INSERT OR REPLACE INTO epochs VALUES (?, ?)', (epoch, json.dumps(rows)))

    def epochs(self, last: int = MAX_EPOCHS) -> Iterator[tuple[int, Roster]]:
        """Yield the rosters of the epochs after the fleet file's, up to the last one asked for."""
        for epoch, roster in self.db.execute(
            'SELECT epoch, roster FROM epochs WHERE epoch BETWEEN 1 AND ? ORDER BY epoch', (last,)
        ).fetchall():
            rows = [(name, bytes.fromhex(key), weight) for name, key, weight in json.loads(roster)]
            yield epoch, rows

    def waiting(self) -> frozenset[bytes]:
        """Return the ids of the blocks that did not fit the others so far."""
        return frozenset(one for (one,) in self.db.execute('SELECT id FROM waiting'))

    def wait(self, ids: Set[bytes]) -> None:
        """Take note which blocks do not fit the others."""
        if ids != self.waiting():
            self.db.execute('DELETE FROM waiting')
            self.db.executemany('INSERT INTO waiting VALUES (?)', ((one,) for one in ids))

    def told(self, question: str, version: int) -> str | None:
        """Return an answer that was given at a version."""
        found = self.db.execute(
            'SELECT answer FROM told WHERE question = ? AND version = ?', (question, version)
        ).fetchone()
        return str(found[0]) if found else None

    def keep(self, question: str, version: int, answer: str) -> None:
        """Keep an answer of a version."""
        with suppress(sqlite3.OperationalError):  # somebody is writing
            self.db.execute(
                'INSERT OR REPLACE INTO told VALUES (?, ?, ?)', (question, version, answer)
            )

    def _open(self) -> None:
        name: Any = self._path or ':memory:'
        self.db = sqlite3.connect(
            name, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        self.db.execute('PRAGMA journal_mode = WAL')
        self.db.execute('PRAGMA synchronous = NORMAL')
        self.db.execute('PRAGMA cache_size = -16384')
        self.db.execute('BEGIN IMMEDIATE')
        if self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            known = dict(self.db.execute('SELECT key, value FROM meta'))
            if any(known.get(key) != value for key, value in self._about.items()):
                raise sqlite3.DatabaseError('the index of another ledger')
        else:
            for statement in TABLES:
                self.db.execute(statement)
            for key, value in self._about.items():
                self.set(key, value)
        self.db.execute('COMMIT')

    def _delete(self) -> None:
        self.db.close()
        if self._path is not None:
            for end in ('', '-wal', '-shm'):
                Path(f'{self._path}{end}').unlink(missing_ok=True)


def format_newest(newest: Newest) -> str:
    """Return how far a ledger's file was read, as it is noted."""
    row, identity = newest
    return f'{row} {identity.hex()}'


def parse_newest(text: str) -> Newest:
    """Read how far a ledger's file was read; nothing was if there is no note."""
    row, _, identity = text.partition(' ')
    return Newest(int(row or 0), bytes.fromhex(identity))


def index_path(cache: Path, ledger: Path) -> Path:
    """
    Return where the index of a ledger lies.

    :raises StoreError: if the folder cannot be made.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f'{cache}: {error.strerror}') from None
    name = zlib.crc32(str(ledger.resolve()).encode())
    return cache / f'{ledger.parent.name}-{name:08x}.index'
