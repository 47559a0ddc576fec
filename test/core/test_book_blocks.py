"""Questions about blocks: pages, filters, ids, the DAG, news."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
import re

from book_team import add, FLEET, LIAR, NAMES, pages, reading, tale, Team, writing
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book import book as book_module
from collab_robots.explorer.book.answers import Block, State
from collab_robots.explorer.book.book import Book
from collab_robots.explorer.book.reader import ALL, Filter, MAX_DAG, MAX_PAGE
from collab_robots.tangle.block import GENESIS
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.tangle import decode


@pytest.fixture(scope='module')
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with reading(tale().write(tmp_path_factory.mktemp('robot'))) as made:
        yield made


def every(book: Book, which: Filter = ALL, limit: int = 100) -> list[Block]:
    return list(pages(lambda page: book.blocks(which, page, limit)))


def test_each_block_is_as_it_was_signed(book: Book) -> None:
    team = tale()
    held = {row.id: row for row in team.rows()}
    final = {entry.id: entry for entry in team.ledger.order.entries}
    found = every(book)
    assert {block.id for block in found} == {f'0x{identity.hex()}' for identity in held}
    for block in found:
        identity = bytes.fromhex(block.id[2:])
        row = held[identity]
        record = decode(row.raw)
        assert block.robot == (None if row.issuer == FOREIGN else NAMES[row.issuer])
        assert block.size == len(row.raw)
        assert (block.seq, block.issued, block.received, block.depth) == (
            record.seq,
            row.issued_at / SECOND,
            row.received_at / SECOND,
            row.depth,
        )
        parents = {f'0x{one.hex()}' for one in record.parents if one != GENESIS}
        assert set(block.parents) == parents
        assert len(block.calls) == len(record.calls)
        if identity in final:
            entry = final[identity]
            assert block.position == (entry.position if entry.position >= 0 else None)


def test_details_go_both_ways(book: Book) -> None:
    children: dict[str, set[str]] = {}
    blocks = every(book)
    for block in blocks:
        for parent in block.parents:
            children.setdefault(parent, set()).add(block.id)
    for block in blocks[::11]:
        details = book.block(block.id)
        assert details.model_dump(include=set(Block.model_fields)) == block.model_dump()
        assert set(details.children) == children.get(block.id, set())
        assert bytes.fromhex(details.raw)
        if block.robot is not None:
            assert details.heard[block.robot] == block.seq + 1
            assert block.robot in details.approved_by
            assert details.tag and not details.data


def test_what_is_final_is_approved_by_a_quorum(book: Book) -> None:
    for block in every(book, Filter(state=State.FINAL))[::17]:
        if block.robot is not None and block.robot != NAMES[LIAR]:
            assert len(book.block(block.id).approved_by) >= 3


@pytest.mark.parametrize('limit', [1, 7, 100, MAX_PAGE])
def test_pages_have_each_block_once_newest_first(book: Book, limit: int) -> None:
    which = Filter(robot=NAMES[1]) if limit == 1 else ALL
    blocks = every(book, which, limit)
    assert len({block.id for block in blocks}) == len(blocks)
    assert len(blocks) == book.blocks(which).total
    assert all(a.issued >= b.issued for a, b in pairwise(blocks))


@settings(max_examples=10, deadline=None)
@given(steps=st.lists(st.integers(0, 120), max_size=5), limit=st.integers(20, 150))
def test_pages_hold_while_blocks_arrive(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], limit: int
) -> None:
    rows, folder = tale().rows(), tmp_path_factory.mktemp('growing')
    begin, seen, page = 250, list[str](), None
    with pytest.MonkeyPatch.context() as patch, writing(folder / 'ledger.db') as store:
        patch.setattr(book_module, 'LOOK', 0.0)
        add(store, rows[:begin])
        with reading(folder / 'ledger.db') as book:
            known = [block.id for block in every(book)]
            for step in [*steps, *[0] * 100]:
                found = book.blocks(page=page, limit=limit)
                seen += [block.id for block in found.items]
                page = found.next
                if page is None:
                    break
                add(store, rows[begin : begin + step])
                begin += step
    assert len(seen) == len(set(seen))
    assert set(known) <= set(seen)


def test_filters_choose(book: Book) -> None:
    blocks = every(book)
    middle = blocks[len(blocks) // 2].issued
    cases = [
        (Filter(robot=NAMES[2]), lambda one: one.robot == NAMES[2]),
        (Filter(robot='unsigned'), lambda one: one.robot is None),
        (Filter(kind='bid'), lambda one: any(call.name == 'bid' for call in one.calls)),
        (Filter(kind='heartbeat'), lambda one: one.robot is not None and not one.calls),
        (Filter(kind='reverted'), lambda one: not all(call.ok for call in one.calls)),
        (Filter(kind='no such'), lambda one: False),
        (Filter(state=State.FINAL), lambda one: one.position is not None),
        (Filter(state=State.ACCEPTED), lambda one: one.state is State.ACCEPTED),
        (Filter(state=State.PENDING), lambda one: one.state is State.PENDING),
        (Filter(since=middle), lambda one: one.issued >= middle),
        (Filter(until=middle), lambda one: one.issued <= middle),
        (
            Filter(NAMES[0], 'bid', State.FINAL, middle - 5, middle + 5),
            lambda one: (
                one.robot == NAMES[0]
                and any(call.name == 'bid' for call in one.calls)
                and abs(one.issued - middle) <= 5
            ),
        ),
    ]
    for which, holds in cases:
        expected = [one.id for one in blocks if holds(one)]
        assert [one.id for one in every(book, which)] == expected, which
        assert book.blocks(which, limit=1).total == len(expected)
    overview = book.overview()
    for state in State:
        assert book.blocks(Filter(state=state)).total == (
            getattr(overview, state.value) - (overview.pruned if state is State.FINAL else 0)
        )
    assert book.blocks(Filter(kind='reverted')).total > 0


def test_ids_by_their_beginning(book: Book) -> None:
    ids = sorted(block.id for block in every(book))
    for before, identity, after in zip(ids, ids[1:], ids[2:], strict=False):
        length = next(
            size
            for size in range(3, 67)
            if not before.startswith(identity[:size]) and not after.startswith(identity[:size])
        )
        assert book.block(identity[:length]).id == identity
    assert book.block(ids[0][2:]).id == book.block(ids[0].upper().replace('0X', '0x')).id
    first = next(digit for digit in '0123456789abcdef' if sum(i[2] == digit for i in ids) > 1)
    with pytest.raises(ConfigError, match='not unique'):
        book.block(f'0x{first}')
    with pytest.raises(ConfigError, match='no block'):
        book.block('0x' + 'ab' * 32)
    for garbage in ('', '0x', 'xyz', '0x' + 'a' * 65, '\0', '\ud800', "' OR 1 --", 'é', '%'):
        with pytest.raises(ConfigError, match='expected the id'):
            book.block(garbage)


@pytest.mark.parametrize('page', ['', 'x', '1', '1-', '-1-2', '1-2-3', '9' * 30 + '-1'])
def test_what_is_no_page_is_told(book: Book, page: str) -> None:
    with pytest.raises(ConfigError, match='expected the "next"'):
        book.blocks(page=page)


def test_what_makes_no_sense_is_told(book: Book) -> None:
    for ask in (
        lambda: book.blocks(limit=0),
        lambda: book.blocks(limit=MAX_PAGE + 1),
        lambda: book.blocks(Filter(robot='nobody')),
        lambda: book.blocks(Filter(since=float('nan'))),
        lambda: book.blocks(Filter(until=float('inf'))),
        lambda: book.dag(limit=MAX_DAG + 1),
        lambda: book.dag(around='zz'),
        lambda: book.robot('nobody'),
        lambda: book.robot(NAMES[0], page='x'),
        lambda: book.tasks(page='-1'),
        lambda: book.activity(0),
        lambda: book.activity(10**9),
        lambda: book.timeline(since=1e300),
        lambda: book.news(0, 0),
    ):
        with pytest.raises(ConfigError):
            ask()


def test_the_dag_is_that_of_the_blocks(book: Book) -> None:
    blocks = {block.id: block for block in every(book)}
    dag = book.dag(limit=MAX_DAG)
    assert set(dag.id) == set(blocks) and not dag.cut
    assert list(dag.issued) == sorted(dag.issued)
    pairs = zip(dag.edges[::2], dag.edges[1::2], strict=True)
    edges = {(dag.id[child], dag.id[parent]) for child, parent in pairs}
    assert edges == {(one.id, parent) for one in blocks.values() for parent in one.parents}
    for at, identity in enumerate(dag.id):
        block = blocks[identity]
        assert (dag.robots[dag.robot[at]] if dag.robot[at] >= 0 else None) == block.robot
        assert list(State)[dag.state[at]] is block.state
        assert (dag.depth[at], dag.seq[at], dag.round[at]) == (
            block.depth,
            block.seq,
            block.round,
        )
        assert dag.calls[at] == len(block.calls)
    newest = book.dag(limit=10)
    assert newest.cut and newest.id == dag.id[-10:]
    middle = dag.id[len(dag.id) // 2]
    near = book.dag(around=middle, limit=20)
    assert len(near.id) == 20 and middle in near.id
    some = book.dag(since=dag.issued[50], until=dag.issued[99])
    assert some.id == dag.id[50:100]


def test_what_robots_did_is_told(book: Book) -> None:
    for robot in book.robots():
        events = list(pages(lambda page, name=robot.name: book.robot(name, page, 7).history))
        assert len(events) == robot.calls == book.robot(robot.name).history.total
        assert sum(not event.ok for event in events) == robot.reverted
        assert all(a.time >= b.time for a, b in pairwise(events))
        assert robot.blocks == book.blocks(Filter(robot=robot.name)).total


def test_activity_counts_each_block_once(book: Book) -> None:
    for intervals in (1, 7, 1_000):
        activity = book.activity(intervals)
        assert {name: sum(row) for name, row in activity.blocks.items()} == {
            name: book.blocks(Filter(robot=name)).total for name in NAMES
        }
        assert {len(row) for row in activity.blocks.values()} == {intervals}
        overview = book.overview()
        assert activity.begin == overview.first and activity.end >= overview.last


def test_news_say_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, 'LOOK', 0.0)
    rows = tale().rows()
    with writing(tmp_path / 'ledger.db') as store, reading(tmp_path / 'ledger.db') as book:
        begin, version, known = 0, 0, dict[str, State]()
        for end in range(0, 300, 37):
            add(store, rows[begin:end])
            news = book.news(version, 500)
            assert news.version >= version and news.overview.blocks == end
            assert {bytes.fromhex(one.id[2:]) for one in news.blocks} == {
                row.id for row in rows[begin:end]
            }
            assert all(identity in known for identity in news.states)
            known |= {block.id: block.state for block in news.blocks} | news.states
            assert known == {block.id: block.state for block in every(book)}
            begin, version = end, news.version
        again = book.news(version)
        assert (again.blocks, again.states, again.version) == ((), {}, version)


def test_an_empty_ledger_can_be_asked_everything(tmp_path: Path) -> None:
    with writing(tmp_path / 'ledger.db'):
        pass
    with reading(tmp_path / 'ledger.db') as book:
        overview = book.overview()
        assert (overview.blocks, overview.final, overview.first, overview.last) == (0, 0, 0.0, 0.0)
        assert re.fullmatch('0x[0-9a-f]{64}', overview.state_root)
        assert book.blocks().items == book.splits() == book.timeline() == ()
        assert len(book.robots()) == len(FLEET.robots)
        assert not book.tasks().items and not book.map().regions and not book.dag().id
        assert book.activity(3).blocks[NAMES[0]] == (0, 0, 0)
        assert book.trust().verdicts and not book.models().models
        assert not book.find('robot').hits.items[0].time
        with pytest.raises(ConfigError):
            book.block('0x12')


def test_a_ledger_of_few_blocks(tmp_path: Path) -> None:
    team = Team(11)
    team.run(3)
    with reading(team.write(tmp_path)) as book:
        assert len(every(book)) == book.overview().blocks > 0
