"""Models.sol: what is registered, who may serve it and does, failed audits."""

from random import Random

from eth_abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from solidity import address, Chain, RevertedError, SYSTEM

A, B, C, D = ROBOTS = [address(number) for number in range(4)]
EVE = address(99)
WHOLE, HEAD, TAIL = range(3)
NONE, TIMEOUT, REFUSED, WRONG = range(4)
PART_FACT, AUDIT, TALLY = 1, 2, 3
MODEL, DIGEST = b'm' * 32, b'd' * 32
PART = (MODEL, TAIL, 3, DIGEST)
OTHER_PART = (MODEL, WHOLE, 0, DIGEST)
REINSTATE = 5


class Fleet:
    """A fleet with models, on a chain."""

    def __init__(self, weights=(1, 1, 1, 1)):
        self.chain = Chain()
        self.robots = [address(number) for number in range(len(weights))]
        self.fleet = self.chain.deploy('Fleet', self.robots, list(weights))
        self.models = self.chain.deploy('Models', self.fleet)
        self.ids = set()

    def __call__(self, view, *arguments):
        return self.chain.view(self.models, view, *arguments)

    def say(self, sender, call, *arguments, at=None):
        done = self.chain.call(sender, self.models, call, *arguments, at=at)
        assert done.ok, done.error
        self.ids |= {event[1] for event in done.events}
        return done

    def refused(self, sender, call, *arguments):
        before = self.facts()
        done = self.chain.call(sender, self.models, call, *arguments)
        assert not done.ok and self.facts() == before
        return done.error

    def facts(self):
        return {key: self.chain.fact(self.models, key) for key in self.ids}

    def close(self, convicted=0):
        assert self.chain.call(SYSTEM, self.fleet, 'closeEpoch', convicted).ok

    def reinstate(self, robot):
        revision = self.chain.view(self.fleet, 'robotAt', robot).revision
        change = (REINSTATE, robot, revision, 0, bytes(32), bytes(32))
        for index, voter in enumerate(self.robots):
            if index != robot:
                assert self.chain.call(voter, self.fleet, 'vote', change).ok
        self.close()


@pytest.fixture
def fleet():
    return Fleet()


def number(value):
    return value.to_bytes(32, 'big')


def test_two_thirds_decide_who_may_serve(fleet):
    part = fleet('partId', PART)
    assert fleet('fleet') == fleet.fleet.address
    done = fleet.say(A, 'permit', PART, 0b0110)
    assert done.value == part and done.events == [('Permitted', part, A, PART, 0b0110)]
    fleet.say(B, 'permit', PART, 0b0010)
    assert fleet('servers', part, 0) == (0, 0)
    fleet.say(C, 'permit', PART, 0b0010)
    assert fleet('servers', part, 0) == (0b0010, 0)  # a proposal alone permits nobody
    support = fleet('supportOf', part, 0)
    assert (support.weights, support.needed) == ([0, 3, 1, 0], 3)
    assert support.words == [
        (0b0110, 0, False),
        (0b0010, 0, False),
        (0b0010, 0, False),
        (0, 0, False),
    ]
    fleet.say(D, 'permit', PART, 0b0110)
    fleet.say(A, 'permit', PART, 0)  # takes it back
    assert fleet('servers', part, 0) == (0b0010, 0)
    fleet.say(D, 'permit', PART, 0)
    assert fleet('servers', part, 0) == (0, 0)


def test_weights_count(fleet):
    fleet = Fleet((4, 1, 1))
    fleet.say(A, 'permit', PART, 0b111)
    assert fleet('servers', fleet('partId', PART), 0) == (0b111, 0)


def test_a_robot_serves_what_it_offers(fleet):
    part = fleet('partId', PART)
    done = fleet.say(B, 'offer', part, True)  # also before anybody permits it
    assert done.events == [('Offered', part, B, True)]
    for robot in (A, C, D):
        fleet.say(robot, 'permit', PART, 0b1110)
    fleet.say(C, 'offer', part, True)
    fleet.say(C, 'offer', part, False)
    assert fleet('servers', part, 0) == (0b1110, 0b0010)


def test_parts_of_one_model_are_told_apart(fleet):
    parts = [PART, OTHER_PART, (MODEL, HEAD, 3, DIGEST), (MODEL, TAIL, 3, b'e' * 32)]
    assert len({fleet('partId', part) for part in parts}) == 4


