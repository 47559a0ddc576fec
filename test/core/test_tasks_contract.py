"""Tasks.sol: what each call does, what it refuses, and why a task stands as it does."""

from eth_abi import encode
from eth_utils import keccak
import pytest
from solidity import address, RevertedError
from tasks_fleet import (
    A,
    B,
    BIDDING,
    C,
    Crew,
    D,
    KEY,
    key_of,
    Kind,
    LEASE,
    MAX_BATCH,
    NEVER,
    OPEN_FOR,
    Reason,
    REVEALING,
    State,
    terms_of,
    WHAT,
    Why,
)

NEXT = (*WHAT[:3], 1)
REGION = (Kind.VERIFY, 0, 0, 0)
LOOK = key_of(*REGION)
SALT = b's' * 32


@pytest.fixture
def crew():
    return Crew()


@pytest.fixture
def auction(crew):
    """Let A propose at 100; B wins with 1 m before C (2 m) and A (3 m), holding 102 to 112."""
    crew.propose(A, 100)
    crew.auction()
    return crew


def seal(crew, robot, cost, salt=SALT, key=KEY):
    return keccak(
        encode(['bytes32', 'address', 'uint32', 'bytes32'], [key, crew.robots[robot], cost, salt])
    )


# ------------------------------------------------------------------ the way of a task


def test_the_constants_are_those_that_the_tests_count_with(crew):
    for name in ('LEASE', 'OPEN_FOR', 'BIDDING', 'REVEALING', 'MAX_BATCH'):
        assert crew.chain.view(crew.tasks, name) == globals()[name]


def test_an_auction_from_proposal_to_completion(auction):
    found = auction.judge(103)
    assert (found.state, found.why, found.holder, found.leaseUntil) == (
        State.HELD, Why.HELD, B, 102 + LEASE,
    )  # fmt: skip
    assert (found.since, found.awardFrom, found.until) == (100, 102, 112)
    assert [(part.robot, part.rank, part.reason) for part in found.opinions] == [
        (A, 3000, Reason.NOT_AWARDED),
        (B, 1000, Reason.HOLDER),
        (C, 2000, Reason.NOT_AWARDED),
    ]
    auction.say(B, 109, 'renew', KEY)
    assert auction.judge(113).leaseUntil == 109 + LEASE
    auction.say(B, 115, 'complete', KEY)
    auction.say(B, 116, 'complete', KEY)  # the first time counts
    found = auction.judge(1000)
    assert (found.state, found.why, found.until) == (State.DONE, Why.COMPLETED, NEVER)
    assert auction.completed(1000) == {B: 115}
    assert auction.reasons(1000) == {A: Reason.CLOSED, B: Reason.HAS_DONE, C: Reason.CLOSED}


def test_a_key_is_the_task(crew):
    what = (Kind.INFER, -(1 << 31), (1 << 31) - 1, (1 << 32) - 1)
    assert crew.chain.view(crew.tasks, 'taskKey', *what) == key_of(*what)
    ((name, key, by, *rest),) = crew.say(A, 100, 'propose', *what, terms_of(priority=3))
    assert (name, key, by) == ('Proposed', key_of(*what), crew.robots[A])
    assert rest == [*what, terms_of(priority=3)]


def test_before_the_bidding_is_over_nothing_is_awarded(crew):
    crew.propose(A, 100)
    crew.say(B, 100, 'bid', KEY, 1)
    assert crew.state(101) == (State.OPEN, Why.BIDDING_OPEN)
    assert crew.judge(101).until == 102
    assert crew.reasons(101) == {B: Reason.BIDDING_OPEN}
    assert crew.state(102) == (State.OPEN, Why.NOT_AWARDED)
    crew.award(A, 101, B)
    assert crew.state(102) == (State.OPEN, Why.NOT_AWARDED)
    assert crew.reasons(102) == {A: Reason.NO_BID, B: Reason.AWARDED_TOO_EARLY}
    crew.award(A, 102, B)
    assert crew.holder(102) == B


