"""A flat world of wall segments, a lidar in it, and a robot with bad odometry."""

from itertools import pairwise
import math

import numpy as np

from collab_robots.core.geometry import compose, inverse, pose, wrap
from collab_robots.mapping.scan import Scan

RAYS = 360
STEP_NS = 50_000_000
THICK = 0.1  # m, of the walls


def box(left, bottom, right, top):
    """Return the four sides of a box, (4, 4): x and y of both ends."""
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return [(*a, *b) for a, b in zip(corners, [*corners[1:], corners[0]], strict=True)]


def walls(*lines):
    """Return the sides of walls of 0.1 m along axis-parallel lines."""
    half = THICK / 2
    sides = []
    for x0, y0, x1, y1 in lines:
        sides += box(
            min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half
        )
    return sides


# Three rooms along a corridor, 10 × 8 m, with furniture.
HOUSE = np.array(
    walls(
        (0, 0, 10, 0), (10, 0, 10, 8), (0, 8, 10, 8), (0, 0, 0, 8),
        (0, 5, 1.5, 5), (2.5, 5, 7, 5), (8, 5, 10, 5), (5, 0, 5, 2), (5, 3, 5, 5),
        (6, 6.5, 6, 8),
    )
    + box(0.6, 0.6, 1.4, 1.2) + box(8.2, 1.0, 8.6, 1.4) + box(3.5, 7.3, 4.7, 7.9)
)  # fmt: skip
ROUTE = [(1, 6), (5, 6), (8.6, 6.6), (8.6, 7.2), (7.5, 6), (7.5, 4), (7, 2.5), (4, 2.5), (2, 1.5),
         (2, 4), (2, 6), (5, 6)]  # fmt: skip


def cast(world, at, noise=None, reach=8.0):
    """Return what a lidar at a pose measures, (360,) m; inf where nothing is in reach."""
    angles = at[2] - math.pi + np.arange(RAYS) * 2 * math.pi / RAYS
    ray = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None]  # (360, 1, 2)
    start = world[:, :2] - at[:2]  # (s, 2)
    side = world[:, 2:] - world[:, :2]
    with np.errstate(divide='ignore', invalid='ignore'):
        cross = ray[..., 0] * side[:, 1] - ray[..., 1] * side[:, 0]
        along = (start[:, 0] * side[:, 1] - start[:, 1] * side[:, 0]) / cross
        where = (start[:, 0] * ray[..., 1] - start[:, 1] * ray[..., 0]) / cross
    hit = (along > 0) & (where >= 0) & (where <= 1)
    ranges = np.where(hit, along, np.inf).min(axis=1)
    if noise is not None:
        ranges = ranges + noise.normal(0, 0.01, RAYS)
    return np.where(ranges <= reach, ranges, np.inf).astype(np.float32)


def scan(world, at, stamp_ns=0, noise=None):
    """Return a scan of the world."""
    ranges = cast(world, at, noise)
    return Scan(ranges, -math.pi, 2 * math.pi / RAYS, 0.12, 8.0, stamp_ns)


def drive(route, speed=0.5, turn=1.5, dt=STEP_NS * 1e-9):
    """Return the poses (n, 3) of a robot that turns towards each point and drives there."""
    at = pose(*route[0], 0.0)
    poses = [at]
    for goal in route[1:]:
        while math.dist(at[:2], goal) > 0.03:
            ahead = math.atan2(goal[1] - at[1], goal[0] - at[0])
            off = wrap(ahead - at[2])
            if abs(off) > 0.3:
                move = (0.0, 0.0, math.copysign(min(turn, abs(off) / dt), off) * dt)
            else:
                move = (min(speed * dt, math.dist(at[:2], goal)), 0.0, 2 * off * dt)
            at = compose(at, pose(*move))
            poses.append(at)
    return np.array(poses)


def drifting(truth, noise, way=0.01, turn=0.02):
    """Return odometry (n, 3) that is wrong by a share of the way and of the turn."""
    share = 1.0 + np.array([noise.normal(0, way), 0.0, noise.normal(0, turn)])
    odom = [pose(0.0, 0.0, 0.0)]
    for a, b in pairwise(truth):
        moved = compose(inverse(a), b) * share
        jitter = noise.normal(0, 0.1, 3) * np.abs(moved) * (1, 0, 1)
        odom.append(compose(odom[-1], moved + jitter))
    return np.array(odom)
