"""
Check a ledger's file as such: what it begins with, tables, pages, and what lies beside it.

What SQLite takes as it comes is looked at here, too; what it refuses is traced to a row. Format:
https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import zip_longest
from pathlib import Path
import re
import sqlite3

from collab_robots.core.fleet import Fleet
from collab_robots.explorer.verify_fault import Fault, WrongRecordError
from collab_robots.explorer.verify_rows import check_row, name_of
from collab_robots.explorer.verify_wal import broken_frame
from collab_robots.tangle.salvage import PAGE
from collab_robots.tangle.store_lock import last_commit
from collab_robots.tangle.store_reader import COLUMNS
from collab_robots.tangle.store_rows import TABLES

_HEADER = (  # of the file: where, bytes, what it is
    (0, b'SQLite format 3\0', "SQLite's name"),
    (16, PAGE.to_bytes(2, 'big'), 'page size'),
    (18, b'\2\2', 'versions of the format'),
    (20, b'\0\x40\x20\x20', 'shares of a page'),
    (44, bytes((0, 0, 0, 4)), 'schema format'),
    (48, bytes(8), 'sizes that are not used'),
    (56, bytes((0, 0, 0, 1)), 'text encoding'),
    (64, bytes(28), 'fields that are not used'),
)
_CHANGES, _VALID_FOR = slice(24, 28), slice(92, 96)
_INDEXES: dict[str, dict[str, tuple[str, ...]]] = {  # of each table: the columns that they are of
    'meta': {'sqlite_autoindex_meta_1': ('key',)},
    'snapshots': {'sqlite_autoindex_snapshots_1': ('number',)},
    'proofs': {'sqlite_autoindex_proofs_1': ('issuer',)},
    'blocks': {'sqlite_autoindex_blocks_1': ('id',), 'blocks_by_chain': ('issuer', 'seq')},
}
_PAGE = re.compile(r'[Pp]age (\d+)')


def check_header(path: Path) -> None:
    """
    Look at the first bytes of a file.

    :raises WrongRecordError: if they are not those of a ledger's file.
    """
    with path.open('rb') as file:
        head = file.read(100)
    for at, expected, what in _HEADER:
        found = head[at : at + len(expected)]
        if found != expected:
            raise WrongRecordError(
                Fault('file header', f'byte {at}', what, expected.hex(), found.hex())
            )
    if head[_CHANGES] != head[_VALID_FOR]:
        raise WrongRecordError(
            Fault(
                'file header',
                'byte 92',
                'count of changes',
                head[_CHANGES].hex(),
                head[_VALID_FOR].hex(),
            )
        )


@contextmanager
def opened(path: Path) -> Iterator[tuple[sqlite3.Connection, int | None]]:
    """Open a ledger's file; also give the last commit that was noted beside it."""
    noted = last_commit(str(path))  # before the ledger: its robot may be writing
    uri = path.absolute().as_uri() + '?mode=ro'
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
        db.text_factory = partial(str, encoding='utf-8', errors='backslashreplace')
        db.execute('BEGIN')
        yield db, noted


def check_structure(db: sqlite3.Connection, fleet: Fleet) -> None:
    """
    Look at tables, indexes and every page.

    :param fleet: with all robots that ever were in it, as far as that is known.
    :raises WrongRecordError: if one is not as it was made.
    """
    _check_schema(db)
    problem = _problem(db)
    if problem:
        raise WrongRecordError(
            _wrong_row(db, fleet) or _unreachable_row(db, fleet) or _wrong_page(db, problem)
        )


def check_end(db: sqlite3.Connection, path: Path, noted: int | None, meta: dict[str, str]) -> str:
    """
    Look whether the end of the ledger is there.

    :param noted: as :func:`opened` gave it.
    :param meta: what the file says of itself.
    :returns: a warning, empty if there is nothing to warn of.
    :raises WrongRecordError: if commits are lost, or the lock file is not as it was written.
    """
    lock = path.with_name(f'{path.name}.lock')
    (commits,) = db.execute('PRAGMA user_version').fetchone()
    if noted is None and lock.is_file() and lock.stat().st_size:
        said = ascii(lock.read_bytes()[:20])
        raise WrongRecordError(
            Fault('lock file', '', 'last commit', 'ten digits and a new line', said)
        )
    frame = '' if noted == commits else broken_frame(path)
    if (noted is not None and noted > commits) or (noted is None and 'in_use' in meta and frame):
        last = f'commit {noted}, as the lock file says' if noted else 'all that was committed'
        found = f'the end lost after commit {commits}'
        raise WrongRecordError(Fault('-wal file' if frame else 'file', frame, 'end', last, found))
    now_noted = last_commit(str(path))
    if now_noted is not None and now_noted < commits and 'in_use' not in meta:
        raise WrongRecordError(Fault('lock file', '', 'last commit', f'{commits}', f'{now_noted}'))
    if noted is None and 'in_use' in meta:
        return 'it was not closed, and its lock file is not here: its end may be missing'
    return meta.get('incomplete', '')


