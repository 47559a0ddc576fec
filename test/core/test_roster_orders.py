"""Fleet.sol is merge-safe: within an epoch nothing depends on the order of robots' calls."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from test_roster_contract import FLEET_ID, join, leave, number, reinstate, rekey, reweigh, Roster

from collab_robots.core.identity import address as address_of_key

WEIGHTS = (2, 1, 1, 1, 1)
KEYS = [bytes([letter]) * 32 for letter in b'kl']
revisions = st.integers(0, 2)
members = st.integers(0, 5)
changes = st.one_of(
    st.builds(join, st.sampled_from(['scout', 'spare']), st.sampled_from(KEYS), st.just(1)),
    st.builds(leave, members, revisions),
    st.builds(rekey, members, st.sampled_from(KEYS), revisions),
    st.builds(reweigh, members, st.sampled_from([2, 3]), revisions),
    st.builds(reinstate, members, revisions),
)
calls = st.one_of(
    st.tuples(st.just('vote'), changes),
    st.tuples(st.just('withdraw'), changes),
    st.tuples(st.just('setCapabilities'), st.integers(0, 3)),
    st.tuples(st.just('registerSigner'), st.sampled_from([b's' * 20, bytes(20)])),
)


@st.composite
def epochs(draw):
    """
    Draw some epochs: who says what, and who is convicted in the end.

    Most votes are for a few changes, so that some pass.
    """
    result = []
    for _ in range(draw(st.integers(1, 4))):
        wanted = draw(st.lists(changes, min_size=1, max_size=3))
        votes = st.tuples(st.just('vote'), st.sampled_from(wanted))
        said = {
            robot: draw(st.lists(st.one_of(votes, votes, calls), max_size=5))
            for robot in range(len(WEIGHTS) + 2)
        }
        result.append((said, draw(st.sampled_from([0, 0, 0b10, 0b101]))))
    return result


def interleaved(said, random):
    """Put the calls of all robots into an order that keeps each robot's own."""
    turns = [robot for robot, mine in said.items() for _ in mine]
    random.shuffle(turns)
    left = {robot: iter(mine) for robot, mine in said.items()}
    return [(robot, *next(left[robot])) for robot in turns]


def play(story, random):
    """Return what every robot could read after each epoch, and what became of each call."""
    roster = Roster(WEIGHTS)
    senders = [*roster.robots, *map(address_of_key, KEYS)]
    seen, outcomes, ids = [], {}, {FLEET_ID}
    for number_of, (said, convicted) in enumerate(story):
        done = {robot: [] for robot in said}
        for robot, call, argument in interleaved(said, random):
            if call == 'withdraw':
                argument = roster('changeId', argument)
            outcome = roster.chain.call(senders[robot], roster.fleet, call, argument)
            done[robot].append((outcome.ok, outcome.error, outcome.halt))
            ids |= {event[1] for event in outcome.events}
        outcomes[number_of] = done
        for _ in range(2):
            facts = {key: roster.chain.fact(roster.fleet, key) for key in ids}
            views = [roster(view) for view in ('roster', 'weights', 'active')]
            votes = [roster(view, mask) for view in ('pending', 'due') for mask in (0, 0b11)]
            seen.append((facts, views, votes))
            ids |= {event[1] for event in roster.close(convicted)}
    return roster, seen, outcomes


@settings(max_examples=150, deadline=None)
@given(epochs(), st.integers(0, 1 << 32))
def test_every_order_gives_the_same_facts_and_outcomes(story, seed):
    roster, seen, outcomes = play(story, Random(seed))
    _, again, same = play(story, Random(seed + 1))
    assert seen == again and outcomes == same
    assert roster('epoch') == 2 * len(story)


@settings(max_examples=100, deadline=None)
@given(epochs(), st.integers(0, 1 << 32))
def test_the_roster_stays_sound(story, seed):
    roster, seen, _ = play(story, Random(seed))
    head, robots = roster('roster')
    assert roster('active') and head.size == len(robots)
    assert head.expelled & ~head.members == 0
    addresses = [robot.robot for robot in robots]
    assert len(set(addresses)) == len(addresses)
    names = [robot.name for robot in robots if any(robot.name)]
    assert len(set(names)) == len(names)
    weights, total = roster('weights')
    for index, robot in enumerate(robots):
        member = bool(head.members >> index & 1)
        assert member == (robot.weight > 0)
        assert (weights[index] > 0) == bool(roster('active') >> index & 1)
        expected = 'NotMember' if not member else 'Expelled' if not weights[index] else index
        assert roster.index(robot.robot) == expected
    assert sum(weights) == total
    for facts, (_, _, active), (pending, *_) in seen:
        for item in pending:
            assert item.voters and item.voters & ~active == 0
            assert facts[item.id][6 * 32 : 7 * 32] == number(item.voters)
