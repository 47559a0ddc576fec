"""The own layer from another program's grid: wherever that begins, however it turns and grows."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import ndimage

from collab_robots.core.errors import RefusedError
from collab_robots.core.geometry import (
    Array,
    FREE,
    Grid,
    inverse,
    OCCUPIED,
    pose,
    transform,
    UNKNOWN,
)
from collab_robots.mapping.external import ExternalMapper, GridLayer
from collab_robots.mapping.layer import MAX_TILE_INDEX, TILE_SIDE
from collab_robots.mapping.layers import LayeredMap
from collab_robots.mapping.sketch import conflict
from collab_robots.mapping.tile import decode_tile


def truth(points: Array) -> np.ndarray:
    """Return what is at points (n, 2): a room of 6 m, and a wall across it at x = 1."""
    x, y = points.T
    inside = (np.abs(x) < 3.0) & (np.abs(y) < 3.0)
    walls = (np.maximum(np.abs(x), np.abs(y)) < 3.1) & ~inside | (np.abs(x - 1.0) < 0.06) & inside
    return np.where(walls, OCCUPIED, np.where(inside, FREE, UNKNOWN)).astype(np.int8)


def mapped(frame: Array, resolution: float = 0.05, half: float = 4.0) -> Grid:
    """Return the map that somebody makes of it in his own frame."""
    count, corner = round(2 * half / resolution), (-half, -half)
    grid = Grid(np.zeros((count, count), np.int8), resolution, corner)
    cells = np.argwhere(np.ones((count, count)))
    data = truth(transform(frame, grid.centres(cells))).reshape(count, count)
    return Grid(data, resolution, corner)


def shown(layer: GridLayer) -> Grid:
    return LayeredMap('me', layer).merged()


def corner_of(grid: Grid, frame: Array) -> Array:
    x, y = transform(frame, np.array([grid.origin]))[0]
    return pose(x, y, frame[2])


def test_a_grid_that_lies_on_our_cells_comes_out_as_it_is() -> None:
    layer = GridLayer()
    grid = mapped(pose(0, 0, 0))
    layer.update(grid, pose(*grid.origin, 0.0))
    ours = shown(layer)
    cells = grid.cells(ours.centres(np.argwhere(ours.data != UNKNOWN)))
    assert (grid.data[cells[:, 0], cells[:, 1]] == ours.data[ours.data != UNKNOWN]).all()
    assert (ours.data != UNKNOWN).sum() == (grid.data != UNKNOWN).sum()


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.floats(-20, 20)] * 2, st.floats(-math.pi, math.pi)),
    st.sampled_from([0.01, 0.025, 0.04, 0.05, 0.06, 0.1]),
)
def test_wherever_its_frame_lies_the_map_is_true_and_no_wall_is_open(
    start: tuple[float, float, float], resolution: float
) -> None:
    frame, layer = pose(*start), GridLayer()
    grid = mapped(pose(0, 0, 0), resolution)
    layer.update(grid, corner_of(grid, frame))
    ours = shown(layer)
    cells = np.argwhere(ours.data != UNKNOWN)
    points = transform(inverse(frame), ours.centres(cells))
    off = (resolution + 0.05) * np.stack(np.meshgrid(*[np.linspace(-1, 1, 5)] * 2), -1)
    near = np.stack([truth(points + step) for step in off.reshape(-1, 2)])
    assert (near == ours.data[cells[:, 0], cells[:, 1]]).any(axis=0).all()
    free, _ = ndimage.label(ours.data == FREE)
    areas = np.bincount(free.ravel())[1:] * 0.05**2
    assert sorted(areas[areas > 0.1]) == pytest.approx([11.6, 23.6], rel=0.08)


def test_two_robots_that_began_elsewhere_agree_on_every_region() -> None:
    starts = [pose(0.0, 0.0, 0.0), pose(1.63, -2.02, 2.1)]
    sketches = []
    for start in starts:
        mapper = ExternalMapper()
        grid = mapped(start, half=7.0 if start[2] else 4.0)
        mapper.layer.update(grid, corner_of(grid, start))
        mapper.due_sketches(0)
        sketches.append({(one.x, one.y): one for one in mapper.due_sketches(6 * 10**9)})
    common = sketches[0].keys() & sketches[1].keys()
    assert len(common) >= 4
    for index in common:
        assert not conflict(sketches[0][index], sketches[1][index])
    moved = ExternalMapper()  # as if nobody had said where the second robot's map begins
    moved.layer.update(grid, corner_of(grid, pose(0, 0, 0)))
    moved.due_sketches(0)
    assert any(
        conflict(sketches[0][one.x, one.y], one)
        for one in moved.due_sketches(6 * 10**9)
        if (one.x, one.y) in sketches[0]
    )


def test_only_tiles_that_changed_are_given_out() -> None:
    mapper = ExternalMapper()
    grid = mapped(pose(0, 0, 0))
    at = pose(*grid.origin, 0.0)
    mapper.layer.update(grid, at)
    first = mapper.changed_tiles(0)
    assert {tile[:2] for tile in first} == {(x, y) for x in (-1, 0) for y in (-1, 0)}
    mapper.layer.update(grid, at)
    assert mapper.changed_tiles(10**10) == []
    cell = grid.cells(np.array([[0.52, 0.52]]))[0]
    grid.data[tuple(cell)] = OCCUPIED
    mapper.layer.update(grid, at)
    ((x, y, data),) = mapper.changed_tiles(2 * 10**10)
    assert (x, y) == (0, 0) and decode_tile(data)[10, 10] == 4


def test_the_grid_may_grow_to_all_sides_and_shrink() -> None:
    layer = GridLayer()
    small = mapped(pose(0, 0, 0))
    layer.update(small, pose(*small.origin, 0.0))
    before = {index: tile.version for index, tile in layer.tiles.items()}
    larger = Grid(np.pad(small.data, 40, constant_values=UNKNOWN), 0.05, (-6.0, -6.0))
    larger.data[0] = FREE  # a row 6 m to the south
    layer.update(larger, pose(*larger.origin, 0.0))
    assert {index: layer.tiles[index].version for index in before} == before
    assert set(layer.tiles) - set(before) == {(x, -2) for x in (-2, -1, 0, 1)}
    empty = Grid(np.full((4, 4), UNKNOWN, np.int8), 0.05, (0.0, 0.0))
    layer.update(empty, pose(0, 0, 0))
    assert not any(tile.log_odds.any() for tile in layer.tiles.values())
    assert (shown(layer).data == UNKNOWN).all()


def test_probabilities_count_as_such() -> None:
    layer = GridLayer()
    row = np.array([[-1, 0, 25, 50, 75, 100]], np.int8)
    layer.update(Grid(row, 0.05, (0.0, 0.0)), pose(0, 0, 0))
    odds = layer.tiles[0, 0].log_odds[0, :6]
    assert odds == pytest.approx([0, -4, -math.log(3), 0, math.log(3), 4])


def test_what_lies_beyond_the_map_is_counted_and_left_out() -> None:
    layer = GridLayer()
    far = MAX_TILE_INDEX * TILE_SIDE - 1.0
    layer.update(Grid(np.full((40, 40), FREE, np.int8), 0.05, (0.0, 0.0)), pose(far, 0, 0))
    assert set(layer.tiles) == {(MAX_TILE_INDEX - 1, 0)} and layer.tiles_refused == 1
    layer.update(Grid(np.full((4, 4), FREE, np.int8), 0.05, (0.0, 0.0)), pose(9e5, -9e5, 0))
    assert len(layer.tiles) == 1


@pytest.mark.parametrize(
    ('resolution', 'value', 'corner', 'words'),
    [
        (0.5, 0, (0, 0, 0), r'cells of 0\.5 m, expected 0\.01 to 0\.2 m: set the resolution'),
        (0.001, 0, (0, 0, 0), 'cells of 0'),
        (math.nan, 0, (0, 0, 0), 'cells of nan'),
        (0.05, 101, (0, 0, 0), 'values from 101 to 101'),
        (0.05, -2, (0, 0, 0), 'values from -2'),
        (0.05, 0, (math.nan, 0, 0), 'no map of ours'),
        (0.05, 0, (0, 1e9, 0), 'no map of ours'),
    ],
)
def test_a_grid_that_cannot_be_ours_is_refused_in_words(
    resolution: float, value: int, corner: tuple[float, ...], words: str
) -> None:
    layer = GridLayer()
    grid = Grid(np.full((8, 8), value, np.int8), resolution, (0.0, 0.0))
    with pytest.raises(RefusedError, match=words):
        layer.update(grid, pose(*corner))
    assert not layer.tiles
