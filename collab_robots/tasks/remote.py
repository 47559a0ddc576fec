"""
Having another program drive (Nav2): goals instead of velocities.

How two robots pass in a door is then that program's affair: it has recoveries of its own.
"""

from __future__ import annotations

from enum import Enum
import math
from typing import Protocol

import numpy as np

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array, pose, wrap
from collab_robots.tasks.drive import Driver, MAX_STUCK
from collab_robots.tasks.follower import FACED, Motion

SAME_GOAL = 0.3  # m; a path that ends so near leads to the same goal

_NO_PATH = np.empty((0, 2))


class Outcome(Enum):
    """What has become of the last goal."""

    UNDERWAY = 'underway'
    REACHED = 'reached'
    FAILED = 'failed'


class Navigator(Protocol):
    """A program that drives to one goal at a time, on its own."""

    @property
    def problem(self) -> str:
        """Why it can drive nowhere now, and what to do about it; empty if it can."""

    @property
    def ending(self) -> bool:
        """Whether it still ends a goal that was cancelled: it takes no new one meanwhile."""

    @property
    def outcome(self) -> Outcome:
        """What has become of the goal sent last."""

    @property
    def left(self) -> float:
        """How far it says that it still has to go, m; 0 as long as it does not know."""

    def send(self, goal: Array) -> None:
        """Drive to a pose (3,) in the map frame, instead of where it drives now."""

    def cancel(self) -> None:
        """Stop the robot."""


class Remote:
    """
    Looks to the agent like a :class:`Driver`, but only passes on where each path ends.

    Failure is final at once: Nav2 has tried its recoveries before it says so.

    :param navigator: drives.
    """

    def __init__(self, navigator: Navigator) -> None:
        self.path: Array = _NO_PATH
        self.arrived = False
        self.stuck = 0
        self.left = 0.0
        self._navigator = navigator
        self._goal: Array | None = None
        self._sent = False
        self._seen: tuple[int, float] | None = None  # when, and the yaw then

    @property
    def problem(self) -> str:
        """Why it can drive nowhere now; empty if it can."""
        return self._navigator.problem

    def go(self, _now_ns: int, path: Array, face: float | None = None) -> None:
        """
        Set out for the end of a path (n, 2); the same end again changes nothing.

        :param face: yaw to end with, rad; None: that of the path's end.
        """
        if len(path) == 0:
            self.halt()
            return
        step = path[-1] - path[max(0, len(path) - 2)]
        x, y = path[-1]
        goal = pose(x, y, math.atan2(step[1], step[0]) if face is None else face)
        self.path = path
        if self._goal is None or not _same(self._goal, goal, face is not None):
            self._goal, self._sent = goal, False
            self.arrived, self.stuck = False, 0
            self.left = float(np.hypot(*np.diff(path, axis=0).T).sum())

    def halt(self) -> None:
        """Forget the goal and stop the robot."""
        self.path, self._goal = _NO_PATH, None
        self.arrived, self.stuck, self.left = False, 0, 0.0
        self._cancel()

    def retreat(self, now_ns: int, path: Array) -> None:
        """Follow a path out of the way."""
        self.go(now_ns, path)

    def blocked_for(self, _now_ns: int) -> float:
        """Return 0: what is in the way it does not see."""
        return 0.0

    def gives_way(self, _now_ns: int) -> bool:
        """Return False: it makes room only when it stands idle in the way."""
        return False

    def step(self, now_ns: int, at: Array, _points: Array | None) -> Motion:
        """
        Send a goal that waits, and see how the last one goes; call at about 10 Hz.

        :param at: (3,) map frame; not finite: it stops until it is.
        :returns: how fast the robot turns; it needs no command.
        """
        if not np.isfinite(at).all():
            self._cancel()
            self._seen = None
            return Motion()
        if self._goal is not None:
            if not self._sent and not self._navigator.ending:
                self._navigator.send(self._goal)
                self._sent = True
            if self._sent:
                self._follow(self._goal, at)
        return Motion(w=self._turn_rate(now_ns, float(at[2])))

    def _follow(self, goal: Array, at: Array) -> None:
        outcome = self._navigator.outcome
        self.arrived = outcome is Outcome.REACHED
        self.stuck = MAX_STUCK if outcome is Outcome.FAILED else 0
        self.left = 0.0 if self.arrived else max(math.dist(goal[:2], at[:2]), self._navigator.left)

    def _cancel(self) -> None:
        if self._sent:
            self._sent = False
            self._navigator.cancel()

    def _turn_rate(self, now_ns: int, yaw: float) -> float:
        before, self._seen = self._seen, (now_ns, yaw)
        if before is None or now_ns <= before[0]:
            return 0.0
        return wrap(yaw - before[1]) * SECOND / (now_ns - before[0])


Drive = Driver | Remote
"""What brings the robot to the end of a path."""


def _same(a: Array, b: Array, faced: bool) -> bool:
    turned = abs(wrap(float(a[2] - b[2]))) > FACED
    return math.dist(a[:2], b[:2]) <= SAME_GOAL and not (faced and turned)