def test_an_earlier_proposal_makes_an_award_count(crew):
    """It may arrive later, from the other side of a split."""
    crew.propose(A, 110)
    crew.say(A, 110, 'bid', KEY, 1)
    crew.award(A, 111, A)
    assert crew.holder(112) is None
    crew.propose(B, 105)
    assert crew.holder(112) == A


def test_an_award_to_a_robot_that_has_not_bid_waits_for_its_bid(crew):
    crew.propose(A, 100)
    crew.award(A, 105, B)
    assert crew.state(106) == (State.OPEN, Why.NO_BIDS)
    assert crew.reasons(106)[B] == Reason.NO_BID
    crew.say(B, 100, 'bid', KEY, 5)
    assert crew.holder(106) == B


def test_a_bid_can_be_changed_even_within_a_second(crew):
    crew.propose(A, 100)
    for cost in (3000, 4000):
        crew.say(A, 100, 'bid', KEY, cost)
    assert crew.judge(100).opinions[0].rank == 4000


def test_a_dead_robots_task_comes_back_and_its_bid_is_used_up(auction):
    assert auction.holder(111) == B
    assert auction.state(112) == (State.OPEN, Why.NOT_AWARDED)
    assert auction.reasons(112)[B] == Reason.LAPSED
    assert auction.judge(112).until == 112 + OPEN_FOR + 1
    assert auction.state(132)[0] == State.OPEN
    assert auction.state(133) == (State.STALE, Why.FORGOTTEN)
    assert auction.judge(133).until == NEVER
    auction.say(B, 120, 'bid', KEY, 900)
    assert auction.reasons(121)[B] == Reason.NOT_AWARDED
    auction.award(A, 122, C)
    assert auction.holder(123) == C


def test_a_bid_at_the_end_of_a_lease_is_a_new_one(auction):
    auction.say(B, 112, 'bid', KEY, 1000)
    assert auction.reasons(112)[B] == Reason.NOT_AWARDED


def test_a_released_task_is_open_again_and_its_robot_may_bid_again(auction):
    auction.say(B, 105, 'release', KEY)
    assert auction.state(105) == (State.OPEN, Why.NOT_AWARDED)
    assert auction.reasons(105)[B] == Reason.RELEASED
    assert auction.judge(105).until == 105 + OPEN_FOR + 1
    auction.say(B, 105, 'bid', KEY, 500)
    assert auction.reasons(106)[B] == Reason.NOT_AWARDED
    auction.award(B, 107, B)
    assert auction.holder(107) == B


def test_a_bid_can_be_taken_back(crew):
    crew.propose(A, 100)
    crew.say(A, 100, 'bid', KEY, 1)
    crew.say(A, 100, 'release', KEY)
    assert crew.reasons(100) == {A: Reason.RELEASED}
    assert crew.state(100) == (State.OPEN, Why.NO_BIDS)
    crew.say(A, 100, 'bid', KEY, 2)
    assert crew.reasons(100) == {A: Reason.BIDDING_OPEN}


def test_the_holder_passes_its_lease_on(auction):
    events = auction.say(B, 105, 'reassign', KEY, auction.robots[C])
    assert [event[0] for event in events] == ['Released', 'Awarded']
    assert auction.holder(106) == C
    assert auction.reasons(106)[B] == Reason.RELEASED
    assert auction.refused(B, 107, 'complete', KEY) == (
        'LeaseRuns', KEY, auction.robots[C], 115,
    )  # fmt: skip


def test_a_task_nobody_wants_goes_stale_and_proposing_again_revives_it(crew):
    crew.propose(A, 100)
    assert crew.state(120) == (State.OPEN, Why.NO_BIDS)
    assert crew.state(121) == (State.STALE, Why.FORGOTTEN)
    crew.propose(B, 150)
    found = crew.judge(170)
    assert (found.state, found.since, found.until) == (State.OPEN, 100, 171)


