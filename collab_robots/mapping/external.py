"""
The own layer from another program's grid (slam_toolbox, Cartographer).

Its cells need not lie on ours: its map begins where its robot began, turned as that stood, and
grows to all sides. Each of our cells takes the value of the cell that its centre lies in, so that
a wall of one cell stays closed (8-connected) however it is turned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import Array, Grid, inverse, OCCUPIED, pose, transform, UNKNOWN
from collab_robots.mapping.layer import (
    CLAMP,
    Floats,
    in_map,
    MAX_TILE_INDEX,
    MAX_TILES,
    RESOLUTION,
    TILE,
    TILE_SIDE,
    TileIndex,
)
from collab_robots.mapping.surveyor import Surveyor

FINEST, COARSEST = 0.01, 0.2  # m; the cells of a sketch are 0.2 m
MAX_CELLS = 1 << 26  # of a grid: 410 m at 0.05 m
_LOCAL = (np.stack(np.meshgrid(np.arange(TILE), np.arange(TILE)), -1).reshape(-1, 2) + 0.5) * (
    RESOLUTION
)  # (4096, 2) m, centres of a tile's cells from its corner, row by row


def _log_odds() -> Floats:
    """Return the log-odds (102,) of 0 to 100 per cent and, as its last, of -1: unknown."""
    share = np.arange(OCCUPIED + 1) / OCCUPIED
    with np.errstate(divide='ignore'):
        known = np.log(share) - np.log1p(-share)
    return np.asarray([*known.clip(-CLAMP, CLAMP), 0.0], np.float32)


_LOG_ODDS = _log_odds()


@dataclass
class GridTile:
    """``log_odds`` (64, 64), row 0 the lowest y; ``version`` counts the changes."""

    log_odds: Floats
    version: int = 1


class GridLayer:
    """Tiles that follow a grid, with a new version only where something changed."""

    def __init__(self) -> None:
        self.tiles: dict[TileIndex, GridTile] = {}
        self.tiles_refused = 0

    def update(self, grid: Grid, corner: Array) -> None:
        """
        Take a grid; it replaces the one before, however far that reached.

        :param grid: probabilities in per cent, -1 unknown; its origin does not count.
        :param corner: (3,) pose of its lower left corner in the map frame.
        :raises RefusedError: MALFORMED if it has other values, or cells or a size that we do not
            take.
        """
        _check(grid, corner)
        data, resolution = _coarsened(grid)
        size = resolution * np.array(data.shape[::-1])
        bounds = transform(corner, size * [[0, 0], [1, 0], [0, 1], [1, 1]])
        back = inverse(corner)
        corners = np.array(sorted({*_indices(bounds), *self.tiles}), np.float64) * TILE_SIDE
        first = transform(back, corners) / resolution  # in cells of the grid
        steps = transform(pose(0.0, 0.0, back[2]), _LOCAL) / resolution
        # what lies outside the grid falls on a ring of unknown cells around it
        ringed = np.pad(data, 1, constant_values=UNKNOWN)
        limits = np.array(ringed.shape[::-1]) - 1
        for (x, y), offset in zip(corners / TILE_SIDE, first, strict=True):
            columns, rows = np.floor(steps + (offset + 1.0)).clip(0, limits).astype(np.int32).T
            values = ringed[rows, columns].reshape(TILE, TILE)
            self._put((round(x), round(y)), _LOG_ODDS[values])

    def _put(self, index: TileIndex, odds: Floats) -> None:
        tile = self.tiles.get(index)
        if tile is not None:
            if not np.array_equal(tile.log_odds, odds):
                tile.log_odds = odds
                tile.version += 1
        elif odds.any():
            if len(self.tiles) >= MAX_TILES or not in_map(*index):
                self.tiles_refused += 1
            else:
                self.tiles[index] = GridTile(odds)


class ExternalMapper(Surveyor):
    """Gives to others what another program maps."""

    def __init__(self) -> None:
        self.layer = GridLayer()
        super().__init__(self.layer)


def _check(grid: Grid, corner: Array) -> None:
    if not FINEST <= grid.resolution <= COARSEST:
        raise RefusedError(
            Refusal.MALFORMED,
            f'grid with cells of {grid.resolution:.3g} m, expected {FINEST} to {COARSEST} m: set '
            f'the resolution of the program that maps to {RESOLUTION}',
        )
    if grid.data.size > MAX_CELLS or not np.isfinite(corner).all() or abs(corner).max() > 1e6:
        height, width = grid.data.shape
        raise RefusedError(
            Refusal.MALFORMED, f'grid of {width} x {height} cells at {corner} is no map of ours'
        )
    if grid.data.min() < UNKNOWN or grid.data.max() > OCCUPIED:
        raise RefusedError(
            Refusal.MALFORMED,
            f'grid with values from {grid.data.min()} to {grid.data.max()}, expected -1 to 100',
        )


def _coarsened(grid: Grid) -> tuple[npt.NDArray[np.int8], float]:
    """Join fine cells, so that no wall is missed; occupied beats free beats unknown."""
    factor = max(1, round(RESOLUTION / grid.resolution))
    if factor == 1:
        return grid.data, grid.resolution
    height, width = grid.data.shape
    padding = ((0, -height % factor), (0, -width % factor))
    padded = np.pad(grid.data, padding, constant_values=UNKNOWN)
    blocks = padded.reshape(len(padded) // factor, factor, -1, factor)
    return blocks.max(axis=(1, 3)), grid.resolution * factor


def _indices(points: Array) -> Iterator[TileIndex]:
    """Yield the tiles in the box around points (n, 2), as far as the map and a ring beyond go."""
    limits = -MAX_TILE_INDEX - 1, MAX_TILE_INDEX
    low = np.floor(points.min(axis=0) / TILE_SIDE).clip(*limits).astype(int)
    high = np.floor(points.max(axis=0) / TILE_SIDE).clip(*limits).astype(int)
    for x in range(low[0], high[0] + 1):
        for y in range(low[1], high[1] + 1):
            yield x, y
