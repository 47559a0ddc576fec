"""
One robot's own map: log-odds of occupancy in tiles of 64×64 cells.

Tile (0, 0) has its lower left corner at the map's origin. Beside its log-odds each cell keeps the
mean of the points that hit it, so that scans are matched to surfaces and not to cell centres: a
map matched to cell centres drifts by up to half a cell with every newly seen wall.
"""

from __future__ import annotations

from functools import lru_cache
import math

import numpy as np
import numpy.typing as npt

from collab_robots.core.geometry import Array, transform
from collab_robots.mapping.scan import FULL_TURN, Scan

Floats = npt.NDArray[np.float32]
TileIndex = tuple[int, int]
"""Column and row of a tile."""

RESOLUTION = 0.05  # m per cell
TILE = 64  # cells per side
TILE_SIDE = RESOLUTION * TILE  # m
MAX_TILE_INDEX = 64  # tiles reach from -64 to 63: 410 m, so that a merged grid stays below 67 MB
MAX_TILES = 1024  # 10,000 m² at 64 KiB a tile

# Inverse sensor model, log-odds. A hit says more than a passing ray (0.7 and 0.4 as
# probabilities): a ray that grazes a wall passes cells that are half wall.
HIT = np.float32(0.9)
PASS = np.float32(-0.4)
CLAMP = np.float32(4.0)  # bounded, so that the map can change its mind (Hornung 2013, OctoMap)
SURFACE = np.float32(0.5)  # above this a cell's points are matched against
REMEMBERED_HITS = 40.0  # the mean of a cell's points forgets older ones


class OwnTile:
    """
    The arrays of one tile; row 0 is the lowest y.

    ``log_odds`` (64, 64); ``mean`` (64, 64, 2), the mean hit in m in the map frame; ``hits``
    (64, 64), how many points it is the mean of; ``version`` counts the changes.
    """

    def __init__(self) -> None:
        self.log_odds: Floats = np.zeros((TILE, TILE), np.float32)
        self.mean: Array = np.zeros((TILE, TILE, 2), np.float64)
        self.hits: Floats = np.zeros((TILE, TILE), np.float32)
        self.version = 0


