"""Following paths, stopping for obstacles, noticing that nothing moves."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array, compose, inverse, pose, transform, wrap
from collab_robots.tasks.drive import Driver, MAX_STUCK
from collab_robots.tasks.follower import ACCELERATION, Follower, free_ahead, MAX_SPEED, MAX_TURN

STEP = SECOND // 10
NOTHING = np.empty((0, 2))


def line(*corners: tuple[float, float]) -> Array:
    points = [
        np.linspace(a, b, max(2, round(np.hypot(*np.subtract(b, a)) / 0.1)))
        for a, b in itertools.pairwise(corners)
    ]
    return np.concatenate(points)


def drive(
    start: Array, path: Array, seconds: float, walls: Array = NOTHING, face: float | None = None
) -> tuple[Array, list[tuple[float, float]], bool]:
    follower, at, commands, arrived = Follower(), start, [], False
    for tick in range(round(seconds * 10)):
        points = transform(inverse(at), walls) if len(walls) else NOTHING
        motion = follower.step(tick * STEP, at, path, points, face)
        commands.append((motion.v, motion.w))
        at = compose(at, pose(motion.v * 0.1, 0.0, motion.w * 0.1))
        arrived = motion.arrived
        if arrived:
            break
    return at, commands, arrived


@pytest.mark.parametrize('yaw', [0.0, 1.5, 3.1, -2.0])
def test_it_gets_there_within_limits(yaw: float) -> None:
    path = line((0, 0), (2, 0), (2, 2), (0.5, 3))
    at, commands, arrived = drive(pose(0, 0, yaw), path, 25)
    assert arrived
    assert np.hypot(*(at[:2] - path[-1])) < 0.25
    speeds = np.array(commands)
    assert np.abs(speeds[:, 0]).max() <= MAX_SPEED + 1e-9
    assert np.abs(speeds[:, 1]).max() <= MAX_TURN + 1e-9
    assert np.diff(speeds[:, 0], prepend=0).max() <= ACCELERATION * 0.1 + 1e-9


def test_it_turns_in_place_before_going_back() -> None:
    _, commands, _ = drive(pose(0, 0, 3.1), line((0, 0), (3, 0)), 1.0)
    assert all(v == 0 for v, _ in commands)


def test_it_ends_facing_the_wall() -> None:
    at, _, arrived = drive(pose(0, 0, 0), line((0, 0), (1, 0)), 15, face=-2.0)
    assert arrived
    assert abs(wrap(at[2] + 2.0)) < 0.12


def test_it_stops_before_an_obstacle_and_says_so() -> None:
    wall = np.array([(1.5, y) for y in np.arange(-0.5, 0.5, 0.02)])
    follower, at, motion = Follower(), pose(0, 0, 0), None
    for tick in range(100):
        motion = follower.step(tick * STEP, at, line((0, 0), (3, 0)), transform(inverse(at), wall))
        at = compose(at, pose(motion.v * 0.1, 0.0, motion.w * 0.1))
    assert motion is not None and motion.blocked
    assert 1.15 < at[0] < 1.32 - 0.02


def test_a_wall_beside_the_way_does_not_stop_it() -> None:
    walls = np.array([(x, side) for x in np.arange(-1, 5, 0.03) for side in (-0.3, 0.3)])
    _, _, arrived = drive(pose(0, 0, 0), line((0, 0), (3, 0)), 15, walls)
    assert arrived


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), max_size=40),
    st.floats(-5, 5),
)
def test_free_ahead_keeps_the_disc_clear(points: list[tuple[float, float]], bend: float) -> None:
    """Wherever on the arc the robot stops short of the free length, no point is inside it."""
    cloud = np.array(points).reshape(-1, 2)
    cloud = cloud[np.hypot(*cloud.T) > 0.23]
    free = min(free_ahead(cloud, bend), 2.0)
    if abs(bend) > 1e-3:
        free = min(free, np.pi / abs(bend))
    for along in np.linspace(0, free, 20)[:-1]:
        at = pose(along, 0, 0)
        if abs(bend) > 1e-3:
            at = pose(np.sin(along * bend) / bend, (1 - np.cos(along * bend)) / bend, 0)
        assert len(cloud) == 0 or np.hypot(*(cloud - at[:2]).T).min() > 0.18 - 1e-6


@pytest.mark.parametrize(
    'bad',
    [
        (pose(np.nan, 0, 0), NOTHING),
        (pose(0, 0, np.inf), NOTHING),
        (pose(0, 0, 0), None),
    ],
)
def test_without_pose_or_scan_it_stands(bad: tuple[Array, Array | None]) -> None:
    driver = Driver(0)
    driver.go(0, line((0, 0), (3, 0)))
    for tick in range(5):
        driver.step(tick * STEP, pose(0, 0, 0), NOTHING)
    motion = driver.step(5 * STEP, *bad)
    assert (motion.v, motion.w) == (0.0, 0.0)


def test_nan_rays_are_ignored() -> None:
    motion = Follower().step(
        0, pose(0, 0, 0), line((0, 0), (3, 0)), np.array([(np.nan, 1.0), (np.inf, 0.0)])
    )
    assert motion.v > 0


def test_a_robot_that_does_not_move_backs_up_and_counts() -> None:
    driver = Driver(0)
    driver.go(0, line((0, 0), (3, 0)))
    motions = [driver.step(tick * STEP, pose(0, 0, 0), NOTHING) for tick in range(180)]
    assert min(motion.v for motion in motions) < -0.1
    assert driver.stuck >= MAX_STUCK
    driver.halt()
    assert driver.stuck == 0


def test_patience_grows_with_rank() -> None:
    first = []
    wall = np.array([(0.22, y) for y in (-0.1, 0.0, 0.1)])
    for rank in (0, 1, 2):
        driver = Driver(rank)
        driver.go(0, line((0, 0), (3, 0)))
        tick = 0
        while not driver.gives_way(tick * STEP):
            driver.step(tick * STEP, pose(0, 0, 0), wall)
            tick += 1
        first.append(tick / 10)
    assert np.diff(first) == pytest.approx([2.5, 2.5], abs=0.11)
    assert first[0] < 4.0
