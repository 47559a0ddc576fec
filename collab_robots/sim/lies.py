"""What a robot shows that lies about its map: a wall where nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import Grid, OCCUPIED
from collab_robots.mapping.layer import (
    CLAMP,
    Floats,
    RESOLUTION,
    TILE,
    TILE_SIDE,
    TileIndex,
)
from collab_robots.mapping.tile import Shown

LENGTH = 2.4  # m
THICKNESS = 0.2  # m
CLEARANCE = 0.5  # m from the false wall to a true one
OPEN = 0.6  # of the tile's cells, at least

Mask = npt.NDArray[np.bool_]
Line = tuple[float, float, float, float]
"""x0, y0, x1, y1 of a wall's centre line, m, map frame."""


@dataclass(frozen=True)
class ShownTile:
    """A tile as others are shown it."""

    log_odds: Floats
    version: int


class FalseWall:
    """
    A layer with a wall added, for whoever is shown it; the layer itself stays true.

    :param layer: live.
    """

    def __init__(self, layer: Shown, line: Line) -> None:
        self._layer = layer
        self._line = line

    @property
    def tiles(self) -> Mapping[TileIndex, ShownTile]:
        """The tiles that the robot has mapped, with what stands in them by its word."""
        return {
            (x, y): ShownTile(self._with_wall(x, y, tile.log_odds), tile.version)
            for (x, y), tile in self._layer.tiles.items()
        }

    def _with_wall(self, x: int, y: int, log_odds: Floats) -> Floats:
        x0, y0, x1, y1 = self._line
        centres = (np.arange(TILE) + 0.5) * RESOLUTION
        inside = [
            (low - THICKNESS / 2 <= start + centres) & (start + centres <= high + THICKNESS / 2)
            for start, low, high in (
                (y * TILE_SIDE, min(y0, y1), max(y0, y1)),
                (x * TILE_SIDE, min(x0, x1), max(x0, x1)),
            )
        ]
        wall = np.outer(*inside)
        return np.where(wall, CLAMP, log_odds).astype(np.float32) if wall.any() else log_odds


def find_false_wall(truth: Grid, open_space: Mask) -> Line:
    """
    Choose where a wall could stand and none does: in the middle of the building, where all pass.

    It lies in one tile, along x or y, away from true walls; most of the tile is open space, so
    that robots that pass know enough of it to have a say.

    :param truth: the building.
    :param open_space: (height, width) cells that robots can reach.
    :raises ConfigError: if the building is too narrow.
    """
    clear = ndimage.distance_transform_edt(truth.data != OCCUPIED) * truth.resolution
    middle = truth.centres(np.argwhere(open_space)).mean(axis=0)
    side = round(TILE_SIDE / truth.resolution)
    height, width = truth.data.shape
    best: tuple[float, Line] | None = None
    for x in range(math.ceil(width * truth.resolution / TILE_SIDE)):
        for y in range(math.ceil(height * truth.resolution / TILE_SIDE)):
            tile = open_space[y * side : (y + 1) * side, x * side : (x + 1) * side]
            if tile.sum() < OPEN * side * side:
                continue
            for along in (0, 1):
                for across in np.arange(0.4, TILE_SIDE - 0.3, 0.2):
                    line = _line(x * TILE_SIDE, y * TILE_SIDE, along, float(across))
                    points = np.linspace(line[:2], line[2:], 13)
                    cells = truth.cells(points)
                    if not truth.inside(cells).all():
                        continue
                    if clear[cells[:, 0], cells[:, 1]].min() < CLEARANCE:
                        continue
                    far = math.dist(points.mean(axis=0), middle)
                    if best is None or far < best[0]:
                        best = (far, line)
    if best is None:
        raise ConfigError(f'no place for a false wall of {LENGTH} m in this world')
    return best[1]


def _line(x: float, y: float, along: int, across: float) -> Line:
    """Return a line in the middle of a tile with corner (x, y), along x (0) or y (1)."""
    first, last = (TILE_SIDE - LENGTH) / 2, (TILE_SIDE + LENGTH) / 2
    if along == 0:
        return x + first, y + across, x + last, y + across
    return x + across, y + first, x + across, y + last
