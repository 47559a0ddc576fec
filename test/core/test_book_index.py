"""What a book found out is kept beside nothing else, and never believed of another ledger."""

from __future__ import annotations

from pathlib import Path
import sqlite3

from book_team import add, everything, reading, tale, Team, WORDS, writing
import pytest

from collab_robots.explorer.book import book as book_module
from collab_robots.explorer.book import follower
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.open import CACHE_VARIABLE, open_reader
from collab_robots.explorer.book.reader import Reader
from collab_robots.tangle.block import encode_block


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tale().write(tmp_path / 'robot')


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / 'cache'
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


def found(reader: Reader) -> tuple[int, int, str]:
    overview = reader.overview()
    return overview.blocks, overview.final, overview.state_root


def test_it_is_made_once(ledger: Path, cache: Path) -> None:
    steps: list[tuple[str, int, int]] = []

    def told(what: str, done: int, total: int) -> None:
        steps.append((what, done, total))

    with open_reader(ledger, told=told) as reader:
        first = found(reader)
        version = reader.overview().version
    assert steps and steps[-1] == ('blocks', first[0], first[0])
    (index,) = (cache / 'collab_robots').glob('*.index')
    assert index.parent.stat().st_mode & 0o77 == 0
    steps.clear()
    with open_reader(ledger, told=told) as reader:
        assert found(reader) == first
        assert reader.overview().version == version
    assert not steps


@pytest.mark.parametrize('what', ['garbage', 'empty', 'other tables', 'other form', 'cut'])
def test_what_is_no_index_is_replaced(ledger: Path, cache: Path, what: str) -> None:
    with open_reader(ledger) as reader:
        known = found(reader)
    (index,) = (cache / 'collab_robots').glob('*.index')
    size = index.stat().st_size
    if what in ('garbage', 'empty'):
        index.write_bytes(b'no index at all' * 1_000 if what == 'garbage' else b'')
    elif what == 'cut':
        index.write_bytes(index.read_bytes()[: size // 2])
    else:
        with sqlite3.connect(index) as db:
            if what == 'other form':
                db.execute("UPDATE meta SET value = '-1' WHERE key = 'form'")
            else:
                db.execute('DROP TABLE meta')
        db.close()
    for _ in range(2):
        with open_reader(ledger) as reader:
            assert found(reader) == known
            assert reader.find('bid').hits.total > 0
    with sqlite3.connect(index) as db:
        (blocks,) = db.execute('SELECT count(*) FROM blocks').fetchone()
    db.close()
    assert blocks == known[0]


def test_another_ledger_at_the_same_place_is_not_taken_for_the_first(
    ledger: Path, cache: Path
) -> None:
    with open_reader(ledger) as reader:
        known = found(reader)
    for path in ledger.parent.glob('ledger.db*'):
        path.unlink()
    team = Team(9)
    team.run(5)
    team.write(ledger.parent)
    with open_reader(ledger) as reader:
        assert found(reader) != known
        assert found(reader)[2] == f'0x{team.runner.state_root().hex()}'


def test_a_folder_that_cannot_be_written_does_no_harm(ledger: Path, cache: Path) -> None:
    cache.write_text('a file in the way')
    with open_reader(ledger) as reader:
        assert found(reader)[0] == len(tale().rows())


def test_an_index_that_cannot_be_written_does_no_harm(ledger: Path, cache: Path) -> None:
    with open_reader(ledger):
        pass
    (index,) = (cache / 'collab_robots').glob('*.index')
    index.unlink()
    index.mkdir()
    with open_reader(ledger) as reader:
        assert found(reader)[0] == len(tale().rows())


def test_what_is_interrupted_is_gone_on_with(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, 'STEP', 60)
    with reading(ledger) as book:
        whole = everything(book)

    def stop(what: str, done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), reading(ledger, tmp_path / 'x', stop):
        pass
    with Index(tmp_path / 'x', {}).db as db:
        (kept,) = db.execute('SELECT count(*) FROM blocks').fetchone()
    db.close()
    assert 60 <= kept < len(tale().rows())
    with reading(ledger, tmp_path / 'x') as book:
        assert everything(book) == whole


def test_two_processes_follow_one_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, 'LOOK', 0.0)
    rows, path, index = tale().rows(), tmp_path / 'ledger.db', tmp_path / 'x'
    with writing(path) as store, reading(path, index) as one, reading(path, index) as other:
        for end in range(40, len(rows), 90):
            add(store, rows[end - 40 : end])
            first, second = (one, other) if end % 4 else (other, one)
            assert found(first) == found(second)
            assert first.tasks(limit=500) == second.tasks(limit=500)
            add(store, rows[end : end + 50])
            assert first.map() == second.map()
            assert found(second) == found(first)
        add(store, rows)
        assert {**everything(one), 'overview': 0} == {**everything(other), 'overview': 0}
    with reading(path) as book:
        assert found(book)[0] == len(rows)


def test_words_of_a_client_are_found_again(ledger: Path, cache: Path) -> None:
    raw = encode_block([bytes(32)], b'sensor/7', WORDS.encode())
    for _ in range(2):
        with open_reader(ledger) as reader:
            (hit,) = reader.find(WORDS).hits.items
            assert hit.kind == 'data' and 'sensor/7' in hit.words
            details = reader.block(hit.id)
            assert details.robot is None and details.tag == 'sensor/7' and details.data == WORDS
            assert bytes.fromhex(details.raw)[-20:] == raw[-20:]
