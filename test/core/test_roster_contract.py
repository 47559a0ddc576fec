"""Fleet.sol: who may call, votes, what closing an epoch changes."""

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from solidity import address, Chain, GAS_LIMIT, RevertedError, SYSTEM

from collab_robots.contract.calls import fleet
from collab_robots.core.identity import address as address_of_key

ROBOTS = [address(number) for number in range(4)]
A, B, C, D = ROBOTS
EVE = address(99)
NONE, JOIN, LEAVE, REKEY, REWEIGH, REINSTATE = range(6)
OBSTACLES = (
    'None Malformed BadWeight BadName NameTaken KeyTaken Full NoRobot Outdated NotExpelled LastOne'
).split()
KEY, OTHER_KEY = b'k' * 32, b'l' * 32
FLEET_ID = b'fleet'.ljust(32, b'\0')


def word(name):
    return name.encode().ljust(32, b'\0')


def number(value):
    return value.to_bytes(32, 'big')


def join(name='scout', key=KEY, weight=1):
    return (JOIN, 0, 0, weight, key, word(name))


def leave(robot, revision=0):
    return (LEAVE, robot, revision, 0, bytes(32), bytes(32))


def rekey(robot, key=KEY, revision=0):
    return (REKEY, robot, revision, 0, key, bytes(32))


def reweigh(robot, weight, revision=0):
    return (REWEIGH, robot, revision, weight, bytes(32), bytes(32))


def reinstate(robot, revision=1):
    return (REINSTATE, robot, revision, 0, bytes(32), bytes(32))


class Roster:
    """A fleet on a chain."""

    def __init__(self, weights=(1, 1, 1, 1), robots=None):
        self.chain = Chain()
        self.robots = robots or [address(number) for number in range(len(weights))]
        self.fleet = self.chain.deploy('Fleet', self.robots, list(weights))

    def vote(self, change, *voters):
        for voter in voters:
            done = self.chain.call(voter, self.fleet, 'vote', change)
            assert done.ok, done.error
        return self.chain.view(self.fleet, 'changeId', change)

    def refused(self, sender, function, *arguments):
        """Return the error of a call; it may not change anything."""
        before = self.facts()
        done = self.chain.call(sender, self.fleet, function, *arguments)
        assert not done.ok and self.facts() == before
        return done.error

    def obstacle(self, sender, change):
        """Return why a vote was refused."""
        name, of, why = self.refused(sender, 'vote', change)
        assert (name, of) == ('CannotApply', self.chain.view(self.fleet, 'changeId', change))
        assert self.chain.view(self.fleet, 'obstacle', change) == why
        return OBSTACLES[why]

    def close(self, convicted=0):
        done = self.chain.call(SYSTEM, self.fleet, 'closeEpoch', convicted)
        assert done.ok, done.error
        return [event for event in done.events if event[0] != 'Withdrawn']

    def __call__(self, view, *arguments):
        return self.chain.view(self.fleet, view, *arguments)

    def facts(self):
        ids = [FLEET_ID, *(number(index + 1) for index in range(self('size')))]
        return [self.chain.fact(self.fleet, key) for key in ids], self('pending', 0)

    def index(self, robot):
        """Return the robot's index, or the name of the error."""
        try:
            return self('indexOf', robot)
        except RevertedError as error:
            assert error.error[1:] == (robot,)
            return error.error[0]


@pytest.fixture
def roster():
    return Roster()


def test_the_roster_of_the_beginning():
    roster = Roster((3, 1, 2))
    assert [roster.index(robot) for robot in roster.robots] == [0, 1, 2]
    assert roster.index(EVE) == 'NotMember'
    assert (roster('size'), roster('epoch'), roster('active')) == (3, 0, 0b111)
    assert roster('weights') == ([3, 1, 2], 6)
    assert [roster('addressOf', index) for index in range(4)] == [*roster.robots, bytes(20)]
    head, robots = roster('roster')
    assert head == (0, 3, 0b111, 0)
    assert robots == [
        (robot, weight, 0, 0, bytes(20), 0, bytes(32), bytes(32))
        for robot, weight in zip(roster.robots, (3, 1, 2), strict=True)
    ]
    assert [roster('robotAt', index) for index in range(3)] == robots
    assert roster('pending', 0) == []
    assert [roster('generation', index) for index in range(3)] == [0] * 3


