"""Frontiers and their names, and what the camera still has to see."""

from __future__ import annotations

import numpy as np

from collab_robots.contract.calls.common import Kind
from collab_robots.core.geometry import FREE, Grid, OCCUPIED, pose, UNKNOWN
from collab_robots.tasks.coverage import CameraCoverage, viewpoint
from collab_robots.tasks.frontier import frontier_mask, frontiers
from collab_robots.tasks.places import cells_of, coarsen, decode, encode, region, split_into_places
from collab_robots.tasks.planner import Terrain


def room(width: float = 6.0, height: float = 4.0, origin: tuple[float, float] = (0, 0)) -> Grid:
    """Return a walled room of free space at 0.05 m."""
    data = np.full((round(height / 0.05), round(width / 0.05)), FREE, np.int8)
    data[:2] = data[-2:] = OCCUPIED
    data[:, :2] = data[:, -2:] = OCCUPIED
    return Grid(data, 0.05, origin)


def test_closed_room_has_no_frontier() -> None:
    assert frontiers(coarsen(room())) == []


def test_open_door_is_one_task_named_by_its_cell() -> None:
    grid = room()
    grid.data[30:50, -2:] = FREE  # a 1 m door at x = 6, y = 1.5 … 2.5
    (place,) = frontiers(coarsen(grid))
    assert place.kind == Kind.EXPLORE
    assert place.cell == (5, 1) or place.cell == (5, 2)
    assert np.allclose(place.centre, (5.95, 2.0), atol=0.11)
    assert {(5, 1), (5, 2)} == place.cells


def test_names_depend_on_positions_only() -> None:
    """Two robots with grids of different size and origin name the same places."""
    grid = room()
    grid.data[20:60, 90:] = UNKNOWN
    grid.data[:2, 20:60] = FREE
    bigger = np.full((144, 248), UNKNOWN, np.int8)
    bigger[64:144, 64:184] = grid.data
    other = Grid(bigger, 0.05, (-3.2, -3.2))
    ours, theirs = frontiers(coarsen(grid)), frontiers(coarsen(other))
    assert len(ours) >= 3
    assert [place.cell for place in ours] == [place.cell for place in theirs]
    assert all(np.allclose(a.centre, b.centre) for a, b in zip(ours, theirs, strict=True))


def test_a_long_frontier_is_cut_and_a_growing_one_keeps_its_names() -> None:
    names = []
    for known in (5.0, 9.0):
        data = np.full((40, 200), UNKNOWN, np.int8)
        data[2:20, : round(known / 0.05)] = FREE
        data[:2] = OCCUPIED
        places = frontiers(coarsen(Grid(data, 0.05, (0.0, 0.0))))
        assert all(np.ptp(place.points, axis=0).max() <= 2.6 for place in places)
        names.append({place.cell for place in places})
    assert len(names[0]) >= 3
    assert len(names[0] & names[1]) >= 2


def test_slivers_and_pockets_are_no_frontiers() -> None:
    grid = room()
    grid.data[40:43, 20:100] = UNKNOWN  # 0.15 m between two rays
    grid.data[10:18, 10:18] = UNKNOWN  # 0.4 m pocket
    assert frontiers(coarsen(grid)) == []
    grid.data[20:40, 40:60] = UNKNOWN  # 1 m²: worth a look
    assert len(frontiers(coarsen(grid))) >= 1


def test_frontier_cells_are_free_and_touch_unknown() -> None:
    rng = np.random.default_rng(1)
    data = rng.choice(np.array([UNKNOWN, FREE, OCCUPIED], np.int8), (60, 80), p=(0.5, 0.4, 0.1))
    grid = Grid(data, 0.1, (0.0, 0.0))
    for row, column in np.argwhere(frontier_mask(grid)):
        assert grid.data[row, column] == FREE
        around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [at for at in around if 0 <= at[0] < 60 and 0 <= at[1] < 80]
        assert any(grid.data[at] == UNKNOWN for at in inside)


