"""``ledger export`` as tables: read back by pandas with the right types, all formats alike."""

from collections.abc import Iterator
from itertools import pairwise
import json
from pathlib import Path
from types import UnionType
from typing import get_args, get_origin, get_type_hints

from fabricated import fabricate
from hypothesis import given
from hypothesis import strategies as st
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from benchmarks.explorer_ledger import make
from collab_robots.cli import app, BAD_INPUT, OK
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.answers import Block
from collab_robots.explorer.book.open import open_reader, silent
from collab_robots.explorer.book.reader import Reader
from collab_robots.explorer.export.formats import schema
from collab_robots.explorer.export.forms import Format, What
from collab_robots.explorer.export.tables import ns, Span, TABLES
from collab_robots.explorer.export.write import export, whole_file

BLOCKS = 2_500
ALWAYS = Span()
pytestmark = pytest.mark.timeout(600)  # a loaded machine
KINDS = {int: 'i', float: 'f', bool: 'b'}  # of numpy


@pytest.fixture(scope='module')
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reader, Reader]]:
    """Return a ledger with sketches, a split and a liar, and one with sightings."""
    folder = tmp_path_factory.mktemp('ledgers')
    seen = fabricate(folder / 'run', robots=2).folder('robot1') / 'ledger.db'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        hall = make(folder, BLOCKS, told=lambda count: None)
        with open_reader(hall) as reader, open_reader(seen) as other:
            yield reader, other


@pytest.fixture
def reader(readers: tuple[Reader, Reader], request: pytest.FixtureRequest) -> Reader:
    """Return the ledger that has what the test is about."""
    what = getattr(request, 'param', What.BLOCKS)
    return readers[1] if what is What.SIGHTINGS else readers[0]


def written(reader: Reader, form: Format, what: What, path: Path, span: Span = ALWAYS) -> Path:
    with whole_file(path) as file:
        export(reader, form, what, span, file, silent)
    return path


def listed(reader: Reader) -> list[Block]:
    """Return all blocks as the reader lists them, oldest first."""
    page, found = reader.blocks(limit=500), list[Block]()
    found += page.items
    while page.next is not None:
        page = reader.blocks(page=page.next, limit=500)
        found += page.items
    return found[::-1]


@pytest.mark.parametrize(('reader', 'what'), [(what, what) for what in What], indirect=['reader'])
def test_each_table_comes_back_with_its_types(reader: Reader, what: What, tmp_path: Path) -> None:
    paths = {form: written(reader, form, what, tmp_path / form.value) for form in Format
             if form.is_table}  # fmt: skip
    rows = [json.loads(line) for line in paths[Format.JSONL].read_text('utf-8').splitlines()]
    assert rows
    parquet = pd.read_parquet(paths[Format.PARQUET])
    backed = pd.read_parquet(paths[Format.PARQUET], dtype_backend='numpy_nullable')
    csv = pd.read_csv(paths[Format.CSV], keep_default_na=False, na_values=[''])
    row = TABLES[what].row
    assert list(parquet) == list(csv) == list(rows[0]) == list(row._fields)
    assert len(parquet) == len(csv) == len(rows)
    for name, hint in get_type_hints(row).items():
        optional = get_origin(hint) is UnionType
        kind = get_args(hint)[0] if optional else hint
        assert schema(row).field(name).nullable == optional
        values = [row[name] for row in rows]
        if kind in KINDS:
            assert backed[name].dtype.kind == KINDS[kind], name
            if not optional:
                assert parquet[name].dtype.kind == csv[name].dtype.kind == KINDS[kind], name
            assert [None if pd.isna(value) else value for value in backed[name]] == values
            assert [None if pd.isna(value) else value for value in csv[name]] == values
        elif kind is str:
            assert [None if pd.isna(value) else value for value in parquet[name]] == values
            assert [None if pd.isna(text) else text for text in csv[name]] == [
                text or None for text in values
            ]
        elif kind == dict[str, float]:
            assert [dict(value) for value in parquet[name]] == values
            assert [json.loads(text) for text in csv[name]] == values
        else:
            assert [list(value) for value in parquet[name]] == values
            assert [json.loads(text) for text in csv[name]] == values


def test_blocks_are_those_of_the_ledger_oldest_first(reader: Reader, tmp_path: Path) -> None:
    table = pd.read_parquet(written(reader, Format.PARQUET, What.BLOCKS, tmp_path / 'x'))
    blocks = listed(reader)
    assert len(blocks) == reader.overview().blocks > BLOCKS
    assert list(table['id']) == [block.id for block in blocks]
    assert list(table['issued']) == [block.issued for block in blocks]
    assert [list(parents) for parents in table['parents']] == [list(b.parents) for b in blocks]
    assert sum(table['calls'].map(len)) == sum(reader.overview().calls.values())


