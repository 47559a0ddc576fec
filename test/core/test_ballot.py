"""Whom a person's vote is put to, when it is decided, and what is said until then."""

from dataclasses import replace

import pytest

from collab_robots.contract.ballot import Answer, Ballot, Recall
from collab_robots.contract.calls import fleet as calls
from collab_robots.contract.calls.fleet import Capability, change_id
from collab_robots.contract.views.roster import (
    Obstacle,
    PendingChange,
    Robot,
    Roster,
    Standing,
)
from collab_robots.contract.wishes import to_join, to_leave, to_reinstate, to_rekey, to_reweigh
from collab_robots.core.errors import CallError, ConfigError
from collab_robots.core.fleet import MAX_ROBOTS
from collab_robots.core.identity import address

KEY = b'n' * 32


def robot(index, weight=1, **values):
    key = bytes([index + 1]) * 32
    entry = Robot(
        index,
        f'robot{index + 1}',
        address(key),
        key,
        weight,
        Standing.ACTIVE,
        0,
        0,
        b'',
        Capability(0),
    )
    return replace(entry, **values)


FOUR = Roster(0, tuple(map(robot, range(4))))
FIVE = Roster(1, (*FOUR.robots, robot(4, name='robot5', key=KEY)))
NAMES = [one.name for one in FOUR.robots]
JOIN = to_join('robot5', KEY, 1)


def change(roster, index, **values):
    """Return the next epoch's roster, in which a robot is another."""
    robots = list(roster.robots)
    robots[index] = replace(robots[index], **values)
    return Roster(roster.epoch + 1, tuple(robots))


def votes(wish, *voters, obstacle=Obstacle.NONE, roster=FOUR):
    made = wish(roster)
    weight = roster.weigh(voters)
    return PendingChange(change_id(made), made, 'robot5', voters, weight, roster.needed, obstacle)


def ballot(wish, **answers):
    made = Ballot(wish)
    for name, (roster, *pending) in answers.items():
        made.take(name, Answer(roster, pending))
    return made


def asked(vote):
    """Return who is to be asked for a vote now."""
    calls_ = vote.calls()
    assert {call for _, call in calls_} <= {calls.vote(vote.change)}
    return [name for name, _ in calls_]


def test_every_robot_that_answers_is_asked_once():
    vote = ballot(JOIN, robot1=[FOUR])
    assert vote.roster is None and vote.calls() == []
    assert vote.explain() == ['robot1 answered: too few to believe who is in the fleet']
    vote.take('robot2', Answer(FOUR, ()))
    assert asked(vote) == ['robot1', 'robot2']
    vote.note_asked('robot1', vote.calls()[0][1])
    vote.take('robot3', Answer(FOUR, (votes(JOIN, 'robot3'),)))  # an earlier try
    assert asked(vote) == ['robot2']
    assert vote.explain() == [
        'weight 1 of 3 voted: robot3',
        'did not answer: robot4',
        'robot1 was asked, and its vote is not there',
    ]
    assert not vote.is_done


def test_it_is_decided_when_two_thirds_of_before_have_the_new_roster():
    vote = ballot(JOIN, **{name: [FOUR, votes(JOIN, *NAMES[:3])] for name in NAMES})
    assert vote.explain()[-1].startswith('enough voted')
    for count, name in enumerate(NAMES, 1):
        assert vote.is_done == (count > 3)
        vote.take(name, Answer(FIVE, ()))
    assert vote.is_done and vote.is_new and vote.explain() == []
    assert (vote.roster, vote.voters, vote.silent) == (FIVE, tuple(NAMES[:3]), ())
    assert vote.is_heard  # four of five


def test_a_fleet_that_cannot_go_on_without_the_new_robot_is_noticed():
    vote = ballot(JOIN, **{name: [FOUR] for name in NAMES[:3]})
    for name in NAMES[:3]:
        vote.take(name, Answer(FIVE, ()))
    assert vote.is_done and vote.silent == ('robot4',) and not vote.is_heard


def test_what_is_so_already_needs_no_vote():
    vote = ballot(JOIN, **{name: [FIVE] for name in NAMES})
    assert vote.is_done and not vote.is_new and vote.calls() == []


def test_one_robots_word_changes_nothing():
    lie = change(FOUR, 2, name='robot4', revision=7)
    vote = ballot(to_leave('robot4'), robot2=[lie], robot1=[FOUR], robot3=[FOUR])
    assert vote.roster == FOUR and vote.change == calls.leave(3, 0)
    assert asked(vote) == ['robot1', 'robot3']
    vote.take('robot2', Answer(replace(lie, epoch=9), ()))
    assert vote.roster == FOUR


def test_robots_say_of_themselves_what_they_like():
    able = replace(FOUR, robots=(robot(0, capabilities=Capability.LIDAR), *FOUR.robots[1:]))
    vote = ballot(JOIN, robot1=[able], robot2=[FOUR])
    assert asked(vote) == ['robot1', 'robot2']


