"""Another program drives: it gets goals, not velocities, and its word counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
import math

import numpy as np
import pytest

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array, FREE, Grid, OCCUPIED, pose, UNKNOWN
from collab_robots.tasks.agent import Agent
from collab_robots.tasks.drive import MAX_STUCK
from collab_robots.tasks.intents import Bid, Complete, Intent, Release, Renew
from collab_robots.tasks.remote import Outcome, Remote
from collab_robots.tasks.task_view import TaskView

NOWHERE = pose(math.nan, 0.0, 0.0)
HERE = pose(0.0, 0.0, 0.0)
ASIDE = np.array([1.0, 0.0])
PATH = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 3.0]])


@dataclass
class Recorded:
    """A navigator that writes down what it is told, and does what the test says."""

    problem: str = ''
    ending: bool = False
    outcome: Outcome = Outcome.UNDERWAY
    left: float = 0.0
    said: list[object] = field(default_factory=list)

    def send(self, goal: Array) -> None:
        self.outcome = Outcome.UNDERWAY
        self.said.append(tuple(goal.round(3)))

    def cancel(self) -> None:
        self.said.append('cancel')


def test_a_path_becomes_one_goal_however_often_it_is_planned_anew() -> None:
    navigator = Recorded()
    remote = Remote(navigator)
    remote.go(0, PATH)
    assert remote.left == pytest.approx(5.0)
    for tick in range(3):
        remote.step(tick, HERE, None)
        remote.go(tick, PATH + ASIDE / 10)
    assert navigator.said == [(2.0, 3.0, round(math.pi / 2, 3))]
    remote.go(3, PATH, face=0.0)  # another way to look is another goal …
    remote.go(3, PATH, face=0.05)
    remote.step(3, HERE, None)
    remote.go(4, PATH + ASIDE, face=0.0)  # … and so is another place: Nav2 turns to it itself
    remote.step(4, HERE, None)
    assert navigator.said[1:] == [(2.0, 3.0, 0.0), (3.0, 3.0, 0.0)]


def test_it_is_as_far_as_the_program_says_but_never_nearer_than_it_stands() -> None:
    navigator = Recorded()
    remote = Remote(navigator)
    remote.go(0, PATH)
    for left, expected in ((0.0, math.hypot(2, 3)), (7.5, 7.5)):
        navigator.left = left  # Nav2 says 0 until it has a path
        remote.step(0, HERE, None)
        assert remote.left == pytest.approx(expected)
    navigator.outcome = Outcome.REACHED
    remote.step(0, HERE, None)
    assert remote.arrived and remote.left == 0.0
    remote.go(0, PATH)
    assert remote.arrived, 'planned anew, it is still there'
    navigator.outcome = Outcome.FAILED
    remote.step(0, HERE, None)
    assert remote.stuck == MAX_STUCK and not remote.arrived


def test_the_next_goal_waits_until_the_cancelled_one_has_ended() -> None:
    navigator = Recorded()
    remote = Remote(navigator)
    remote.go(0, PATH)
    remote.halt()
    assert navigator.said == [], 'nothing was sent yet'
    remote.go(0, PATH)
    remote.step(0, HERE, None)
    remote.halt()
    navigator.ending = True
    navigator.outcome = Outcome.FAILED  # of the cancelled one
    remote.go(1, PATH + 1.0)
    remote.step(1, HERE, None)
    assert navigator.said[1:] == ['cancel'] and remote.stuck == 0
    navigator.ending = False
    remote.step(2, HERE, None)
    assert navigator.said[2:] == [(3.0, 4.0, round(math.pi / 2, 3))]


def test_a_robot_that_does_not_know_where_it_is_stops_and_goes_on_later() -> None:
    navigator = Recorded()
    remote = Remote(navigator)
    remote.go(0, PATH)
    for at in (HERE, NOWHERE, NOWHERE, HERE):
        remote.step(0, at, None)
    assert navigator.said[1] == 'cancel' and navigator.said[0] == navigator.said[2]
    assert len(navigator.said) == 3


def test_it_tells_how_fast_the_robot_turns_for_the_sake_of_the_camera() -> None:
    remote = Remote(Recorded())
    yaws = (3.0, 3.1, -3.1, -3.1)
    rates = [remote.step(i * SECOND // 10, pose(0, 0, yaw), None).w for i, yaw in enumerate(yaws)]
    assert rates == pytest.approx([0.0, 1.0, 10 * (2 * math.pi - 6.2), 0.0])


def floor() -> Grid:
    """Return 8 x 4 m of which the right half is unknown."""
    data = np.full((80, 160), FREE, np.int8)
    data[:2] = data[-2:] = OCCUPIED
    data[:, :2] = OCCUPIED
    data[:, 80:] = UNKNOWN
    return Grid(data, 0.05, (0.0, 0.0))


VIEW = TaskView(b'v', Kind.EXPLORE, (3, 2), 0, TaskState.OPEN, assigned='a', bids={'a': 1.0})
HELD = replace(VIEW, state=TaskState.HELD, holder='a', assigned=None, accepted=True)


class Robot:
    """An agent whose navigator is slow: it stands where the test puts it."""

    def __init__(self) -> None:
        self.navigator = Recorded()
        self.agent = Agent('a', 0, Remote(self.navigator))
        self.at = pose(1.0, 1.0, 0.0)
        self._now = SECOND
        self._grid = floor()

    def live(self, task: TaskView, seconds: float, hold: bool = False) -> list[Intent]:
        said: list[Intent] = []
        for tick in range(round(10 * seconds)):
            self._now += SECOND // 10
            if tick % 5 == 0:
                said += self.agent.decide(self._now, self._grid, self.at, None, [task], hold)
            assert self.agent.steer(self._now, self.at, None)[0] == 0.0
        return said

    def under_way(self) -> tuple[float, float]:
        """Let it win the task and set out; return where to."""
        self.live(replace(VIEW, assigned=None, bids={}), 3)
        self.live(VIEW, 1)
        self.live(HELD, 2)
        assert self.agent.task == b'v'
        ((x, y, _),) = self.navigator.said
        return x, y


def test_a_task_is_driven_to_renewed_and_completed() -> None:
    robot = Robot()
    x, y = robot.under_way()
    assert x == pytest.approx(3.9, abs=0.3), 'before what is unknown'
    assert Renew(b'v') in robot.live(HELD, 4)
    robot.at, robot.navigator.outcome = pose(x, y, 0.0), Outcome.REACHED
    assert Complete(b'v') in robot.live(HELD, 4)
    assert robot.agent.task is None
    assert len(robot.navigator.said) == 2 and robot.navigator.said[1] == 'cancel'


def test_a_task_that_cannot_be_reached_is_given_back_and_left_to_others_for_a_while() -> None:
    robot = Robot()
    robot.under_way()
    robot.navigator.outcome = Outcome.FAILED
    assert Release(b'v') in robot.live(HELD, 1)
    assert 'no way through' in robot.agent.state
    later = robot.live(replace(VIEW, assigned=None, bids={}), 10)
    assert not [said for said in later if isinstance(said, Bid) and said.key == b'v']


@pytest.mark.parametrize('other', [{'holder': 'b'}, {'state': TaskState.OPEN, 'holder': None}])
def test_a_lost_lease_stops_the_robot(other: dict[str, object]) -> None:
    robot = Robot()
    robot.under_way()
    assert Release(b'v') in robot.live(replace(HELD, **other), 1)
    assert robot.navigator.said[1:] == ['cancel']


def test_on_hold_it_stops_and_goes_on_with_the_same_goal_afterwards() -> None:
    robot = Robot()
    robot.under_way()
    assert robot.live(HELD, 3, hold=True) == []
    assert robot.navigator.said[1:] == ['cancel']
    robot.live(HELD, 3)
    assert robot.navigator.said[2:] == robot.navigator.said[:1]


def test_without_its_navigator_it_gives_everything_back_and_says_why() -> None:
    robot = Robot()
    robot.under_way()
    robot.navigator.problem = 'start Nav2'
    assert set(robot.live(HELD, 3)) == {Release(b'v')}
    assert robot.agent.state == 'start Nav2'
    assert set(robot.live(VIEW, 5)) == {Release(b'v')}, 'its old bid is taken back'
    assert robot.live(replace(VIEW, assigned=None, bids={}), 5) == []
    robot.navigator.problem = ''
    later = robot.live(replace(VIEW, assigned=None, bids={}), 30)
    assert [said for said in later if isinstance(said, Bid)], 'it is back'