def _check_schema(db: sqlite3.Connection) -> None:
    question = 'SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name'
    with closing(sqlite3.connect(':memory:')) as model:
        for table in TABLES:
            model.execute(table)
        expected = model.execute(question).fetchall()
    here = Fault('sqlite_master', '', '', '', '')
    try:
        found = db.execute(question).fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise here.wrong('definitions', 'those of a ledger', error) from None
    for made, what in zip_longest(expected, found):
        if made != what:
            raise here.wrong('definition', made, what)


def _problem(db: sqlite3.Connection) -> str:
    """Return what SQLite finds wrong, empty if that is nothing."""
    try:
        (problem,) = db.execute('PRAGMA integrity_check(1)').fetchone()
    except (sqlite3.Error, ValueError) as error:
        return str(error)
    return '' if problem == 'ok' else str(problem).splitlines()[-1]


def _wrong_row(db: sqlite3.Connection, fleet: Fleet) -> Fault | None:
    """Return the first block that is not as it was written, if one can be read."""
    with suppress(sqlite3.Error):
        for values in db.execute(f'SELECT rowid, {COLUMNS} FROM blocks NOT INDEXED'):
            fault = check_row(values, fleet)
            if fault is not None:
                return fault
    return None


def _unreachable_row(db: sqlite3.Connection, fleet: Fleet) -> Fault | None:
    """Return the first row that its table or an index does not lead to, or that is unreadable."""
    for table, indexes in _INDEXES.items():
        rowid = 0
        try:
            for (rowid,) in db.execute(f'SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid'):
                for index, columns in indexes.items():
                    if not _leads_to(db, table, index, columns, rowid):
                        return _of_row(db, fleet, table, rowid, index, 'no entry, or a wrong one')
            for index, columns in indexes.items():
                named = f'SELECT rowid FROM {table} INDEXED BY {index} ORDER BY {columns[0]}'
                for (rowid,) in db.execute(named):
                    if not db.execute(
                        f'SELECT 1 FROM {table} WHERE rowid = ?', (rowid,)
                    ).fetchone():
                        return _of_row(db, fleet, table, rowid, 'row', f'only an entry of {index}')
        except (sqlite3.Error, ValueError) as error:
            return Fault(table, f'after {rowid}', 'row', 'a readable one', str(error))
    return None


def _is_there(db: sqlite3.Connection, table: str, rowid: int) -> bool:
    found = db.execute(f'SELECT 1 FROM {table} WHERE rowid = ?', (rowid,))
    return found.fetchone() is not None


def _leads_to(
    db: sqlite3.Connection, table: str, index: str, columns: tuple[str, ...], rowid: int
) -> bool:
    """Tell whether a row is found by its id, and then by an index."""
    names = ', '.join(columns)
    key = db.execute(f'SELECT {names} FROM {table} WHERE rowid = ?', (rowid,)).fetchone()
    if key is None:
        return False
    where = ' AND '.join(f'{column} = ?' for column in columns)
    question = f'SELECT rowid FROM {table} INDEXED BY {index} WHERE {where}'
    return (rowid,) in db.execute(question, key).fetchall()


def _of_row(
    db: sqlite3.Connection, fleet: Fleet, table: str, rowid: int, what: str, found: str
) -> Fault:
    """Return a fault of a row, and say which record it is if it can be read."""
    said: tuple[str, str, int | None] = '', '', None
    if table == 'blocks':
        with suppress(sqlite3.Error):
            question = 'SELECT id, issuer, seq FROM blocks NOT INDEXED WHERE rowid = ?'
            for identity, issuer, seq in db.execute(question, (rowid,)):
                said = bytes(identity).hex(), name_of(issuer, fleet), seq
    return Fault(table, str(rowid), what, 'it to lead to the row', found, *said)


def _wrong_page(db: sqlite3.Connection, problem: str) -> Fault:
    """Return a fault of which only the page is known, if even that."""
    page, place = _PAGE.search(problem), 'file'
    if page is not None:
        with suppress(sqlite3.Error):  # where SQLite has no such table
            question = 'SELECT name FROM dbstat WHERE pageno = ?'
            ((place,),) = db.execute(question, (int(page[1]),)).fetchmany(1) or [('file',)]
    where = f'page {page[1]}' if page is not None else ''
    return Fault(place, where, 'structure', 'what SQLite makes', problem)
