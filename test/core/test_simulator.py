"""Lidar, odometry, collisions and cameras against the true map."""

from __future__ import annotations

import ctypes
import math
from pathlib import Path

import numpy as np
import pytest

from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.core.geometry import compose, inverse, OCCUPIED, pose, transform
from collab_robots.sim.simulator import (
    ANGLE_INCREMENT,
    ANGLE_MIN,
    Drift,
    RANGE_MAX,
    RAYS,
    Simulator,
)
from collab_robots.sim.world import load_world, ROBOT_RADIUS, World

OFFICE = Path(__file__).parents[2] / 'worlds' / 'office.yaml'
ANGLES = ANGLE_MIN + ANGLE_INCREMENT * np.arange(RAYS)


@pytest.fixture(scope='module')
def office() -> World:
    return load_world(OFFICE)


def hall(*starts: tuple[float, float, float], furniture: tuple[dict, ...] = ()) -> World:
    """Return an empty hall of 20 x 4 m."""
    lines = (
        [0.1, 0.1, 19.9, 0.1],
        [0.1, 3.9, 19.9, 3.9],
        [0.1, 0.1, 0.1, 3.9],
        [19.9, 0.1, 19.9, 3.9],
    )
    half = (len(starts) + 1) // 2
    return World.model_validate(
        {
            'name': 'hall',
            'size': (20, 4),
            'walls': [{'line': line} for line in lines],
            'furniture': furniture,
            'starts': {'first': starts[:half], 'second': starts[half:]},
        }
    )


def drive(simulator: Simulator, seconds: float, v: float, w: float, robot: int = 0) -> None:
    for _ in range(round(seconds / 0.01)):
        simulator.set_command(robot, v, w)
        simulator.step()


def hits(simulator: Simulator, robot: int = 0) -> np.ndarray:
    """Return the points (n, 2) of one scan in the map frame."""
    ranges = simulator.scan(robot).astype(np.float64)
    near = np.isfinite(ranges)
    local = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)[near] * ranges[near, None]
    return transform(simulator.true_pose(robot), local)


def test_rays_end_on_the_walls_of_the_true_map(office: World) -> None:
    simulator = Simulator(office, 1, seed=1, cameras=False)
    occupied = np.argwhere(office.truth.data == OCCUPIED)
    walls = office.truth.centres(occupied)
    for _ in range(4):
        drive(simulator, 2.0, 0.4, 0.35)
        points = hits(simulator)
        assert len(points) > 300
        gap = np.hypot(*(points[:, None] - walls).transpose(2, 0, 1)).min(axis=1)
        assert (gap < 0.05 * math.sqrt(0.5) + 0.04).all()  # the cell's half diagonal, and 4 sigma


def test_every_ray_runs_through_free_cells(office: World) -> None:
    simulator = Simulator(office, 4, seed=1, cameras=False)
    where = simulator.true_pose(2)
    for point in hits(simulator, 2)[::7]:
        share = np.linspace(0.05, 0.95, 100)[:, None]
        between = where[:2] + share * (point - where[:2])
        rows, columns = office.truth.cells(between).T
        assert (office.truth.data[rows, columns] != OCCUPIED).all()


