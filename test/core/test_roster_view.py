"""Calls of Fleet and what its view makes of them, through a runner."""

from contract_history import ADDRESSES, finals, FLEET, History, NAMES
from maps_fleet import EMPTY, LIE
import pytest

from collab_robots.contract.calls import fleet, maps, words
from collab_robots.contract.calls.common import encode
from collab_robots.contract.calls.fleet import Capability, Change, ChangeKind
from collab_robots.contract.views.roster import Obstacle, RosterView, Standing
from collab_robots.core.errors import CallError
from collab_robots.core.identity import address

A, B, C, D = range(4)
KEY, OTHER_KEY = b'k' * 32, b'l' * 32
SCOUT = fleet.join('scout', KEY, 2)


def run(history, *epochs, final=None):
    """Return a runner that executed a history, with epochs that end after so many records."""
    return finals(history.entries, max(epochs, default=0) if final is None else final, epochs)


def reasons(history, *epochs):
    """Return what became of the calls of the last record."""
    runner = run(history, *epochs)
    return [receipt.reason for receipt in runner.receipts[history.entries[-1].id]]


@pytest.mark.parametrize(
    ('make', 'arguments'),
    [
        (fleet.join, ('Scout', KEY, 1)),
        (fleet.join, ('', KEY, 1)),
        (fleet.join, ('a' * 33, KEY, 1)),
        (fleet.join, ('scout\n', KEY, 1)),
        (fleet.join, ('scout', KEY[:-1], 1)),
        (fleet.join, ('scout', bytes(32), 1)),
        (fleet.join, ('scout', KEY, 0)),
        (fleet.join, ('scout', KEY, fleet.MAX_WEIGHT + 1)),
        (fleet.leave, (64, 0)),
        (fleet.leave, (-1, 0)),
        (fleet.rekey, (0, 0, KEY + b'k')),
        (fleet.reweigh, (0, 0, 0)),
        (fleet.vote, (fleet.leave(0, -1),)),
        (fleet.vote, (fleet.reinstate(0, 1 << 32),)),
        (fleet.withdraw, (KEY[:-1],)),
        (fleet.register_signer, (KEY,)),
        (fleet.set_capabilities, (1 << 32,)),
    ],
)
def test_calls_that_the_contract_would_refuse_are_not_made(make, arguments):
    with pytest.raises(CallError):
        make(*arguments)


def test_calls_in_words():
    said = {
        fleet.vote(SCOUT): 'vote to let scout join with weight 2',
        fleet.vote(fleet.leave(3, 0)): 'vote that robot 3 leaves',
        fleet.vote(fleet.rekey(3, 1, KEY)): 'vote that robot 3 has another key',
        fleet.vote(fleet.reweigh(3, 1, 7)): 'vote that robot 3 has weight 7',
        fleet.vote(fleet.reinstate(3, 1)): 'vote that robot 3 is reinstated',
        fleet.withdraw(KEY): 'withdraw the vote for 0x6b6b6b6b',
        fleet.set_capabilities(Capability.LIDAR | Capability.INFERENCE): 'can do 1, 3',
    }
    assert [words.describe(data) for data in said] == list(said.values())


def test_the_roster_of_the_beginning_is_the_fleet_file():
    roster = RosterView(run(History())).roster()
    assert roster.epoch == 0 and roster.active == roster.robots
    for robot, member in zip(roster.robots, FLEET.robots, strict=True):
        assert (robot.name, robot.key, robot.address, robot.weight) == (
            member.name,
            member.key,
            member.address,
            member.weight,
        )
        assert (robot.standing, robot.signer) == (Standing.ACTIVE, b'')
    assert roster.names == dict(zip(ADDRESSES, NAMES, strict=True))
    assert roster.named(0b1010) == (NAMES[B], NAMES[D])


def test_a_robot_joins_once_two_thirds_said_so():
    history = History()
    for robot in (A, B):
        history.say(robot, 100, fleet.vote(SCOUT))
    (pending,) = RosterView(run(history)).pending()
    assert pending.change == SCOUT and pending.id == fleet.change_id(SCOUT)
    assert (pending.voters, pending.weight, pending.needed) == ((NAMES[A], NAMES[B]), 2, 3)
    assert (pending.missing, pending.obstacle) == (1, Obstacle.NONE)
    assert pending.explain() == (
        'vote to let scout join with weight 2: robot_00, robot_01; weight 2 of 3, 1 missing'
    )
    history.say(C, 101, fleet.vote(SCOUT))
    (pending,) = RosterView(run(history)).pending()
    assert pending.missing == 0 and pending.explain().endswith('made when the epoch is closed')
    runner = run(history, 3)
    for final in (False, True):
        view = RosterView(runner, final)
        assert view.pending() == () and view.roster().epoch == 1
        scout = view.roster().robots[4]
        assert (scout.name, scout.key, scout.address) == ('scout', KEY, address(KEY))
        assert (scout.weight, scout.standing) == (2, Standing.ACTIVE)


