"""The ledger's file: durable, one writer, readable meanwhile, and honest about damage."""

import sqlite3

import pytest

from collab_robots.core.errors import StoreError
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.store import Row, Store

FLEET, KEYS = make_team(2)
NAME = 'robot_00'


def rows(count, issuer=0, size=10):
    """Return a chain of blocks."""
    result, parent = [], GENESIS
    for seq in range(count):
        record = sign_record(KEYS[issuer], FLEET.id, seq, [parent], 100, (bytes([1]) * size,))
        raw = encode_record(record)
        parent = block_id(raw)
        result.append(Row(parent, raw, issuer, seq, record.issued_at, 7, seq + 1))
    return result


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'ledger.db'


@pytest.fixture
def filled(path):
    """Return the path of a closed store with 50 blocks."""
    store = Store(path, FLEET, NAME)
    for row in reversed(rows(50, size=1_000)):
        store.add(row)
    store.commit()
    store.close()
    return path


def test_what_is_committed_is_there_again(filled):
    store = Store(filled, FLEET, NAME)
    assert list(store.load()) == rows(50, size=1_000)
    assert store.meta == {
        'schema': '2',
        'fleet': 'twin',
        'fleet_id': FLEET.id.hex(),
        'robot': NAME,
    }
    store.close()


def test_what_is_not_committed_is_readable_but_not_kept(path):
    chain = rows(3)
    store = Store(path, FLEET, NAME)
    store.add(chain[0])
    store.commit()
    store.add(chain[1])
    store.add(chain[2])
    assert store.uncommitted == 2
    assert store.get(chain[1].id) == chain[1]
    assert store.chain(0, 0, 1) == chain[:2]
    assert store.chain(1, 0, 9) == []
    assert store.get(bytes(32)) is None
    store.close()
    store = Store(path, FLEET, NAME)
    assert list(store.load()) == chain[:1]
    store.close()


def test_a_block_twice_is_one(path):
    store = Store(path, FLEET, NAME)
    for _ in range(2):
        store.add(rows(1)[0])
        store.commit()
    assert len(list(store.load())) == 1
    store.close()


def test_second_writer_is_refused_until_the_first_is_gone(path):
    store = Store(path, FLEET, NAME)
    with pytest.raises(StoreError, match='another process has this ledger open'):
        Store(path, FLEET, NAME)
    store.close()
    Store(path, FLEET, NAME).close()


def test_reading_while_the_robot_writes(path):
    chain = rows(3)
    store = Store(path, FLEET, NAME)
    store.add(chain[0])
    store.commit()
    reader = Store.read(path)
    assert list(reader.load()) == chain[:1]
    store.add(chain[1])
    assert list(reader.load()) == chain[:1]
    store.commit()
    assert list(reader.load()) == chain[:2]
    with pytest.raises(sqlite3.OperationalError, match='readonly'):
        reader._db.execute('DELETE FROM blocks')
    reader.close()
    store.close()
    reader = Store.read(path)
    assert list(reader.load()) == chain[:2]
    reader.close()


def test_reading_what_a_crash_left_behind(path, tmp_path):
    store = Store(path, FLEET, NAME)
    for row in rows(3):
        store.add(row)
    store.commit()
    crashed = tmp_path / 'crashed'
    crashed.mkdir()
    for name in ('ledger.db', 'ledger.db-wal'):
        (crashed / name).write_bytes((tmp_path / name).read_bytes())
    store.close()
    reader = Store.read(crashed / 'ledger.db')
    assert list(reader.load()) == rows(3)
    reader.close()


def test_file_of_another_fleet_or_robot_says_whose_it_is(filled):
    other = make_team(2, 'other')[0]
    with pytest.raises(
        StoreError, match=rf"'robot_00' in fleet 'twin' .{FLEET.id.hex()}"
    ) as error:
        Store(filled, other, NAME)
    assert other.id.hex() in str(error.value)
    with pytest.raises(StoreError, match=r"is the ledger of robot 'robot_00'.*not of 'robot_01'"):
        Store(filled, FLEET, 'robot_01')
    Store(filled, FLEET, NAME).close()  # and neither refusal locked or changed it


def write_garbage(path):
    path.write_bytes(b'garbage' * 1_000)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_in_block(path):
    raw = path.read_bytes()
    at = raw.index(b'\x01' * 500)
    path.write_bytes(raw[:at] + b'\x02' + raw[at + 1 :])


def clear_page(path):
    raw = path.read_bytes()
    path.write_bytes(raw[:8192] + bytes(4096) + raw[12288:])


@pytest.mark.parametrize('damage', [write_garbage, truncate, flip_in_block, clear_page])
def test_damage_is_found_and_explained(filled, damage):
    damage(filled)
    with pytest.raises(StoreError, match=r'damaged: .*ledger repair'):
        store = Store(filled, FLEET, NAME)
        try:
            list(store.load())
        finally:
            store.close()


@pytest.mark.parametrize('damage', [write_garbage, truncate, flip_in_block])
def test_reader_finds_damage_too(filled, damage):
    damage(filled)
    with pytest.raises(StoreError, match='damaged'):
        reader = Store.read(filled)
        try:
            list(reader.load())
        finally:
            reader.close()


def test_another_schema_is_refused(filled):
    db = sqlite3.connect(filled)
    db.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    db.commit()
    db.close()
    for opening in (lambda: Store(filled, FLEET, NAME), lambda: Store.read(filled)):
        with pytest.raises(StoreError, match=r'expected schema 2, found 1'):
            opening()


def test_places_where_no_ledger_can_be(tmp_path):
    with pytest.raises(StoreError, match='no ledger here'):
        Store.read(tmp_path / 'none.db')
    with pytest.raises(StoreError, match='cannot be written'):
        Store(tmp_path / 'none' / 'ledger.db', FLEET, NAME)
    (tmp_path / 'folder').mkdir()
    with pytest.raises(StoreError, match='unable to open'):
        Store(tmp_path / 'folder', FLEET, NAME)


def test_full_disk_keeps_all_or_nothing_and_goes_on_later(path):
    chain = rows(40, size=2_000)
    store = Store(path, FLEET, NAME)
    store.add(chain[0])
    store.commit()
    pages = store._db.execute('PRAGMA page_count').fetchone()[0]
    store._db.execute(f'PRAGMA max_page_count = {pages + 3}')
    for row in chain[1:]:
        store.add(row)
    with pytest.raises(StoreError, match='full'):
        store.commit()
    assert list(store.load()) == chain[:1]
    assert store.get(chain[-1].id) == chain[-1]
    store._db.execute('PRAGMA max_page_count = 1000000')
    store.commit()
    assert list(store.load()) == chain
    store.close()


def test_locked_file_is_an_error_and_passes(path):
    store = Store(path, FLEET, NAME)
    store._db.execute('PRAGMA busy_timeout = 10')
    other = sqlite3.connect(path, isolation_level=None)
    other.execute('BEGIN IMMEDIATE')
    store.add(rows(1)[0])
    with pytest.raises(StoreError, match='locked'):
        store.commit()
    other.execute('ROLLBACK')
    other.close()
    store.commit()
    assert store.uncommitted == 0
    store.close()


def test_own_records_reach_the_disk_at_commit(path):
    """WAL alone would be flushed at a checkpoint only; FULL flushes it at each commit."""
    store = Store(path, FLEET, NAME)
    assert store._db.execute('PRAGMA synchronous').fetchone() == (2,)
    assert store._db.execute('PRAGMA journal_mode').fetchone() == ('wal',)
    store.close()
