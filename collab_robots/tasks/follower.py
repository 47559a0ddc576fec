"""
Following a path with a differential drive: regulated pure pursuit with a lidar guard.

S. Macenski et al., "Regulated Pure Pursuit for Robot Path Tracking", Autonomous Robots 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array, inverse, transform, wrap

MAX_SPEED = 0.5  # m/s
MAX_TURN = 1.5  # rad/s
ACCELERATION = 0.8  # m/s²
TURN_ACCELERATION = 5.0  # rad/s²
LOOKAHEADS = (0.35, 0.18)  # m; the second where the first would cut a corner
TURN_FROM = 0.9  # rad off the path: stop and turn in place …
TURN_UNTIL = 0.35  # … until it is this little
ARRIVED = 0.12  # m
FACED = 0.1  # rad
RADIUS = 0.18  # m
GUARD = 0.03  # m beside the robot that must be free, too
STOP_BEFORE = 0.06  # m between robot and obstacle when it stands


@dataclass(frozen=True)
class Motion:
    """
    What the wheels should do now.

    :param v: m/s forward.
    :param w: rad/s counter-clockwise.
    :param blocked: it wants to go on but something stands in the way.
    :param arrived: it stands at the end of the path (and faces where it should).
    """

    v: float = 0.0
    w: float = 0.0
    blocked: bool = False
    arrived: bool = False


def free_ahead(points: Array, curvature: float, forward: bool = True) -> float:
    """
    Return how far the robot can go along an arc until it touches something.

    A robot that already stands close to a wall may go along it.

    :param points: (n, 2) what the lidar hit, m, base frame.
    :param curvature: 1/m, positive to the left.
    :returns: m; infinite if nothing is in the swept corridor.
    """
    if len(points) == 0:
        return math.inf
    x = points[:, 0] if forward else -points[:, 0]
    y = points[:, 1]
    distance = np.hypot(x, y)
    width = min(max(float(distance.min()) - 0.01, RADIUS - 0.01), RADIUS + GUARD)
    if abs(curvature) < 1e-3:
        hit = (np.abs(y) < width) & (x > 0)
        reach = x[hit] - np.sqrt(width**2 - y[hit] ** 2)
    else:  # on the circle driven along, a point is met where the law of cosines says so
        radius = 1.0 / abs(curvature)
        inward = radius - y * math.copysign(1.0, curvature)
        from_centre = np.hypot(x, inward)
        hit = np.abs(from_centre - radius) < width
        rim = np.maximum(from_centre[hit], 1e-6)
        cosine = (radius**2 + rim**2 - width**2) / (2.0 * radius * rim)
        ahead = np.arctan2(x[hit], inward[hit]) % (2.0 * math.pi)
        angle = ahead - np.arccos(np.clip(cosine, -1.0, 1.0))
        reach = radius * angle
    return max(0.0, float(reach.min())) if hit.any() else math.inf


class Follower:
    """Turns a path into velocities; remembers only the last command, to limit accelerations."""

    def __init__(self) -> None:
        self._v = 0.0
        self._w = 0.0
        self._then: int | None = None
        self._turning = False

    def stop(self) -> Motion:
        """Stand still, now."""
        self._v = self._w = 0.0
        self._then = None
        return Motion()

    def step(
        self,
        now_ns: int,
        pose: Array,
        path: Array,
        points: Array | None,
        face: float | None = None,
    ) -> Motion:
        """
        Follow a path.

        :param pose: (3,) in the frame of the path.
        :param path: (n, 2) m.
        :param points: (m, 2) latest lidar hits, base frame; None if there is no fresh scan, then
            it stops.
        :param face: yaw to end with, rad.
        """
        if points is None or not np.isfinite(pose).all() or len(path) == 0:
            return self.stop()
        points = points[np.isfinite(points).all(axis=1)]
        distances = np.hypot(*(path - pose[:2]).T)
        nearest = int(np.argmin(distances))
        to_end = float(distances[-1])
        if to_end < ARRIVED or (nearest == len(path) - 1 and to_end < 2 * ARRIVED):
            return self._finish(now_ns, pose, face)
        for lookahead in LOOKAHEADS:
            reach = distances[nearest:] >= lookahead
            target = path[nearest + int(np.argmax(reach))] if reach.any() else path[-1]
            x, y = transform(inverse(pose), target[None])[0]
            curvature = 2.0 * y / max(x * x + y * y, 1e-6)
            gap = free_ahead(points, curvature) - STOP_BEFORE
            if gap > 0.0:
                break
        bearing = math.atan2(y, x)
        self._turning = abs(bearing) > (TURN_UNTIL if self._turning else TURN_FROM)
        if self._turning:
            return self._command(
                now_ns, 0.0, math.copysign(min(MAX_TURN, 2.5 * abs(bearing)), bearing)
            )
        left = float(np.hypot(*np.diff(path[nearest:], axis=0).T).sum()) + float(
            distances[nearest]
        )
        wanted = min(
            MAX_SPEED,
            MAX_TURN / max(abs(curvature), 1e-6),
            MAX_SPEED / (1.0 + 0.25 * abs(curvature)) + 0.05,
            math.sqrt(2.0 * ACCELERATION * max(left, 0.03)),
        )
        v = min(wanted, math.sqrt(ACCELERATION * max(gap, 0.0)))
        if v < 0.03:  # what remains is turning towards the path
            turn = max(-0.5, min(0.5, bearing))
            return self._command(now_ns, 0.0, turn, blocked=True)
        return self._command(now_ns, v, v * curvature)

    def back(self, now_ns: int, points: Array | None) -> Motion:
        """Creep backwards as long as nothing is behind."""
        if points is None:
            return self.stop()
        points = points[np.isfinite(points).all(axis=1)]
        gap = free_ahead(points, 0.0, forward=False) - STOP_BEFORE / 2
        return self._command(now_ns, -min(0.2, math.sqrt(ACCELERATION * max(gap, 0.0))), 0.0)

    def _finish(self, now_ns: int, pose: Array, face: float | None) -> Motion:
        error = 0.0 if face is None else wrap(face - float(pose[2]))
        if abs(error) <= FACED:
            motion = self._command(now_ns, 0.0, 0.0)
            return Motion(motion.v, motion.w, arrived=True)
        return self._command(
            now_ns, 0.0, math.copysign(min(MAX_TURN, 2.0 * abs(error) + 0.05), error)
        )

    def _command(self, now_ns: int, v: float, w: float, blocked: bool = False) -> Motion:
        dt = 0.1 if self._then is None else min(max((now_ns - self._then) / SECOND, 0.0), 0.3)
        self._then = now_ns
        if v > self._v:  # braking for something is never limited
            v = min(v, max(self._v, 0.0) + ACCELERATION * dt)
        self._v = v
        self._w += max(-TURN_ACCELERATION * dt, min(TURN_ACCELERATION * dt, w - self._w))
        return Motion(self._v, self._w, blocked)