def test_renewing_without_an_award_gives_nothing(crew):
    crew.propose(A, 100)
    crew.say(A, 100, 'bid', KEY, 1)
    crew.say(A, 103, 'renew', KEY)
    assert crew.state(103) == (State.OPEN, Why.NOT_AWARDED)


def test_of_two_leases_the_cheaper_counts_and_the_loser_is_told(auction):
    told = ('Superseded', KEY, auction.robots[C], auction.robots[B])
    assert told in auction.award(C, 103, C)
    assert auction.reasons(104) == {
        A: Reason.NOT_AWARDED, B: Reason.HOLDER, C: Reason.OUTBID,
    }  # fmt: skip
    assert auction.judge(104).until == 112
    assert told in auction.say(C, 105, 'renew', KEY)
    assert auction.holder(112) == C


@pytest.mark.parametrize('lowest', [A, C])
def test_equal_costs_go_to_the_lowest_address(lowest):
    addresses = [address(7), address(6), address(5)]
    crew = Crew(addresses[::-1] if lowest == A else addresses)
    crew.propose(A, 100)
    for robot in (A, B, C):
        crew.say(robot, 100, 'bid', KEY, 7)
    assert crew.assign([KEY], 102) == {KEY: lowest}
    for robot in (A, B, C):
        crew.award(robot, 102, robot)
    assert crew.holder(103) == lowest


def test_work_of_both_sides_of_a_split_counts(auction):
    auction.say(B, 104, 'complete', KEY)
    auction.award(C, 113, C)
    auction.say(C, 114, 'complete', KEY)
    assert auction.completed(120) == {B: 104, C: 114}


def test_a_completion_counts_only_with_an_award_that_counts(crew):
    crew.propose(A, 100)
    crew.say(B, 100, 'bid', KEY, 1)
    crew.say(B, 101, 'complete', KEY)
    assert crew.state(103) == (State.OPEN, Why.NOT_AWARDED)
    crew.award(B, 101, B)
    assert crew.state(103)[0] == State.OPEN
    crew.award(B, 102, B)
    assert crew.state(103)[0] == State.DONE
    assert crew.completed(103) == {B: 101}


def test_the_next_round_opens_when_the_one_before_is_done(auction):
    again = auction.propose(A, 103, NEXT)
    assert auction.state(105, again) == (State.UNKNOWN, Why.ROUND_BEFORE)
    assert auction.judge(105, again).until == NEVER
    auction.say(B, 104, 'complete', KEY)
    assert auction.state(105, again) == (State.OPEN, Why.NO_BIDS)


def test_what_nobody_proposed_is_no_task(crew):
    assert crew.state(100) == (State.UNKNOWN, Why.NOT_PROPOSED)
    crew.say(A, 100, 'bid', KEY, 5)
    crew.award(A, 105, A)
    assert crew.state(106) == (State.UNKNOWN, Why.NOT_PROPOSED)
    assert crew.reasons(106) == {A: Reason.CLOSED}
    crew.propose(B, 90)
    assert crew.holder(106) == A


def test_time_zero_is_a_time(crew):
    crew.propose(A, 0)
    crew.say(A, 0, 'bid', KEY, 5)
    crew.say(A, 0, 'complete', KEY)
    crew.award(A, 2, A)
    assert crew.completed(2) == {A: 0}


@pytest.mark.parametrize('call', ['renew', 'release', 'complete'])
def test_a_clock_that_was_put_back_does_no_harm(auction, call):
    auction.say(B, 108, call, KEY)
    before = auction.judge(109)
    auction.say(B, 104, call, KEY)
    if call == 'complete':
        assert auction.completed(109) == {B: 104}, 'the earliest counts'
    else:
        assert auction.judge(109) == before


def test_a_completion_of_what_nobody_proposed_waits_for_the_proposal(crew):
    crew.say(A, 100, 'bid', KEY, 1)
    crew.award(A, 105, A)
    crew.say(A, 106, 'complete', KEY)
    assert crew.state(107) == (State.UNKNOWN, Why.NOT_PROPOSED)
    crew.propose(B, 90)
    assert crew.completed(107) == {A: 106}


