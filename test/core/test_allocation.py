"""The auction: what each robot decides from the same facts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from collab_robots.contract.calls import Kind
from collab_robots.contract.view import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.tasks.allocation import (
    assignment_quality,
    Bid,
    bid_changed,
    is_seen,
    match,
    may_award,
    Propose,
    rounds,
    SEEN,
    task_at,
)
from collab_robots.tasks.bidder import ABSENT_AFTER, Bidder, MAX_ROUNDS, SHUN_FOR
from collab_robots.tasks.places import Cell, Place
from collab_robots.tasks.task_view import TaskView


def task(number: int, state: TaskState = TaskState.OPEN, **more: object) -> TaskView:
    view = TaskView(bytes([number]), Kind.EXPLORE, (number, 0), 0, state)
    return replace(view, **more)  # type: ignore[arg-type]


def place(*cells: Cell, points: int = 5) -> Place:
    centre = np.array(cells[0]) + 0.5
    return Place(Kind.EXPLORE, cells[0], np.tile(centre, (points, 1)), centre, frozenset(cells))


def test_greedy_takes_the_cheapest_first_and_spreads() -> None:
    tasks = [task(1, bids={'a': 1.0, 'b': 2.0}), task(2, bids={'a': 1.5, 'b': 9.0})]
    assert match(tasks) == {bytes([1]): 'a', bytes([2]): 'b'}


def test_busy_and_absent_robots_get_nothing() -> None:
    tasks = [task(1, bids={'a': 1.0, 'b': 2.0}), task(2, TaskState.HELD, holder='a')]
    assert match(tasks) == {bytes([1]): 'b'}
    assert match(tasks[:1], absent={'a'}) == {bytes([1]): 'b'}
    assert match([task(1, TaskState.DONE, bids={'a': 1.0})]) == {}


def test_who_has_seen_it_wins_even_if_busy_and_keeps_the_turn() -> None:
    seen = float(np.float32(SEEN))  # as a message carries it
    assert is_seen(seen)
    tasks = [
        task(1, bids={'a': seen, 'b': 0.5}),
        task(2, bids={'a': seen}),
        task(3, bids={'a': 4.0, 'b': 5.0}),
    ]
    assert match(tasks) == {bytes([1]): 'a', bytes([2]): 'a', bytes([3]): 'a'}
    busy = [*tasks, task(4, TaskState.HELD, holder='a')]
    assert match(busy) == {bytes([1]): 'a', bytes([2]): 'a', bytes([3]): 'b'}


costs = st.lists(st.lists(st.floats(0.01, 50), min_size=4, max_size=4), min_size=1, max_size=5)


@given(costs)
def test_matching_is_one_to_one_and_order_does_not_matter(table: list[list[float]]) -> None:
    tasks = [
        task(index, bids={f'r{robot}': row[index] for robot, row in enumerate(table)})
        for index in range(4)
    ]
    result = match(tasks)
    assert len(set(result.values())) == len(result) == min(4, len(table))
    assert match(tasks[::-1]) == result


def test_quality_against_the_central_optimum() -> None:
    """Stated bound: on random robots and tasks in a building, 1.5 times the optimum at worst."""
    rng = np.random.default_rng(7)
    ratios = []
    for _ in range(300):
        robots, places = (
            rng.uniform((0, 0), (16, 12), (4, 2)),
            rng.uniform((0, 0), (16, 12), (8, 2)),
        )
        greedy, best = assignment_quality(
            np.hypot(*(robots[:, None] - places[None]).transpose(2, 0, 1))
        )
        assert greedy >= best - 1e-9
        ratios.append(greedy / best)
    print(f'greedy / optimum: mean {np.mean(ratios):.3f}, worst {max(ratios):.3f}')
    assert np.mean(ratios) < 1.05
    assert max(ratios) < 1.5


def test_an_award_waits_for_the_contract_and_for_others_bids() -> None:
    view = task(1, bids={'a': 1.0}, award_from_ns=5 * SECOND)
    assert not may_award(view, 'a', 5 * SECOND - 1, None)
    assert may_award(view, 'a', 5 * SECOND, None)
    assert not may_award(view, 'a', 5 * SECOND, 5 * SECOND - SECOND // 4)
    assert not may_award(view, 'b', 6 * SECOND, None)
    assert not may_award(replace(view, state=TaskState.HELD), 'a', 6 * SECOND, None)


@pytest.mark.parametrize(
    ('old', 'new', 'changed'),
    [
        (None, 3.0, True),
        (3.0, 3.1, False),
        (3.0, 3.7, True),
        (20.0, 20.9, False),
        (20.0, 21.1, True),
        (0.3, 0.45, False),
    ],
)
def test_bids_are_repeated_only_if_they_changed(old: float, new: float, changed: bool) -> None:
    assert bid_changed(old, new) is changed


def test_bids_are_rate_limited_bounded_and_made_again_when_used_up() -> None:
    bidder = Bidder('a')
    offers = [(task(number), float(number)) for number in range(1, 20)]
    first = bidder.bid(0, offers)
    assert first == [Bid(bytes([number]), float(number)) for number in range(1, 7)]
    assert bidder.bid(SECOND, offers) == []
    made = [(replace(view, bids={'a': cost}), cost) for view, cost in offers]
    assert bidder.bid(3 * SECOND, made) == []
    assert len(bidder.bid(3 * SECOND, offers)) == 6, 'the contract does not know them any more'


def test_rounds_count_completions_and_end_unless_the_frontier_grew() -> None:
    bidder = Bidder('a')
    where = place((3, 4), points=10)
    assert bidder.propose(0, [where], True) == [Propose(Kind.EXPLORE, (3, 4), 0)]
    assert bidder.propose(SECOND, [where], True) == [], 'said already'
    done = [
        TaskView(bytes([n]), Kind.EXPLORE, (3, 4), n, TaskState.DONE) for n in range(MAX_ROUNDS)
    ]
    assert rounds(done) == {(Kind.EXPLORE, (3, 4)): MAX_ROUNDS}
    bidder.learn(done[:1], [where])
    assert bidder.propose(9 * SECOND, [where], True) == [Propose(Kind.EXPLORE, (3, 4), 1)]
    bidder.learn(done, [where])
    assert bidder.propose(20 * SECOND, [where], True) == []
    grown = place((3, 4), points=16)
    assert bidder.propose(30 * SECOND, [grown], True) == [Propose(Kind.EXPLORE, (3, 4), 3)]


def test_a_busy_robot_proposes_only_what_lasts() -> None:
    bidder = Bidder('a')
    assert bidder.propose(0, [place((1, 1))], False) == []
    assert bidder.propose(SECOND, [place((1, 1)), place((2, 2))], False) == []
    later = bidder.propose(2 * SECOND, [place((1, 1)), place((2, 2))], False)
    assert later == [Propose(Kind.EXPLORE, (1, 1), 0)]


def test_a_place_has_one_task_the_held_then_the_oldest() -> None:
    where = place((1, 0), (2, 0), (3, 0))
    old, new = task(1, proposed_at_ns=1), task(2, proposed_at_ns=2)
    assert task_at(where, [new, old]) == old
    held = task(3, TaskState.HELD, holder='b', proposed_at_ns=3)
    assert task_at(where, [old, new, held]) == held
    assert task_at(where, [task(1, TaskState.STALE), task(2, TaskState.DONE), task(7)]) is None


def test_the_auction_does_not_wait_for_the_dead() -> None:
    """A robot that never takes what it is matched with stops counting; a new bid revives it."""
    bidder = Bidder('a')
    view = task(1, bids={'a': 5.0, 'dead': 1.0})
    now, taken = 0, None
    while taken is None and now < 20 * SECOND:
        now += SECOND // 2
        given = bidder.choose(now, [view], None)
        taken = now if given else None
    assert taken is not None and ABSENT_AFTER < taken <= ABSENT_AFTER + 2 * SECOND
    alive = replace(view, bids={'a': 5.0, 'dead': 0.8})
    assert bidder.choose(now + SECOND, [alive], None) == []
    assert bidder.choose(now + SECOND, [alive], ['a', 'b']) == [alive], 'known not to be heard'


def test_what_it_failed_at_is_left_to_others_for_a_while() -> None:
    bidder = Bidder('a')
    view = task(1, bids={'a': 5.0})
    bidder.shun(0, view.kind, view.cell)
    assert bidder.choose(SECOND, [view], None) == []
    assert bidder.choose(SHUN_FOR + SECOND, [view], None) == [view]
