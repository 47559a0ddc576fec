"""The rules of tasks, tiles and sightings, told as short histories."""

from contract_history import ADDRESSES, execute, FLEET, History, KEY, NAMES, PROPOSE
from eth_abi import encode
from eth_utils import keccak
import pytest

from collab_robots.contract import calls, facts, notes, runner, view
from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import Kind
from collab_robots.contract.evm import make_evm
from collab_robots.contract.runner import Runner
from collab_robots.contract.view import TaskState, View
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import CallError
from collab_robots.tangle.memory import make_team

A, B, C, D = range(4)


def auction(start=100):
    """A proposes; A, B and C bid 3, 1 and 2 m; A awards the task to B."""
    history = History()
    history.say(A, start, PROPOSE, calls.bid(KEY, 3000))
    history.say(B, start + 0.5, calls.bid(KEY, 1000))
    history.say(C, start + 0.6, calls.bid(KEY, 2000))
    history.say(A, start + 2, calls.award(KEY, ADDRESSES[B]))
    return history


def task_at(history, seconds):
    """Return the one task, as Python judges it; the contract's own views must judge the same."""
    executed = execute(history.order().entries)
    (task,) = View(executed).tasks(round(seconds * SECOND))
    ask = task.key + int(seconds).to_bytes(32, 'big')
    state = executed._evm.read(keccak(text='stateOf(bytes32,uint40)')[:4] + ask)
    assert state[-1] == task.state + 1
    if task.state != TaskState.DONE:
        holder = executed._evm.read(keccak(text='holder(bytes32,uint40)')[:4] + ask)[-20:]
        assert FLEET.name_by_address.get(holder) == task.holder
    return task


def receipts(history):
    executed = execute(history.order().entries)
    return [receipt for entry in history.entries for receipt in executed.receipts[entry.id]]


def test_constants_agree_with_the_contract():
    machine = execute([])._evm
    for name, value in {
        'BIDDING': view.BIDDING_S,
        'LEASE': notes.LEASE_S,
        'OPEN_FOR': view.OPEN_FOR_S,
    }.items():
        assert int.from_bytes(machine.read(keccak(text=f'{name}()')[:4]), 'big') == value


def test_an_auction_from_proposal_to_completion():
    history = auction()
    task = task_at(history, 103)
    assert (task.key, task.kind, task.cell, task.round) == (KEY, Kind.EXPLORE, (5, 7), 0)
    assert (task.state, task.holder) == (TaskState.HELD, NAMES[B])
    assert task.bids == {NAMES[A]: 3.0, NAMES[B]: 1.0, NAMES[C]: 2.0}
    assert (task.proposed_at, task.award_from) == (100 * SECOND, 102 * SECOND)
    assert task.lease_until == 112 * SECOND
    history.say(B, 109, calls.renew(KEY))
    assert task_at(history, 113).holder == NAMES[B]
    history.say(B, 115, calls.complete(KEY))
    history.say(B, 116, calls.complete(KEY))  # the first time counts
    task = task_at(history, 1000)
    assert (task.state, task.holder) == (TaskState.DONE, None)
    assert task.completed == {NAMES[B]: 115 * SECOND}


def test_an_award_before_the_bidding_is_over_has_no_effect():
    history = History()
    history.say(A, 100.9, PROPOSE, calls.bid(KEY, 1))
    history.say(A, 101.9, calls.award(KEY, ADDRESSES[A]))
    task = task_at(history, 102)
    assert task.state == TaskState.OPEN
    history.say(A, task.award_from / SECOND, calls.award(KEY, ADDRESSES[A]))
    assert task_at(history, 102).holder == NAMES[A]


def test_an_award_to_a_robot_that_has_not_bid_has_no_effect():
    history = History()
    history.say(A, 100, PROPOSE)
    history.say(A, 105, calls.award(KEY, ADDRESSES[B]))
    assert task_at(history, 106).state == TaskState.OPEN


def test_a_bid_can_be_changed_even_within_a_second():
    history = History()
    history.say(A, 100, PROPOSE, calls.bid(KEY, 3000), calls.bid(KEY, 4000))
    assert task_at(history, 100).bids == {NAMES[A]: 4.0}


def test_a_dead_robots_task_comes_back_and_its_bid_is_used_up():
    history = auction()
    assert task_at(history, 111.9).holder == NAMES[B]
    task = task_at(history, 112)
    assert (task.state, task.holder, task.lease_until) == (TaskState.OPEN, None, 0)
    assert sorted(task.bids) == [NAMES[A], NAMES[C]]
    assert task_at(history, 132).state == TaskState.OPEN  # 20 s from the end of the lease
    assert task_at(history, 133).state == TaskState.STALE
    history.say(A, 113, calls.award(KEY, ADDRESSES[C]))
    history.say(C, 114, calls.complete(KEY))
    assert task_at(history, 115).completed == {NAMES[C]: 114 * SECOND}