def test_small_cuttings_join_their_neighbour() -> None:
    mask = np.zeros((10, 60), bool)
    mask[5, 3:43] = True  # x = 0.3 … 4.3: the last 0.3 m would be a piece of its own
    places = split_into_places(mask, Grid(mask.astype(np.int8), 0.1, (0, 0)), Kind.EXPLORE, 1)
    assert [len(place.points) for place in places] == [17, 23]


def test_lattice_names_are_reversible_also_below_zero() -> None:
    points = np.array([(-0.05, 0.05), (-1e4, 1e4), (7.3, -2.9)])
    x, y = decode(encode(points, 1.0))
    assert list(zip(x, y, strict=True)) == [(-1, 0), (-10000, 10000), (7, -3)]
    assert cells_of(points[[0, 2]]) == {(-1, 0), (7, -3)}


def look_around(camera: CameraCoverage, at: np.ndarray) -> None:
    """Let the camera see the wall x = 6 of the room, from a pose that looks along x."""
    bearings = np.deg2rad(np.arange(-80, 80, 1.0))
    reach = (5.9 - at[0]) / np.cos(bearings)
    camera.look(at, reach[:, None] * np.stack([np.cos(bearings), np.sin(bearings)], axis=1), 0.0)


def test_camera_coverage_shrinks_what_is_unseen() -> None:
    grid, camera = coarsen(room()), CameraCoverage()
    before = camera.unseen(grid, set())
    look_around(camera, pose(4.0, 2.0, 0.0))
    after = camera.unseen(grid, set())
    seen = {(5, 1), (5, 2)}
    assert camera.saw((5, 1)) and not camera.saw((0, 1))
    assert sum(len(place.points) for place in after) < sum(len(place.points) for place in before)
    assert not any(
        abs(point[0] - 5.85) < 0.1 and 1.3 < point[1] < 2.7
        for place in after
        for point in place.points
    )
    done = camera.unseen(grid, {(0, 1), *seen})
    assert not any((0, 1) in place.cells for place in done)


def test_too_far_or_turning_sees_nothing() -> None:
    grid, camera = coarsen(room()), CameraCoverage()
    look_around(camera, pose(1.0, 2.0, 0.0))  # 4.9 m away
    camera.look(pose(4.0, 2.0, 0.0), np.array([(1.9, y) for y in (-0.1, 0.0, 0.1)]), 1.0)
    assert not camera.saw((5, 2))
    cells = {cell for place in camera.unseen(grid, set()) for cell in place.cells}
    assert (5, 2) in cells


def test_viewpoints_face_their_wall_from_a_distance() -> None:
    grid = coarsen(room())
    routes = Terrain.of(grid).costs_from(pose(3.0, 2.0, 0.0))
    places = CameraCoverage().unseen(grid, set())
    found = [(place, viewpoint(place, routes)) for place in places]
    assert all(view is not None for _, view in found)
    for place, view in found:
        assert view is not None
        goal, yaw, cost = view
        offset = place.centre - goal
        assert 0.7 < np.hypot(*offset) < 2.6
        assert abs(np.arctan2(offset[1], offset[0]) - yaw) % (2 * np.pi) < 1e-6
        assert np.isfinite(cost)


def test_a_region_is_the_free_part_of_its_map_tile() -> None:
    data = np.full((80, 80), UNKNOWN, np.int8)
    data[30:60, 30:60] = FREE
    data[45, :] = OCCUPIED
    grid = Grid(data, 0.1, (-6.4, -6.4))  # regions -2 to 0
    place = region((-1, -1), grid)
    assert place is not None and (place.kind, place.cell) == (Kind.VERIFY, (-1, -1))
    inside = grid.centres(np.argwhere(data[:64, :64] == FREE))
    inside = inside[(inside >= -3.2).all(axis=1)]
    assert sorted(place.points.tolist()) == sorted(inside.tolist())
    assert place.centre.tolist() in place.points.tolist()
    assert region((5, 5), grid) is None
