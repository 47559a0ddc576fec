"""A book follows a ledger's file: it says what reading and executing the whole file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from book_team import (
    add,
    everything,
    fill,
    FLEET,
    LIAR,
    NAMES,
    reading,
    tale,
    writing,
)
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import pytest

from collab_robots.contract.receipt import Receipt
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.maps import MapsView
from collab_robots.contract.views.tasks import TasksView
from collab_robots.core.clock import SECOND
from collab_robots.explorer.book import book as book_module
from collab_robots.explorer.book import follower
from collab_robots.explorer.book.answers import Overview
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.files import read_file
from collab_robots.tangle import roots
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.replay import Replay

SHARED = HealthCheck.function_scoped_fixture
Receipts = tuple[Receipt, ...]
Short = Callable[[int, int], None]


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, 'LOOK', 0.0)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Short:
    """Make cuts after so many records that keep so many."""

    def shorten(interval: int, window: int) -> None:
        monkeypatch.setattr(follower, 'INTERVAL', interval)
        monkeypatch.setattr(follower, 'STEP', 70)
        monkeypatch.setattr(roots, 'ROOT_WINDOW', window)

    return shorten


def forget(index: Path) -> None:
    """Let the next one find out the answers again."""
    with closing(Index(index, {})) as made:
        made.db.execute('DELETE FROM told')


def agrees(overview: Overview, path: Path) -> None:
    """Compare with what reading and executing all of a file gives."""
    found, runner, told = read_file(path, FLEET), Runner(FLEET), dict[bytes, Receipts]()
    replay = Replay(FLEET, found, runner, lambda: told.update(runner.receipts))
    runner.update(replay.tangle.order)
    told |= runner.receipts
    receipts = [receipt for made in told.values() for receipt in made]
    last = max(row.issued_at for row in found.rows)
    assert overview.blocks == len(found.rows)
    assert (overview.final, overview.pruned) == (replay.final, replay.base)
    assert overview.foreign == sum(row.issuer == FOREIGN for row in found.rows)
    assert overview.state_root == f'0x{runner.state_root().hex()}'
    assert overview.final_root == f'0x{runner.final_root().hex()}'
    assert overview.final_digest == f'0x{replay.tangle.order.final_digest.hex()}'
    states = Counter(task.state.name.lower() for task in TasksView(runner).tasks(last))
    assert {name: count for name, count in overview.tasks.items() if count} == states
    assert overview.calls == Counter(receipt.call for receipt in receipts)
    assert overview.reverted == Counter(one.call for one in receipts if not one.ok)
    assert frozenset(overview.convicted) == MapsView(runner).convicted()
    assert overview.last == last / SECOND
    assert overview.pending + overview.accepted + overview.final == (
        overview.blocks + overview.pruned
    )


def test_it_says_what_executing_the_whole_file_says(tmp_path: Path) -> None:
    team, path = tale(), tale().write(tmp_path)
    with reading(path) as book:
        found = book.overview()
        agrees(found, path)
        assert found.warning == ''
        assert found.final_root == f'0x{team.runner.final_root().hex()}'
        assert found.state_root == f'0x{team.runner.state_root().hex()}'
        assert found.final_digest == f'0x{team.ledger.order.final_digest.hex()}'
        assert (found.epoch, found.foreign, found.robot) == (1, 1, NAMES[0])
        assert found.convicted == found.equivocators == (NAMES[LIAR],)
        robots = {robot.name: robot for robot in book.robots()}
        assert robots[NAMES[LIAR]].standing == 'expelled'
        assert robots[NAMES[LIAR]].convicted and robots[NAMES[LIAR]].equivocated
        verdict = next(one for one in book.trust().verdicts if one.robot == NAMES[LIAR])
        assert verdict.equivocated and len(set(verdict.proof)) == 2
        assert any(one.suffices and one.conflicts for one in verdict.evidence)


@pytest.mark.parametrize(('interval', 'window'), [(60, 40), (150, 100), (2_000, 500)])
def test_cuts_change_nothing(short: Short, tmp_path: Path, interval: int, window: int) -> None:
    path = tale().write(tmp_path)
    with reading(path) as book:
        whole = everything(book)
    short(interval, window)
    with reading(path) as book:
        assert everything(book) == whole
    index = tmp_path / 'x.index'
    for _ in range(3):  # the first makes the index, the others go on from it
        with reading(path, index) as book:
            assert everything(book) == whole
        forget(index)


@given(
    cuts=st.lists(st.tuples(st.integers(0, 700), st.booleans()), max_size=6),
    interval=st.sampled_from([70, 2_000]),
)
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_growing_file_says_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    short: Short,
    cuts: list[tuple[int, bool]],
    interval: int,
) -> None:
    short(interval, 50)
    folder, team = tmp_path_factory.mktemp('growing'), tale()
    rows, index = team.rows(), folder / 'x.index'
    path = folder / 'ledger.db'
    with writing(path) as store:
        begin = 0
        opened = reading(path, index)
        book = opened.__enter__()
        for end, again in sorted(cuts):
            add(store, rows[begin:end])
            begin = max(begin, min(end, len(rows)))
            assert book.overview().blocks == begin
            if again:
                opened.__exit__(None, None, None)
                forget(index)
                opened = reading(path, index)
                book = opened.__enter__()
        fill(store, team)
        grown = everything(book)
        opened.__exit__(None, None, None)
    with reading(path) as book:
        assert grown == everything(book)
        agrees(book.overview(), path)
