"""
Tasks.sol is merge-safe: what it knows and decides is a function of the set of calls.

A call looks at nothing but itself and its sender's own calls, so every interleaving of the robots'
sequences is allowed here, which is more than causality allows. The sequences hold nonsense too.
"""

from contextlib import contextmanager
from random import Random

from eth_abi import encode
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from solidity import address
from tasks_fleet import Crew, key_of, Kind, Reason, State, terms_of

WHATS = [
    (Kind.EXPLORE, 1, 2, 0),
    (Kind.EXPLORE, 1, 2, 1),
    (Kind.INSPECT, -3, 4, 0),
    (Kind.VERIFY, 0, 0, 0),
]
ROBOTS = 5
KEYS = sorted(key_of(*what) for what in WHATS)
TIMES = range(98, 150, 4)
SALT = b's' * 32
CREW = Crew([address(number) for number in (3, 1, 4, 0, 5)])

keys = st.sampled_from(KEYS)
robots = st.sampled_from(CREW.robots)
costs = st.integers(1, 4)
awards = st.tuples(keys, robots, st.sampled_from([95, 98, 98, 98, 105]))
terms = st.builds(
    terms_of,
    st.integers(0, 2),
    st.sampled_from([0] * 6 + [110, 130]),
    st.sampled_from([0] * 9 + [1]),
    st.sampled_from([False] * 9 + [True]),
)
proposals = st.builds(lambda what, asks: ('propose', *what, asks), st.sampled_from(WHATS), terms)
sketches = st.builds(
    lambda wall: ('submitSketch', 0, 0, (1 << 256) - 1 - wall, wall),
    st.sampled_from([0, 0, (1 << 64) - 1]),
)


def commitment(key, robot, cost):
    return keccak(encode(['bytes32', 'address', 'uint32', 'bytes32'], [key, robot, cost, SALT]))


def calls(robot):
    """Return what a robot may say when it has bid on all tasks."""
    return st.one_of(
        st.builds(lambda key: ('award', key, robot, 98), keys),
        st.builds(lambda key: ('complete', key), keys),
        st.builds(lambda award: ('award', *award), awards),
        st.builds(lambda batch: ('awardBatch', batch), st.lists(awards, max_size=3)),
        st.tuples(st.sampled_from(['renew', 'release', 'complete']), keys),
        st.tuples(st.just('reassign'), keys, robots),
        st.tuples(st.just('bid'), keys, costs),
        st.builds(lambda key, cost: ('bidSealed', key, commitment(key, robot, cost)), keys, costs),
        st.tuples(st.just('reveal'), keys, costs, st.just(SALT)),
        sketches,
        proposals,
    )


@st.composite
def sequences(draw):
    """Draw what each robot says, in its own order, with times that do not fall."""
    result = []
    for robot, sender in enumerate(CREW.robots):
        said = [('propose', *WHATS[robot % len(WHATS)], terms_of())]
        said += draw(st.lists(sketches, max_size=1))
        said += [('bid', key, draw(costs)) for key in draw(st.sets(keys, min_size=3))]
        late = len(said)
        said += draw(st.lists(calls(sender), min_size=2, max_size=8))
        now, timed = 98, []
        for index, call in enumerate(said):
            now += 3 if index == late else draw(st.sampled_from([0, 0, 0, 1, 5]))
            timed.append((robot, now, *call))
        result.append(timed)
    return result


def interleaved(said, seed):
    """Return all calls in some order that keeps each robot's own."""
    turns, random = [robot for robot, own in enumerate(said) for _ in own], Random(seed)
    random.shuffle(turns)
    following = [iter(own) for own in said]
    return [next(following[robot]) for robot in turns]


@contextmanager
def executed(history):
    """Execute calls, and yield what became of each; afterwards nothing has happened."""
    mark, CREW.ids = CREW.chain.mark(), set()
    try:
        yield {(call[0], index): outcome for call, index, outcome in _run(history)}
    finally:
        CREW.chain.rollback(mark)


