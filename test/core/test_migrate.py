"""A ledger file of an old schema is read as a migrated copy; the file stays as it is."""

from contextlib import closing
from pathlib import Path
import random
import sqlite3

import pytest

from collab_robots.core.errors import StoreError
from collab_robots.explorer.book.migrate import current
from collab_robots.explorer.verify import verify
from collab_robots.explorer.verify_fault import WrongRecordError
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.store import Store

FLEET, KEYS = make_team(4, 'old')
SCHEMA_1 = (  # as the ledger made its files before it had proofs and snapshots
    'PRAGMA journal_mode = WAL',
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
    'CREATE TABLE blocks (id BLOB PRIMARY KEY, raw BLOB NOT NULL, issuer INT NOT NULL, '
    'seq INT NOT NULL, issued_at INT NOT NULL, received_at INT NOT NULL, depth INT NOT NULL)',
    'CREATE INDEX blocks_by_chain ON blocks (issuer, seq)',
)


def history(count: int) -> list[Row]:
    dag, rows, rng = Dag([1] * len(KEYS)), [], random.Random(1)
    for number in range(count):
        robot = number % len(KEYS)
        own = dag.newest(robot)
        tips = [tip.id for tip in dag.tips.values() if tip is not own]
        parents = [own.id if own else GENESIS, *tips]
        seq = own.record.seq + 1 if own else 0
        calls = (rng.randbytes(40),) * (number % 3)
        record = sign_record(KEYS[robot], FLEET.id, seq, parents, 1_000 + number, calls)
        raw = encode_record(record)
        entry = dag.insert(block_id(raw), record, robot)
        rows.append(Row(entry.id, raw, robot, seq, record.issued_at, 5_000 + number, entry.depth))
    return rows


@pytest.fixture
def old(tmp_path) -> Path:
    """Return a file of schema 1."""
    path = tmp_path / 'ledger.db'
    meta = [('schema', '1'), ('fleet', 'old'), ('fleet_id', FLEET.id.hex()), ('robot', 'robot_00')]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in SCHEMA_1:
            db.execute(statement)
        db.executemany('INSERT INTO meta VALUES (?, ?)', meta)
        db.executemany('INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)', history(80))
    return path


def test_an_old_file_is_read_as_a_copy(old):
    before = old.read_bytes()
    with current(old) as copy:
        assert copy != old
        with closing(Store.read(copy)) as store:
            store.check()
            assert list(store.load()) == history(80)
            assert store.meta == {
                'schema': '2',
                'fleet': 'old',
                'fleet_id': FLEET.id.hex(),
                'robot': 'robot_00',
            }
            assert not store.proofs() and store.snapshot() is None and not store.incomplete
    assert not copy.exists() and old.read_bytes() == before


def test_an_old_file_is_verified(old):
    found = verify(old, FLEET, 1, lambda *said: None)
    assert (found.schema, found.blocks) == ('1', 80)
    with closing(sqlite3.connect(old)) as db:
        db.execute('UPDATE blocks SET raw = (SELECT raw FROM blocks WHERE seq = 7) WHERE seq = 5')
        db.commit()
    with pytest.raises(WrongRecordError) as caught:
        verify(old, FLEET, 1, lambda *said: None)
    assert (caught.value.fault.what, caught.value.fault.seq) == ('id', 5)


def test_a_file_of_today_is_itself(tmp_path):
    path = tmp_path / 'ledger.db'
    Store(path, FLEET, 'robot_00').close()
    with current(path) as same:
        assert same == path


def test_a_newer_file_says_what_it_is(old):
    with closing(sqlite3.connect(old)) as db:
        db.execute("UPDATE meta SET value = '3' WHERE key = 'schema'")
        db.commit()
    with (
        pytest.raises(StoreError, match="robot 'robot_00' in fleet 'old' has schema '3'"),
        current(old),
    ):
        pass


@pytest.mark.parametrize('content', [b'', b'a letter', bytes(8_192)])
def test_what_is_no_ledger_is_refused(tmp_path, content):
    path = tmp_path / 'ledger.db'
    with pytest.raises(StoreError, match='there is no ledger here'), current(path):
        pass
    path.write_bytes(content)
    with pytest.raises(StoreError, match='no ledger'), current(path):
        pass


def test_a_damaged_old_file_is_refused(old):
    with closing(sqlite3.connect(old)) as db:
        question = "SELECT rootpage FROM sqlite_master WHERE name = 'blocks'"
        (page,) = db.execute(question).fetchone()
    data = bytearray(old.read_bytes())
    data[4_096 * (page - 1)] ^= 0xFF
    old.write_bytes(data)
    with pytest.raises(StoreError, match='cannot be migrated'), current(old):
        pass