def test_constants_and_ids_agree_with_python(roster):
    assert roster('FLEET_ID') == FLEET_ID and roster('robotId', 2) == number(3)
    for name in ('MAX_ROBOTS', 'MAX_WEIGHT', 'MAX_VOTES'):
        assert roster(name) == getattr(fleet, name)


@pytest.mark.parametrize(
    ('robots', 'weights', 'error'),
    [
        ([], [], ('BadRoster', 0, 0)),
        ([address(number) for number in range(65)], [1] * 65, ('BadRoster', 65, 65)),
        ([A, B], [1], ('BadRoster', 2, 1)),
        ([A, B, A], [1] * 3, ('MemberTwice', A)),
        ([A, B], [1, 0], ('BadGenesisWeight', B, 0)),
        ([A, B], [1_000_001, 1], ('BadGenesisWeight', A, 1_000_001)),
    ],
)
def test_a_bad_roster_cannot_begin(robots, weights, error):
    with pytest.raises(RevertedError) as caught:
        Chain().deploy('Fleet', robots, weights)
    assert caught.value.error == error


def test_who_is_enough():
    roster = Roster((3, 1, 2, 1))  # 7 in all: 2/3 is 5, a third is 3
    assert roster('quorum') == 5
    masks = range(16)
    weight = {mask: sum(w for i, w in enumerate((3, 1, 2, 1)) if mask >> i & 1) for mask in masks}
    for mask in masks:
        assert roster('reachesQuorum', mask) == (weight[mask] >= 5)
        assert roster('hasHonest', mask) == (weight[mask] >= 3)
    assert not roster('hasHonest', 0xFFFF_FFFF_FFFF_FFF0)  # robots that are not there


def test_the_highest_robot_weighs_too():
    roster = Roster([1] * 63 + [200])
    assert roster('reachesQuorum', 1 << 63) and roster('hasHonest', 1 << 63 | 1)
    assert not roster('hasHonest', (1 << 63) - 1)


def test_a_robot_joins_with_two_thirds_of_the_votes(roster):
    robot = address_of_key(KEY)
    change = join(weight=5)
    key = roster.vote(change, A, B)
    assert not roster('due', 0) and roster.close() == [('EpochBegan', FLEET_ID, 1)]
    (pending,) = roster('pending', 0)
    assert pending == (key, change, 0b0011, 2, 3, 0)
    roster.vote(change, C)
    assert roster('due', 0) and roster('pending', 0)[0].weight == 3
    assert roster.index(robot) == 'NotMember'  # until the epoch is closed
    assert roster.close() == [
        ('Applied', key, JOIN, 2),
        ('RobotChanged', number(5), robot, 0),
        ('EpochBegan', FLEET_ID, 2),
    ]
    assert roster.index(robot) == 4
    assert roster('weights') == ([1, 1, 1, 1, 5], 9)
    assert roster('robotAt', 4) == (robot, 5, 0, 0, bytes(20), 0, KEY, word('scout'))
    assert roster('pending', 0) == [] and not roster('due', 0)
    assert roster.chain.call(robot, roster.fleet, 'setCapabilities', 1).ok


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=32, max_size=32).filter(any))
def test_addresses_are_those_of_python(key):
    roster = Roster((1,))
    roster.vote(join(key=key), A)
    roster.close()
    assert roster('addressOf', 1) == address_of_key(key)


def test_a_robot_leaves_for_ever(roster):
    roster.vote(join('spare', OTHER_KEY), D)  # ends with the robot that gave it
    roster.vote(leave(3), A, B, D)
    roster.close()
    assert roster.index(D) == 'NotMember' and roster('addressOf', 3) == D
    assert (roster('size'), roster('active')) == (4, 0b0111)
    assert roster('weights') == ([1, 1, 1, 0], 3)
    assert roster.refused(D, 'setCapabilities', 1) == ('NotMember', D)
    assert roster('pending', 0) == []
    assert roster.obstacle(A, leave(3, 1)) == 'NoRobot'


def test_a_new_key_keeps_the_index_and_voids_the_old(roster):
    roster.chain.call(B, roster.fleet, 'registerSigner', EVE)
    roster.chain.call(B, roster.fleet, 'setCapabilities', 6)
    roster.vote(leave(0), B)
    roster.vote(rekey(1), A, C, D)
    roster.close()
    new = address_of_key(KEY)
    assert roster.index(new) == 1 and roster.index(B) == 'NotMember'
    assert roster('robotAt', 1) == (new, 1, 1, 0, bytes(20), 6, KEY, bytes(32))
    assert roster('pending', 0) == []  # somebody else may have voted with the old key
    assert roster.obstacle(A, rekey(2, KEY)) == 'KeyTaken'
    roster.vote(rekey(1, OTHER_KEY, 1), A, C, D)
    roster.close()
    assert roster.obstacle(A, rekey(1, KEY, 2)) == 'KeyTaken'  # also what it was


