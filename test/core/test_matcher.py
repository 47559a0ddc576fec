from flatland import box, HOUSE, scan
import numpy as np
import pytest

from collab_robots.core.geometry import compose, inverse, pose
from collab_robots.mapping.matcher import MIN_TARGET, ScanMatcher

TRUTH = pose(3.0, 2.5, 0.7)


def matcher_of(world, noise=0):
    """Return a matcher whose target is a dense drawing of a world."""
    points = np.concatenate(
        [
            np.linspace(side[:2], side[2:], max(2, round(np.hypot(*(side[2:] - side[:2])) / 0.05)))
            for side in world
        ]
    )
    matcher = ScanMatcher()
    matcher.set_target(points + np.random.default_rng(noise).normal(0, 0.004, points.shape))
    return matcher


def error(found, truth=TRUTH):
    off = compose(inverse(truth), found)
    return np.hypot(off[0], off[1]), abs(off[2])


@pytest.mark.parametrize('seed', range(10))
def test_a_small_error_of_the_guess_is_removed(seed):
    noise = np.random.default_rng(seed)
    guess = compose(TRUTH, pose(*noise.uniform(-1, 1, 3) * (0.05, 0.05, 0.04)))
    points = scan(HOUSE, TRUTH, noise=noise).points()
    match = matcher_of(HOUSE, seed).match(points, guess, 0.1, 0.08)
    assert match is not None
    shift, turn = error(match.pose)
    assert shift < 0.012
    assert turn < 0.004
    assert match.inliers > 0.9


@pytest.mark.parametrize('seed', range(4))
def test_a_large_error_of_the_guess_is_searched_for(seed):
    noise = np.random.default_rng(seed)
    guess = compose(TRUTH, pose(0.25, -0.2, 0.25 * (-1) ** seed))
    points = scan(HOUSE, TRUTH, noise=noise).points()
    match = matcher_of(HOUSE).match(points, guess, 0.5, 0.4)
    assert match is not None
    assert error(match.pose)[0] < 0.03
    assert error(match.pose)[1] < 0.01


def test_teammates_in_view_do_not_pull():
    noise = np.random.default_rng(3)
    crowd = [
        side for x, y in [(2, 3), (3.6, 3.2), (3.5, 1.5)] for side in box(x, y, x + 0.3, y + 0.3)
    ]
    points = scan(np.concatenate([HOUSE, crowd]), TRUTH, noise=noise).points()
    match = matcher_of(HOUSE).match(points, compose(TRUTH, pose(0.03, 0.02, -0.02)), 0.1, 0.08)
    assert match is not None
    assert error(match.pose)[0] < 0.012


def test_another_place_does_not_match():
    points = scan(HOUSE, TRUTH).points()
    elsewhere = matcher_of(np.array(box(0, 0, 40, 30)))
    assert elsewhere.match(points, pose(20.0, 15.0, 0.0), 0.1, 0.1) is None


def test_along_a_bare_corridor_odometry_decides():
    corridor = np.array([(-30, 0, 30, 0), (-30, 2, 30, 2)], float)
    truth = pose(0.0, 1.0, 0.0)
    points = scan(corridor, truth, noise=np.random.default_rng(4)).points()
    match = matcher_of(corridor).match(points, pose(0.06, 1.05, 0.03), 0.1, 0.1)
    assert match is not None
    assert abs(match.pose[0] - 0.06) < 0.02  # nothing to hold on to
    assert abs(match.pose[1] - 1.0) < 0.01
    assert abs(match.pose[2]) < 0.003


def test_too_little_to_match_is_no_match():
    matcher = ScanMatcher()
    points = scan(HOUSE, TRUTH).points()
    assert matcher.match(points, TRUTH, 0.1, 0.1) is None
    matcher.set_target(points[: MIN_TARGET - 1])
    assert not matcher.ready
    matcher.set_target(points)
    assert matcher.ready
    assert matcher.match(points[:5], TRUTH, 0.1, 0.1) is None