def test_calls_say_what_came_of_them(reader: Reader, tmp_path: Path) -> None:
    table = pd.read_csv(written(reader, Format.CSV, What.CALLS, tmp_path / 'x'))
    about = reader.overview()
    assert table['name'].value_counts().to_dict() == about.calls
    assert table[~table['ok']]['name'].value_counts().to_dict() == about.reverted
    assert (
        table[~table['ok']]['reason'].notna().all() and table[table['ok']]['reason'].isna().all()
    )


def test_leases_and_sketches_are_in_the_order_of_time(reader: Reader, tmp_path: Path) -> None:
    leases = pd.read_parquet(written(reader, Format.PARQUET, What.LEASES, tmp_path / 'l'))
    assert leases['begin'].is_monotonic_increasing and (leases['until'] >= leases['begin']).all()
    sketches = pd.read_parquet(written(reader, Format.PARQUET, What.SKETCHES, tmp_path / 's'))
    assert sketches['time'].is_monotonic_increasing
    liars = set(sketches[~sketches['counts']]['robot'])
    assert liars == set(reader.overview().convicted) != set()
    events = pd.read_parquet(written(reader, Format.PARQUET, What.EVENTS, tmp_path / 'e'))
    assert events['time'].is_monotonic_increasing


@pytest.mark.parametrize(
    ('what', 'time'),
    [
        (What.BLOCKS, 'issued'),
        (What.CALLS, 'issued'),
        (What.TASKS, 'proposed'),
        (What.EVENTS, 'time'),
        (What.SKETCHES, 'time'),
    ],
)
def test_only_a_time_of_it(reader: Reader, what: What, time: str, tmp_path: Path) -> None:
    about = reader.overview()
    middle = (about.first + about.last) / 2
    whole = pd.read_parquet(written(reader, Format.PARQUET, what, tmp_path / 'whole'))
    late, early = (
        pd.read_parquet(written(reader, Format.PARQUET, what, tmp_path / 'part', span))
        for span in (Span(since=middle), Span(until=middle))
    )
    assert 0 < len(late) < len(whole) == len(late) + len(early)
    assert (late[time] > middle).all() and (early[time] < middle).all()


@given(st.floats(0, 4e9))
def test_a_time_in_ns_is_that_in_s(seconds: float) -> None:
    assert abs(ns(seconds) / 1e9 - seconds) <= 1e-6 and ns(seconds) % 1000 == 0


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / 'x'
    path.write_bytes(b'old')
    with pytest.raises(KeyError), whole_file(path) as file:
        file.write(b'new')
        raise KeyError
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]
    with whole_file(path) as file:
        file.write(b'new')
        assert path.read_bytes() == b'old'
    assert path.read_bytes() == b'new' and list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='cannot be written'), whole_file(tmp_path / 'a' / 'b'):
        pass
    (tmp_path / 'folder').mkdir()
    with (
        pytest.raises(ConfigError, match='cannot be written'),
        whole_file(tmp_path / 'folder') as file,
    ):
        file.write(b'x')
    assert [path.name for path in tmp_path.iterdir()] == ['folder']


def test_lists_are_read_page_by_page(readers: tuple[Reader, Reader], tmp_path: Path) -> None:
    """Progress is told with every page, and in rising numbers up to all of them."""
    told = list[tuple[str, int, int]]()
    with whole_file(tmp_path / 'x') as file:
        export(readers[0], Format.JSONL, What.BLOCKS, Span(), file, lambda *one: told.append(one))
    total = readers[0].overview().blocks
    assert len(told) > total / 500 and told[-1] == ('reading blocks', total, total)
    assert all(a[1] < b[1] for a, b in pairwise(told))


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ['ledger', 'export', *map(str, arguments)])


def test_the_command_writes_to_a_file_or_a_pipe(
    readers: tuple[Reader, Reader], tmp_path: Path
) -> None:
    db = readers[1].overview().source
    piped = command(db, '--format', 'csv', '--what', 'calls', '--until', '60')
    out = tmp_path / 'calls.csv'
    filed = command(db, '--format', 'csv', '--what', 'calls', '--until', '60', '-o', out)
    assert piped.exit_code == filed.exit_code == OK and not filed.stdout
    assert piped.stdout_bytes == out.read_bytes()
    table = pd.read_csv(out)
    assert 0 < len(table) < sum(readers[1].overview().calls.values())
    assert command(db, '--format', 'dot').stdout.startswith('digraph')
    lines = command(db, '--format', 'jsonl').stdout.splitlines()
    assert len(lines) == readers[1].overview().blocks


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--format', 'mcap'], 'name it with --out'),
        (['--format', 'parquet'], 'name it with --out'),
        (['--format', 'dot', '--what', 'tasks'], 'dot holds no table'),
        (['--format', 'csv', '--since', 'noon'], 'expected a time'),
    ],
)
def test_the_command_says_what_makes_no_sense(
    readers: tuple[Reader, Reader], arguments: list[str], words: str
) -> None:
    told = command(readers[1].overview().source, *arguments)
    assert told.exit_code == BAD_INPUT and words in told.output