# ------------------------------------------------------------------ terms


def test_terms_of_several_proposals_join(crew):
    crew.propose(A, 100, priority=2, deadline=200, capabilities=1)
    crew.propose(B, 100, priority=1, deadline=150, capabilities=4, sealed=True)
    crew.propose(C, 100, deadline=170)
    assert crew.judge(101).terms == (2, 150, 5, True)


def test_after_its_deadline_a_task_is_missed_and_the_next_round_opens(auction):
    again = auction.propose(A, 100, NEXT, deadline=300)
    auction.propose(C, 105, deadline=108)
    assert auction.judge(107).until == 108
    assert auction.judge(107, again).until == 108
    assert auction.state(107, again) == (State.UNKNOWN, Why.ROUND_BEFORE)
    found = auction.judge(108)
    assert (found.state, found.why, found.until) == (State.MISSED, Why.DEADLINE_PASSED, NEVER)
    assert auction.reasons(108)[B] == Reason.CLOSED
    assert auction.state(108, again)[0] == State.OPEN
    assert auction.state(200, again)[0] == State.STALE
    assert auction.judge(200, again).until == 300
    auction.say(B, 120, 'complete', KEY)  # late work is work
    assert auction.state(121)[0] == State.DONE


def test_who_lacks_a_capability_cannot_hold_the_task(auction):
    auction.propose(A, 103, capabilities=0b101)
    assert auction.state(103) == (State.OPEN, Why.NO_BIDS)
    assert set(auction.reasons(103).values()) == {Reason.INCAPABLE}
    assert auction.assign([KEY], 103) == {}
    for robot, can in ((B, 0b100), (C, 0b111)):
        assert auction.chain.call(auction.robots[robot], auction.fleet, 'setCapabilities', can).ok
    assert auction.assign([KEY], 103) == {KEY: C}
    assert auction.holder(103) is None
    auction.award(A, 104, C)
    assert auction.holder(104) == C


def test_sealed_bids(crew):
    crew.propose(A, 100, sealed=True)
    assert crew.judge(100).awardFrom == 100 + BIDDING + REVEALING + 1
    crew.say(A, 100, 'bid', KEY, 1)
    for robot, cost in ((B, 3000), (C, 2000), (D, 1000)):
        commitment = seal(crew, robot, cost)
        assert commitment == crew.chain.view(
            crew.tasks, 'commitmentOf', KEY, crew.robots[robot], cost, SALT
        )
        crew.say(robot, 101, 'bidSealed', KEY, commitment)
    assert crew.reasons(102) == {
        A: Reason.NOT_SEALED, B: Reason.NOT_REVEALED, C: Reason.NOT_REVEALED,
        D: Reason.NOT_REVEALED,
    }  # fmt: skip
    assert crew.state(102) == (State.OPEN, Why.NO_BIDS)
    for robot, cost in ((B, 3000), (C, 2000)):
        crew.say(robot, 103, 'reveal', KEY, cost, SALT)
    assert crew.reasons(103)[C] == Reason.BIDDING_OPEN
    crew.award(B, 103, C)
    assert crew.reasons(104)[C] == Reason.AWARDED_TOO_EARLY
    assert crew.assign([KEY], 104) == {KEY: C}
    crew.award(B, 104, C)
    crew.award(B, 104, B)
    crew.award(B, 104, D)
    assert crew.holder(104) == C


def test_a_bid_sealed_when_others_may_be_revealed_comes_last(crew):
    crew.propose(A, 100, sealed=True)
    for robot, cost, at in ((B, 3000, 101), (C, 2999, 102)):
        crew.say(robot, at, 'bidSealed', KEY, seal(crew, robot, cost))
        crew.say(robot, 103, 'reveal', KEY, cost, SALT)
    assert crew.assign([KEY], 104) == {KEY: B}
    crew.award(C, 104, C)
    assert crew.holder(104) == C, 'better than nobody'
    crew.award(B, 104, B)
    assert crew.holder(104) == B


