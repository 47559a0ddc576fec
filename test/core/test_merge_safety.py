"""
Merge safety: the facts are a function of the set of calls, whatever the order or the split.

The histories hold nonsense too (awards too early or to robots that never bid, bids on tasks that
nobody proposed, completions by others): a wrong call may not make two robots disagree either.
"""

from random import Random

from contract_history import (
    ADDRESSES,
    execute,
    History,
    KEYS,
    NAMES,
    storage,
    topological,
)
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from collab_robots.contract import calls
from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import Kind
from collab_robots.contract.runner import GAS_LIMIT
from collab_robots.contract.view import TaskState, View
from collab_robots.core.clock import SECOND

TASKS = [(Kind.EXPLORE, 1, 2, 0), (Kind.EXPLORE, 1, 2, 1), (Kind.INSPECT, -3, 4, 0)]
keys = st.sampled_from([calls.task_key(*task) for task in TASKS])
any_call = st.one_of(
    st.sampled_from([calls.propose(*task) for task in TASKS]),
    st.builds(calls.bid, keys, st.integers(1, 4)),
    st.builds(calls.award, keys, st.sampled_from(ADDRESSES)),
    st.builds(calls.renew, keys),
    st.builds(calls.complete, keys),
    st.builds(calls.release, keys),
    st.builds(
        lambda x, digest: calls.submit_tiles([(x, -1, digest), (x + 1, 0, digest)]),
        st.integers(0, 2),
        st.sampled_from([b'a' * 32, b'b' * 32]),
    ),
    st.builds(calls.report_sighting, st.integers(0, 1), st.just(900), st.just(5), st.just(-5)),
)
gaps = st.sampled_from([0, 0, 0.4, 1, 2, 6, 12])  # s between a record and its newest parent


@st.composite
def histories(draw, size=16, groups=None):
    """
    Draw a causal history.

    :param groups: robots that hear one another; by default any record may hear of any other.
    """
    history = History()
    robots = list(range(len(KEYS)))
    for _ in range(draw(st.integers(1, size))):
        robot = draw(st.sampled_from(robots))
        side = next(group for group in groups or [robots] if robot in group)
        own = history.dag.newest(robot)
        heard = [
            entry for entry in history.entries if entry.issuer in side and entry.issuer != robot
        ]
        past = draw(st.lists(st.sampled_from(heard), max_size=3)) if heard else []
        newest = [entry.record.issued_at / SECOND for entry in [*past, own] if entry]
        said = draw(st.lists(any_call, max_size=3))
        history.say(robot, max(newest, default=100) + draw(gaps), *said, past=past)
    return history


def reads(runner):
    """What a robot could read, at several times."""
    view = View(runner)
    tasks = [view.tasks(time * SECOND) for time in range(100, 180, 5)]
    return tasks, view.tiles(), view.sightings()


@settings(max_examples=120, deadline=None)
@given(histories(), st.integers(0, 1 << 32))
def test_every_causal_order_gives_the_same_facts(history, seed):
    one = execute(history.order().entries)
    other = execute(topological(history.entries, Random(seed)))
    assert storage(one) == storage(other)
    assert one.state_root() == other.state_root()
    assert reads(one) == reads(other)
    for entry in history.entries:  # not even what is reverted depends on the order
        assert [(r.call, r.ok, r.reason[:9]) for r in one.receipts.get(entry.id, ())] == [
            (r.call, r.ok, r.reason[:9]) for r in other.receipts.get(entry.id, ())
        ]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([[{0, 1}, {2, 3}], [{0}, {1, 2, 3}], [{0, 3}, {1}, {2}]]), st.data())
def test_sides_that_act_apart_join_to_the_same_facts(groups, data):
    history, seed = data.draw(histories(size=20, groups=groups)), data.draw(st.integers(0, 99))
    sides = [[e for e in history.entries if e.issuer in group] for group in groups]
    one = execute([entry for side in sides for entry in side])
    other = execute([entry for side in reversed(sides) for entry in side])
    mixed = execute(topological(history.entries, Random(seed)))
    assert storage(one) == storage(other) == storage(mixed)
    assert len({runner.state_root() for runner in (one, other, mixed)}) == 1
    for side in sides:  # what a side had completed is completed, what it knew is known
        alone = execute(side)
        joined = {task.key: task for task in View(one).tasks(200 * SECOND)}
        for task in View(alone).tasks(200 * SECOND):
            after = joined[task.key]
            assert after.proposed_at <= task.proposed_at
            assert after.completed.items() >= task.completed.items()
            if task.state == TaskState.DONE:
                assert after.state == TaskState.DONE
        assert View(one).tiles().items() >= View(alone).tiles().items()
        assert set(View(one).sightings()) >= set(View(alone).sightings())


@settings(max_examples=60, deadline=None)
@given(histories())
def test_saying_it_again_changes_nothing(history):
    """A call is idempotent: a robot that repeats its last one in the same second adds no fact."""
    runner = execute(history.entries)
    before = storage(runner)
    for robot, sender in enumerate(ADDRESSES):
        last = history.dag.newest(robot)
        for data in last.record.calls[-1:] if last else ():
            runner._evm.call(sender, data, last.record.issued_at // SECOND, GAS_LIMIT)
    assert storage(runner) == before


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(95, 180))
def test_the_views_of_the_contract_decide_the_same(history, time):
    runner = execute(history.order().entries)
    tasks = {task.key: task for task in View(runner).tasks(time * SECOND)}
    for identity in TASKS:
        key = calls.task_key(*identity)
        ask = key + time.to_bytes(32, 'big')
        holder = runner._evm.read(keccak(text='holder(bytes32,uint40)')[:4] + ask)[-20:]
        state = runner._evm.read(keccak(text='stateOf(bytes32,uint40)')[:4] + ask)[-1]
        if key not in tasks:
            assert state == 0
            continue
        assert state == tasks[key].state + 1
        if tasks[key].state != TaskState.DONE:
            name = runner.fleet.name_by_address.get(holder)
            assert name == tasks[key].holder
            assert (tasks[key].state == TaskState.HELD) == (name is not None)


@settings(max_examples=40, deadline=None)
@given(histories())
def test_the_paged_views_give_every_task_once(history):
    runner = execute(history.order().entries)
    selector = artifact().functions['tasks'].selector
    found = []
    for robot in range(len(NAMES)):
        for start in range(0, 10, 2):
            page = runner._evm.read(
                selector + b''.join(value.to_bytes(32, 'big') for value in (robot, start, 2))
            )
            words = [page[at : at + 32] for at in range(0, len(page), 32)]
            count = int.from_bytes(words[2], 'big')
            found += [words[3 + 12 * index] for index in range(count)]
    assert sorted(found) == sorted(runner.facts().tasks)


def test_a_late_earlier_proposal_may_only_add_validity():
    """An award too early on its own side counts once the other side's proposal is known."""
    history = History()
    key = calls.task_key(*TASKS[0])
    history.say(0, 110, calls.propose(*TASKS[0]), calls.bid(key, 1))
    history.say(0, 111, calls.award(key, ADDRESSES[0]))
    alone = View(execute(history.entries)).tasks(112 * SECOND)[0]
    history.say(1, 105, calls.propose(*TASKS[0]), past=[])
    joined = View(execute(history.entries)).tasks(112 * SECOND)[0]
    assert (alone.state, joined.state) == (TaskState.OPEN, TaskState.HELD)
