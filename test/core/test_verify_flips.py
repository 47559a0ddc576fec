"""One flipped bit in what a ledger file holds: ``verify`` names the first wrong record."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
import random
import shutil
import sqlite3
import struct
from typing import NamedTuple

import pytest

from benchmarks.explorer_ledger import make
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.verify import verify
from collab_robots.explorer.verify_fault import Fault, WrongRecordError
from collab_robots.tangle.salvage import PAGE
from collab_robots.tangle.store import Store

FLIPS = 200
BLOCKS, SEED = 600, 6
SILENT = (*range(40, 44), *range(96, 100))  # of the header: SQLite's own counter and version


class Span(NamedTuple):
    """Bytes of a file that hold something; ``row`` if they are columns of that row."""

    name: str
    start: int
    end: int
    row: int | None = None


@pytest.fixture(scope='module')
def made(tmp_path_factory) -> Path:
    """Return a real ledger, with a proof and a snapshot."""
    folder = tmp_path_factory.mktemp('made')
    return make(folder, BLOCKS, SEED, told=lambda done: None, split_for=5.0)


@pytest.fixture(scope='module')
def fleet(made) -> Fleet:
    return Fleet.load(made.with_name('fleet.yaml'))


@pytest.fixture
def copy(made, tmp_path) -> Path:
    for file in made.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / made.name


def fault_of(path: Path, fleet: Fleet) -> Fault | None:
    try:
        verify(path, fleet, 1, lambda *said: None)
    except WrongRecordError as error:
        return error.fault
    return None


def flip(path: Path, at: int, bit: int) -> None:
    with path.open('r+b') as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes((byte ^ 1 << bit,)))


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        value = value << 7 | data[at + index] & 127
        if data[at + index] < 128:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def pages_of(data: bytes, name: str, number: int) -> Iterator[Span]:
    """Yield all that is used of a table or index: heads of its pages, cells, overflow pages."""
    base = (number - 1) * PAGE
    start = base + (100 if number == 1 else 0)
    kind, (count,) = data[start], struct.unpack_from('>H', data, start + 3)
    is_leaf, is_table = kind in (10, 13), kind in (5, 13)
    head = start + (8 if is_leaf else 12)
    yield Span(name, start, head + 2 * count)
    if not is_leaf:
        yield from pages_of(data, name, *struct.unpack_from('>I', data, start + 8))
    for (cell,) in struct.iter_unpack('>H', data[head : head + 2 * count]):
        begin = at = base + cell
        if not is_leaf:
            yield from pages_of(data, name, *struct.unpack_from('>I', data, at))
            at += 4
        size, at = varint(data, at)
        if kind == 5:
            yield Span(name, begin, at)
            continue
        row = None
        if is_table:
            row, at = varint(data, at)
        most = PAGE - 35 if is_table else (PAGE - 12) * 64 // 255 - 23
        least = (PAGE - 12) * 32 // 255 - 23
        local = size
        if size > most:
            local = least + (size - least) % (PAGE - 4)
            local = local if local <= most else least
        yield Span(name, begin, at)
        yield Span(name, at, at + local, row)
        left, at = size - local, at + local
        while left:
            (more,) = struct.unpack_from('>I', data, at)
            yield Span(name, at, at + 4)
            at = (more - 1) * PAGE
            part = min(left, PAGE - 4)
            yield Span(name, at + 4, at + 4 + part, row)
            left -= part


def spans(path: Path) -> list[Span]:
    data = path.read_bytes()
    with closing(sqlite3.connect(path)) as db:
        roots = db.execute('SELECT name, rootpage FROM sqlite_master').fetchall()
    return [span for name, root in roots for span in pages_of(data, name, root)]


def places(path: Path, seed: int) -> Iterator[tuple[Span, int, int]]:
    """Yield span, byte and bit: half of them anywhere, half in a table or index each."""
    rng, known = random.Random(seed), spans(path)
    names = sorted({span.name for span in known})
    for turn in range(FLIPS):
        name = names[turn // 2 % len(names)] if turn % 2 else None
        here = [span for span in known if name in (None, span.name)]
        (span,) = rng.choices(here, [span.end - span.start for span in here])
        yield span, rng.randrange(span.start, span.end), rng.randrange(8)


def test_an_untouched_ledger_is_genuine(made, fleet):
    found = verify(made, fleet, 2, lambda *said: None)
    with closing(Store.read(made)) as store:
        rows = list(store.load())
    assert found.blocks == len(rows) >= BLOCKS
    assert found.proofs == found.equivocators == ('robot_03',)
    assert found.snapshot and found.snapshot_recomputed and not found.begins_at
    assert found.epoch == 1 and found.final + found.tentative == len(rows)
    assert not found.warning


def test_each_flipped_bit_of_any_table_is_named(copy, fleet):
    genuine = copy.read_bytes()
    for span, at, bit in places(copy, SEED):
        flip(copy, at, bit)
        fault = fault_of(copy, fleet)
        assert fault is not None, (span, at, bit)
        assert fault.place and fault.what and fault.expected != fault.found, fault
        if span.name == 'blocks' and span.row is not None:
            assert (fault.place, fault.row) == ('blocks', str(span.row))
        copy.write_bytes(genuine)
    assert fault_of(copy, fleet) is None


def test_a_flipped_bit_of_each_byte_of_the_header_is_named(copy, fleet):
    for at in set(range(100)).difference(SILENT):
        for bit in (0, 3, 7):
            flip(copy, at, bit)
            assert fault_of(copy, fleet) is not None, (at, bit)
            flip(copy, at, bit)


def test_each_flipped_bit_of_the_lock_file_is_named(copy, fleet):
    lock = copy.with_name(f'{copy.name}.lock')
    for at in range(lock.stat().st_size):
        for bit in range(8):
            flip(lock, at, bit)
            fault = fault_of(copy, fleet)
            assert fault is not None and fault.what in ('last commit', 'end'), (at, bit)
            flip(lock, at, bit)


@pytest.fixture
def running(copy, fleet) -> Iterator[Path]:
    """Give the ledger of a robot that runs, its newest blocks in the ``-wal`` file only."""
    with closing(Store(copy, fleet, 'robot_00')) as store:
        rows = list(store.load())
        store.remove(row.id for row in rows[-30:])
        store.commit()
    with closing(Store(copy, fleet, 'robot_00')) as store:
        for start in range(-30, 0, 10):
            for row in rows[start:][:10]:
                store.add(row)
            store.commit()
        yield copy


def test_a_running_robots_ledger_is_genuine(running, fleet):
    found = verify(running, fleet, 1, lambda *said: None)
    with closing(Store.read(running)) as store:
        assert found.blocks == len(list(store.load()))
    assert not found.warning


@pytest.mark.parametrize('with_lock', [True, False])
def test_each_flipped_bit_of_the_wal_file_is_named(running, fleet, tmp_path, with_lock):
    crashed = tmp_path / 'crashed' / running.name
    crashed.parent.mkdir()
    for suffix in ('', '-wal', '.lock') if with_lock else ('', '-wal'):
        shutil.copy(f'{running}{suffix}', f'{crashed}{suffix}')
    genuine = {file: file.read_bytes() for file in crashed.parent.iterdir()}
    found = verify(crashed, fleet, 1, lambda *said: None)
    assert bool(found.warning) != with_lock  # without it nobody knows of the end
    wal = crashed.with_name(f'{crashed.name}-wal')
    salt = genuine[wal][16:24]
    frames = range(32, len(genuine[wal]), 24 + PAGE)
    used = 32 + sum(genuine[wal][at + 8 : at + 16] == salt for at in frames) * (24 + PAGE)
    rng = random.Random(SEED)
    for at in [*range(0, 32, 3), *(rng.randrange(used) for _ in range(40))]:
        for file, data in genuine.items():
            file.write_bytes(data)
        flip(wal, at, rng.randrange(8))
        fault = fault_of(crashed, fleet)
        assert fault is not None and fault.place == '-wal file', at
        assert fault.row.startswith('header' if at < 32 else 'frame')