def test_a_revealed_bid_counts_where_bids_are_open_too(crew):
    crew.propose(A, 100)
    crew.say(B, 100, 'bidSealed', KEY, seal(crew, B, 9))
    crew.say(B, 100, 'reveal', KEY, 9, SALT)
    crew.say(C, 100, 'bid', KEY, 10)
    assert crew.assign([KEY], 102) == {KEY: B}


# ------------------------------------------------------------------ who may hold a task


def test_a_convicted_robot_holds_nothing_but_its_work_stays(auction):
    done = (Kind.INSPECT, 1, 1, 0)
    key = auction.propose(A, 100, done)
    auction.auction(100, key)
    auction.say(B, 104, 'complete', key)
    auction.convict(B)
    assert auction.reasons(105)[B] == Reason.CONVICTED
    assert auction.state(105) == (State.OPEN, Why.NOT_AWARDED)
    assert auction.assign([KEY], 105) == {KEY: C}
    assert auction.state(105, key)[0] == State.DONE
    auction.close_epoch()
    assert auction.reasons(105)[B] == Reason.INACTIVE
    assert auction.state(105, key)[0] == State.DONE
    assert auction.refused(B, 106, 'renew', KEY) == ('Expelled', auction.robots[B])
    assert auction.refused(A, 106, 'award', KEY, auction.robots[B], 100) == (
        'Expelled', auction.robots[B],
    )  # fmt: skip


# ------------------------------------------------------------------ regions to be verified


def test_a_disputed_region_is_open_by_itself(crew):
    assert crew.state(100, LOOK) == (State.UNKNOWN, Why.NOT_PROPOSED)
    crew.sketch(A, 100, wall=True)
    crew.sketch(B, 107, wall=False)
    found = crew.judge(108, LOOK)
    assert (found.state, found.why, found.since) == (State.OPEN, Why.NO_BIDS, 107)
    assert (found.awardFrom, found.until) == (109, 109)
    assert crew.judge(109, LOOK).until == NEVER, 'never stale'
    for robot, cost in ((A, 1), (C, 3), (D, 2)):
        crew.say(robot, 108, 'bid', LOOK, cost)
    assert crew.reasons(109, LOOK)[A] == Reason.PARTY
    assert crew.assign([LOOK], 109) == {LOOK: D}
    crew.say(D, 109, 'award', LOOK, crew.robots[D], 107)
    assert crew.holder(110, LOOK) == D
    crew.sketch(D, 111, wall=False)  # two against A are more than a third
    assert crew.state(112, LOOK)[0] == State.UNKNOWN, 'settled, and not done yet'
    crew.say(D, 112, 'complete', LOOK)
    assert crew.state(112, LOOK) == (State.DONE, Why.COMPLETED)


def test_a_completion_that_settles_nothing_leaves_the_region_to_others():
    crew = Crew(7)
    crew.sketch(A, 100, wall=True)
    crew.sketch(B, 100, wall=False)
    for robot in (C, D):
        crew.say(robot, 101, 'bid', LOOK, 1)
        crew.award(robot, 102, robot, LOOK)
    crew.say(C, 103, 'complete', LOOK)
    assert crew.holder(104, LOOK) == D
    assert crew.completed(104, LOOK) == {C: 103}
    crew.say(D, 105, 'complete', LOOK)
    assert crew.state(106, LOOK) == (State.OPEN, Why.NO_BIDS)
    crew.say(C, 113, 'bid', LOOK, 1)
    assert crew.reasons(113, LOOK)[C] == Reason.HAS_DONE


def test_who_maps_the_region_keeps_its_lease_but_cannot_get_it_again():
    crew = Crew(7)
    crew.sketch(A, 100, wall=True)
    crew.sketch(B, 100, wall=False)
    crew.say(C, 101, 'bid', LOOK, 1)
    crew.award(C, 102, C, LOOK)
    crew.sketch(C, 103, wall=False)  # of seven, three are more than a third
    assert crew.holder(104, LOOK) == C
    crew.say(C, 113, 'bid', LOOK, 1)
    assert crew.reasons(113, LOOK)[C] == Reason.PARTY


