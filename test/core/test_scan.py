import math

import numpy as np
import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.mapping.scan import MAX_RAYS, Scan

GOOD = {
    'ranges': np.full(360, 2.0, np.float32),
    'angle_min': -math.pi,
    'angle_increment': 2 * math.pi / 360,
    'range_min': 0.12,
    'range_max': 8.0,
    'stamp_ns': 1,
}


@pytest.mark.parametrize(
    'wrong',
    [
        {'ranges': np.full(360, np.nan)},
        {'ranges': np.full(360, -np.inf)},
        {'ranges': np.full(360, 9.0)},
        {'ranges': np.full(360, 0.05)},
        {'ranges': np.zeros(0)},
        {'ranges': np.full(3, 1.0)},
        {'ranges': np.full((2, 180), 1.0)},
        {'ranges': np.full(MAX_RAYS + 1, 1.0), 'angle_increment': 1e-4},
        {'angle_min': math.nan},
        {'angle_min': 1e9},
        {'angle_increment': 0.0},
        {'angle_increment': -0.01},
        {'angle_increment': math.nan},
        {'angle_increment': 0.1},
        {'range_min': math.nan},
        {'range_min': -1.0},
        {'range_min': 8.0},
        {'range_max': math.inf},
    ],
)
def test_what_cannot_be_a_scan_is_refused(wrong):
    with pytest.raises(RefusedError) as caught:
        Scan(**{**GOOD, **wrong})
    assert caught.value.reason is Refusal.SCAN


def test_single_bad_rays_are_dropped():
    ranges = GOOD['ranges'].copy()
    ranges[[0, 10, 20, 30]] = np.nan, np.inf, 100.0, 0.01
    scan = Scan(**{**GOOD, 'ranges': ranges})
    assert len(scan.points()) == 356
    assert np.flatnonzero(scan.is_clear).tolist() == [10]


def test_points_lie_where_the_rays_hit():
    points = Scan(**GOOD).points()
    assert points.shape == (360, 2)
    np.testing.assert_allclose(points[180], [2.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(points[270], [0.0, 2.0], atol=1e-6)
    assert len(Scan(**GOOD).points(max_range=1.9)) == 0


def seen(*things):
    """Return a scan with things of (first ray, rays, range) before a round wall at 3 m."""
    ranges = np.full(360, 3.0, np.float32)
    for first, rays, distance in things:
        ranges[(first + np.arange(rays)) % 360] = distance
    return Scan(**{**GOOD, 'ranges': ranges})


def test_what_stands_free_and_is_narrow_is_solitary():
    robot, across_the_seam, broad, hole = (
        (40, 30, 0.5),
        (350, 20, 1.0),
        (100, 60, 1.0),
        (200, 9, 5),
    )
    found = seen(robot, across_the_seam, broad, hole).solitary(0.5)
    expected = np.zeros(360, bool)
    expected[40:70] = expected[350:] = expected[:10] = True
    np.testing.assert_array_equal(found, expected)
    assert not seen().solitary(0.5).any()
    assert not seen(robot).solitary(0.1).any()
    before_nothing = seen((0, 360, np.inf), robot)
    assert before_nothing.solitary(0.5).sum() == 30
    assert len(before_nothing.points(skip=before_nothing.solitary(0.5))) == 0