def test_weights_change(roster):
    roster.vote(reweigh(0, 10), A, B, C)
    roster.close()
    assert roster('weights') == ([10, 1, 1, 1], 13)
    assert roster('reachesQuorum', 0b0001) and not roster('reachesQuorum', 0b1110)


def test_the_convicted_is_expelled_and_may_be_reinstated(roster):
    assert roster('due', 0b1000)
    robot = number(4)
    assert roster.close(0b1000) == [
        ('Expulsion', robot, D),
        ('RobotChanged', robot, D, 1),
        ('EpochBegan', FLEET_ID, 1),
    ]
    assert roster.index(D) == 'Expelled' and roster('active') == 0b0111
    assert roster('weights') == ([1, 1, 1, 0], 3) and roster('robotAt', 3).weight == 1
    for call in (('vote', reinstate(3)), ('setCapabilities', 1), ('registerSigner', EVE)):
        assert roster.refused(D, *call) == ('Expelled', D)
    assert not roster('due', 0b1000)  # it is done
    roster.vote(reinstate(3), A, B)
    roster.close(0b1000)
    assert roster.index(D) == 3 and roster('generation', 3) == 1
    assert roster('weights') == ([1, 1, 1, 1], 4)


def test_an_expelled_robot_may_leave(roster):
    roster.close(0b1000)
    roster.vote(leave(3, 1), A, B)
    roster.close()
    assert roster.index(D) == 'NotMember' and roster('roster')[0].expelled == 0


def test_votes_of_the_convicted_do_not_count(roster):
    key = roster.vote(join(), A, B, C)
    assert roster('due', 0) and roster('pending', 0)[0].voters == 0b0111
    (pending,) = roster('pending', 0b0100)
    assert (pending.voters, pending.weight, pending.needed) == (0b0011, 2, 3)
    assert [event[0] for event in roster.close(0b0100)] == [
        'Expulsion',
        'RobotChanged',
        'EpochBegan',
    ]
    (pending,) = roster('pending', 0)
    assert (pending.id, pending.weight, pending.needed) == (key, 2, 2)  # of 3
    roster.close()
    assert roster('size') == 5


def test_nobody_is_expelled_if_nobody_would_be_left(roster):
    assert not roster('due', 0b1111)
    roster.close(0xFFFF)
    assert roster('active') == 0b1111


def test_only_the_ledger_closes_epochs(roster):
    assert roster.refused(A, 'closeEpoch', 0) == ('NotSystem', A)
    assert roster('SYSTEM') == SYSTEM


@pytest.mark.parametrize(
    ('change', 'why'),
    [
        ((NONE, 0, 0, 0, bytes(32), bytes(32)), 'Malformed'),
        ((JOIN, 1, 0, 1, KEY, word('a')), 'Malformed'),
        ((JOIN, 0, 1, 1, KEY, word('a')), 'Malformed'),
        ((JOIN, 0, 0, 1, bytes(32), word('a')), 'Malformed'),
        ((JOIN, 0, 0, 1, KEY, bytes(32)), 'Malformed'),
        ((LEAVE, 1, 0, 1, bytes(32), bytes(32)), 'Malformed'),
        ((LEAVE, 1, 0, 0, KEY, bytes(32)), 'Malformed'),
        ((LEAVE, 1, 0, 0, bytes(32), word('a')), 'Malformed'),
        ((REKEY, 1, 0, 0, bytes(32), bytes(32)), 'Malformed'),
        ((REKEY, 1, 0, 1, KEY, bytes(32)), 'Malformed'),
        ((REINSTATE, 1, 0, 1, bytes(32), bytes(32)), 'Malformed'),
        (join(weight=0), 'BadWeight'),
        (join(weight=1_000_001), 'BadWeight'),
        (reweigh(0, 0), 'BadWeight'),
        *((join(name), 'BadName') for name in ('Scout', '1a', '_a', 'a-b', 'a b', 'a`', 'a{')),
        (join('a/'), 'BadName'),
        (join('a:'), 'BadName'),
        (join('a\0b'), 'BadName'),
        (leave(4), 'NoRobot'),
        (leave(64), 'NoRobot'),
        (leave(255), 'NoRobot'),
        (reweigh(0, 2, 1), 'Outdated'),
        (reinstate(0, 0), 'NotExpelled'),
    ],
)
def test_a_change_that_cannot_be_made_cannot_be_voted_for(roster, change, why):
    assert roster.obstacle(A, change) == why


