"""A failing disk: what is lost is noticed, and a robot that may have lost its own words waits."""

from contextlib import closing
from pathlib import Path
import shutil
import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.core.errors import StoreError
from collab_robots.tangle.block import block_id
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.store import Store

FLEET, _ = make_team(2)
NAME = 'robot_00'
FILES = ('ledger.db', 'ledger.db-wal', 'ledger.db.lock')


def rows(first: int, last: int, size: int = 200) -> list[Row]:
    """Return blocks; the content is nothing to the store."""
    raws = [(b'block %d ' % number) * (size // 8) for number in range(first, last)]
    return [
        Row(block_id(raw), raw, number % 2, number // 2, 1_000 + number, 7, number + 1)
        for number, raw in enumerate(raws, first)
    ]


def write(store: Store, some: list[Row]) -> None:
    for row in some:
        store.add(row)
    store.commit()


def crashed(folder: Path, into: Path) -> Path:
    """Copy what a power cut now would leave; returns the path of the ledger."""
    into.mkdir()
    for name in FILES:
        if (folder / name).exists():
            shutil.copy(folder / name, into / name)
    return into / 'ledger.db'


@pytest.fixture(scope='module')
def left(tmp_path_factory) -> Path:
    """Return a folder with what a crash left of 60 blocks, a proof and a snapshot."""
    folder = tmp_path_factory.mktemp('left')
    with closing(Store(folder / 'ledger.db', FLEET, NAME)) as store:
        for first in range(0, 40, 10):
            write(store, rows(first, first + 10))
        store.add_proof(1, b'first' * 100, b'second' * 100)
        store.save_snapshot(3, b'state' * 3_000, [row.id for row in rows(0, 10)])
        for first in range(40, 60, 5):
            write(store, rows(first, first + 5))
        crashed(folder, folder / 'crashed')
    return folder / 'crashed'


EXPECTED = (
    rows(10, 60),
    {1: (b'first' * 100, b'second' * 100)},
    (3, b'state' * 3_000),
)


def read(path: Path) -> tuple[bool, tuple[object, ...]]:
    """Return whether a store says that it lost something, and all that it holds."""
    with closing(Store(path, FLEET, NAME)) as store:
        found = list(store.load())
        for row in found:
            assert store.get(row.id) == row
        chains = [row for issuer in (0, 1) for row in store.chain(issuer, 0, 99)]
        assert sorted(chains) == sorted(found)
        return store.incomplete, (found, store.proofs(), store.snapshot())


def again(left: Path, tmp_path: Path) -> Path:
    shutil.copytree(left, tmp_path / 'again')
    return tmp_path / 'again' / 'ledger.db'


def test_a_crash_loses_nothing(left, tmp_path):
    assert read(again(left, tmp_path)) == (False, EXPECTED)


@pytest.mark.parametrize('part', [0.0, 0.5, 0.999])
def test_a_lost_end_of_the_wal_is_noticed(left, tmp_path, part):
    path = again(left, tmp_path)
    wal = path.with_name('ledger.db-wal')
    raw = wal.read_bytes()
    wal.write_bytes(raw[: int(part * len(raw))])
    with closing(Store(path, FLEET, NAME)) as store:
        assert store.incomplete and 'commits' in store.meta['incomplete']
        assert list(store.load()) != EXPECTED[0]
        write(store, rows(60, 61))
    with closing(Store(path, FLEET, NAME)) as store:
        assert store.incomplete, 'it stays so until somebody says that all is back'
        store.mark_complete()
        assert not store.incomplete
    assert not read(path)[0]


def test_a_missing_wal_is_noticed_with_and_without_the_lock_file(left, tmp_path):
    for name in ('with', 'without'):
        shutil.copytree(left, tmp_path / name)
        path = tmp_path / name / 'ledger.db'
        path.with_name('ledger.db-wal').unlink()
        if name == 'without':
            path.with_name('ledger.db.lock').unlink()
        assert read(path)[0]


@pytest.mark.parametrize('content', [None, b''])
def test_a_lost_file_is_noticed(left, tmp_path, content):
    path = again(left, tmp_path)
    path.with_name('ledger.db-wal').unlink()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert read(path) == (True, ([], {}, None))


def test_an_old_copy_is_noticed(tmp_path):
    path = tmp_path / 'ledger.db'
    with closing(Store(path, FLEET, NAME)) as store:
        write(store, rows(0, 1))
    old = path.read_bytes()
    with closing(Store(path, FLEET, NAME)) as store:
        write(store, rows(1, 2))
    path.write_bytes(old)
    assert read(path)[0]


def test_a_ledger_that_was_closed_can_be_moved_alone(tmp_path):
    path = tmp_path / 'ledger.db'
    with closing(Store(path, FLEET, NAME)) as store:
        write(store, rows(0, 9))
    assert sorted(file.name for file in tmp_path.iterdir()) == ['ledger.db', 'ledger.db.lock']
    (tmp_path / 'elsewhere').mkdir()
    shutil.copy(path, tmp_path / 'elsewhere' / 'ledger.db')
    assert read(tmp_path / 'elsewhere' / 'ledger.db') == (False, (rows(0, 9), {}, None))


def check(path: Path) -> None:
    """Damage is an error or a lost end, or everything is still there; never a silent change."""
    try:
        incomplete, found = read(path)
    except StoreError as error:
        assert str(path) in str(error)
        return
    assert incomplete or found == EXPECTED


@given(
    st.sampled_from(FILES[:2]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1),
)
@settings(max_examples=150, deadline=None)
def test_no_flipped_byte_goes_unnoticed(left, tmp_path_factory, name, flips):
    path = again(left, tmp_path_factory.mktemp('flip'))
    raw = bytearray(path.with_name(name).read_bytes())
    for where, change in flips:
        raw[int(where * len(raw))] ^= change
    path.with_name(name).write_bytes(raw)
    check(path)


@given(st.sampled_from(FILES[:2]), st.floats(0, 1, exclude_max=True))
@settings(max_examples=80, deadline=None)
def test_no_cut_goes_unnoticed(left, tmp_path_factory, name, where):
    path = again(left, tmp_path_factory.mktemp('cut'))
    raw = path.with_name(name).read_bytes()
    path.with_name(name).write_bytes(raw[: int(where * len(raw))])
    check(path)


def test_disk_stays_flat_while_old_blocks_are_dropped(tmp_path):
    path = tmp_path / 'ledger.db'
    sizes = []
    with closing(Store(path, FLEET, NAME)) as store:
        store._db.execute('PRAGMA synchronous = OFF')  # what a disk does is not the matter here
        for turn in range(60):
            write(store, rows(turn * 100, turn * 100 + 100))
            old = [row.id for row in rows((turn - 5) * 100, (turn - 4) * 100)] if turn > 4 else []
            store.save_snapshot(turn + 1, b'%d ' % turn * 2_000, old)
            sizes.append(sum((tmp_path / name).stat().st_size for name in FILES))
        assert len(list(store.load())) == 500
    assert max(sizes[40:]) <= max(sizes[10:20]) * 1.05


def test_damage_after_opening_is_found_when_the_block_is_read(tmp_path):
    path = tmp_path / 'ledger.db'
    with closing(Store(path, FLEET, NAME)) as store:
        write(store, rows(0, 4))
        with closing(sqlite3.connect(path)) as disk:
            disk.execute('UPDATE blocks SET raw = ? WHERE seq = 1 AND issuer = 0', (b'other',))
            disk.commit()
        good, bad = rows(0, 4)[0], rows(0, 4)[2]
        assert store.get(good.id) == good
        for reading in (lambda: store.get(bad.id), lambda: store.chain(0, 0, 9)):
            with pytest.raises(StoreError, match=r'block 1 of robot 0 is not as.*ledger repair'):
                reading()
        write(store, rows(4, 6))
        assert store.get(rows(4, 5)[0].id)


def test_a_ledger_goes_on_when_it_is_asked_for_a_damaged_block(tmp_path):
    team, keys = make_team(4)
    network = MemoryNetwork(team, 1)
    path = tmp_path / 'ledger.db'
    first = network.start(keys[0], Store(path, team, team.robots[0].name))
    for key in keys[1:3]:
        network.start(key)
    network.run(3.0)
    first.submit(b'this is lost')
    network.run(3.0)
    network.stop(team.robots[1].name)
    network.stop(team.robots[2].name)
    with closing(sqlite3.connect(path)) as disk:
        disk.execute("UPDATE blocks SET depth = 999 WHERE instr(raw, 'this is lost')")
        assert disk.total_changes == 1
        disk.commit()
    last = network.start(keys[3])
    network.run(3.0)
    assert 'not as it was written' in first.status().alarm
    first.submit(b'said nevertheless')
    network.run(5.0)
    assert last.status().waiting or last.status().blocks == 0
    assert any(b'said nevertheless' in e.record.calls for e in first.dag.entries.values())