def test_the_expelled_are_not_asked_and_do_not_count():
    three = change(FOUR, 1, standing=Standing.EXPELLED, revision=1)
    vote = ballot(to_reinstate('robot2'), **{name: [three] for name in NAMES})
    assert asked(vote) == ['robot1', 'robot3', 'robot4']
    assert three.needed == 2 and vote.change == calls.reinstate(1, 1)


def test_reasons_are_said_in_words():
    others = [votes(to_reweigh('robot4', weight), 'robot1') for weight in range(2, 6)]
    vote = ballot(JOIN, robot1=[FOUR, *others], robot2=[FOUR])
    vote.note_asked('robot1', vote.calls()[0][1])
    assert 'robot1 was asked, but it votes for 4 other changes already' in vote.explain()
    blocked = votes(JOIN, 'robot2', obstacle=Obstacle.KEY_TAKEN)
    vote.take('robot2', Answer(FOUR, (blocked,)))
    assert vote.explain()[-1].endswith('robot2; cannot be made: key taken')
    assert vote.pending == others
    assert ballot(JOIN).explain() == ['no robot answered: too few to believe who is in the fleet']


GONE = change(FOUR, 1, standing=Standing.LEFT, weight=0, revision=1)
OUT = change(FOUR, 1, standing=Standing.EXPELLED, revision=1)
ALONE = Roster(0, FOUR.robots[:1])
FULL = Roster(0, tuple(map(robot, range(MAX_ROBOTS))))


@pytest.mark.parametrize(
    ('wish', 'roster', 'expected'),
    [
        (JOIN, FOUR, calls.join('robot5', KEY, 1)),
        (JOIN, FIVE, None),
        (to_leave('robot2'), FOUR, calls.leave(1, 0)),
        (to_leave('robot2'), OUT, calls.leave(1, 1)),
        (to_leave('robot2'), GONE, None),
        (to_rekey('robot2', KEY), FOUR, calls.rekey(1, 0, KEY)),
        (to_rekey('robot5', KEY), FIVE, None),
        (to_reweigh('robot2', 7), FOUR, calls.reweigh(1, 0, 7)),
        (to_reweigh('robot2', 1), FOUR, None),
        (to_reinstate('robot2'), OUT, calls.reinstate(1, 1)),
        (to_reinstate('robot2'), FOUR, None),
    ],
)
def test_wishes(wish, roster, expected):
    assert wish(roster) == expected


@pytest.mark.parametrize(
    ('wish', 'roster', 'words'),
    [
        (to_join('robot2', KEY, 1), FOUR, 'robot2 is in the fleet with the key 0202'),
        (to_join('robot2', KEY, 1), GONE, 'robot2 has left the fleet for ever'),
        (to_join('robot2', FOUR.robots[1].key, 1), OUT, 'robot2 is expelled'),
        (to_join('robot9', FOUR.robots[1].key, 1), FOUR, 'is the key of robot2'),
        (to_join('new', KEY, 1), FULL, 'the fleet is full: it has had 64 robots'),
        (to_leave('robot9'), FOUR, 'robot9 is not in the fleet; it has: robot1, robot2'),
        (to_leave('robot1'), ALONE, 'nobody would be left'),
        (to_rekey('robot2', FOUR.robots[0].key), FOUR, 'is the key of robot1'),
        (to_rekey('robot2', KEY), GONE, 'robot2 has left'),
        (to_reweigh('robot2', 2), GONE, 'robot2 has left'),
        (to_reinstate('robot2'), GONE, 'robot2 has left'),
    ],
)
def test_wishes_that_cannot_come_true(wish, roster, words):
    with pytest.raises(ConfigError, match=words):
        wish(roster)


def test_values_out_of_range_are_no_wish():
    for make in (lambda: to_join('Robot', KEY, 1), lambda: to_join('robot5', b'', 1)):
        with pytest.raises(CallError):
            make()


def test_votes_about_a_robot_are_taken_back_by_those_who_gave_them():
    join = votes(JOIN, 'robot1', 'robot3')
    other = replace(votes(to_leave('robot2'), 'robot1'), robot='robot2')
    recall = Recall('robot5')
    for name in ('robot1', 'robot2'):
        recall.take(name, Answer(FOUR, (join, other)))
    assert recall.calls() == [('robot1', calls.withdraw(join.id))]  # robot3 has not answered
    recall.note_asked(*recall.calls()[0])
    assert recall.calls() == [] and not recall.is_done
    assert recall.explain() == [join.explain(), 'did not answer: robot3, robot4']
    for name in ('robot1', 'robot2', 'robot3'):
        recall.take(name, Answer(FOUR, (other,)))
    assert recall.is_done and recall.asked == ('robot1',)
    leave = Recall('robot2')
    for name in NAMES:
        leave.take(name, Answer(FOUR, (join, other)))
    assert leave.calls() == [('robot1', calls.withdraw(other.id))]
    nothing = Recall('robot4')
    for name in NAMES:
        nothing.take(name, Answer(FOUR, (join, other)))
    assert nothing.is_done and nothing.asked == ()


def test_votes_are_not_taken_back_by_the_word_of_few():
    recall = Recall('robot5')
    recall.take('robot1', Answer(FOUR, ()))
    assert not recall.is_done and 'too few to believe' in recall.explain()[0]
