"""Tasks.assign: the best assignment there is, by priority, with ties broken by rule."""

from contextlib import contextmanager
from itertools import permutations
import json
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from solidity import address, ROOT
from tasks_fleet import Crew, key_of, Kind, MAX_BATCH

from benchmarks.assignment import greedy, optimum

AT_HAND = 1
NONE = None  # no bid
SMALL, LARGE = Crew(4), Crew(64)


@contextmanager
def bidding(crew, costs, priorities=None):
    """Let robots (columns) bid on tasks (rows), and yield the keys; None is no bid."""
    mark = crew.chain.mark()
    keys = []
    for x, row in enumerate(costs):
        priority = priorities[x] if priorities else 0
        keys.append(crew.propose(0, 100, (Kind.EXPLORE, x, 0, 0), priority=priority))
        for robot, cost in enumerate(row):
            if cost is not None:
                crew.say(robot, 100, 'bid', keys[-1], int(cost))
    try:
        yield keys
    finally:
        crew.chain.rollback(mark)


def assigned(crew, costs, priorities=None, **masks):
    """Return the robot of each task."""
    with bidding(crew, costs, priorities) as keys:
        given_ = crew.assign(keys, 103, **masks)
        return [given_.get(key) for key in keys]


def worth(costs, priorities, robots):
    """Return what an assignment is compared by, the lowest being the best."""
    levels = sorted(set(priorities), reverse=True)
    given_ = [
        (p, row[r]) for p, row, r in zip(priorities, costs, robots, strict=True) if r is not None
    ]
    return [-sum(p == level for p, _ in given_) for level in levels], sum(c for _, c in given_)


def all_assignments(costs):
    columns = len(costs[0])
    for robots in permutations([*range(columns), *[None] * len(costs)], len(costs)):
        if all(r is None or row[r] is not None for row, r in zip(costs, robots, strict=True)):
            yield list(robots)


bids = st.one_of(st.none(), st.integers(AT_HAND + 1, 6), st.integers(AT_HAND + 1, (1 << 32) - 1))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda robots: st.lists(
            st.lists(bids, min_size=robots, max_size=robots), min_size=1, max_size=4
        )
    ),
    st.lists(st.sampled_from([0, 0, 1, 255]), min_size=4, max_size=4),
)
def test_no_assignment_is_better(costs, levels):
    priorities = levels[: len(costs)]
    robots = assigned(SMALL, costs, priorities)
    used = [robot for robot in robots if robot is not None]
    assert len(set(used)) == len(used)
    best = min(worth(costs, priorities, other) for other in all_assignments(costs))
    assert worth(costs, priorities, robots) == best


@pytest.mark.parametrize(
    ('tasks', 'robots'), [(1, 1), (8, 8), (16, 16), (32, 32), (32, 64), (32, 8), (8, 32)]
)
@pytest.mark.parametrize('most', [40, 20_000])
def test_it_is_as_good_as_the_optimum_on_random_instances(tasks, robots, most):
    costs = np.random.default_rng((tasks, robots, most)).integers(2, most, (tasks, robots))
    found = assigned(LARGE, costs.tolist())
    pairs = [(task, robot) for task, robot in enumerate(found) if robot is not None]
    assert len(pairs) == len({robot for _, robot in pairs}) == min(tasks, robots)
    assert sum(costs[pair] for pair in pairs) == costs[linear_sum_assignment(costs)].sum()


def test_the_highest_priority_comes_first():
    costs = [[10, 20], [11, NONE], [5, 5]]
    assert assigned(SMALL, costs, [0, 1, 0]) == [NONE, 0, 1]
    assert assigned(SMALL, costs, [2, 1, 0]) == [1, 0, NONE]
    assert assigned(SMALL, [[2], [(1 << 32) - 1]], [1, 200]) == [NONE, 0]
    levels = list(range(MAX_BATCH))  # as many priorities as tasks
    found = assigned(SMALL, [[2, 2]] * MAX_BATCH, levels)
    assert [task for task, robot in enumerate(found) if robot is not None] == levels[-2:]


def test_a_task_at_hand_goes_to_its_lowest_bidder_beside_another():
    costs = [[AT_HAND, 500], [AT_HAND, NONE], [4000, 5000]]
    assert assigned(SMALL, costs) == [0, 0, 0]
    assert assigned(SMALL, costs, busy=1) == [0, 0, 1]
    assert assigned(SMALL, costs, absent=1) == [1, NONE, NONE]
    assert assigned(SMALL, [[AT_HAND, 0]]) == [1]


def test_the_busy_and_the_absent_get_nothing():
    costs = [[10, 20, 30]]
    assert assigned(SMALL, costs) == [0]
    assert assigned(SMALL, costs, busy=1) == [1]
    assert assigned(SMALL, costs, busy=1, absent=2) == [2]
    assert assigned(SMALL, costs, absent=7) == [NONE]


def test_ties_go_to_the_lowest_address_whatever_the_index():
    crew = Crew([address(number) for number in (9, 4, 7)])
    assert assigned(crew, [[5, 5, 5]]) == [1]
    assert assigned(crew, [[5, 5, 5]], absent=2) == [2]
    assert assigned(crew, [[AT_HAND, AT_HAND, AT_HAND]]) == [1]


def test_only_open_tasks_are_assigned():
    with bidding(SMALL, [[10, 20], [10, 20], [10, 20]]) as keys:
        SMALL.award(1, 103, 1, keys[0])
        SMALL.award(0, 103, 0, keys[1])
        SMALL.say(0, 103, 'complete', keys[1])
        assert SMALL.assign([*keys, key_of(1, 9, 9)], 104) == {keys[2]: 0}


def test_equal_costs_give_equal_answers_and_the_gas_is_bounded():
    """64 robots bid on 32 tasks; in the worst case found, costs are products of row and column."""
    spent = {}
    for name, cost in (
        ('equal', lambda task, robot: 7),
        ('product', lambda task, robot: 2 + (task + 1) * (robot + 1)),
        ('random', lambda task, robot: 2 + hash((task, robot)) % 20_000),
    ):
        costs = [[cost(task, robot) for robot in range(64)] for task in range(MAX_BATCH)]
        with bidding(LARGE, costs) as keys:
            assert len(set(LARGE.assign(keys, 103).values())) == MAX_BATCH
            done = LARGE.chain.call(
                LARGE.robots[0], LARGE.tasks, 'assign', keys, 0, 0, 103, gas=60_000_000
            )
            assert done.ok
            spent[name] = done.gas
    print(spent)
    assert max(spent.values()) < 30_000_000


def test_the_benchmark_finds_the_optimum(tmp_path):
    pytest.importorskip('pyrevm', reason='has wheels for x86-64 only')
    out = tmp_path / 'assignment.json'
    command = [sys.executable, '-m', 'benchmarks.assignment', '--quick', '--out', out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())['figures']['assignment']
    assert len(figures) == 12
    for row in figures.values():
        assert row['ratio_worst'] == 1 <= row['greedy_median'] <= row['greedy_worst']
        assert row['gas_most'] > 100_000


def test_the_greedy_auction_takes_the_cheapest_first():
    costs = np.array([[1, 2, 9], [2, 90, 9]])
    assert (greedy(costs), optimum(costs)) == (1 + 9, 2 + 2)
