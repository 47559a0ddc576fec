"""Pose and map against truth, in a world where odometry drifts."""

from flatland import box, cast, drifting, drive, HOUSE, ROUTE, scan, STEP_NS
import numpy as np
import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import compose, inverse, OCCUPIED, pose
from collab_robots.mapping.layers import LayeredMap
from collab_robots.mapping.mapper import Mapper, MapperConfig

TRUTH = drive(ROUTE)
MATES = 3


def explore(seed, mates=False, lidar=(0.0, 0.0, 0.0)):
    """Drive the route; return the mapper and its errors (n, 3) in the robot's frame."""
    noise = np.random.default_rng(seed)
    odom = drifting(TRUTH, noise)
    mapper = Mapper(TRUTH[0], MapperConfig(lidar=lidar))
    errors = []
    for step, (truth, moved) in enumerate(zip(TRUTH, odom, strict=True)):
        mapper.add_odometry(step * STEP_NS, moved)
        if step % 2:
            continue
        world = HOUSE
        if mates:
            others = [TRUTH[(step * 2 + 300 * k + 150) % len(TRUTH)][:2] for k in range(MATES)]
            boxes = [
                box(*(at - 0.15), *(at + 0.15)) for at in others if max(abs(at - truth[:2])) > 0.5
            ]
            world = np.concatenate([HOUSE, *boxes])
        found = mapper.add_scan(scan(world, compose(truth, pose(*lidar)), step * STEP_NS, noise))
        errors.append(compose(inverse(truth), found))
    return mapper, np.array(errors), compose(inverse(TRUTH[-1]), compose(TRUTH[0], odom[-1]))


def walls_of(world, spacing=0.05):
    """Return points on all sides, (n, 2)."""
    return np.concatenate(
        [
            np.linspace(
                side[:2], side[2:], max(2, int(np.hypot(*(side[2:] - side[:2])) / spacing))
            )
            for side in world
        ]
    )


def distances(points, others):
    return np.sqrt(((points[:, None] - others[None]) ** 2).sum(axis=2).min(axis=1))


@pytest.fixture(scope='module', params=[1, 2, 3])
def explored(request):
    return explore(request.param)


def test_the_pose_stays_true_though_odometry_drifts(explored):
    mapper, errors, odometry_error = explored
    shift = np.hypot(errors[:, 0], errors[:, 1])
    assert shift.mean() < 0.02
    assert shift.max() < 0.05
    assert np.abs(errors[:, 2]).max() < 0.01
    assert np.hypot(*odometry_error[:2]) > 3 * shift.max()  # else the test shows nothing
    assert mapper.counts['fallback'] == 0
    assert mapper.counts['integrated'] < mapper.counts['matched'] / 2


def test_the_map_shows_the_walls_and_nothing_else(explored):
    mapper, _, _ = explored
    grid = LayeredMap('a', mapper.layer).merged()
    occupied = grid.centres(np.argwhere(grid.data == OCCUPIED))
    truth = walls_of(HOUSE)
    assert (distances(occupied, truth) < 0.15).mean() > 0.99
    inside = [  # what a robot in the rooms can see
        side for side in HOUSE
        if not (set(side[[0, 2]]) <= {-0.05, 10.05} or set(side[[1, 3]]) <= {-0.05, 8.05})
    ]  # fmt: skip
    seen = walls_of(np.array(inside))
    seen = seen[np.all((seen > 0.04) & (seen < (9.96, 7.96)), axis=1)]
    assert (distances(seen, occupied) < 0.15).mean() > 0.9


def test_moving_teammates_neither_break_the_pose_nor_stay_in_the_map():
    mapper, errors, _ = explore(4, mates=True)
    shift = np.hypot(errors[:, 0], errors[:, 1])
    assert shift.max() < 0.05
    grid = LayeredMap('a', mapper.layer).merged()
    occupied = grid.centres(np.argwhere(grid.data == OCCUPIED))
    assert (distances(occupied, walls_of(HOUSE)) < 0.15).mean() > 0.97


def test_a_teammate_that_starts_and_drives_alongside_does_not_hold_the_pose_back():
    corridor = np.array(box(0.0, 0.0, 30.0, 2.0))
    noise = np.random.default_rng(6)
    mapper = Mapper(pose(5.0, 1.0, 0.0))
    for step in range(160):
        moved = 0.025 * max(0, step - 100)  # 5 s at rest, then 0.5 m/s
        mate = box(5.25 + moved, 0.8, 5.6 + moved, 1.2)
        world = np.concatenate([corridor, mate])
        truth = pose(5.0 + moved, 1.0, 0.0)
        mapper.add_odometry(step * STEP_NS, pose(moved, 0.0, 0.0))
        if step % 2 == 0:
            found = mapper.add_scan(scan(world, truth, step * STEP_NS, noise))
            assert abs(found[0] - truth[0]) < 0.03


def test_a_lidar_that_sits_off_centre_is_placed_right():
    mapper, errors, _ = explore(5, lidar=(-0.1, 0.05, 1.5))
    assert np.hypot(errors[:, 0], errors[:, 1]).max() < 0.05
    assert mapper.counts['fallback'] == 0


