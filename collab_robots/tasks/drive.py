"""
Getting to the end of a path although things go wrong on the way.

Robots that meet where only one fits resolve it without talking: both wait, each as long as its
rank says; the one whose wait ends first finds another way or gives way, and the other goes on as
soon as its lidar sees room. Ranks differ, so they do not move at the same time.
"""

from __future__ import annotations

import math

import numpy as np

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array, transform
from collab_robots.tasks.follower import Follower, GUARD, Motion, RADIUS

PATIENCE = 1.0  # s that every robot waits before something that blocks it …
PATIENCE_PER_RANK = 2.5  # s … and more, by its rank, before it gives way: time to back off
NO_PROGRESS = 3.0  # s; longer while something is in the way
PROGRESS = 0.3  # m
ROOM_TO_TURN = SECOND  # of backing up, once
WAIT_FOR_OTHERS = 5.0  # s for the one that gives way
FREED = 0.25  # m; either one moved so far
BACK_UP = 1.5  # s at 0.2 m/s at most
MAX_STUCK = 3
RANKS = 8  # ranks repeat after this many robots

_NO_PATH = np.empty((0, 2))


class Driver:
    """
    Follows the paths it is given and notices when that does not work.

    :param rank: a number that differs between robots of a fleet.
    """

    problem = ''  # nothing but a missing pose keeps it from driving

    def __init__(self, rank: int) -> None:
        self.path: Array = _NO_PATH
        self.arrived = False
        self.stuck = 0  # how often in a row there was no progress
        self.left = 0.0  # m of the path that lie ahead
        self._rank = rank % RANKS
        self._face: float | None = None
        self._follower = Follower()
        self._blocked_since: int | None = None
        self._blocked_by: Array = np.zeros(2)
        self._blocked_at: Array = np.zeros(2)
        self._backed_off = False
        self._anchor: Array = np.full(2, np.inf)
        self._anchor_at = 0
        self._back_until = 0

    def go(self, now_ns: int, path: Array, face: float | None = None) -> None:
        """
        Set out, or go on along a better path to the same goal.

        :param path: (n, 2) m, map frame; empty: stay.
        :param face: yaw to end with, rad.
        """
        new_goal = (
            not (len(path) and len(self.path)) or np.hypot(*(path[-1] - self.path[-1])) > 0.3
        )
        self.path, self._face = path, face
        self.arrived = False
        if new_goal:
            self.stuck = 0
            self._anchor_at = now_ns

    def halt(self) -> None:
        """Forget the path."""
        self.path = _NO_PATH
        self.arrived = False
        self.stuck = 0
        self.left = 0.0
        self._blocked_since = None

    def blocked_for(self, now_ns: int) -> float:
        """Return for how many s the same thing has been in the way, even while looking around."""
        return 0.0 if self._blocked_since is None else (now_ns - self._blocked_since) / SECOND

    def retreat(self, now_ns: int, path: Array) -> None:
        """
        Back off at once, so that others see it, then follow a path.

        :param path: (n, 2) m, map frame.
        """
        self.halt()
        self.go(now_ns, path)
        self._back_until = now_ns + round(BACK_UP * SECOND)

    def gives_way(self, now_ns: int) -> bool:
        """Tell whether it is this robot's turn to make room."""
        return self.blocked_for(now_ns) > self._patience()

    def step(self, now_ns: int, pose: Array, points: Array | None) -> Motion:
        """
        Return what the wheels should do now; call at about 10 Hz.

        :param pose: (3,) map frame; not finite: it stops.
        :param points: (n, 2) lidar hits, base frame; None: no fresh scan, it stops.
        """
        if len(self.path) == 0 or points is None or not np.isfinite(pose).all():
            return self._follower.stop()
        points = points[np.isfinite(points).all(axis=1)]
        if now_ns < self._back_until:
            return self._follower.back(now_ns, points)
        distances = np.hypot(*(self.path - pose[:2]).T)
        nearest = int(np.argmin(distances))
        self.left = float(
            np.hypot(*np.diff(self.path[nearest:], axis=0).T).sum() + distances[nearest]
        )
        motion = self._follower.step(now_ns, pose, self.path, points, self._face)
        self.arrived = motion.arrived
        hits = transform(pose, points)
        if self._blocked_since is None and motion.blocked:
            ahead = points[(points[:, 0] > 0) & (np.abs(points[:, 1]) < RADIUS + GUARD)]
            if len(ahead):
                self._blocked_since, self._blocked_at = now_ns, pose[:2].copy()
                self._blocked_by = transform(pose, ahead[np.argmin(np.hypot(*ahead.T))][None])[0]
        elif (
            math.dist(pose[:2], self._blocked_at) > FREED
            or not (np.hypot(*(hits - self._blocked_by).T) < FREED).any()
        ):
            self._blocked_since = None
        if self._blocked_since is None:
            self._backed_off = False
        elif not self._backed_off and self.blocked_for(now_ns) > PATIENCE:
            self._backed_off = True  # a little room to turn, and another angle
            self._back_until = now_ns + ROOM_TO_TURN
        self._watch(now_ns, pose, motion)
        return motion

    def _patience(self) -> float:
        return PATIENCE + PATIENCE_PER_RANK * (1 + self._rank)

    def _watch(self, now_ns: int, pose: Array, motion: Motion) -> None:
        moved = np.hypot(*(pose[:2] - self._anchor)) > PROGRESS
        if motion.arrived or moved:
            self.stuck = 0 if moved else self.stuck
            self._anchor, self._anchor_at = pose[:2].copy(), now_ns
            return
        limit = NO_PROGRESS
        if self._blocked_since is not None:
            limit += self._patience() + WAIT_FOR_OTHERS
        if now_ns - self._anchor_at > limit * SECOND:
            self.stuck += 1
            self._anchor_at = now_ns
            self._back_until = now_ns + round(BACK_UP * SECOND)