def test_a_released_task_is_open_again_and_its_robot_may_bid_again():
    history = auction()
    history.say(B, 105, calls.release(KEY))
    task = task_at(history, 105)
    assert task.state == TaskState.OPEN and NAMES[B] not in task.bids
    history.say(B, 106, calls.bid(KEY, 500))
    assert task_at(history, 106).bids[NAMES[B]] == 0.5
    history.say(B, 107, calls.award(KEY, ADDRESSES[B]))
    assert task_at(history, 107).holder == NAMES[B]


def test_a_task_nobody_wants_goes_stale_and_proposing_again_revives_it():
    history = History()
    history.say(A, 100, PROPOSE)
    assert task_at(history, 120.9).state == TaskState.OPEN
    assert task_at(history, 121).state == TaskState.STALE
    history.say(B, 150, PROPOSE)
    task = task_at(history, 170)
    assert (task.state, task.proposed_at) == (TaskState.OPEN, 100 * SECOND)


def test_renewing_without_an_award_gives_nothing():
    history = History()
    history.say(A, 100, PROPOSE, calls.bid(KEY, 1))
    history.say(A, 103, calls.renew(KEY))
    assert task_at(history, 103).state == TaskState.OPEN


def test_two_leases_after_a_split_have_one_holder_and_the_loser_is_told():
    history = auction()
    both = list(history.dag.tips.values())
    left = [history.say(B, 108, calls.renew(KEY), past=both)]
    history.say(C, 113, calls.award(KEY, ADDRESSES[C]), past=both)
    history.say(B, 114, calls.renew(KEY), past=left)
    task = task_at(history, 115)
    assert task.holder == NAMES[B]  # 1 m is less than 2 m
    told = [words for receipt in receipts(history) for words in receipt.events]
    assert told[0] == f'{NAMES[C]} is superseded by {NAMES[B]} on explore (5, 7) round 0'


def test_equal_costs_go_to_the_lowest_address():
    history = History()
    history.say(A, 100, PROPOSE)
    for robot in (A, B, C, D):
        history.say(robot, 100, calls.bid(KEY, 7))
    for robot in (A, B, C, D):
        history.say(robot, 102, calls.award(KEY, ADDRESSES[robot]))
    assert task_at(history, 103).holder == NAMES[ADDRESSES.index(min(ADDRESSES))]


def test_work_of_both_sides_of_a_split_counts():
    history = auction()
    both = list(history.dag.tips.values())
    history.say(B, 104, calls.complete(KEY), past=both)
    history.say(C, 113, calls.award(KEY, ADDRESSES[C]), past=both)
    history.say(C, 114, calls.complete(KEY))
    task = task_at(history, 120)
    assert task.state == TaskState.DONE
    assert task.completed == {NAMES[B]: 104 * SECOND, NAMES[C]: 114 * SECOND}


def test_the_next_round_appears_when_the_one_before_is_done():
    history = auction()
    again = calls.propose(Kind.EXPLORE, 5, 7, 1)
    history.say(A, 103, again)
    assert [task.round for task in View(execute(history.entries)).tasks(105 * SECOND)] == [0]
    history.say(B, 104, calls.complete(KEY))
    tasks = View(execute(history.entries)).tasks(105 * SECOND)
    assert [(task.round, task.state) for task in tasks] == [
        (0, TaskState.DONE),
        (1, TaskState.OPEN),
    ]


def test_what_is_known_before_the_proposal_counts_once_it_arrives():
    history = History()
    history.say(A, 100, calls.bid(KEY, 5))
    history.say(A, 105, calls.award(KEY, ADDRESSES[A]))
    assert View(execute(history.entries)).tasks(106 * SECOND) == []
    history.say(B, 90, PROPOSE, past=[])
    assert task_at(history, 106).holder == NAMES[A]


def test_time_zero_is_a_time():
    history = History()
    history.say(A, 0, PROPOSE, calls.bid(KEY, 5), calls.complete(KEY))
    assert task_at(history, 0).completed == {NAMES[A]: 0}


@pytest.mark.parametrize(
    ('call', 'reason'),
    [
        (calls.renew(KEY), 'robot_00 has not bid on 0x'),
        (calls.complete(KEY), 'robot_00 has not bid on 0x'),
        (calls.release(KEY), 'robot_00 has not bid on 0x'),
        (calls.award(KEY, b'\x07' * 20), '0x07070707 is not in the fleet'),
        (calls.bid(KEY, 1)[:-1], 'malformed arguments'),
        (calls.bid(KEY, 1)[:40] + b'\xff' * 28, 'malformed arguments'),
        (calls.submit_tiles([(1, 2, b'd' * 32)])[:-40], 'malformed arguments'),
        (b'\x00', 'the contract has no call 0x00000000'),
        (b'\xde\xad\xbe\xef' + bytes(64), 'the contract has no call 0xdeadbeef'),
        (
            keccak(text='propose(uint8,int32,int32,uint32)')[:4] + encode(['uint8'] * 4, [9] * 4),
            'there is no task kind 9',
        ),
        (
            keccak(text='reportSighting(uint16,uint16,int32,int32)')[:4]
            + encode(['uint16'] * 4, [1, 1001, 0, 0]),
            'confidence 1001 is above 1000 per mille',
        ),
        (
            keccak(text='submitTiles((int16,int16,bytes32)[])')[:4]
            + encode(['(int16,int16,bytes32)[]'], [[]]),
            '0 tiles in one call, at least 1 and at most 32',
        ),
        (
            keccak(text='submitTiles((int16,int16,bytes32)[])')[:4]
            + encode(['(int16,int16,bytes32)[]'], [[(1, 2, b'd' * 32)] * 33]),
            '33 tiles in one call, at least 1 and at most 32',
        ),
        (
            keccak(text='submitTiles((int16,int16,bytes32)[])')[:4]
            + encode(['(int16,int16,bytes32)[]'], [[(3, 3, b'd' * 32), (1, 2, bytes(32))]]),
            'the digest of tile (1, 2) is all zeros',
        ),
    ],
)
def test_a_reverted_call_says_why_and_changes_nothing(call, reason):
    history = History()
    history.say(A, 100, call)
    executed = execute(history.entries)
    (receipt,) = executed.receipts[history.entries[0].id]
    assert not receipt.ok and receipt.reason.startswith(reason)
    assert executed.reverted == 1
    assert executed.state_root() == execute([]).state_root()