def test_the_correction_brings_odometry_into_the_map():
    mapper = Mapper(pose(1.0, 2.0, 0.5))
    odom = pose(0.8, -0.3, 0.2)  # a mapper that starts late: the robot has moved already
    truth = compose(pose(1.0, 2.0, 0.5), odom)
    mapper.add_odometry(0, odom)
    np.testing.assert_allclose(mapper.pose, truth)
    found = mapper.add_scan(scan(HOUSE, truth))
    np.testing.assert_allclose(found, truth)
    np.testing.assert_allclose(compose(mapper.map_to_odom, odom), found, atol=1e-9)


def test_odometry_is_interpolated_at_the_scans_stamp():
    mapper = Mapper(compose(pose(3.0, 2.5, 0.0), inverse(pose(0.0, 0.0, 3.1))))
    mapper.add_odometry(100, pose(0.0, 0.0, 3.1))
    mapper.add_odometry(200, pose(0.1, 0.0, -3.1))  # across the seam of angles
    found = mapper.add_scan(scan(HOUSE, pose(3.0, 2.5, 0.0), 150))
    step = compose(inverse(pose(0, 0, 3.1)), pose(0.05, 0, np.pi))
    np.testing.assert_allclose(found, compose(pose(3.0, 2.5, 0.0), step), atol=1e-6)


def test_a_scan_ahead_of_odometry_waits_and_a_late_one_is_dropped():
    at = pose(3.0, 2.5, 0.0)
    mapper = Mapper(at, MapperConfig(waiting_scans=2))
    assert mapper.add_scan(scan(HOUSE, at, 10)) is None
    assert mapper.add_odometry(5, pose(0, 0, 0)) is None
    assert mapper.add_odometry(20, pose(0, 0, 0)) is not None
    assert mapper.stamp_ns == 10
    assert mapper.add_scan(scan(HOUSE, at, 9)) is None  # older than the last
    assert mapper.counts['late'] == 1
    for stamp in (30, 31, 32):
        assert mapper.add_scan(scan(HOUSE, at, stamp)) is None
    assert mapper.counts['dropped'] == 1
    assert mapper.add_odometry(40, pose(0, 0, 0)) is not None
    assert mapper.stamp_ns == 32
    short = Mapper(at, MapperConfig(odometry_samples=2))
    for stamp in (100, 200, 300):
        short.add_odometry(stamp, pose(0, 0, 0))
    assert short.add_scan(scan(HOUSE, at, 150)) is None  # older than what is kept
    assert short.add_scan(scan(HOUSE, at, 250)) is not None


def test_bad_input_is_refused_and_the_mapper_goes_on():
    at = pose(3.0, 2.5, 0.0)
    mapper = Mapper(at)
    mapper.add_odometry(0, pose(0, 0, 0))
    with pytest.raises(RefusedError) as caught:
        mapper.add_odometry(1, pose(np.nan, 0, 0))
    assert caught.value.reason is Refusal.MALFORMED
    with pytest.raises(RefusedError) as caught:
        mapper.add_odometry(0, pose(1, 0, 0))
    assert caught.value.reason is Refusal.TIME
    with pytest.raises(RefusedError) as caught:
        mapper.add_scan(_broken(at))
    assert caught.value.reason is Refusal.SCAN
    assert mapper.add_scan(scan(HOUSE, at, 0)) is not None
    with pytest.raises(RefusedError):
        Mapper(pose(np.inf, 0, 0))


def test_when_the_lidar_sees_something_else_odometry_carries_on():
    at = pose(3.0, 2.5, 0.0)
    mapper = Mapper(at)
    mapper.add_odometry(0, pose(0, 0, 0))
    mapper.add_scan(scan(HOUSE, at, 0))
    elsewhere = np.array(box(-1.3, -0.9, 7.1, 6.3))
    mapper.add_odometry(1, pose(0.2, 0.0, 0.1))
    found = mapper.add_scan(scan(elsewhere, at, 1))
    np.testing.assert_allclose(found, compose(at, pose(0.2, 0, 0.1)), atol=1e-9)
    assert mapper.counts['fallback'] == 1
    assert mapper.counts['integrated'] == 1  # it would have blurred the map
    mapper.add_odometry(2, pose(0.4, 0.0, 0.2))
    back = compose(at, pose(0.4, 0.0, 0.2))
    found = mapper.add_scan(scan(HOUSE, back, 2))
    np.testing.assert_allclose(found, back, atol=0.02)


def test_tiles_of_the_own_layer_come_out():
    at = pose(3.0, 2.5, 0.0)
    mapper = Mapper(at)
    mapper.add_odometry(0, pose(0, 0, 0))
    mapper.add_scan(scan(HOUSE, at, 0))
    tiles = mapper.changed_tiles(0)
    assert {(tile.x, tile.y) for tile in tiles} <= set(mapper.layer.tiles)
    assert tiles
    assert mapper.changed_tiles(10**12) == []


def _broken(at):
    good = scan(HOUSE, at, 0)
    return type(good)(cast(HOUSE, at) * np.nan, good.angle_min, good.angle_increment, 0.12, 8.0, 0)