def test_proposing_a_verification_only_adds_terms(crew):
    crew.propose(A, 100, REGION, priority=9)
    assert crew.state(101, LOOK) == (State.UNKNOWN, Why.NOT_PROPOSED)
    crew.sketch(A, 100, wall=True)
    crew.sketch(B, 107, wall=False)
    assert crew.state(108, LOOK)[0] == State.OPEN
    assert crew.judge(108, LOOK).terms.priority == 9


@pytest.mark.parametrize('key', [key_of(3, 1 << 16, 0), key_of(3, 0, 1 << 16), key_of(3, 0, 0, 1)])
def test_a_key_that_only_looks_like_a_disputed_region_is_no_task(crew, key):
    crew.sketch(A, 100, wall=True)
    crew.sketch(B, 100, wall=False)
    assert crew.state(101, LOOK)[0] == State.OPEN
    assert crew.state(101, key)[0] == State.UNKNOWN


# ------------------------------------------------------------------ batches


def test_a_batch_awards_several_tasks_at_once(crew):
    keys = [crew.propose(A, 100, (Kind.EXPLORE, x, 0, 0)) for x in range(3)]
    for key in keys:
        for robot in (B, C):
            crew.say(robot, 100, 'bid', key, 10 * robot)
    batch = [(key, crew.robots[robot], 100) for key, robot in zip(keys, (B, C, B), strict=True)]
    events = crew.say(A, 102, 'awardBatch', batch)
    assert [event[0] for event in events] == ['Awarded'] * 3
    assert [crew.holder(103, key) for key in keys] == [B, C, B]


# ------------------------------------------------------------------ what is refused


STRANGER = address(99)
BAD = [
    ('propose', (0, 1, 2, 0, terms_of()), ('UnknownKind', 0)),
    ('propose', (5, 1, 2, 0, terms_of()), ('UnknownKind', 5)),
    ('propose', (*WHAT, terms_of(deadline=100)), ('DeadlineOver', 100)),
    ('propose', (3, 1, 2, 1, terms_of()), ('NoSuchRegion', 1, 2, 1)),
    ('propose', (3, 1 << 15, 2, 0, terms_of()), ('NoSuchRegion', 1 << 15, 2, 0)),
    ('propose', (3, 1, -(1 << 15) - 1, 0, terms_of()), ('NoSuchRegion', 1, -(1 << 15) - 1, 0)),
    ('bid', (bytes(32), 1), ('UnknownKind', 0)),
    ('bid', (b'\1' + KEY[1:], 1), ('UnknownKind', (1 << 152) + 1)),
    ('bid', (key_of(3, 1, 2, 1), 1), ('NoSuchRegion', 1, 2, 1)),
    ('bidSealed', (bytes(32), SALT), ('UnknownKind', 0)),
    ('bidSealed', (KEY, bytes(32)), ('NoCommitment', KEY)),
    ('reveal', (KEY, 1, SALT), ('NoCommitment', KEY)),
    ('award', (KEY, address(B), 90), ('UnknownTask', KEY)),
    ('awardBatch', ([(KEY, address(B), 90)],), ('UnknownTask', KEY)),
    ('awardBatch', ([],), ('BadBatch', 0, MAX_BATCH)),
    ('awardBatch', ([(KEY, address(B), 90)] * 33,), ('BadBatch', 33, MAX_BATCH)),
    ('renew', (KEY,), ('UnknownTask', KEY)),
    ('release', (KEY,), ('UnknownTask', KEY)),
    ('complete', (KEY,), ('UnknownTask', KEY)),
    ('reassign', (KEY, address(B)), ('UnknownTask', KEY)),
]


@pytest.mark.parametrize(('call', 'arguments', 'error'), BAD)
def test_what_is_wrong_by_itself_is_refused(crew, call, arguments, error):
    """Whatever others did: the sender has no history."""
    crew.propose(B, 90)
    crew.say(B, 90, 'bid', KEY, 1)
    assert crew.refused(A, 100, call, *arguments) == error