def test_out_of_range_is_infinite_and_noise_is_as_stated() -> None:
    simulator = Simulator(hall((4.0, 2.0, 0.0)), 1, seed=3, cameras=False)
    scans = np.array([simulator.scan(0) for _ in range(400)])
    assert np.isinf(scans[:, RAYS // 2]).all()  # 15.85 m ahead
    ahead = scans[:, 3 * RAYS // 4]
    assert ahead.mean() == pytest.approx(1.85, abs=0.002)
    assert ahead.std() == pytest.approx(0.01, rel=0.15)
    assert scans[np.isfinite(scans)].max() <= RANGE_MAX


def test_robots_see_one_another_but_not_themselves() -> None:
    simulator = Simulator(hall((4.0, 2.0, 0.0), (6.0, 2.0, 180.0)), 2, seed=3, cameras=False)
    for robot in (0, 1):
        ranges = simulator.scan(robot)
        assert ranges[RAYS // 2] == pytest.approx(2.0 - ROBOT_RADIUS, abs=0.05)
        assert ranges.min() > 1.7


def test_driving_follows_the_command_within_the_limits() -> None:
    simulator = Simulator(hall((2.0, 2.0, 90.0), (9.0, 2.0, 0.0)), 2, seed=1, cameras=False)
    drive(simulator, 4.0, 9.0, 0.0, robot=1)
    # 0.5 s to reach 0.5 m/s at 1 m/s², then 3.5 s of it
    assert simulator.true_pose(1)[0] == pytest.approx(9.0 + 0.125 + 1.75, abs=0.04)
    assert simulator.true_pose(0) == pytest.approx([2.0, 2.0, math.pi / 2], abs=1e-6)
    drive(simulator, 2.0, 0.0, 0.5)
    assert simulator.true_pose(0)[2] == pytest.approx(math.pi / 2 + 0.97, abs=0.02)
    before = simulator.true_pose(0)
    drive(simulator, 1.0, 0.3, 0.0)
    moved = compose(inverse(before), simulator.true_pose(0))
    assert moved[0] > 0.2 and abs(moved[1]) < 0.05


def test_without_commands_the_watchdog_stops_the_robot() -> None:
    simulator = Simulator(hall((2.0, 2.0, 0.0)), 1, seed=1, cameras=False)
    drive(simulator, 1.0, 0.5, 0.0)
    for _ in range(120):
        simulator.step()
    stopped = simulator.true_pose(0)
    assert 2.0 + 0.375 + 0.25 < stopped[0] < 2.0 + 0.375 + 0.45
    for _ in range(50):
        simulator.step()
    assert simulator.true_pose(0) == pytest.approx(stopped, abs=1e-3)


@pytest.mark.parametrize('turn', [0.0, 30.0])
def test_walls_and_furniture_stop_a_robot(turn: float) -> None:
    box = {'name': 'box', 'at': (5.0, 2.0), 'size': (1.0, 3.6), 'height': 0.5}
    simulator = Simulator(hall((3.5, 1.5, turn), furniture=(box,)), 1, seed=1, cameras=False)
    for _ in range(12):
        drive(simulator, 0.5, 0.5, 0.0)
        x, y, _ = simulator.true_pose(0)
        assert x < 4.5 - ROBOT_RADIUS + 0.01 and y < 3.85 - ROBOT_RADIUS + 0.01
    assert x > 4.5 - ROBOT_RADIUS - 0.02  # it did come there
    drive(simulator, 1.5, -0.5, 0.0)
    assert simulator.true_pose(0)[0] < 4.1  # and gets free again


def test_robots_stop_each_other() -> None:
    simulator = Simulator(hall((4.0, 2.0, 0.0), (6.0, 2.0, 180.0)), 2, seed=1, cameras=False)
    for _ in range(500):
        for robot in (0, 1):
            simulator.set_command(robot, 0.5, 0.0)
        simulator.step()
    gap = math.dist(simulator.true_pose(0)[:2], simulator.true_pose(1)[:2])
    assert 2 * ROBOT_RADIUS - 0.01 < gap < 2 * ROBOT_RADIUS + 0.02


@pytest.mark.parametrize('seed', range(6))
def test_odometry_drifts_within_its_bounds(seed: int) -> None:
    simulator = Simulator(hall((1.0, 2.0, 0.0), (1.0, 3.0, 0.0)), 2, seed=seed, cameras=False)
    drive(simulator, 20.0, 0.5, 0.0)
    way = simulator.true_pose(0)[0] - 1.0
    error = abs(simulator.odometry(0)[0][0] - way)
    assert 0.0 < error <= 0.01 * way + 4 * 0.002 * math.sqrt(way)
    turned = 0.0
    for _ in range(1000):
        last = simulator.odometry(1)[0][2], simulator.true_pose(1)[2]
        drive(simulator, 0.01, 0.0, 1.5, robot=1)
        now = simulator.odometry(1)[0][2], simulator.true_pose(1)[2]
        turned += math.remainder((now[0] - last[0]) - (now[1] - last[1]), math.tau)
    assert abs(turned) <= 0.02 * 15 + 4 * 0.004 * math.sqrt(15)


def test_without_drift_odometry_is_the_way() -> None:
    world = hall((10.0, 0.6, 0.0))
    simulator = Simulator(world, 1, seed=1, drift=Drift(0.0, 0.0), cameras=False)
    drive(simulator, 8.0, 0.4, 0.3)
    drive(simulator, 2.0, 0.5, -1.5)
    drive(simulator, 1.0, 0.4, 0.3)
    way = compose(inverse(pose(10.0, 0.6, 0.0)), simulator.true_pose(0))
    assert simulator.odometry(0)[0] == pytest.approx(way, abs=0.002)
    v, w = simulator.odometry(0)[1]
    assert (v, w) == pytest.approx((0.4, 0.3), abs=0.02)


def test_the_seed_decides_everything(office: World) -> None:
    def run(seed: int) -> bytes:
        simulator = Simulator(office, 4, seed, cameras=False)
        parts = []
        for step in range(300):
            for robot in range(4):
                simulator.set_command(robot, 0.4, 0.3 * math.sin(step / 50 + robot))
            simulator.step()
            if step % 20 == 0:
                parts += [simulator.scan(robot).tobytes() for robot in range(4)]
                parts += [simulator.odometry(robot)[0].tobytes() for robot in range(4)]
        return b''.join(parts)

    assert run(5) == run(5)
    assert run(5) != run(6)


@pytest.mark.parametrize('command', [(math.nan, 0.0), (0.0, math.inf)])
def test_a_command_that_is_no_number_is_refused(command: tuple[float, float]) -> None:
    simulator = Simulator(hall((2.0, 2.0, 0.0)), 1, seed=1, cameras=False)
    with pytest.raises(RefusedError):
        simulator.set_command(0, *command)
    simulator.step()
    assert np.isfinite(simulator.true_pose(0)).all()


def test_bad_numbers_are_refused(office: World) -> None:
    with pytest.raises(ConfigError, match='seed'):
        Simulator(office, 1, seed=-1)
    with pytest.raises(ConfigError, match='9 robots need'):
        Simulator(office, 9, seed=1)


def test_without_cameras_there_is_no_picture(office: World) -> None:
    simulator = Simulator(office, 1, seed=1, cameras=False)
    assert simulator.image(0) is None and simulator.camera_problem == 'switched off'


def test_the_camera_shows_the_poster_the_right_way_round() -> None:
    try:
        ctypes.CDLL('libEGL.so.1')
    except OSError:
        pytest.skip('EGL is not installed: no cameras')
    world = World.model_validate(
        {
            **hall((5.0, 2.2, 90.0)).model_dump(),
            'posters': [
                {'image': 'rocket.jpg', 'at': (5.0, 3.85), 'facing': 270, 'labels': ['missile']}
            ],
        }
    )
    simulator = Simulator(world, 1, seed=1)
    picture = simulator.image(0)
    assert picture is not None and picture.shape == (240, 320, 3)
    simulator.close()
    blue = picture[..., 2].astype(int) - picture[..., 0] > 25  # the rocket's evening sky
    rows, columns = np.nonzero(blue)
    assert abs(columns.mean() - 160) < 10 and 60 < np.ptp(columns) < 300
    poster = picture[:, columns.min() : columns.max()]
    lit = (poster.max(axis=2) > 250).nonzero()[0]  # lamps on the ground are below the sky
    assert len(lit) and lit.mean() > rows.mean()
    assert picture[rows.max() + 40 :].std(axis=(0, 1)).max() < 3  # the floor is plain


def test_a_machine_that_cannot_render_has_no_cameras_and_says_why(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError('no display device')

    monkeypatch.setattr('mujoco.Renderer', broken)
    simulator = Simulator(office, 1, seed=1)
    assert simulator.image(0) is None and 'no display device' in simulator.camera_problem
    simulator.step()
    assert np.isfinite(simulator.scan(0)).any()