@pytest.mark.parametrize('name', ['a', 'scout_7', 'z' * 32, 'a0' * 16])
def test_names_of_the_fleet_file_are_good(roster, name):
    roster.vote(join(name), A)


def test_no_name_and_no_key_is_taken_twice(roster):
    roster.vote(join('scout', KEY), A, B, C)
    roster.close()
    assert roster.obstacle(A, join('scout', OTHER_KEY)) == 'NameTaken'
    assert roster.obstacle(A, join('other', KEY)) == 'KeyTaken'


def test_the_last_one_cannot_leave():
    roster = Roster((1, 1))
    roster.close(0b10)
    assert roster.obstacle(A, leave(0)) == 'LastOne'
    roster.vote(leave(1, 1), A)
    roster.close()
    assert roster.obstacle(A, leave(0)) == 'LastOne'


def test_all_vote_to_leave_and_one_stays():
    roster = Roster((1, 1, 1))
    for robot in range(3):
        roster.vote(leave(robot), A, B, C)
    roster.close()
    assert bin(roster('active')).count('1') == 1


def test_there_are_64_indices_for_ever():
    roster = Roster([1] * 63)
    roster.vote(join('one', KEY), *roster.robots)
    roster.vote(join('two', OTHER_KEY), *roster.robots)
    roster.close()
    assert roster('size') == 64 and roster('active') == 2**64 - 1
    (late,) = roster('pending', 0)
    assert OBSTACLES[late.obstacle] == 'Full' and not roster('due', 0)
    roster.vote(leave(0), *roster.robots)
    roster.close()
    assert roster.obstacle(roster.robots[1], join('three', b'm' * 32)) == 'Full'


def test_of_two_changes_to_one_robot_the_lower_id_is_made(roster):
    changes = {roster.vote(reweigh(0, weight), A, B, C): weight for weight in (5, 6, 7)}
    first, *rest = sorted(changes)
    assert [event[:2] for event in roster.close() if event[0] == 'Applied'] == [('Applied', first)]
    assert roster('robotAt', 0).weight == changes[first]
    assert [item.id for item in roster('pending', 0)] == rest
    assert {OBSTACLES[item.obstacle] for item in roster('pending', 0)} == {'Outdated'}
    assert not roster('due', 0)


def test_a_vote_is_given_once_and_can_be_taken_back(roster):
    key = roster.vote(join(), A)
    assert roster.refused(A, 'vote', join()) == ('VotedAlready', key, A)
    assert roster.refused(B, 'withdraw', key) == ('NoOpenVote', key, B)
    assert roster.refused(A, 'withdraw', FLEET_ID) == ('NoOpenVote', FLEET_ID, A)
    done = roster.chain.call(A, roster.fleet, 'withdraw', key)
    assert done.events == [('Withdrawn', key, A)] and roster('pending', 0) == []
    roster.vote(join(), A, B, C)
    roster.close()
    assert roster.refused(A, 'withdraw', key) == ('NoOpenVote', key, A)


def test_a_robot_votes_for_four_changes_at_a_time(roster):
    keys = [roster.vote(reweigh(0, weight), A) for weight in (2, 3, 4, 5)]
    assert roster.refused(A, 'vote', join()) == ('TooManyVotes', A, 4)
    roster.chain.call(A, roster.fleet, 'withdraw', keys[1])
    new = roster.vote(join(), A)
    assert sorted(item.id for item in roster('pending', 0)) == sorted({*keys, new} - {keys[1]})


def test_pointless_votes_give_way(roster):
    keys = [roster.vote(reweigh(0, weight), A) for weight in (2, 3, 4, 5)]
    roster.vote(reweigh(0, 2), B, C)
    roster.close()
    done = roster.chain.call(A, roster.fleet, 'vote', join())
    assert [event[0] for event in done.events] == ['Voted']  # in the place of what was applied
    done = roster.chain.call(A, roster.fleet, 'vote', leave(1))
    assert [event[0] for event in done.events] == ['Withdrawn', 'Voted']
    assert done.events[0][1] in keys[1:]
    assert roster.chain.fact(roster.fleet, keys[0])  # for the record