@pytest.mark.parametrize('proposed_at', [99, 100, NEVER])
def test_an_award_too_early_by_what_it_relies_on_is_refused(crew, proposed_at):
    crew.propose(A, 50)
    crew.say(A, 50, 'bid', KEY, 1)
    assert crew.refused(A, 100, 'award', KEY, crew.robots[A], proposed_at) == (
        'TooEarly', KEY, proposed_at + BIDDING + 1,
    )  # fmt: skip
    assert crew.refused(A, 100, 'awardBatch', [(KEY, crew.robots[A], proposed_at)]) == (
        'TooEarly', KEY, proposed_at + BIDDING + 1,
    )  # fmt: skip


@pytest.mark.parametrize('call', ['renew', 'release', 'complete', 'reassign'])
def test_completing_anothers_task_is_refused(auction, call):
    """A proposer that did not bid has no part in it, nor has who only sealed a bid."""
    more = [auction.robots[B]] if call == 'reassign' else []
    auction.propose(D, 104)
    assert auction.refused(D, 105, call, KEY, *more) == ('NotABidder', KEY, auction.robots[D])
    other = auction.propose(A, 104, (Kind.INSPECT, 0, 0, 0))
    auction.say(D, 104, 'bidSealed', other, SALT)
    assert auction.refused(D, 105, call, other, *more) == ('NotABidder', other, auction.robots[D])
    gave = ('LeaseRuns', KEY, auction.robots[B], 112)
    assert auction.refused(A, 105, call, KEY, *more) == gave
    auction.say(A, 112, call, KEY, *more)


def test_awards_of_those_who_know_the_task(crew):
    crew.say(D, 100, 'bidSealed', KEY, SALT)
    crew.award(D, 102, B)
    crew.propose(A, 102)
    crew.award(A, 104, B)
    crew.say(C, 102, 'bid', KEY, 1)
    crew.award(C, 104, B)


@pytest.mark.parametrize(('call', 'argument'), [('bid', 1), ('bidSealed', SALT)])
def test_a_bid_after_ones_own_award_is_refused(auction, call, argument):
    until = ('LeaseRuns', KEY, auction.robots[B], 112)
    assert auction.refused(A, 111, call, KEY, argument) == until
    auction.say(A, 112, call, KEY, argument)
    auction.say(C, 103, 'bid', KEY, 1500)  # C awarded nothing


def test_ones_own_lease_runs_as_long_as_it_is_renewed_and_not_released(crew):
    crew.propose(A, 100)
    crew.say(A, 100, 'bid', KEY, 1)
    crew.award(A, 102, A)
    crew.say(A, 108, 'renew', KEY)
    assert crew.refused(A, 117, 'bid', KEY, 1) == ('LeaseRuns', KEY, crew.robots[A], 118)
    crew.say(A, 117, 'release', KEY)
    crew.say(A, 117, 'bid', KEY, 1)


def test_only_what_was_sealed_can_be_revealed(crew):
    sealed = seal(crew, A, 5)
    crew.say(A, 100, 'bidSealed', KEY, sealed)
    for cost, salt in ((6, SALT), (5, b't' * 32)):
        assert crew.refused(A, 101, 'reveal', KEY, cost, salt) == (
            'WrongReveal', KEY, sealed, seal(crew, A, cost, salt),
        )  # fmt: skip
    crew.say(B, 100, 'bidSealed', KEY, sealed)
    assert crew.refused(B, 101, 'reveal', KEY, 5, SALT)[0] == 'WrongReveal', 'copied'
    crew.say(A, 101, 'reveal', KEY, 5, SALT)
    assert crew.refused(A, 102, 'reveal', KEY, 5, SALT) == ('NoCommitment', KEY)