class Layer:
    """
    A log-odds map that grows with the scans put into it.

    :param max_range: how far (m) a ray is believed; beyond it nothing is marked.
    :param max_tiles: no more are made, however mad the poses are; what falls outside is counted.
    """

    def __init__(self, max_range: float = 8.0, max_tiles: int = MAX_TILES) -> None:
        self.tiles: dict[TileIndex, OwnTile] = {}
        self.max_range = max_range
        self.max_tiles = max_tiles
        self.tiles_refused = 0

    def integrate(self, scan: Scan, sensor: Array) -> None:
        """
        Mark the cells that the rays passed free and those that they hit occupied.

        A cell lies between two rays; it is free where both passed it. Each cell changes once per
        scan, and a hit outweighs the rays that pass the same cell.

        :param sensor: pose of the lidar in the map frame.
        """
        points = transform(sensor, scan.points(self.max_range))
        hit_cells = np.floor(points / RESOLUTION).astype(np.int64)  # (m, 2) column, row
        self._add_free(scan, sensor, hit_cells)
        self._add_hits(points, hit_cells)

    def surface(self, centre: Array, radius: float) -> Array:
        """Return the mean hits (m, 2) of the occupied cells of all tiles within ``radius`` (m)."""
        low = np.floor((centre[:2] - radius) / TILE_SIDE).astype(int)
        high = np.floor((centre[:2] + radius) / TILE_SIDE).astype(int)
        found = [
            tile.mean[(tile.log_odds > SURFACE) & (tile.hits > 0)]
            for x in range(low[0], high[0] + 1)
            for y in range(low[1], high[1] + 1)
            if (tile := self.tiles.get((x, y))) is not None
        ]
        return np.concatenate(found) if found else np.empty((0, 2))

    def _add_free(self, scan: Scan, sensor: Array, hit_cells: npt.NDArray[np.int64]) -> None:
        limits = _limits(scan, self.max_range)
        reach = math.ceil(float(limits.max()) / RESOLUTION)
        if reach <= 0:
            return
        distance, bearing = _template(math.ceil(self.max_range / RESOLUTION) + 1)
        half = distance.shape[0] // 2
        reach = min(reach, half)
        window = slice(half - reach, half + reach + 1)
        # u: which gap between two rays a cell lies in
        period = FULL_TURN / scan.angle_increment
        u = bearing[window, window] * np.float32(1.0 / scan.angle_increment)
        u -= np.float32((sensor[2] + scan.angle_min) / scan.angle_increment % period)
        u += np.float32(period) * (u < 0)
        u += np.float32(period) * (u < 0)
        gap = np.clip(u.astype(np.int32), 0, len(limits) - 1)
        free = distance[window, window] < limits[gap]  # (rows, columns)
        low = np.floor(sensor[:2] / RESOLUTION).astype(np.int64) - reach
        size = free.shape[0]
        seen = hit_cells - low
        seen = seen[np.all((seen >= 0) & (seen < size), axis=1)]
        free[seen[:, 1], seen[:, 0]] = False
        first, last = low // TILE, (low + size - 1) // TILE
        for x in range(int(first[0]), int(last[0]) + 1):
            columns, from_x = _overlap(x, int(low[0]), size)
            for y in range(int(first[1]), int(last[1]) + 1):
                rows, from_y = _overlap(y, int(low[1]), size)
                part = free[from_y, from_x]
                if part.any() and (tile := self._tile((x, y))) is not None:
                    cells = tile.log_odds[rows, columns]
                    np.maximum(cells + PASS * part, -CLAMP, out=cells)
                    tile.version += 1

    def _add_hits(self, points: Array, cells: npt.NDArray[np.int64]) -> None:
        cells, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
        inverse = inverse.ravel()
        means = np.stack(
            [np.bincount(inverse, points[:, axis], len(cells)) / counts for axis in (0, 1)], axis=1
        )
        owners = cells // TILE
        for index in {(int(x), int(y)) for x, y in owners}:
            tile = self._tile(index)
            if tile is None:
                continue
            here = np.all(owners == index, axis=1)
            column, row = (cells[here] - np.array(index) * TILE).T
            odds = tile.log_odds[row, column]
            hits = np.where(odds > 0, tile.hits[row, column], 0.0)  # it was free: start anew
            odds = np.minimum(odds + HIT, CLAMP)
            share = (counts[here] / (hits + counts[here]))[:, None]
            tile.mean[row, column] += share * (means[here] - tile.mean[row, column])
            tile.hits[row, column] = np.minimum(hits + counts[here], REMEMBERED_HITS)
            tile.log_odds[row, column] = odds
            tile.version += 1

    def _tile(self, index: TileIndex) -> OwnTile | None:
        tile = self.tiles.get(index)
        if tile is None:
            if len(self.tiles) >= self.max_tiles or not in_map(*index):
                self.tiles_refused += 1
                return None
            tile = self.tiles[index] = OwnTile()
        return tile


def in_map(x: int, y: int) -> bool:
    """Tell whether a map may have this tile."""
    return -MAX_TILE_INDEX <= min(x, y) and max(x, y) < MAX_TILE_INDEX


def _limits(scan: Scan, max_range: float) -> Floats:
    """Return up to where (m) the gap after each ray is free; the last gap may be no gap."""
    hit = np.minimum(scan.ranges, np.float32(max_range)) - np.float32(RESOLUTION)
    clear = np.where(scan.is_clear, np.float32(min(scan.range_max, max_range)), np.float32(0))
    free = np.where(scan.is_hit, hit, clear)
    gaps = np.minimum(free, np.roll(free, -1))
    closed = scan.angle_increment * len(scan.ranges) > FULL_TURN - 0.5 * scan.angle_increment
    if not closed:
        gaps[-1] = 0.0  # and so are all bearings beyond it, which are clipped to it
    return np.asarray(gaps, np.float32)


@lru_cache(maxsize=4)
def _template(reach: int) -> tuple[Floats, Floats]:
    """Return distance (m) and bearing (rad) of the cells around a cell, (2 reach + 1,)²."""
    steps = np.arange(-reach, reach + 1, dtype=np.float32) * np.float32(RESOLUTION)
    x, y = steps[None, :], steps[:, None]
    return np.hypot(x, y), np.arctan2(y, x)


def _overlap(tile: int, low: int, size: int) -> tuple[slice, slice]:
    """Return where tile number ``tile`` and the cells ``low … low + size - 1`` meet, in both."""
    start, stop = max(tile * TILE, low), min((tile + 1) * TILE, low + size)
    return slice(start - tile * TILE, stop - tile * TILE), slice(start - low, stop - low)
