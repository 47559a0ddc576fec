"""The runner: executing bit by bit, in any order of arrival, is executing once."""

from random import Random

from contract_history import (
    ADDRESSES,
    execute,
    FLEET,
    histories,
    History,
    KEY,
    KEYS,
    Listed,
    NAMES,
    PROPOSE,
    storage,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.contract import evm
from collab_robots.contract.artifact import suite
from collab_robots.contract.calls import tasks
from collab_robots.contract.calls.common import encode
from collab_robots.contract.pyevm import PyEvm
from collab_robots.contract.runner import Runner
from collab_robots.core.errors import ConfigError
from collab_robots.tangle.handover import roster_of
from collab_robots.tangle.memory import MemoryNetwork
from collab_robots.tangle.order import Order


def outcome(runner):
    """Everything a robot could read of a runner."""
    awards = {
        (key, robot): runner.award_record(key, robot)
        for key in sorted(runner.facts().of('Tasks'))
        for robot in NAMES
    }
    return runner.state_root(), runner.facts().known, runner.receipts, runner.reverted, awards


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 1 << 32))
def test_any_arrival_in_any_batches_is_executing_once(history, seed):
    random = Random(seed)
    arrivals = list(history.entries)
    random.shuffle(arrivals)
    order, runner = Order(), Runner(FLEET)
    for entry in arrivals:
        order.insert(entry)
        if random.random() < 0.4:
            runner.update(order)
            assert len(runner.receipts) == sum(bool(e.record.calls) for e in order.entries)
        if random.random() < 0.2:
            runner.tentative().ask('Fleet', 'roster')
            runner.state_root()
    runner.update(order)
    scratch = execute(order.entries)
    assert outcome(runner) == outcome(scratch)
    assert storage(runner) == storage(scratch)


@given(st.lists(st.tuples(st.sampled_from([b'', *suite().calls]), st.binary(max_size=150))))
@settings(max_examples=60, deadline=None)
def test_no_bytes_can_stop_it(said):
    history = History()
    for index, (head, tail) in enumerate(said):
        history.say(index % 4, 100, head + tail or b'\0')
    runner = execute(history.entries)
    runner.state_root()
    late = history.order()
    runner.update(late)  # undoing them must not fail either


def test_only_what_changed_is_executed(monkeypatch):
    executed = []
    machine = type(evm.make_evm())
    call = machine.call
    monkeypatch.setattr(machine, 'call', lambda *given: executed.append(given[3]) or call(*given))
    history = History()
    for second in range(20):
        history.say(second % 4, 100 + second, tasks.bid(KEY, second))
    order, runner = Order(), Runner(FLEET)
    for entry in (*history.entries[:17], *history.entries[18:]):
        order.insert(entry)
    assert runner.update(order) and len(executed) == 19
    assert not runner.update(order)
    executed.clear()
    order.insert(history.entries[17])
    assert runner.update(order) and executed == [tasks.bid(KEY, cost) for cost in (17, 18, 19)]


def test_heartbeats_change_nothing():
    history = History()
    history.say(0, 100, PROPOSE)
    order, runner = history.order(), Runner(FLEET)
    assert runner.update(order)
    order.insert(history.say(1, 99, past=[]))  # belongs before the call
    order.insert(history.say(2, 101))
    version = runner.version
    runner.update(order)
    root = runner.state_root()
    order.insert(history.say(3, 102))
    assert not runner.update(order)
    assert runner.version >= version and runner.state_root() == root


def test_many_records_need_no_depth():
    history = History()
    for index in range(1500):
        history.say(0, 100, tasks.bid(KEY, index))
    runner = execute(history.entries)
    assert runner.reverted == 0
    order = history.order()
    runner.update(order)  # all of it once more, from the first mark
    assert runner.reverted == 0


def test_award_record_is_the_first_of_an_unbroken_lease():
    history = History()
    history.say(0, 100, PROPOSE, tasks.bid(KEY, 5))
    history.say(1, 100, tasks.bid(KEY, 6))
    runner = execute(history.entries)
    assert runner.award_record(KEY, NAMES[0]) is None
    award = history.say(1, 103, tasks.award(KEY, ADDRESSES[0], 100))
    history.say(0, 104, tasks.award_batch([(KEY, ADDRESSES[0], 100)]))
    history.say(0, 112, tasks.renew(KEY))
    history.say(0, 121, tasks.renew(KEY))
    runner = execute(history.entries)
    assert runner.award_record(KEY, NAMES[0]) == award.id
    assert runner.award_record(KEY, NAMES[1]) is None
    assert runner.award_record(bytes(32), NAMES[0]) is None
    again = history.say(1, 140, tasks.award_batch([(KEY, ADDRESSES[0], 100)]))
    assert execute(history.entries).award_record(KEY, NAMES[0]) == again.id
    history.say(0, 141, tasks.release(KEY))
    assert execute(history.entries).award_record(KEY, NAMES[0]) is None
    with pytest.raises(ConfigError):
        runner.award_record(KEY, 'nobody')


