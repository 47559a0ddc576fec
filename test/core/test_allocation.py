"""The auction: what each robot decides from the same facts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.tasks.allocation import (
    bid_changed,
    may_award,
    rounds,
    SEEN,
    task_at,
)
from collab_robots.tasks.bidder import Bidder, MAX_ROUNDS, SHUN_FOR
from collab_robots.tasks.intents import Bid, Propose, Release
from collab_robots.tasks.places import Cell, Place
from collab_robots.tasks.task_view import TaskView


def task(number: int, state: TaskState = TaskState.OPEN, **more: object) -> TaskView:
    view = TaskView(bytes([number]), Kind.EXPLORE, (number, 0), 0, state)
    return replace(view, **more)  # type: ignore[arg-type]


def place(*cells: Cell, points: int = 5) -> Place:
    centre = np.array(cells[0]) + 0.5
    return Place(Kind.EXPLORE, cells[0], np.tile(centre, (points, 1)), centre, frozenset(cells))


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


def test_a_bid_that_was_too_cheap_is_corrected_however_many_places_are_nearer() -> None:
    offers = [(task(number, bids={'a': number}), float(number)) for number in range(1, 20)]
    offers.append((task(20, bids={'a': 3.0}), 30.0))
    assert Bidder('a').bid(0, offers) == [Bid(bytes([20]), 30.0)]


def test_what_is_urgent_gets_one_of_the_bids_however_far_it_is() -> None:
    offers = [(task(number), float(number)) for number in range(1, 20)]
    offers.append((task(20, priority=1), 90.0))
    assert Bidder('a').bid(0, offers)[0] == Bid(bytes([20]), 90.0)


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


def test_what_it_failed_at_is_left_to_others_for_a_while() -> None:
    bidder = Bidder('a')
    view = task(1, bids={'a': 5.0}, assigned='a')
    bidder.shun(0, view.kind, view.cell)
    assert bidder.choose(SECOND, [view], {view.key}) is None
    assert bidder.choose(SHUN_FOR + SECOND, [view], {view.key}) == view


def test_it_takes_what_it_is_given() -> None:
    bidder = Bidder('a')
    mine = task(1, bids={'a': 5.0}, assigned='a')
    tasks = [mine, task(2, bids={'a': 1.0}), task(3, bids={'a': 1.0}, assigned='b')]
    assert bidder.choose(0, tasks, {view.key for view in tasks}) == mine
    assert bidder.claims(0, tasks) == []
    seen = task(4, bids={'a': float(np.float32(SEEN))}, assigned='a')
    assert bidder.claims(0, [*tasks, seen]) == [seen]
    assert bidder.choose(0, [seen, tasks[1]], {tasks[1].key}) is None


def test_what_is_gone_is_given_back_and_what_nobody_has_is_taken() -> None:
    bidder = Bidder('a')
    gone = task(1, bids={'a': 1.0}, assigned='a')
    free, dear = task(2, bids={'a': 5.0}), task(3, bids={'a': 7.0})
    tasks = [gone, dear, free, task(4, bids={'a': 2.0, 'b': 1.0}, assigned='b')]
    wanted = {view.key for view in tasks[1:]}
    assert bidder.choose(0, tasks, wanted) == free
    assert bidder.choose(0, tasks[1:], wanted) is None, 'nothing is gone'
    assert bidder.withdraw(0, tasks, wanted) == [Release(gone.key)]
    assert bidder.withdraw(SECOND, tasks, wanted) == []
    assert bidder.bid(SECOND, [(task(1), 5.0)]) == [], 'nor made again at once'
    assert bidder.withdraw(2 * SECOND, tasks, wanted) == [Release(gone.key)]


def test_a_missed_task_has_another_round_and_is_not_inspected() -> None:
    bidder = Bidder('a')
    missed = replace(task(1, TaskState.MISSED), kind=Kind.INSPECT)
    assert rounds([missed]) == {(Kind.INSPECT, (1, 0)): 1}
    bidder.learn([missed], [])
    assert not bidder.inspected()
    bidder.learn([replace(missed, state=TaskState.DONE)], [])
    assert bidder.inspected() == {(1, 0)}
