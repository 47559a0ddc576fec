"""Splits as a book tells them: who did not hear whom, when, and what each side did."""

from __future__ import annotations

from pathlib import Path

from book_team import FLEET, LIAR, NAMES, reading, tale, Team
from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.explorer.book.answers import Split
from collab_robots.explorer.book.splits import Hearing, LEAST

NEAR = 3.0  # s; how exactly a split's begin and end are told


def splits(team: Team, folder: Path) -> tuple[Split, ...]:
    with reading(team.write(folder)) as book:
        return book.splits()


def sides(split: Split) -> list[str]:
    """Return the last digits of the robots on each side: 01|23."""
    return [''.join(name[-1] for name in side.robots) for side in split.sides]


def check(split: Split, begin: float, end: float | None, *expected: str) -> None:
    assert sides(split) == list(expected)
    assert split.begin == pytest.approx(begin, abs=NEAR)
    assert split.end == (None if end is None else pytest.approx(end, abs=NEAR))
    assert (split.joined is None) == (split.end is None)


def test_a_split_is_told_with_what_each_side_did(tmp_path: Path) -> None:
    team = tale()
    with reading(team.write(tmp_path)) as book:
        (split,) = book.splits()
        check(split, 1009, 1025, '012', '3')
        majority, rest = split.sides
        assert majority.finalised and not rest.finalised
        for side in split.sides:
            indices = [NAMES.index(name) for name in side.robots]
            during = [
                row
                for row in team.rows()
                if row.issuer in indices and split.begin <= row.issued_at / 1e9 <= split.end
            ]
            assert side.blocks == len(during) > 15
        joined = book.block(split.joined)
        assert joined.issued == pytest.approx(split.end)
        assert split.blocks_lost == 0
        dag = book.dag(limit=10_000)
        for robot, time, side in zip(dag.robot, dag.issued, dag.side, strict=True):
            split_now = split.begin <= time <= split.end and robot >= 0
            assert side == (0 if not split_now else 1 if robot != LIAR else 2)


def test_nobody_is_split_off_when_all_is_quiet(tmp_path: Path) -> None:
    team = Team(2)
    team.run(8)
    team.rest(60)
    team.run(8)
    team.rest(60)
    assert splits(team, tmp_path) == ()


def test_a_robot_that_is_off_is_alone_until_it_is_back(tmp_path: Path) -> None:
    team = Team(3)
    begin = team.now
    team.run(8)
    team.network.stop(NAMES[2])
    team.run(20)
    (split,) = splits(team, tmp_path / 'off')
    check(split, begin + 8, None, '013', '2')
    assert f'{NAMES[2]} issued nothing' in split.words and 'do not yet' in split.words
    assert split.sides[1].blocks == 0
    team.start(NAMES[2])
    team.run(8)
    back = team.now - 8
    team.rest(60)
    (split,) = splits(team, tmp_path / 'back')
    check(split, begin + 8, back, '013', '2')


def test_three_sides(tmp_path: Path) -> None:
    team = Team(4)
    begin = team.now
    team.run(8)
    team.run(15, (0,), (1,), (2, 3))
    team.run(8)
    (split,) = splits(team, tmp_path)
    check(split, begin + 8, begin + 23, '0', '1', '23')
    assert not any(side.finalised for side in split.sides)


def test_a_split_that_lasts_is_told_from_one_side(tmp_path: Path) -> None:
    team = Team(5)
    begin = team.now
    team.run(8)
    team.run(15, (0, 1), (2, 3))
    (split,) = splits(team, tmp_path)
    check(split, begin + 8, None, '01', '23')
    with reading(tmp_path / 'ledger.db') as book:
        assert book.activity().splits == (split,)
        assert book.overview().splits == 1


def test_short_gaps_are_no_splits_and_long_ones_are_each_told(tmp_path: Path) -> None:
    team = Team(6)
    for _ in range(4):
        team.run(0.6 * LEAST, (0, 1), (2, 3))
        team.run(3)
    assert splits(team, tmp_path / 'short') == ()
    begin = team.now
    for _ in range(2):
        team.run(8, (0, 1), (2, 3))
        team.run(8)
    first, second = splits(team, tmp_path / 'long')
    check(first, begin, begin + 8, '01', '23')
    check(second, begin + 16, begin + 24, '01', '23')


def test_who_was_expelled_is_on_no_side(tmp_path: Path) -> None:
    team = Team(7)
    team.run(6)
    team.work.accuse(LIAR, (0, 1, 2))
    team.run(8, liar=LIAR)
    assert team.ledger.fleet.left == {LIAR}
    team.run(12, (0, 1, 2))
    assert splits(team, tmp_path) == ()


talks = st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 9), st.booleans()), max_size=60)


@given(talks)
def test_a_parting_has_sides_of_different_robots(said: list[tuple[int, float, bool]]) -> None:
    hearing, now = Hearing(len(FLEET.robots)), 0.0
    heights = [0] * 4
    known = [[0] * 4 for _ in range(4)]
    for robot, pause, hears in said:
        now += pause
        if hears:
            known[robot] = list(heights)
        heights[robot] += 1
        known[robot][robot] = heights[robot]
        hearing.tell(robot, heights[robot] - 1, now, tuple(known[robot]))
    before = 0.0
    for parting in hearing.partings():
        members = [member for side in parting.sides for member in side]
        assert len(parting.sides) > 1 and len(members) == len(set(members))
        assert before <= parting.begin < (parting.end or now)
        before = parting.end or now
