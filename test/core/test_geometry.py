"""Poses, grids and the clock."""

import math

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.geometry import compose, Grid, inverse, pose, transform, wrap
from collab_robots.core.track import Track

metres = st.floats(-100, 100)
poses = st.builds(pose, metres, metres, st.floats(-math.pi, math.pi - 1e-9))


@given(poses)
def test_a_pose_and_its_inverse_give_the_origin(a: np.ndarray) -> None:
    x, y, yaw = compose(a, inverse(a))
    assert (x, y) == pytest.approx((0, 0), abs=1e-9)
    assert wrap(yaw) == pytest.approx(0, abs=1e-9)


@given(poses, poses)
def test_composing_poses_is_transforming_points(a: np.ndarray, b: np.ndarray) -> None:
    assert transform(a, b[None, :2])[0] == pytest.approx(compose(a, b)[:2], abs=1e-9)


def test_a_quarter_turn() -> None:
    moved = compose(pose(1, 2, math.pi / 2), pose(1, 0, 0))
    assert moved == pytest.approx([1, 3, math.pi / 2])


@given(st.integers(0, 9), st.integers(0, 19))
def test_cells_and_centres_agree(row: int, column: int) -> None:
    grid = Grid(np.zeros((10, 20), np.int8), 0.05, (1.0, -3.2))
    cell = np.array([[row, column]])
    assert (grid.cells(grid.centres(cell)) == cell).all()
    assert grid.inside(cell).all()
    assert not grid.inside(cell + np.array([10, 0])).any()


def test_a_clock_goes_forward_only() -> None:
    clock = ManualClock()
    clock.advance(1.5)
    assert clock.now_ns() == 3 * SECOND // 2
    with pytest.raises(ValueError, match='only goes forward'):
        clock.advance(-1)


def test_a_track_interpolates_the_short_way_round_and_knows_its_limits() -> None:
    track = Track(samples=2)
    track.add(0, pose(9, 9, 9))
    track.add(10, pose(0, 0, math.pi - 0.1))
    track.add(20, pose(1, 2, -math.pi + 0.1))
    assert track.at(15) == pytest.approx([0.5, 1, -math.pi])
    assert track.at(20) == pytest.approx([1, 2, -math.pi + 0.1])
    assert track.at(9) is None  # forgotten
    assert track.at(21) is None  # not yet known
    with pytest.raises(ValueError, match='not after 20 ns'):
        track.add(20, pose(0, 0, 0))