def test_facts_are_complete_and_empty_for_other_ids(roster):
    for key in (bytes(32), number(5), b'\xff' * 32):
        assert roster.chain.fact(roster.fleet, key) == b''
    key = roster.vote(join(), A)
    assert roster.chain.fact(roster.fleet, key)[6 * 32 :] == number(0b0001) + number(0)
    roster.vote(join(), B, C)
    roster.close()
    assert roster.chain.fact(roster.fleet, key)[6 * 32 :] == number(0b0111) + number(1)
    head = number(1) + number(5) + number(0b11111) + number(0)
    assert roster.chain.fact(roster.fleet, FLEET_ID) == head


def test_capabilities_and_signer_are_the_robots_latest_word(roster):
    for mask in (15, 2):
        done = roster.chain.call(C, roster.fleet, 'setCapabilities', mask)
        assert done.events == [('CapabilitiesSet', number(3), C, mask)]
    for signer in (EVE, bytes(20), B):
        done = roster.chain.call(C, roster.fleet, 'registerSigner', signer)
        assert done.events == [('SignerRegistered', number(3), C, signer)]
    assert roster('capabilities', 2) == 2 and roster('robotAt', 2).signer == B


def test_an_anchor_that_a_robot_signed_is_its_latest_word(roster):
    none, key = (0, 0, bytes(32), bytes(32)), roster('anchorId', 2)
    assert key == number(64 + 3)
    of_none = (0, 27, b'r' * 32, b's' * 32)
    for said in ((120, 28, b'r' * 32, b's' * 32), (7, 27, b'q' * 32, b's' * 32), of_none):
        signed = said if said[0] else none
        done = roster.chain.call(C, roster.fleet, 'signAnchor', said)
        assert done.events == [('AnchorSigned', key, C, signed[0])]
        assert [tuple(one) for one in roster('anchorsSigned')] == [none, none, signed, none]
        fact = b''.join(map(number, signed[:2])) + signed[2] + signed[3]
        assert roster.chain.fact(roster.fleet, key) == (fact if signed[0] else b'')
    for other in (64, 64 + 5, 64 + 65):
        assert roster.chain.fact(roster.fleet, number(other)) == b''


def test_who_is_not_a_member_cannot_call(roster):
    for call in (
        ('vote', join()),
        ('withdraw', FLEET_ID),
        ('setCapabilities', 1),
        ('registerSigner', EVE),
        ('signAnchor', (1, 27, b'r' * 32, b's' * 32)),
    ):
        assert roster.refused(EVE, *call) == ('NotMember', EVE)


def test_other_calls_are_refused(roster):
    done = roster.chain.send(A, roster.fleet, b'\xde\xad\xbe\xef')
    assert done.error == ('NoSuchCall', b'\xde\xad\xbe\xef')


@pytest.mark.parametrize('convicted', [21, 63])
def test_expelling_many_stays_below_the_gas_limit(convicted):
    """All slots cold, and 256 changes that one robot each votes for."""
    roster = Roster([1] * 64)
    for index, robot in enumerate(roster.robots):
        for weight in range(2, 6):
            roster.vote(reweigh(index, weight), robot)
    spent = roster.chain.cold_gas(SYSTEM, roster.fleet, 'closeEpoch', (1 << convicted) - 1)
    assert spent < GAS_LIMIT * (0.6 if convicted == 21 else 0.9)


def test_the_most_changes_at_once_stay_below_the_gas_limit():
    """Each of 57 robots votes for 4 of 6 changes, so that each has 38 votes, which is enough."""
    roster = Roster([1] * 57)
    changes = [join(f'robot_{number}', bytes([number + 1]) * 32) for number in range(6)]
    for index, robot in enumerate(roster.robots):
        for turn in range(4):
            roster.vote(changes[(4 * index + turn) % 6], robot)
    assert roster.chain.cold_gas(SYSTEM, roster.fleet, 'closeEpoch', 0) < GAS_LIMIT / 2
    roster.close()
    assert roster('size') == 63


def test_a_vote_stays_far_below_the_gas_limit(roster):
    for weight in range(2, 6):
        roster.vote(reweigh(0, weight), A, B, C)
    roster.close()
    roster.vote(leave(1), B)
    assert roster.chain.cold_gas(A, roster.fleet, 'vote', join()) < GAS_LIMIT / 10