def test_award_record_follows_a_task_that_is_passed_on():
    history = History()
    history.say(0, 100, PROPOSE, tasks.bid(KEY, 5))
    history.say(1, 100, tasks.bid(KEY, 6))
    history.say(1, 103, tasks.award(KEY, ADDRESSES[0], 100))
    passed = history.say(0, 105, tasks.reassign(KEY, ADDRESSES[1]))
    runner = execute(history.entries)
    assert runner.reverted == 0
    assert runner.award_record(KEY, NAMES[0]) is None
    assert runner.award_record(KEY, NAMES[1]) == passed.id


def test_a_receipt_tells_who_is_superseded():
    history = History()
    history.say(0, 100, PROPOSE, tasks.bid(KEY, 5))
    history.say(1, 100, tasks.bid(KEY, 6))
    history.say(0, 103, tasks.award(KEY, ADDRESSES[0], 100))
    late = history.say(1, 104, tasks.award(KEY, ADDRESSES[1], 100), tasks.renew(KEY))
    said = execute(history.entries).receipts[late.id]
    told = f'{NAMES[1]} is superseded by {NAMES[0]} on explore (5, 7) round 0'
    assert [(item.ok, item.events) for item in said] == [(True, (told,))] * 2


def test_a_team_of_ledgers_agrees_on_the_state_after_a_split():
    network = MemoryNetwork(FLEET, seed=5)
    ledgers = [network.start(key) for key in KEYS]
    runners = [Runner(FLEET) for _ in ledgers]
    network.run(4)
    network.split(NAMES[:2], NAMES[2:])
    for robot, ledger in enumerate(ledgers):
        ledger.submit(PROPOSE)
        ledger.submit(tasks.bid(KEY, 1000 + robot))
    network.run(4)
    for ledger in (ledgers[1], ledgers[3]):
        ledger.submit(tasks.award(KEY, ADDRESSES[ledger.index], 1))
    network.run(1)
    ledgers[1].submit(tasks.complete(KEY))
    ledgers[3].submit(tasks.complete(KEY))
    network.run(1)
    for ledger, runner in zip(ledgers, runners, strict=True):
        runner.update(ledger.order)
    roots = [runner.state_root() for runner in runners]
    assert roots[0] == roots[1] != roots[2] == roots[3]
    network.heal()
    network.run(5)
    for ledger, runner in zip(ledgers, runners, strict=True):
        runner.update(ledger.order)
        assert runner.reverted == 0
    assert len({runner.state_root() for runner in runners}) == 1


def decided(history, *batches):
    """
    Return a runner that executed a history, and what it said after each batch became final.

    :param batches: positions where they end.
    """
    runner, order = Runner(FLEET), history.order()
    runner.follow(order)
    said, begin = [], 0
    for end in batches:
        order.finalise(history.entries[begin:end])
        said.append(runner.next_roster(end))
        begin = end
    runner.update(order)
    return runner, said


def joining():
    """Return a history in which three of four vote for a fifth robot, and then all go on."""
    history = History()
    change = (1, 0, 0, 3, b'k' * 32, b'robot_new'.ljust(32, b'\0'))
    for robot in range(3):
        history.say(robot, 100 + robot, encode('vote', change), encode('setCapabilities', robot))
    history.say(3, 103, encode('setCapabilities', 7))
    history.say(0, 104, encode('setCapabilities', 8))
    return history


GROWN = [*roster_of(FLEET), ('robot_new', b'k' * 32, 3)]


def members(deployment):
    return deployment.ask('Fleet', 'size')[0], deployment.ask('Fleet', 'epoch')[0]


def test_a_roster_changes_at_the_end_of_the_batch_with_the_last_vote():
    history = joining()
    for batches, said in [
        ((2, 3, 5), [None, GROWN, None]),
        ((2, 4), [None, GROWN]),
        ((5,), [GROWN]),
        ((1, 2), [None, None]),
    ]:
        runner, found = decided(history, *batches)
        assert found == said
        assert members(runner.tentative()) == (4, 0)  # until the ledger begins anew


def test_who_joins_with_a_name_of_the_fleet_file_gets_another():
    history = History()
    twice = (1, 0, 0, 3, b'k' * 32, FLEET.robots[2].name.encode().ljust(32, b'\0'))
    for robot in range(3):
        history.say(robot, 100 + robot, encode('vote', twice))
    _, (roster,) = decided(history, 3)
    assert roster[4] == (f'{FLEET.robots[2].name}_4', b'k' * 32, 3)