def test_nobody_passes_a_task_on_to_itself_or_to_a_stranger(auction):
    assert auction.refused(B, 105, 'reassign', KEY, auction.robots[B]) == ('ToItself', KEY)
    assert auction.refused(B, 105, 'reassign', KEY, STRANGER) == ('NotMember', STRANGER)
    assert auction.refused(A, 105, 'award', KEY, STRANGER, 100) == ('NotMember', STRANGER)


CALLS = [
    ('propose', (*WHAT, terms_of())),
    ('bid', (KEY, 1)),
    ('bidSealed', (KEY, SALT)),
    ('reveal', (KEY, 1, SALT)),
    ('award', (KEY, address(A), 0)),
    ('awardBatch', ([(KEY, address(A), 0)],)),
    ('renew', (KEY,)),
    ('release', (KEY,)),
    ('reassign', (KEY, address(A))),
    ('complete', (KEY,)),
]


@pytest.mark.parametrize(('call', 'arguments'), CALLS)
def test_strangers_may_not_call(crew, call, arguments):
    done = crew.chain.call(STRANGER, crew.tasks, call, *arguments)
    assert done.error == ('NotMember', STRANGER)


def test_unknown_calls_and_malformed_arguments_are_refused(crew):
    done = crew.chain.send(crew.robots[A], crew.tasks, b'\xde\xad\xbe\xef')
    assert done.error == ('NoSuchCall', b'\xde\xad\xbe\xef')
    bid = keccak(text='bid(bytes32,uint32)')[:4] + KEY
    for arguments in (b'', b'\0' * 31, b'\xff' * 32):  # too short, too short, no uint32
        assert crew.chain.send(crew.robots[A], crew.tasks, bid + arguments).error == ('', b'')


def test_assign_takes_keys_in_order_and_not_too_many(crew):
    keys = [key_of(1, x, 0) for x in range(33)]
    for given, error in (
        ([], ('BadBatch', 0, MAX_BATCH)),
        (keys, ('BadBatch', 33, MAX_BATCH)),
        ([keys[1], keys[0]], ('NotAscending', keys[0])),
        ([keys[1], keys[1]], ('NotAscending', keys[1])),
    ):
        with pytest.raises(RevertedError) as caught:
            crew.chain.view(crew.tasks, 'assign', given, 0, 0, 100)
        assert caught.value.error == error


# ------------------------------------------------------------------ facts and gas


def test_a_fact_has_everything_about_a_task(auction):
    auction.say(D, 104, 'bidSealed', KEY, SALT)
    fact = auction.chain.fact(auction.tasks, KEY)
    assert SALT in fact, 'also what is only held against later calls'
    assert auction.chain.fact(auction.tasks, key_of(1, 0, 0)) == b''
    auction.say(D, 105, 'bidSealed', KEY, b't' * 32)
    assert auction.chain.fact(auction.tasks, KEY) != fact


def test_the_dearest_calls_stay_below_the_gas_limit():
    """64 robots, all with a lease, nothing warm."""
    crew = Crew(64)
    keys = [crew.propose(0, 100, (Kind.EXPLORE, x, 0, 0)) for x in range(MAX_BATCH)]
    for robot in range(64):
        crew.say(robot, 100, 'bid', keys[0], 1000 - robot)
        crew.award(robot, 103, robot, keys[0])
    crew.chain.time = 104
    batch = [(key, crew.robots[63 - index], 100) for index, key in enumerate(keys)]
    spent = {
        call: crew.chain.cold_gas(crew.robots[robot], crew.tasks, call, *arguments)
        for robot, call, *arguments in (
            (0, 'award', keys[0], crew.robots[0], 100),
            (0, 'renew', keys[0]),
            (0, 'complete', keys[0]),
            (0, 'reassign', keys[0], crew.robots[1]),
            (0, 'awardBatch', batch),
            (0, 'propose', Kind.EXPLORE, 99, 0, 0, terms_of(1, 200, 1, True)),
            (1, 'bid', keys[1], 5),
            (1, 'bidSealed', keys[2], SALT),
        )
    }
    print(spent)
    assert max(spent.values()) < 4_000_000
