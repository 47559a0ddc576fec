"""A book's states of the past are what executing the records until then comes to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from book_team import FLEET, reading, tale, Team
import pytest

from collab_robots.contract.runner import Runner
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book import follower
from collab_robots.explorer.book.book import Book
from collab_robots.explorer.book.reader import Moment
from collab_robots.explorer.files import read_file
from collab_robots.tangle import roots
from collab_robots.tangle.order import Order
from collab_robots.tangle.replay import Replay


@pytest.fixture(params=[90, 2_000])
def book(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Book]:
    """Give a book with many and with few states to go on from."""
    monkeypatch.setattr(follower, 'INTERVAL', request.param)
    monkeypatch.setattr(roots, 'ROOT_WINDOW', 60)
    with reading(tale().write(tmp_path)) as made:
        yield made


def root_at(book: Book, moment: Moment) -> str:
    return book.overview(moment).state_root


def test_a_position_is_what_the_robot_itself_had_there(book: Book) -> None:
    runner = tale().runner
    final = tale().ledger.order.final
    known = []
    for position in range(0, final + 1, 7):
        try:
            known.append((position, runner.agreed_at(position)))
        except LookupError:  # before the epoch
            continue
        assert root_at(book, Moment(position=position)) == f'0x{known[-1][1].root.hex()}'
    assert len(known) > 3


def test_a_position_is_what_its_records_come_to(book: Book, tmp_path: Path) -> None:
    runner = Runner(FLEET)
    replay = Replay(FLEET, read_file(tmp_path / 'ledger.db', FLEET), runner)
    end = replay.begins[0].cut.position
    entries = replay.entries[:end]
    anew, order = Runner(FLEET), Order()
    for position, entry in enumerate(entries, 1):
        order.insert(entry)
        order.finalise([entry])
        if position % 50 == 0 or position == end - 1:
            anew.update(order)
            moment = Moment(position=position)
            assert root_at(book, moment) == f'0x{anew.state_root().hex()}'
            past = book.overview(moment)
            assert (past.blocks, past.final, past.epoch) == (position, position, 0)
    assert book.overview(Moment(position=end)).epoch == 1  # the epoch's end is part of it
    now = book.overview()
    assert root_at(book, Moment(position=replay.final)) == now.final_root


def test_the_last_time_is_now(book: Book) -> None:
    now = book.overview()
    last = book.overview(Moment(time=now.last))
    same = {'at', 'version', 'final_digest', 'splits'}
    assert last.model_dump(exclude=same) == now.model_dump(exclude=same)
    assert book.tasks(at=Moment(time=now.last)) == book.tasks()
    assert book.map(Moment(time=now.last)) == book.map()
    assert book.trust(Moment(time=now.last)) == book.trust()
    assert book.robots(Moment(time=now.last)) == book.robots()


def test_a_time_knows_only_what_was_issued_by_then(book: Book) -> None:
    now = book.overview()
    for share in (0.0, 0.3, 0.6, 0.9):
        time = now.first + share * (now.last - now.first)
        moment = Moment(time=time)
        past = book.overview(moment)
        assert past.at == pytest.approx(time)
        assert past.last <= time and past.blocks < now.blocks
        assert (
            past.blocks
            == sum(one.issued <= time for one in book.blocks(limit=500).items)
            + (now.blocks - min(500, now.blocks))
            or past.blocks < now.blocks - 500
        )
        assert all(task.proposed <= time for task in book.tasks(at=moment).items)
        assert all(
            one.time <= time for region in book.map(moment).regions for one in region.contributions
        )
        assert all(robot.last <= time for robot in book.robots(moment))
    before = book.overview(Moment(time=now.first - 1))
    assert (before.blocks, before.tasks['open'], before.first) == (0, 0, 0.0)


@pytest.mark.parametrize(
    'moment',
    [
        Moment(),
        Moment(time=1.0, position=1),
        Moment(position=-1),
        Moment(position=10**6),
        Moment(position=1 << 70),
        Moment(time=float('nan')),
        Moment(time=float('inf')),
        Moment(time=1e300),
    ],
)
def test_what_is_no_moment_is_told(book: Book, moment: Moment) -> None:
    for ask in (book.overview, book.robots, book.trust, book.models, book.map):
        with pytest.raises(ConfigError):
            ask(moment)
    with pytest.raises(ConfigError):
        book.tasks(at=moment)


def test_what_a_pruned_file_does_not_hold_is_told(tmp_path: Path) -> None:
    team = Team(3, interval=100, archive=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roots, 'ROOT_WINDOW', 60)
        team.run(30)
        with reading(team.write(tmp_path)) as book:
            now = book.overview()
            assert 100 <= now.pruned < now.final
            for position in range(now.pruned, now.final + 1, 9):
                try:
                    agreed = team.runner.agreed_at(position)
                except LookupError:
                    continue
                assert root_at(book, Moment(position=position)) == f'0x{agreed.root.hex()}'
            assert root_at(book, Moment(position=now.final)) == now.final_root
            assert root_at(book, Moment(time=now.last)) == now.state_root
            for moment in (Moment(position=now.pruned - 1), Moment(time=now.first - 10)):
                with pytest.raises(ConfigError, match='does not hold its first'):
                    book.overview(moment)
