"""The runner: executing bit by bit, in any order of arrival, is executing once."""

from random import Random

from contract_history import ADDRESSES, execute, FLEET, History, KEY, KEYS, NAMES, PROPOSE, storage
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from test_merge_safety import histories

from collab_robots.contract import calls, evm
from collab_robots.contract.artifact import artifact
from collab_robots.contract.runner import Runner
from collab_robots.contract.view import View
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.tangle.memory import MemoryNetwork
from collab_robots.tangle.order import Order


def outcome(runner):
    """Everything a robot could read of a runner."""
    view = View(runner)
    awards = {
        (key, robot): runner.award_record(key, robot)
        for key in sorted(runner.facts().tasks)
        for robot in NAMES
    }
    return (
        runner.state_root(),
        runner.receipts,
        runner.reverted,
        awards,
        view.tasks(130 * SECOND),
        view.tiles(),
        view.sightings(),
    )


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 1 << 32))
def test_any_arrival_in_any_batches_is_executing_once(history, seed):
    random = Random(seed)
    arrivals = list(history.entries)
    random.shuffle(arrivals)
    order, runner = Order(), Runner(FLEET)
    view = View(runner)
    for entry in arrivals:
        order.insert(entry)
        if random.random() < 0.4:
            runner.update(order)
            assert len(runner.receipts) == sum(bool(e.record.calls) for e in order.entries)
        if random.random() < 0.2:
            view.tasks(random.randrange(100, 140) * SECOND)
            view.tiles()
            runner.state_root()
    runner.update(order)
    scratch = execute(order.entries)
    assert outcome(runner) == outcome(scratch)
    assert storage(runner) == storage(scratch)
    assert view.tasks(130 * SECOND) == View(scratch).tasks(130 * SECOND)


@given(st.lists(st.tuples(st.sampled_from([b'', *artifact().calls]), st.binary(max_size=150))))
@settings(max_examples=60, deadline=None)
def test_no_bytes_can_stop_it(said):
    history = History()
    for index, (head, tail) in enumerate(said):
        history.say(index % 4, 100, head + tail or b'\0')
    runner = execute(history.entries)
    runner.state_root()
    assert len(View(runner).tasks(100 * SECOND)) <= len(said)
    late = history.order()
    runner.update(late)  # undoing them must not fail either


def test_only_what_changed_is_executed(monkeypatch):
    executed = []
    call = evm.PyrevmEvm.call
    monkeypatch.setattr(
        evm.PyrevmEvm, 'call', lambda *given: executed.append(given[2]) or call(*given)
    )
    history = History()
    for second in range(20):
        history.say(second % 4, 100 + second, calls.bid(KEY, second))
    order, runner = Order(), Runner(FLEET)
    for entry in (*history.entries[:17], *history.entries[18:]):
        order.insert(entry)
    assert runner.update(order) and len(executed) == 19
    assert not runner.update(order)
    executed.clear()
    order.insert(history.entries[17])
    assert runner.update(order) and executed == [calls.bid(KEY, cost) for cost in (17, 18, 19)]


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
        history.say(0, 100, calls.bid(KEY, index))
    runner = execute(history.entries)
    assert runner.reverted == 0
    order = history.order()
    runner.update(order)  # all of it once more, from the first mark
    assert runner.reverted == 0


def test_award_record_is_the_first_of_an_unbroken_lease():
    history = History()
    history.say(0, 100, PROPOSE, calls.bid(KEY, 5))
    history.say(1, 100, calls.bid(KEY, 6))
    runner = execute(history.entries)
    assert runner.award_record(KEY, NAMES[0]) is None
    award = history.say(1, 103, calls.award(KEY, ADDRESSES[0]))
    history.say(0, 104, calls.award(KEY, ADDRESSES[0]))
    history.say(0, 112, calls.renew(KEY))
    history.say(0, 121, calls.renew(KEY))
    runner = execute(history.entries)
    assert runner.award_record(KEY, NAMES[0]) == award.id
    assert runner.award_record(KEY, NAMES[1]) is None
    assert runner.award_record(bytes(32), NAMES[0]) is None
    again = history.say(1, 140, calls.award(KEY, ADDRESSES[0]))
    assert execute(history.entries).award_record(KEY, NAMES[0]) == again.id
    history.say(0, 141, calls.release(KEY))
    assert execute(history.entries).award_record(KEY, NAMES[0]) is None
    with pytest.raises(ConfigError):
        runner.award_record(KEY, 'nobody')


def test_a_team_of_ledgers_agrees_on_the_state_after_a_split():
    network = MemoryNetwork(FLEET, seed=5)
    ledgers = [network.start(key) for key in KEYS]
    runners = [Runner(FLEET) for _ in ledgers]
    network.run(4)
    network.split(NAMES[:2], NAMES[2:])
    for robot, ledger in enumerate(ledgers):
        ledger.submit(PROPOSE)
        ledger.submit(calls.bid(KEY, 1000 + robot))
    network.run(3)
    for ledger in (ledgers[1], ledgers[3]):
        ledger.submit(calls.award(KEY, ADDRESSES[ledger.index]))
    network.run(1)
    ledgers[1].submit(calls.complete(KEY))
    ledgers[3].submit(calls.complete(KEY))
    network.run(1)
    for ledger, runner in zip(ledgers, runners, strict=True):
        runner.update(ledger.order)
    roots = [runner.state_root() for runner in runners]
    assert roots[0] == roots[1] != roots[2] == roots[3]
    network.heal()
    network.run(5)
    for ledger, runner in zip(ledgers, runners, strict=True):
        runner.update(ledger.order)
    assert len({runner.state_root() for runner in runners}) == 1
    (task,) = View(runners[0]).tasks(network.clock.now_ns())
    assert sorted(task.completed) == [NAMES[1], NAMES[3]]


def test_without_a_machine_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(evm, 'pyrevm', None)
    with pytest.raises(ConfigError, match='pyrevm'):
        Runner(FLEET)