def test_the_final_state_has_only_final_votes():
    history = History()
    history.say(A, 100, fleet.vote(SCOUT))
    history.say(B, 100, fleet.vote(SCOUT))
    runner = run(history, final=1)
    assert RosterView(runner, final=True).pending()[0].voters == (NAMES[A],)
    view = RosterView(runner)
    assert view.pending()[0].voters == (NAMES[A], NAMES[B])
    assert view.pending() is view.pending() and view.roster() is view.roster()


def test_a_name_of_the_beginning_gets_the_index_behind_it():
    history = History()
    long = 'z' * 32
    for robot in (A, B, C):
        history.say(
            robot,
            100,
            *(
                fleet.vote(fleet.join(name, bytes([number]) * 32))
                for number, name in enumerate((NAMES[A], f'{NAMES[A]}_4', long), 1)
            ),
        )
    robots = RosterView(run(history, 3)).roster().robots
    names = {robot.key[0]: robot.name for robot in robots[4:]}
    assert names[1].startswith(NAMES[A]) and names[2].startswith(f'{NAMES[A]}_4')
    assert names[3] == long and len({robot.name for robot in robots}) == 7


def test_a_lie_expels_and_two_thirds_of_the_rest_reinstate():
    history = History()
    history.say(D, 100, maps.submit_sketch(0, 0, *LIE), fleet.vote(SCOUT))
    for robot in (A, B, C):
        history.say(robot, 101, maps.submit_sketch(0, 0, *EMPTY))
    history.say(A, 102, fleet.vote(SCOUT))
    (pending,) = RosterView(run(history)).pending()
    assert pending.voters == (NAMES[A],)  # a convicted robot's vote does not count
    assert RosterView(run(history)).roster().robots[D].standing is Standing.ACTIVE
    robot = RosterView(run(history, 5)).roster().robots[D]
    assert (robot.standing, robot.weight, robot.revision) == (Standing.EXPELLED, 1, 1)
    history.say(D, 103, fleet.vote(SCOUT))
    assert reasons(history, 5) == ['robot_03 is expelled']
    back = fleet.reinstate(D, 1)
    for robot in (A, B):
        history.say(robot, 104, fleet.vote(back))
    view = RosterView(run(history, 5, 8))
    assert view.roster().robots[D].standing is Standing.ACTIVE
    assert view.roster().robots[D].generation == 1
    history.say(D, 105, fleet.vote(SCOUT))
    assert reasons(history, 5, 8) == ['']


def test_a_robot_that_left_is_shown_with_weight_0():
    history = History()
    for robot in (A, B, C):
        history.say(robot, 100, fleet.vote(fleet.leave(D, 0)))
    roster = RosterView(run(history, 3)).roster()
    assert roster.robots[D].standing is Standing.LEFT and roster.robots[D].weight == 0
    assert [robot.name for robot in roster.active] == NAMES[:3]


def test_what_became_impossible_is_shown_with_its_obstacle():
    history = History()
    history.say(A, 100, fleet.vote(fleet.reweigh(D, 0, 5)), fleet.vote(fleet.rekey(D, 0, KEY)))
    for robot in (B, C):
        history.say(robot, 100, fleet.vote(fleet.reweigh(D, 0, 5)))
    view = RosterView(run(history, 3))
    (pending,) = view.pending()
    assert pending.change == Change(ChangeKind.REKEY, D, key=KEY)
    assert pending.obstacle is Obstacle.OUTDATED
    assert pending.explain() == (
        'vote that robot_03 has another key: robot_00; cannot be made: outdated'
    )
    assert view.roster().robots[D].weight == 5


def test_a_robots_word_about_itself():
    history = History()
    history.say(
        B,
        100,
        fleet.set_capabilities(Capability.DRIVE | Capability.CAMERA),
        fleet.register_signer(b's' * 20),
    )
    robot = RosterView(run(history)).roster().robots[B]
    assert robot.capabilities == Capability.DRIVE | Capability.CAMERA
    assert robot.signer == b's' * 20


def test_refusals_in_words():
    history = History()
    change = fleet.reweigh(D, 0, 5)
    history.say(
        A,
        100,
        fleet.vote(change),
        fleet.vote(change),
        fleet.vote(fleet.leave(9, 0)),
        fleet.vote(fleet.reinstate(D, 0)),
        fleet.withdraw(KEY),
        encode('closeEpoch', 8),
        *(fleet.vote(fleet.reweigh(C, 0, weight)) for weight in (2, 3, 4, 5)),
    )
    name = f'0x{fleet.change_id(change)[:4].hex()}'
    assert reasons(history) == [
        '',
        f'robot_00 votes for {name} already',
        'the change cannot be made: there is no such robot',
        'the change cannot be made: it is not expelled',
        'robot_00 has no open vote for 0x6b6b6b6b',
        'robot_00 cannot close epochs, only the ledger can',
        '',
        '',
        '',
        'robot_00 votes for 4 other changes',
    ]
