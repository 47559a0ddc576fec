"""The final state, the state that snapshots carry, and what equivocation makes void."""

from random import Random

from contract_history import (
    ADDRESSES,
    any_call,
    execute,
    FLEET,
    gaps,
    History,
    KEY,
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
from collab_robots.contract.calls import maps, tasks, words
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.tangle.order import key_of, Order
from collab_robots.tangle.record import LEDGER_CALL


@st.composite
def forked_histories(draw, size=24):
    """Draw a causal history in which some robots equivocate."""
    history = History()
    liars = draw(st.sets(st.integers(0, 3), max_size=2))
    for _ in range(draw(st.integers(1, size))):
        robot = draw(st.integers(0, 3))
        mine = [entry for entry in history.entries if entry.issuer == robot]
        own = history.dag.newest(robot)
        if robot in liars and mine:
            own = draw(st.sampled_from([None, *mine]))
        heard = [entry for entry in history.entries if entry.issuer != robot]
        past = draw(st.lists(st.sampled_from(heard), max_size=3)) if heard else []
        newest = [entry.record.issued_at / SECOND for entry in [*past, own] if entry]
        said = draw(st.lists(any_call | st.just(LEDGER_CALL + b'word'), max_size=3))
        try:
            history.say(robot, max(newest, default=100) + draw(gaps), *said, past=past, own=own)
        except RefusedError:
            continue  # its past holds both branches
    return history


class Robot:
    """A runner and its order, with every final entry that ever was in it."""

    def __init__(self, base=0, digest=bytes(32), before=()):
        self.order, self.runner = Order(base, digest), Runner(FLEET)
        self.finals = list(before)

    def finalise(self, entry):
        """Make an entry and its past final, as a committed leader does."""
        past, stack = set(), [entry]
        tentative = {item.id: item for item in self.order.tentative}
        while stack:
            item = stack.pop()
            if item not in past and item.id in tentative:
                past.add(item)
                stack += [
                    tentative[parent] for parent in item.record.parents if parent in tentative
                ]
        found = sorted(past, key=key_of)
        self.order.finalise(found)
        self.finals += found

    def entries(self):
        return [*self.finals, *self.order.tentative]

    def join(self):
        """Return a robot that joins late, with this one's state instead of the records."""
        state = self.runner.state_at(self.order.final)
        other = Robot(self.order.final, self.order.final_digest, self.finals)
        other.runner.restore(self.order.final, state, FLEET)
        for entry in self.order.tentative:
            other.order.insert(entry)
        return other


def readable(runner):
    """Everything that both states and a snapshot of the final one say."""
    return (
        runner.state_root(),
        runner.final_root(),
        storage(runner),
        runner._execution._notes.heads,
        {
            (key, robot): runner.award_record(key, robot)
            for key in sorted(runner.facts().of('Tasks'))
            for robot in NAMES
        },
        runner.facts().known,
        runner.final_facts().known,
        roster(runner, final=True),
        runner.final_root(),
        runner.state_at(runner._final),
        roster(runner),
    )


def roster(runner, final=False):
    """Ask one view of one state."""
    if not final:
        return runner.tentative().ask('Fleet', 'roster')
    with runner.final() as deployment:
        return deployment.ask('Fleet', 'roster')


def holder(runner, time, final=False):
    """Return who holds the one task; its fact says of whom there are awards."""
    if not final:
        return judged(runner.tentative(), time)
    with runner.final() as deployment:
        return judged(deployment, time)


def judged(deployment, time):
    (judgement,) = deployment.ask('Tasks', 'judge', KEY, time)
    return NAMES[judgement[2]] if judgement[3] else None


@settings(max_examples=60, deadline=None)
@given(forked_histories(), st.integers(0, 1 << 32))
def test_both_states_are_those_of_executing_once(history, seed):
    random = Random(seed)
    robot = Robot()
    marks = []  # positions whose state was asked for
    arrivals = history.entries  # parents first, as they become solid
    for entry in arrivals:
        robot.order.insert(entry)
        act = random.random()
        if act < 0.3:
            robot.runner.update(robot.order)
        if act < 0.2:
            roster(robot.runner, final=random.random() < 0.5)
        if 0.2 < act < 0.5 and robot.order.tentative:
            robot.finalise(random.choice(robot.order.tentative))
            if act < 0.3:
                robot.runner.final_root()
        if 0.5 < act < 0.65:
            robot.runner.update(robot.order)
            robot.runner.state_at(robot.order.final)
            marks.append(robot.order.final)
        if 0.65 < act < 0.75 and marks:
            robot.order.prune(max(robot.order.base, random.choice(marks)))
        if 0.75 < act < 0.8:
            robot.runner.update(robot.order)
            robot, marks = robot.join(), [robot.order.final]
    robot.runner.update(robot.order)
    scratch = Runner(FLEET)
    listed = Listed(robot.entries())
    listed.final = len(robot.finals)
    scratch.update(listed)
    expected = readable(scratch)
    assert readable(robot.runner) == expected
    assert expected[1] == execute(robot.finals).state_root()
    held = {entry.id for entry in robot.order.entries}
    assert robot.runner.receipts.keys() == held & scratch.receipts.keys()
    assert robot.runner.receipts == {
        key: made for key, made in scratch.receipts.items() if key in held
    }


def equivocation():
    """Let A bid twice with one number, and go on with the second; B goes on with both."""
    history = History()
    first = history.say(0, 100, PROPOSE)
    history.say(0, 102, tasks.bid(KEY, 1))
    second = history.say(0, 101, tasks.bid(KEY, 2), past=[first], own=first)
    history.say(0, 103, tasks.bid(KEY, 3), past=[second], own=second)
    return history


def cost(runner):
    """Return the rank of the only bid."""
    (judgement,) = runner.tentative().ask('Tasks', 'judge', KEY, 104)
    (opinion,) = judgement[-1]
    return opinion[2]


def test_records_after_an_equivocation_are_void():
    history = equivocation()
    first, one, other, last = history.entries
    runner = execute([first, one, other, last])
    assert [runner.receipts[item.id][0].ok for item in history.entries] == [
        True,
        True,
        False,
        False,
    ]
    (receipt,) = runner.receipts[other.id]
    assert receipt.call == 'bid'
    assert receipt.reason == f'void: {NAMES[0]} signed two records with one number'
    assert runner.reverted == 2
    assert cost(runner) == 1
    runner = execute([first, other, last, one])
    assert cost(runner) == 3
    assert [runner.receipts[item.id][0].ok for item in history.entries] == [
        True,
        False,
        True,
        True,
    ]


def test_what_is_void_is_undone_with_the_order():
    history = equivocation()
    first, one, other, last = history.entries
    order, runner = Order(), Runner(FLEET)
    order.insert(first)
    order.insert(one)
    runner.update(order)
    assert runner.receipts[one.id][0].ok
    order.insert(other)  # is earlier: now that one counts and this one does not
    order.insert(last)
    runner.update(order)
    assert not runner.receipts[one.id][0].ok
    assert runner.receipts[other.id][0].ok
    assert not runner.receipts[last.id][0].ok  # after the one that proves it
    order.finalise([first, one])  # the final order decides
    runner.update(order)
    assert runner.receipts[one.id][0].ok
    assert not runner.receipts[other.id][0].ok


def test_a_snapshot_says_who_is_void():
    history = equivocation()
    order = history.order()
    order.finalise(history.entries[:3])
    runner, late = Runner(FLEET), Runner(FLEET)
    runner.update(order)
    late.restore(3, runner.state_at(3), FLEET)
    order.prune(3)
    again = Order(3, order.final_digest)
    again.insert(history.entries[3])
    late.update(again)
    assert not late.receipts[history.entries[3].id][0].ok
    assert late.state_root() == runner.state_root()


def split():
    """Return an order whose tentative part undoes, in the order, what the final part decided."""
    history = History()
    history.say(0, 100, PROPOSE, tasks.bid(KEY, 3000))
    history.say(1, 100, tasks.bid(KEY, 1000))
    history.say(0, 103, tasks.award(KEY, ADDRESSES[0], 100))
    order = history.order()
    order.finalise(history.entries)
    history.say(1, 104, tasks.award(KEY, ADDRESSES[1], 100))
    order.insert(history.entries[-1])
    return history, order


def test_final_and_tentative_are_two_states():
    history, order = split()
    runner = Runner(FLEET)
    runner.update(order)
    assert holder(runner, 105) == NAMES[1]
    assert holder(runner, 105, final=True) == NAMES[0]
    assert runner.final_root() == execute(history.entries[:3]).state_root()
    assert runner.state_root() == execute(history.entries).state_root() != runner.final_root()
    order.finalise(history.entries[3:])
    runner.update(order)
    assert holder(runner, 105, final=True) == NAMES[1]
    assert runner.final_root() == runner.state_root()


def test_a_long_tentative_tail_is_executed_once(monkeypatch):
    history, order = split()
    runner = Runner(FLEET)
    executed = []
    machine = type(evm.make_evm())
    call = machine.call
    monkeypatch.setattr(machine, 'call', lambda *given: executed.append(given[3]) or call(*given))
    for second in range(200):
        order.insert(history.say(2, 110 + second, tasks.bid(KEY, second)))
        runner.update(order)
        runner.final_root()
    assert len(executed) == 5 + 200 + 2  # the first read runs the tail again: of two records
    runner.state_root()
    root = runner.final_root()
    executed.clear()
    order.finalise(history.entries[3:10])
    runner.update(order)
    assert not executed
    assert runner.final_root() != root
    assert len(executed) == 194


def test_ledger_calls_and_unknown_ones_never_reach_the_machine(monkeypatch):
    executed = []
    machine = type(evm.make_evm())
    call = machine.call
    monkeypatch.setattr(machine, 'call', lambda *given: executed.append(given[3]) or call(*given))
    history = History()
    entry = history.say(
        0, 100, LEDGER_CALL, LEDGER_CALL + b'attest', b'\0\0\0', b'\1\2\3\4\5', PROPOSE
    )
    runner = execute([entry])
    assert executed == [PROPOSE]
    said = runner.receipts[entry.id]
    assert [(item.call, item.ok) for item in said] == [
        ('ledger', True),
        ('ledger', True),
        ('unknown', False),
        ('unknown', False),
        ('propose', True),
    ]
    assert said[2].reason == 'no contract has a call 0x000000'
    assert words.describe(LEDGER_CALL + b'attest') == 'for the ledger, 6 bytes'
    only = history.say(1, 100, LEDGER_CALL)
    before = runner.version
    order = Order()
    order.insert(only)
    other = Runner(FLEET)
    other.update(order)
    assert other.version == 0 and before > 0


def test_views_of_the_contract_cannot_be_called():
    """What they cost depends on what was read before, so robots would disagree on who ran out."""
    history = History()
    page = suite().contracts['Fleet'].functions['roster'].encode()
    runner = execute([history.say(0, 100, page)])
    assert not runner.receipts[history.entries[0].id][0].ok


def test_the_machine_goes_on_from_dumped_storage_as_if_it_were_the_same():
    history, random = History(), Random(3)
    for second in range(120):
        history.say(
            second % 4,
            100 + second,
            tasks.propose(Kind.EXPLORE, random.randrange(6), 0, random.randrange(3)),
            tasks.bid(KEY, second),
            tasks.award(KEY, random.choice(ADDRESSES), 100),
            maps.submit_tiles([(random.randrange(9), 1, random.randbytes(32))]),
            maps.report_sighting(random.randrange(5), 900, 1, 2),
        )
    runner, dumped = Runner(FLEET), Runner(FLEET)
    runner.update(Listed(history.entries[:60]))
    one = runner.tentative()
    two = dumped.tentative().with_storage(one.evm.dump())
    assert two.evm.dump() == one.evm.dump() != storage(Runner(FLEET))
    for entry in history.entries[60:]:
        for data in entry.record.calls:
            said = ADDRESSES[entry.issuer], data, entry.record.issued_at // SECOND
            here, there = one.call(*said), two.call(*said)
            assert here[:3] == there[:3]
            if here.ok:
                assert one.evm.logs() == two.evm.logs()
        mark = two.evm.mark()
        assert two.call(ADDRESSES[0], maps.report_sighting(7, 900, 1, 2), 10).ok
        two.evm.rollback(mark)
    assert two.evm.dump() == one.evm.dump() == storage(execute(history.entries))


def test_an_award_is_remembered_across_a_snapshot():
    history, order = split()
    order.finalise(history.entries[3:])
    runner, late = Runner(FLEET), Runner(FLEET)
    runner.update(order)
    state = runner.state_at(4)
    late.restore(4, state, FLEET)
    order.prune(4)
    runner.update(order)
    for one in (runner, late):
        assert one.award_record(KEY, NAMES[1]) == history.entries[3].id
        assert one.receipts == {}
        assert one.state_at(4) == state
        assert holder(one, 105, final=True) == NAMES[1]


def test_what_is_gone_cannot_be_returned_to():
    _, order = split()
    runner = Runner(FLEET)
    with pytest.raises(LookupError):
        runner.state_at(1)
    runner.update(order)
    runner.state_at(2)
    runner.state_at(3)
    for position in (2, 4, -1):
        with pytest.raises(LookupError):
            runner.state_at(position)
    order.prune(3)
    with pytest.raises(LookupError, match='pruned'):
        Runner(FLEET).update(order)
