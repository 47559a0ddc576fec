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
    KEYS,
    LIAR,
    NAMES,
    reading,
    tale,
    Team,
    writing,
)
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import pytest

from collab_robots.contract.calls.fleet import Capability, join, set_capabilities, vote
from collab_robots.contract.receipt import Receipt
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.maps import MapsView
from collab_robots.contract.views.tasks import TasksView
from collab_robots.core.clock import SECOND
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.book import book as book_module
from collab_robots.explorer.book import follower
from collab_robots.explorer.book.answers import Overview
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.reader import Filter, Moment
from collab_robots.explorer.files import read_file
from collab_robots.tangle import roots
from collab_robots.tangle.block import block_id
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.replay import Replay
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.tangle import decode

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
        for cut, again in sorted(cuts):
            end = min(cut, len(rows) - 1)  # the proof comes with the last one
            add(store, rows[begin:end])
            begin = max(begin, end)
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


@pytest.mark.parametrize('interval', [90, 2_000])
def test_a_file_is_followed_while_its_robot_prunes_it(
    short: Short, tmp_path: Path, interval: int
) -> None:
    short(interval, 60)
    path, early, often = tmp_path / 'ledger.db', tmp_path / 'early', tmp_path / 'often'
    with writing(path) as store:
        team = Team(3, interval=90, archive=False, file=store)
        team.run(4)
        store.commit()
        with reading(path, early) as book:
            book.overview()
        with reading(path) as book:
            for step in range(10):
                team.run(3)
                store.commit()
                now = book.overview()
                assert now.state_root == f'0x{team.runner.state_root().hex()}'
                assert now.final_root == f'0x{team.runner.final_root().hex()}'
                assert (now.final, now.warning) == (team.ledger.order.final, '')
                assert now.pruned == 0  # it has seen all
                with reading(path, often) as again:
                    found = again.overview()
                    assert found.state_root == now.state_root, step
                    assert found.final_digest == now.final_digest
        assert store.count() < now.blocks - 90
        with reading(path) as book:
            fresh = everything(book)
            agrees(book.overview(), path)
            assert book.overview().pruned > 90
        with reading(path, early) as book:  # its index lacks what is pruned: it is made anew
            assert everything(book) == fresh
            assert everything(book) == fresh


def test_an_epoch_ends_in_a_pruned_file(short: Short, tmp_path: Path) -> None:
    short(40, 30)
    path, index = tmp_path / 'ledger.db', tmp_path / 'x'
    with writing(path) as store:
        team = Team(4, interval=40, archive=False, file=store)
        with reading(path, index) as book:
            team.run(8)
            team.work.accuse(LIAR, (0, 1, 2))
            for _ in range(12):
                team.run(1, liar=LIAR)
                store.commit()
                now = book.overview()
                assert now.warning == ''
                if not team.ledger.tangle.is_over:  # the robot waits for attestations then
                    assert now.state_root == f'0x{team.runner.state_root().hex()}'
                    assert now.epoch == team.ledger.fleet.epoch
            assert now.epoch == 1 and store.count() < now.blocks
        forget(index)
        for kept in (index, None):
            with reading(path, kept) as book:
                found = book.overview()
                assert (found.epoch, found.warning) == (1, '')
                assert found.final_root == now.final_root
                assert found.state_root == now.state_root
                assert book.overview(Moment(position=found.final)).state_root == found.final_root
                assert {one.name: one.standing for one in book.robots()}[NAMES[LIAR]] == 'expelled'


def two_tips(end: int) -> tuple[list[Row], Row, Row] | None:
    """Return so many blocks, and two that no other names, if there are, the last one last."""
    rows = tale().rows()[:end]
    named = {parent for row in rows for parent in decode(row.raw).parents}
    *_, tip, last = [None, *(row for row in rows if row.id not in named)]
    return (rows, tip, last) if tip is not None and last is rows[-1] else None


def test_what_the_robot_takes_out_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / 'ledger.db'
    rows, tip, last = next(found for end in range(100, 400) if (found := two_tips(end)))
    with writing(path) as store, reading(path) as book:
        add(store, [row for row in rows if row.id != tip.id])
        assert book.overview().blocks == len(rows) - 1
        store.remove([last.id])
        add(store, [tip])  # has the same row in the file that the other one had
        agrees(book.overview(), path)
        store.remove([tip.id])
        store.commit()
        agrees(book.overview(), path)
        assert book.overview().blocks == len(rows) - 2
        assert book.find(last.id.hex()).hits.total == 0


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    rows, path, index = tale().rows()[:150], tmp_path / 'ledger.db', tmp_path / 'x'
    lost = rows[90]
    with writing(path) as store:
        add(store, [row for row in rows if row is not lost])
        for _ in range(3):
            with reading(path, index) as book:
                found = book.overview()
                assert 90 <= found.blocks < len(rows) - 1
                assert 'does not fit the others' in found.warning
                assert everything(book)
        add(store, [lost])
        for kept in (index, None):
            with reading(path, kept) as book:
                agrees(book.overview(), path)
                assert book.overview().warning == ''


def test_who_names_what_is_pruned_is_left_out(short: Short, tmp_path: Path) -> None:
    short(60, 40)
    rows, path, index = tale().rows()[:200], tmp_path / 'ledger.db', tmp_path / 'x'
    own = max((row for row in rows if row.issuer == 1), key=lambda row: row.seq)
    record = sign_record(
        KEYS[1], FLEET.id, own.seq + 1, [own.id, rows[0].id], own.issued_at + SECOND, ()
    )
    raw = encode_record(record)
    late = Row(
        block_id(raw), raw, 1, own.seq + 1, record.issued_at, record.issued_at, own.depth + 1
    )
    with writing(path) as store:
        add(store, rows)
        with reading(path) as book:
            known = book.overview()
        add(store, [late])
        for _ in range(2):
            with reading(path, index) as book:
                found = book.overview()
                assert late.id.hex() in found.warning
                assert (found.blocks, found.state_root) == (known.blocks, known.state_root)


@pytest.mark.parametrize('interval', [60, 2_000])
def test_a_robot_joins_and_works(short: Short, tmp_path: Path, interval: int) -> None:
    short(interval, 40)
    path, index = tmp_path / 'ledger.db', tmp_path / 'x'
    new = PrivateKey(b'n' * 32)
    with writing(path) as store:
        team = Team(5, file=store)
        team.network.start(
            new, MemoryStore(), LedgerConfig(min_interval=0.25), state=Runner(FLEET), name='scout'
        )
        team.run(4)
        for robot in NAMES:
            team.network.ledgers[robot].submit(vote(join('scout', new.public)))
        for step in range(16):
            team.network.heal()
            team.network.run(0.5)
            team.network.ledgers['scout'].submit(set_capabilities(Capability(1)))
            team.runner.update(team.ledger.order)
            store.commit()
            with reading(path, index) as book:
                now = book.overview()
                assert now.warning == '', step
                if not team.ledger.tangle.is_over:
                    assert now.state_root == f'0x{team.runner.state_root().hex()}'
        assert now.epoch == 1 and now.robots == (*NAMES, 'scout')
        with reading(path, index) as book:
            grown = everything(book)
            assert book.blocks(Filter(robot='scout')).total > 3
            assert {one.name for one in book.robots()} == {*NAMES, 'scout'}
        with reading(path) as book:
            assert everything(book) == grown
            agrees(book.overview(), path)