def _run(history):
    counts = [0] * ROBOTS
    for call in history:
        done = CREW.attempt(*call)
        assert done.ok or done.error[0], 'every refusal has an error of its own'
        yield call, counts[call[0]], (done.ok, done.error)
        counts[call[0]] += 1


QUESTIONS = [
    *(CREW.question('judge', key, time) for time in TIMES for key in KEYS),
    *(CREW.question('assign', KEYS, 1, 2, time) for time in TIMES),
]


def decisions():
    """Return all that the contract decides, as bytes."""
    return [CREW.chain.read(CREW.tasks, question) for question in QUESTIONS]


def completed():
    """Return what counts as done: times by robot, and whether the task is."""
    return {key: (CREW.completed(200, key), CREW.state(200, key)[0]) for key in KEYS}


@settings(max_examples=100, deadline=None)
@given(sequences(), st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_every_order_gives_the_same_facts_decisions_and_errors(said, one, other):
    with executed(interleaved(said, one)) as outcomes:
        expected = outcomes, CREW.facts(), decisions()
    with executed(interleaved(said, other)) as outcomes:
        assert (outcomes, CREW.facts(), decisions()) == expected


@settings(max_examples=60, deadline=None)
@given(sequences(), st.sampled_from([{0, 1}, {2}, {0, 3, 4}]), st.integers(0, 99))
def test_halves_that_act_apart_join_and_nothing_done_is_undone(said, half, seed):
    sides = [
        [own if (robot in half) == side else [] for robot, own in enumerate(said)]
        for side in (True, False)
    ]
    alone = []
    for side in sides:
        with executed(interleaved(side, seed)):
            alone.append(completed())
    left, right = (interleaved(side, seed) for side in sides)
    with executed(left + right):
        facts, joined = CREW.facts(), completed()
    with executed(right + left):
        assert CREW.facts() == facts
    for key in KEYS:
        for before in alone:
            assert joined[key][0].items() >= before[key][0].items()
            if before[key][1] == State.DONE and key != key_of(*WHATS[3]):
                assert joined[key][1] == State.DONE


@settings(max_examples=60, deadline=None)
@given(sequences(), st.integers(0, 99))
def test_a_task_has_one_holder_and_its_judgement_holds_until_it_says(said, seed):
    with executed(interleaved(said, seed)):
        for key in KEYS:
            for time in TIMES:
                found = CREW.judge(time, key)
                holders = [o for o in found.opinions if o.reason == Reason.HOLDER]
                assert (found.state == State.HELD) == (len(holders) == 1)
                for holder in holders:
                    assert found.holder == holder.robot
                    assert time < found.leaseUntil == holder.leaseUntil
                    rivals = [o for o in found.opinions if o.reason == Reason.OUTBID]
                    assert all(holder.rank <= rival.rank for rival in rivals)
                assert found.until > time
                for later in {time + 1, (time + min(found.until, 200)) // 2, found.until - 1}:
                    if time < later < min(found.until, 1000):
                        assert CREW.judge(later, key) == found


@settings(max_examples=60, deadline=None)
@given(sequences(), st.integers(0, 99), st.integers(0, 31), st.integers(0, 31))
def test_assign_gives_open_tasks_to_bidders_one_each(said, seed, absent, busy):
    with executed(interleaved(said, seed)):
        for time in TIMES:
            given_ = CREW.assign(KEYS, time, absent, busy)
            far = []
            for key, robot in given_.items():
                found = CREW.judge(time, key)
                assert found.state == State.OPEN and not absent >> robot & 1
                (bid,) = (o for o in found.opinions if o.robot == robot)
                assert Reason.NOT_AWARDED <= bid.reason <= Reason.AWARDED_TOO_EARLY
                if bid.rank > 1:
                    far.append(robot)
            assert len(set(far)) == len(far)
            assert not any(busy >> robot & 1 for robot in far)


@settings(max_examples=60, deadline=None)
@given(sequences())
def test_saying_it_again_changes_nothing(said):
    with executed(interleaved(said, 0)):
        before = CREW.facts()
        for own in said:
            for call in own[-1:]:
                if call[2] != 'submitSketch':  # of these each counts
                    CREW.attempt(*call)
        assert CREW.facts() == before