@pytest.mark.parametrize(
    'part', [(bytes(32), TAIL, 3, DIGEST), (MODEL, TAIL, 3, bytes(32)), (MODEL, WHOLE, 1, DIGEST)]
)
def test_a_bad_part_cannot_be_registered(fleet, part):
    assert fleet.refused(A, 'permit', part, 1) == ('BadPart', *part)


def test_only_robots_that_are_there_can_be_permitted(fleet):
    assert fleet.refused(A, 'permit', PART, 0b10000) == ('NoSuchRobots', 0b10000, 4)
    Fleet([1] * 64).say(A, 'permit', PART, 2**64 - 1)


def test_words_of_the_convicted_and_expelled_do_not_count(fleet):
    part = fleet('partId', PART)
    for robot in (A, B, C):
        fleet.say(robot, 'permit', PART, 0b1111)
    fleet.say(C, 'offer', part, True)
    assert fleet('servers', part, 0) == (0b1111, 0b0100)
    assert fleet('servers', part, 0b0100) == (0, 0)  # 2 of 4 are not enough, while it is convicted
    fleet.close(0b0100)
    assert fleet('servers', part, 0) == (0b1011, 0)  # 2 of 3 are, once it is expelled
    assert fleet.refused(C, 'permit', PART, 1) == ('Expelled', C)
    assert fleet.refused(C, 'offer', part, True) == ('Expelled', C)
    assert fleet.refused(C, 'audit', A, part, 7, WRONG) == ('Expelled', C)


def test_an_earlier_generation_is_void(fleet):
    part = fleet('partId', PART)
    for robot in (A, B, C):
        fleet.say(robot, 'permit', PART, 0b1111)
    fleet.say(C, 'offer', part, True)
    fleet.say(C, 'audit', A, part, 7, WRONG)
    fleet.say(A, 'audit', C, part, 7, WRONG)
    fleet.close(0b0100)
    fleet.reinstate(2)
    assert fleet('servers', part, 0) == (0, 0)
    assert fleet('failuresOf', 0, 0).auditors == fleet('failuresOf', 2, 0).auditors == [0, 0, 0]
    fleet.say(C, 'offer', part, True)
    assert fleet('supportOf', part, 0).words[2] == (0, 1, True)
    fleet.say(C, 'permit', PART, 0b0001)
    assert fleet('servers', part, 0) == (0b0001, 0b0100)
    fleet.say(C, 'audit', A, part, 8, WRONG)
    assert fleet('failuresOf', 0, 0).counts[2] == [0, 0, 1]