def test_the_state_that_ends_an_epoch_has_it_closed():
    history = joining()
    runner, _ = decided(history, 3)
    before = runner.state_root()
    ended = runner.state_at(3)
    assert runner.state_root() == before
    late, order = Runner(FLEET), Order(3)
    late.restore(3, ended, FLEET.later(1, GROWN))
    late.follow(order)
    assert members(late.tentative()) == (5, 1)
    assert late.state_at(3) == ended
    for entry in history.entries[3:]:
        order.insert(entry)
    order.finalise(history.entries[3:])
    assert late.next_roster(5) is None
    late.update(order)
    assert late.tentative().ask('Fleet', 'capabilities', 0) == (8,)
    new = late.fleet.robots[4]
    assert (new.name, new.address) == (
        'robot_new',
        late.tentative().ask('Fleet', 'addressOf', 4)[0],
    )


def test_an_epoch_ends_in_the_same_state_whenever_its_records_became_final():
    history = joining()
    states = set()
    for batches in [(3,), (1, 3), (2, 3)]:
        runner, _ = decided(history, *batches)
        states.add(runner.state_at(3))
    assert len(states) == 1


def test_what_was_agreed_at_a_height_is_what_all_had_there():
    history = joining()
    runner, _ = decided(history, 2)
    roots = {2: runner.final_root()}
    runner, _ = decided(history, 3)
    before = (runner.state_root(), runner.final_root())
    assert runner.agreed_at(2) == (0, roots[2])
    assert (runner.state_root(), runner.final_root()) == before
    with pytest.raises(LookupError, match='not closed yet'):
        runner.agreed_at(3)  # the votes that end the epoch
    with pytest.raises(LookupError, match='only 0 to 3'):
        runner.agreed_at(4)
    late = Runner(FLEET)
    late.restore(3, runner.state_at(3), FLEET.later(1, GROWN))
    late.follow(Order(3))
    assert late.agreed_at(3) == (1, late.final_root())
    with pytest.raises(LookupError, match='only 3 to 3'):
        late.agreed_at(2)


def test_a_robot_with_a_new_key_has_a_new_place_in_the_ledger():
    history = History()
    rekey = (3, 3, 0, 0, b'k' * 32, bytes(32))
    for robot in range(3):
        history.say(robot, 100 + robot, encode('vote', rekey))
    _, (roster,) = decided(history, 3)
    gone, new = roster[3], roster[4]
    assert gone == (NAMES[3], KEYS[3].public, 0)
    assert new == (NAMES[3], b'k' * 32, 1)


def test_the_final_state_is_asked_in_one_go(monkeypatch):
    history = History()
    history.say(0, 100, PROPOSE, encode('setCapabilities', 1))
    order = history.order()
    order.finalise(history.entries)
    order.insert(history.say(0, 101, encode('setCapabilities', 2)))
    runner = Runner(FLEET)
    runner.update(order)
    root, executed = runner.state_root(), []
    machine = type(evm.make_evm())
    call = machine.call
    monkeypatch.setattr(machine, 'call', lambda *given: executed.append(given[3]) or call(*given))
    with runner.final() as deployment:
        assert deployment.ask('Fleet', 'capabilities', 0) == (1,)
        with runner.final() as again:
            assert again.ask('Fleet', 'capabilities', 0) == (1,)
        assert runner.final_root() != root
        assert deployment.ask('Fleet', 'capabilities', 0) == (1,)
        with pytest.raises(RuntimeError):
            runner.tentative()
        with pytest.raises(RuntimeError):
            runner.update(order)
    assert executed == [encode('setCapabilities', 2)]
    assert runner.tentative().ask('Fleet', 'capabilities', 0) == (2,)
    assert runner.state_root() == root


@settings(max_examples=10, deadline=None)
@given(histories(size=8))
def test_both_machines_have_the_same_state(history):
    runner, slow = Runner(FLEET), Runner(FLEET, PyEvm())
    for one in (runner, slow):
        listed = Listed(history.entries)
        listed.final = len(listed.entries)
        one.update(listed)
    assert outcome(runner) == outcome(slow)
    position = len(history.entries)
    state = runner.state_at(position)
    assert state == slow.state_at(position)
    slow.restore(position, state, FLEET)
    assert slow.final_root() == runner.final_root()


def test_without_pyrevm_it_runs(monkeypatch):
    history = joining()
    expected = decided(history, 3)[0].state_at(3)
    monkeypatch.setattr(evm, 'pyrevm', None)
    assert decided(history, 3)[0].state_at(3) == expected
