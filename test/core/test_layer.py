import math

from flatland import box, scan
import numpy as np
import pytest

from collab_robots.core.geometry import pose
from collab_robots.mapping.layer import CLAMP, Layer, RESOLUTION, TILE, TILE_SIDE
from collab_robots.mapping.scan import Scan

ROOM = np.array(box(1.0, 1.0, 5.0, 4.0))


def odds(layer, x, y):
    index = math.floor(x / TILE_SIDE), math.floor(y / TILE_SIDE)
    tile = layer.tiles.get(index)
    if tile is None:
        return 0.0
    column, row = (int(v // RESOLUTION) % TILE for v in (x, y))
    return float(tile.log_odds[row, column])


def filled(at=(2.03, 2.57, 0.4), times=10, world=ROOM):
    layer = Layer()
    for _ in range(times):
        layer.integrate(scan(world, pose(*at)), pose(*at))
    return layer


@pytest.mark.parametrize('yaw', [0.0, 0.4, 2.0, -3.0])
def test_a_room_is_free_inside_occupied_at_its_walls_and_unknown_beyond(yaw):
    layer = filled((2.03, 2.57, yaw))
    for x, y in np.random.default_rng(1).uniform((1.15, 1.15), (4.85, 3.85), (200, 2)):
        assert odds(layer, x, y) < -1
    ys = np.arange(1.225, 3.8, 0.05)
    wall = [max(odds(layer, 4.99, y), odds(layer, 5.01, y)) > 1 for y in ys]
    assert np.mean(wall) > 0.8  # the rays are 5 cm apart there
    for x, y in [(0.8, 2.0), (5.2, 2.0), (3.0, 0.8), (3.0, 4.2)]:
        assert odds(layer, x, y) == 0.0


def test_negative_coordinates_are_no_exception():
    layer = filled((-3.0, -2.5, 0.0), world=ROOM - 6.0)
    assert odds(layer, -3.0, -3.0) < -1
    assert max(odds(layer, -1.01, -3.0), odds(layer, -0.99, -3.0)) > 1


def test_a_layer_can_change_its_mind():
    layer, at = filled(times=50), pose(2.03, 2.57, 0.4)
    closed = np.concatenate([ROOM, box(3.0, 2.0, 3.3, 2.3)])
    for _ in range(20):
        layer.integrate(scan(closed, at), at)
    assert odds(layer, 3.01, 2.15) > 0.5  # somebody stands there
    for _ in range(20):
        layer.integrate(scan(ROOM, at), at)
    assert odds(layer, 3.01, 2.15) < -0.5  # and has left
    everything = np.concatenate([tile.log_odds.ravel() for tile in layer.tiles.values()])
    assert np.abs(everything).max() <= CLAMP


def test_surface_points_lie_on_the_walls_not_on_cell_centres():
    noise, layer = np.random.default_rng(2), Layer()
    world = np.array(box(1.013, 1.013, 4.987, 3.987))
    for k in range(30):
        at = pose(2.0 + 0.05 * k, 2.5, 0.1 * k)
        layer.integrate(scan(world, at, noise=noise), at)
    points = layer.surface(pose(3.0, 2.5, 0.0), 8.0)
    left = points[(np.abs(points[:, 0] - 1.013) < 0.1) & (np.abs(points[:, 1] - 2.5) < 1.3)]
    assert len(left) > 40
    assert abs(left[:, 0].mean() - 1.013) < 0.009  # cell centres are 12 mm off


def test_half_a_turn_of_rays_says_nothing_about_what_lies_behind():
    ranges = np.full(180, 2.0, np.float32)
    layer = Layer()
    sensor = pose(0.0, 0.0, 0.5)
    layer.integrate(Scan(ranges, -math.pi / 2, math.pi / 180, 0.1, 8.0, 0), sensor)
    ahead, behind = (math.cos(0.5), math.sin(0.5)), (-math.cos(0.5), -math.sin(0.5))
    assert odds(layer, *ahead) < 0
    assert odds(layer, *behind) == 0


def test_rays_without_return_clear_and_broken_rays_do_not():
    ranges = np.full(360, np.inf, np.float32)
    ranges[90:270] = np.nan
    layer = Layer(max_range=6.0)
    layer.integrate(Scan(ranges, -math.pi, 2 * math.pi / 360, 0.1, 8.0, 0), pose(0, 0, 0))
    assert odds(layer, -5.5, 0.02) < 0
    assert odds(layer, -6.5, 0.02) == 0
    assert odds(layer, 3.0, 0.02) == 0


def test_a_mad_pose_does_not_allocate_without_limit():
    layer = Layer(max_tiles=20)
    for k in range(50):
        at = pose(7.0 * k, -5.0 * k, 0.0)
        layer.integrate(scan(ROOM + np.tile(at[:2] - (2, 2), 2), at), at)
    assert len(layer.tiles) == 20
    assert layer.tiles_refused > 0
    far = Layer()
    at = pose(5000.0, 0.0, 0.0)
    far.integrate(scan(ROOM + np.tile(at[:2] - (2, 2), 2), at), at)
    assert not far.tiles
