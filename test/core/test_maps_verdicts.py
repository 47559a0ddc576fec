"""
Verdicts of Maps.sol: every liar, nobody else, whatever the order.

Conflicts are between pairs of sketches, so a verdict depends on the set of sketches only. That is
tried on the real contract: in all orders for small teams, in some for larger ones. For 10,000
orders of each team the same rule is a function in ``benchmarks``, which is compared with the
contract here; ``python -m benchmarks.verdicts`` executes more.
"""

from functools import cache
from itertools import permutations
from pathlib import Path
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from maps_fleet import EMPTY, LIE, MapsFleet, row, walled
import numpy as np
import pytest

from benchmarks.baselines import vote
from benchmarks.verdict_court import Court
from benchmarks.verdict_orders import make_teams, on_contract, Score, verdict
from collab_robots.sim.world import load_world

OFFICE = load_world(Path(__file__).parents[2] / 'worlds/office.yaml').truth
TEAMS = [(n, f) for n in range(4, 14) for f in range(1, (n - 1) // 3 + 1)]


@cache
def team(robots, liars):
    return make_teams(OFFICE, np.random.default_rng(robots))(robots, liars)


@pytest.mark.parametrize(('robots', 'liars'), [(4, 1), (5, 1), (6, 1)])
def test_all_orders_of_a_small_team_convict_the_liars_only(robots, liars):
    """``on_contract`` checks the contract after every sketch."""
    score = on_contract(team(robots, liars), list(permutations(range(robots))))
    assert (score.right, score.honest_expelled, score.liars_missed) == (score.orders, 0, 0)


@pytest.mark.parametrize(('robots', 'liars'), TEAMS[3:])
def test_random_orders_of_a_larger_team_convict_the_liars_only(robots, liars):
    shuffle = random.Random(robots)
    orders = {tuple(shuffle.sample(range(robots), robots)) for _ in range(30)}
    score = on_contract(team(robots, liars), sorted(orders))
    assert (score.right, score.honest_expelled, score.liars_missed) == (len(orders), 0, 0)


@pytest.mark.parametrize(('robots', 'liars'), TEAMS)
def test_the_rule_as_a_function_says_what_the_contract_says(robots, liars):
    """And so it does for 10,000 orders, each cut off anywhere."""
    given_team, court = team(robots, liars), Court(robots)
    found = given_team.sketches
    conflict = [[court.conflicting(a, b) for b in found] for a in found]
    for a, b in permutations(range(robots), 2):
        assert conflict[a][b] == ((a in given_team.liars) != (b in given_team.liars))
    shuffle = random.Random(robots)
    for number in range(10_000):
        order = shuffle.sample(range(robots), shuffle.randint(1, robots))
        judged = verdict(order, conflict, given_team.witnesses)
        honest = [robot for robot in order if robot not in given_team.liars]
        assert judged == (
            given_team.liars.intersection(order) if len(honest) >= given_team.witnesses else set()
        )
        if number < 20:
            mark = court.mark()
            for robot in order:
                court.submit(robot, found[robot])
            assert court.convicted() == judged
            court.rollback(mark)


def test_the_published_vote_depends_on_the_order():
    """As in research of the rule: 15 of the 21 orders of 5 honest robots and 2 liars are right."""
    lies = [np.array([robot in pair for robot in range(7)]) for pair in pairs(7)]
    found = [vote.expelled(range(7), lie[:, None] == lie) for lie in lies]
    score = Score()
    for lie, expelled in zip(lies, found, strict=True):
        score.add(expelled, frozenset(np.flatnonzero(lie).tolist()))
    assert (score.right, score.orders, score.honest_expelled) == (15, 21, 6)
    assert sorted(len(expelled) for expelled in found) == [2] * 15 + [4] * 3 + [7] * 3


def pairs(count):
    return [(a, b) for a in range(count) for b in range(a)]


# ---------------------------------------------------------------------- any sketches at all

# Some agree, some conflict, and not in classes: what conflicts with one of two that agree need
# not conflict with the other.
KINDS = [
    EMPTY,
    LIE,
    walled(row(0)),
    walled(row(8, range(6))),
    (sum(row(number) for number in range(7)), 0),
    (sum(row(number) for number in range(6)), row(8)),
]
REGIONS = [(0, 0), (-1, 2)]
weights = st.sampled_from([(1,) * 7, (1, 2, 3, 1, 2, 3, 1)])
words = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(REGIONS), st.sampled_from(KINDS)), max_size=24
)


def own_order_kept(submissions, shuffled):
    """Bring submissions into another order in which each robot's own stay as they were."""
    queues = {}
    for robot, *rest in submissions:
        queues.setdefault(robot, []).append((robot, *rest))
    return [queues[robot].pop(0) for robot, *_ in shuffled]


@cache
def begun(weights):
    fleet = MapsFleet(weights)
    return fleet, [fleet.chain.mark()]


def run(weights, submissions):
    fleet, marks = begun(weights)
    fleet.chain.rollback(marks.pop())
    marks.append(fleet.chain.mark())
    for second, robot, region, found in submissions:
        fleet.call(robot, 'submitSketch', *region, *found, at=second)
    return fleet


@settings(max_examples=100, deadline=None)
@given(
    words, st.randoms(use_true_random=False), st.sampled_from([(1,) * 7, (1, 2, 3, 1, 2, 3, 1)])
)
def test_facts_and_decisions_do_not_depend_on_the_order(said, shuffle, weights):
    submissions = [(robot, at, *rest) for at, (robot, *rest) in enumerate(said, 100)]
    other = own_order_kept(submissions, shuffle.sample(submissions, len(submissions)))
    results = []
    for order in (submissions, other):
        fleet = run(weights, [(at, robot, *rest) for robot, at, *rest in order])
        results.append(
            (
                fleet.facts(*REGIONS),
                fleet.convicted,
                [fleet.ask('disputedSince', *region) for region in REGIONS],
                [
                    fleet.ask('evidence', robot, *region)
                    for robot in range(7)
                    for region in REGIONS
                ],
            )
        )
    assert results[0] == results[1]


@settings(max_examples=100, deadline=None)
@given(words, st.sets(st.integers(0, 6), min_size=1, max_size=2))
def test_honest_robots_are_never_convicted(said, liars):
    """Whatever liars say; honest robots saw the same."""
    submissions = [
        (100, robot, region, found if robot in liars else EMPTY) for robot, region, found in said
    ]
    assert run((1,) * 7, submissions).convicted <= liars


@settings(max_examples=50, deadline=None)
@given(words)
def test_more_sketches_never_acquit(said):
    convicted = set()
    for end in range(len(said) + 1):
        now = run((1,) * 7, [(100, *word) for word in said[:end]]).convicted
        assert convicted <= now
        convicted = now


@settings(max_examples=100, deadline=None)
@given(words)
def test_a_robot_is_convicted_exactly_if_a_third_is_against_it_in_one_region(said):
    """The contract against the definition."""
    fleet = run((1,) * 7, [(100, *word) for word in said])
    kept = {}
    for robot, region, found in said:
        if len(kept.setdefault((robot, region), [])) < 3:
            kept[robot, region].append(found)
    expected = set()
    for (robot, region), mine in kept.items():
        against = {
            other
            for (other, place), theirs in kept.items()
            if other != robot
            and place == region
            and any(conflict(a, b) for a in mine for b in theirs)
        }
        if 3 * len(against) >= 7:
            expected.add(robot)
    assert fleet.convicted == expected


@cache
def conflict(a, b):
    return MapsFleet([1]).ask('conflicting', a, b)