def test_only_members_may_call():
    executed = execute([])
    result = executed._evm.call(b'\x07' * 20, PROPOSE, 100, runner.GAS_LIMIT)
    assert calls.describe_error(result.output) == '0x07070707 is not in the fleet'


@pytest.mark.parametrize('roster', [[], ADDRESSES * 17, [ADDRESSES[0], ADDRESSES[0]]])
def test_a_bad_roster_cannot_be_deployed(roster):
    code = artifact().bytecode + encode(['address[]'], [['0x' + one.hex() for one in roster]])
    with pytest.raises(CallError):
        make_evm().deploy(code)


def test_tiles_keep_the_latest_digest_of_each_owner():
    history = History()
    history.say(A, 100, calls.submit_tiles([(1, -2, b'a' * 32), (3, 4, b'b' * 32)]))
    history.say(B, 100, calls.submit_tiles([(1, -2, b'c' * 32)]))
    history.say(A, 100, calls.submit_tiles([(1, -2, b'd' * 32)]))
    assert View(execute(history.entries)).tiles() == {
        (NAMES[A], 1, -2): b'd' * 32,
        (NAMES[A], 3, 4): b'b' * 32,
        (NAMES[B], 1, -2): b'c' * 32,
    }


def test_a_sighting_is_there_once_with_its_first_time():
    history = History()
    history.say(A, 100, calls.report_sighting(281, 900, -1500, 20))
    history.say(A, 200, calls.report_sighting(281, 900, -1500, 20))
    history.say(B, 150, calls.report_sighting(281, 900, -1500, 20), past=[])
    assert View(execute(history.entries)).sightings() == [
        view.Sighting(NAMES[A], 281, 0.9, (-1.5, 0.02), 100 * SECOND),
        view.Sighting(NAMES[B], 281, 0.9, (-1.5, 0.02), 150 * SECOND),
    ]


def test_lists_longer_than_a_page():
    history = History()
    count = 2 * facts.PAGE + 3
    for index in range(count):
        history.say(
            A,
            100,
            calls.report_sighting(1, 2, index, 0),
            calls.submit_tiles([(index, 0, b'a' * 32)]),
        )
    seen = View(execute(history.entries))
    assert [round(item.position[0] * 1000) for item in seen.sightings()] == list(range(count))
    assert sorted(seen.tiles()) == [(NAMES[A], index, 0) for index in range(count)]


def test_the_dearest_calls_stay_well_below_the_gas_limit():
    fleet, _ = make_team(64)
    executed = Runner(fleet)
    spent = []

    def call(robot, data, time):
        result = executed._evm.call(fleet.robots[robot].address, data, time, runner.GAS_LIMIT)
        assert result.ok
        spent.append(result.gas)

    call(0, PROPOSE, 100)
    for robot in range(64):
        call(robot, calls.bid(KEY, 1000 + robot), 100)
    for robot in range(64):
        call(0, calls.award(KEY, fleet.robots[robot].address), 103)
    call(0, calls.submit_tiles([(x, 1, b'a' * 32) for x in range(calls.MAX_TILES)]), 104)
    executed._evm = executed._evm.with_storage(executed._evm.dump())  # nothing is cheap again
    call(0, calls.award(KEY, fleet.robots[63].address), 104)
    assert max(spent) < runner.GAS_LIMIT * 0.7


def test_gas_runs_out_without_a_trace(monkeypatch):
    monkeypatch.setattr(runner, 'GAS_LIMIT', 40_000)
    history = History()
    history.say(A, 100, PROPOSE)
    executed = execute(history.entries)
    (receipt,) = executed.receipts[history.entries[0].id]
    assert not receipt.ok and receipt.reason == 'stopped: OutOfGas, gas limit 40000'
    assert executed.state_root() == execute([]).state_root()


def test_the_root_names_the_fleet():
    other, _ = make_team(4, 'another')
    assert Runner(other).state_root() != Runner(FLEET).state_root()