def test_failures_are_counted_by_auditor_and_kind(fleet):
    part = fleet('partId', PART)
    done = fleet.say(A, 'audit', D, part, 7, WRONG, at=500)
    assert done.events == [
        ('Audited', done.value, A, D, part, 7, WRONG),
        ('Tallied', fleet('tallyId', 0, 3), A, D, WRONG, 1),
    ]
    again = fleet.say(A, 'audit', D, part, 7, WRONG, at=600)
    assert again.value == done.value and again.events == []  # its first time stays
    fleet.say(A, 'audit', D, part, 7, TIMEOUT)
    fleet.say(A, 'audit', D, part, 8, WRONG)
    fleet.say(A, 'audit', D, b'q' * 32, 8, WRONG)
    fleet.say(B, 'audit', D, part, 7, WRONG)
    fleet.say(B, 'audit', D, bytes(32), 0, REFUSED)
    record = fleet('failuresOf', 3, 0)
    assert record.counts == [[1, 0, 3], [0, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert record.auditors == [0b0001, 0b0010, 0b0011]
    assert record.certain == [False, False, True]  # f + 1 = 2 of 4
    record = fleet('failuresOf', 3, 0b0010)
    assert record.counts == [[1, 0, 3], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert record.certain == [False, False, False]
    assert fleet('failuresOf', 0, 0).auditors == [0, 0, 0]


def test_a_robot_audits_others_of_the_fleet_only(fleet):
    part = fleet('partId', PART)
    assert fleet.refused(A, 'audit', A, part, 7, WRONG) == ('OwnAudit', A)
    assert fleet.refused(A, 'audit', EVE, part, 7, WRONG) == ('NotMember', EVE)
    assert fleet.refused(A, 'audit', B, part, 7, NONE) == ('NoFailure', B)
    fleet.close(0b0010)
    assert fleet.refused(A, 'audit', B, part, 7, WRONG) == ('Expelled', B)


def test_who_is_not_a_member_cannot_call(fleet):
    part = fleet('partId', PART)
    for call in (('permit', PART, 1), ('offer', part, True), ('audit', A, part, 7, WRONG)):
        assert fleet.refused(EVE, *call) == ('NotMember', EVE)


def test_other_calls_are_refused(fleet):
    done = fleet.chain.send(A, fleet.models, b'\xde\xad\xbe\xef')
    assert done.error == ('NoSuchCall', b'\xde\xad\xbe\xef')
    with pytest.raises(RevertedError):
        fleet.chain.read(fleet.models, b'')


def test_facts_are_what_is_stored(fleet):
    part = fleet('partId', PART)
    audit = fleet.say(A, 'audit', D, part, 7, WRONG, at=500).value
    words = [AUDIT, 0, 3, WRONG, 500, 7]
    assert fleet.chain.fact(fleet.models, audit) == b''.join(map(number, words)) + part
    tally = fleet.chain.fact(fleet.models, fleet('tallyId', 0, 3))
    assert tally == b''.join(map(number, [TALLY, 0, 3, 0, 0, 0, 0, 1]))
    assert fleet.chain.fact(fleet.models, part) == b''
    fleet.say(D, 'offer', part, True)
    types = ['uint8', '((bytes32,uint8,uint16,bytes32),uint64,(uint64,uint32,bool)[])']
    offered = ((bytes(32), 0, 0, bytes(32)), 0b1000, ((0, 0, True),))
    assert fleet.chain.fact(fleet.models, part) == encode(types, [PART_FACT, offered])
    fleet.say(B, 'permit', PART, 0b1000)
    known = (PART, 0b1010, ((0b1000, 0, False), (0, 0, True)))
    assert fleet.chain.fact(fleet.models, part) == encode(types, [PART_FACT, known])
    assert fleet.chain.fact(fleet.models, bytes(32)) == b''


parts = st.sampled_from([PART, OTHER_PART])
calls = st.one_of(
    st.tuples(st.just('permit'), parts, st.integers(0, 31)),
    st.tuples(st.just('offer'), parts, st.booleans()),
    st.tuples(
        st.just('audit'),
        st.sampled_from([*ROBOTS, EVE]),
        parts,
        st.integers(0, 1),
        st.integers(0, 3),
    ),
)
stories = st.lists(
    st.tuples(
        st.fixed_dictionaries({robot: st.lists(calls, max_size=4) for robot in (*ROBOTS, EVE)}),
        st.sampled_from([0, 0, 0b0100]),
    ),
    min_size=1,
    max_size=3,
)


def play(story, random):
    """Return what every robot could read after each epoch, and what became of each call."""
    fleet = Fleet()
    keys = {part: fleet('partId', part) for part in (PART, OTHER_PART)}
    seen, outcomes = [], []
    for epoch, (said, convicted) in enumerate(story):
        done = {robot: [] for robot in said}
        turns = [robot for robot, mine in said.items() for _ in mine]
        random.shuffle(turns)
        left = {robot: iter(mine) for robot, mine in said.items()}
        for robot in turns:
            call, *rest = next(left[robot])
            if call != 'permit':
                rest = [keys.get(value, value) for value in rest]
            outcome = fleet.chain.call(robot, fleet.models, call, *rest, at=100 + epoch)
            fleet.ids |= {event[1] for event in outcome.events}
            done[robot].append((outcome.ok, outcome.error, outcome.value, outcome.events))
        outcomes.append(done)
        seen.append(
            [
                fleet.facts(),
                [
                    fleet(view, key, 0)
                    for view in ('servers', 'supportOf')
                    for key in keys.values()
                ],
                [fleet('failuresOf', robot, 0b0010) for robot in range(4)],
            ]
        )
        fleet.close(convicted)
        if convicted and epoch % 2:
            fleet.reinstate(2)
    return seen, outcomes


@settings(max_examples=150, deadline=None)
@given(stories, st.integers(0, 1 << 32))
def test_every_order_gives_the_same_facts_and_outcomes(story, seed):
    assert play(story, Random(seed)) == play(story, Random(seed + 1))
