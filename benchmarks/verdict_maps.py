"""
Maps to measure verdicts on: honest ones from real scans and from a simulated building, and lies.

The simulated robots drive between random places of it, with teammates that stand about.
Ranges are cast at the walls, odometry drifts, and the maps are what the project's mapper makes of
that. Each robot believes a start pose that is off: so its whole map is, by a known displacement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collab_robots.core.geometry import (
    Array,
    compose,
    FREE,
    Grid,
    inverse,
    OCCUPIED,
    pose,
    transform,
    wrap,
)
from collab_robots.mapping.carmen import read_log
from collab_robots.mapping.layer import Layer, RESOLUTION, TILE, TILE_SIDE, TileIndex
from collab_robots.mapping.mapper import Mapper
from collab_robots.mapping.replay import LOG_CONFIG
from collab_robots.mapping.scan import Scan
from collab_robots.mapping.tile import Levels
from collab_robots.sim.simulator import (
    ANGLE_INCREMENT,
    ANGLE_MIN,
    MAX_SPEED,
    MAX_TURN,
    RANGE_MAX,
    RANGE_MIN,
    RANGE_NOISE,
    RAYS,
)
from collab_robots.sim.truth import Box
from collab_robots.sim.world import ROBOT_RADIUS, World
from collab_robots.tasks.planner import Terrain

STEP_NS = 50_000_000
GOALS = 5  # that a robot drives to
MATES = 3  # that stand about; each may stand elsewhere while the robot drives to the next goal
NEAR = 5.0  # m from the middle of a tile: such scans show it
SHIFT_ERROR, TURN_ERROR = 0.1, math.radians(1.5)  # of the start pose, uniform up to

Tiles = Mapping[TileIndex, Levels]


@dataclass(frozen=True, eq=False)
class Mapped:
    """
    What a robot mapped.

    :param true: (n, 3) where its scans were taken.
    :param believed: (n, 3) where it believed to be then.
    """

    tiles: Tiles
    true: Array
    believed: Array
    _placed: dict[TileIndex, tuple[Array, float]] = field(default_factory=dict)

    def placed(self, index: TileIndex) -> tuple[Array, float]:
        """
        Return where a tile's corners are in this map, (4, 2), in the mean of the scans near it.

        :returns: also how far (m) they are from there in the scan that differs most.
        """
        if index not in self._placed:
            self._placed[index] = self._place(index)
        return self._placed[index]

    def _place(self, index: TileIndex) -> tuple[Array, float]:
        corners = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) + index) * TILE_SIDE
        near = np.linalg.norm(self.true[:, :2] - corners.mean(axis=0), axis=1) < NEAR
        if not near.any():
            return corners, math.inf
        scans = zip(self.true[near], self.believed[near], strict=True)
        placed = np.array(
            [transform(there, transform(inverse(at), corners)) for at, there in scans]
        )
        mean = placed.mean(axis=0)
        return mean, float(np.linalg.norm(placed - mean, axis=2).max())


def displacement(a: Mapped, b: Mapped, index: TileIndex) -> float:
    """Return how far (m) two maps are apart at the corners of a tile, at most."""
    (first, spread), (second, other) = a.placed(index), b.placed(index)
    return float(np.linalg.norm(first - second, axis=1).max()) + spread + other


class Building:
    """A building, to be mapped by robots one at a time."""

    def __init__(self, world: World) -> None:
        self._starts = world.start_poses(8)
        self._walls = _sides(world.wall_boxes + world.furniture_boxes)
        self._terrain = Terrain.of(world.truth)
        self._places = np.argwhere(np.isfinite(self._terrain.cost))

    def map(self, seed: int) -> Mapped:
        """Let a robot map it."""
        rng = np.random.default_rng(seed)
        true = start = self._starts[rng.integers(len(self._starts))]
        away, bearing = SHIFT_ERROR * math.sqrt(rng.random()), rng.uniform(-math.pi, math.pi)
        turn = rng.uniform(-TURN_ERROR, TURN_ERROR)
        error = pose(away * math.cos(bearing), away * math.sin(bearing), turn)
        mapper = Mapper(compose(start, error))
        odometry, stamp = pose(0.0, 0.0, 0.0), 0
        places, believed = [], []
        wheels = 1.0 + np.array([rng.uniform(-0.01, 0.01), 0.0, rng.uniform(-0.02, 0.02)])
        mates = [self._place(rng) for _ in range(MATES)]
        for _ in range(GOALS):
            path = self._terrain.costs_from(true).path_to(self._place(rng))
            mates = [mate if rng.random() < 0.5 else self._place(rng) for mate in mates]
            for step, at in enumerate(_drive(true, path[::3])):
                moved = compose(inverse(true), at) * wheels
                moved += rng.normal(0.0, 0.1, 3) * np.abs(moved) * (1, 0, 1)
                odometry, true, stamp = compose(odometry, moved), at, stamp + STEP_NS
                mapper.add_odometry(stamp, odometry)
                if step % 4 == 0:
                    mapper.add_scan(self._scan(at, mates, stamp, rng))
                    places.append(at)
                    believed.append(mapper.pose)
        return Mapped(levels(mapper.layer), np.array(places), np.array(believed))

    def _place(self, rng: np.random.Generator) -> Array:
        cell = self._places[rng.integers(len(self._places))]
        place: Array = self._terrain.grid.centres(cell[None])[0]
        return place

    def _scan(
        self, at: Array, mates: list[Array], stamp_ns: int, rng: np.random.Generator
    ) -> Scan:
        far = [mate for mate in mates if math.dist(mate, at[:2]) > 2 * ROBOT_RADIUS]
        walls = np.concatenate([self._walls, *(_disc(mate) for mate in far)])
        ranges = _cast(walls, at) + rng.normal(0.0, RANGE_NOISE, RAYS)
        ranges[ranges > RANGE_MAX] = np.inf
        return Scan(
            ranges.astype(np.float32), ANGLE_MIN, ANGLE_INCREMENT, RANGE_MIN, RANGE_MAX, stamp_ns
        )


def intel(log: Path, pieces: int, known_poses: bool) -> list[Mapped]:
    """
    Map the pieces of the Intel log, as if each was a robot's; true is where its writer found them.

    :param known_poses: put scans there; else the mapper finds out.
    """
    readings = read_log(log).readings
    cuts = [len(readings) * number // pieces for number in range(pieces + 1)]
    result = []
    for first, last in pairwise(cuts):
        part = readings[first:last]
        mapper = Mapper(compose(part[0].corrected, inverse(part[0].odometry)), LOG_CONFIG)
        believed = []
        for reading in part:
            if known_poses:
                mapper.layer.integrate(reading.scan, reading.corrected)
                believed.append(reading.corrected)
            else:
                mapper.add_odometry(reading.scan.stamp_ns, reading.odometry)
                mapper.add_scan(reading.scan)
                believed.append(mapper.pose)
        true = np.array([reading.corrected for reading in part])
        result.append(Mapped(levels(mapper.layer), true, np.array(believed)))
    return result


def levels(layer: Layer) -> Tiles:
    """Return a layer's tiles as they are coded."""
    return {index: np.rint(tile.log_odds).astype(np.int8) for index, tile in layer.tiles.items()}


def levels_of(grid: Grid) -> Tiles:
    """Return the tiles of a true map whose corner is the origin, as if a robot had seen it all."""
    height, width = (-(-side // TILE) * TILE for side in grid.data.shape)
    whole = np.zeros((height, width), np.int8)
    whole[: grid.data.shape[0], : grid.data.shape[1]] = np.select(
        [grid.data == FREE, grid.data == OCCUPIED], [-4, 4], 0
    )
    return {
        (x, y): whole[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
        for x in range(width // TILE)
        for y in range(height // TILE)
    }


def with_wall(
    tiles: Tiles, index: TileIndex, middle: Array, turn: float, length: float, thickness: float
) -> Tiles:
    """
    Return a map with a wall that is not there, as far as it lies in the tile.

    :param middle: of the wall, m from the tile's corner.
    :param turn: of the wall against the x axis, rad.
    """
    rows, columns = np.mgrid[:TILE, :TILE]
    centres = (np.stack([columns, rows], axis=-1) + 0.5) * RESOLUTION - middle
    along = np.abs(centres @ [math.cos(turn), math.sin(turn)])
    across = np.abs(centres @ [-math.sin(turn), math.cos(turn)])
    tile = tiles[index].copy()
    tile[(along <= length / 2) & (across <= thickness / 2)] = 4
    return {**tiles, index: tile}


def without_walls(tiles: Tiles, index: TileIndex) -> Tiles:
    """Return a map in which a tile has nothing but free cells where it had walls."""
    return {**tiles, index: np.where(tiles[index] > 0, np.int8(-4), tiles[index])}


def shifted(tiles: Tiles, columns: int, rows: int) -> Tiles:
    """Return a map that is moved by less than a tile; columns and rows are at least 0."""
    result = {}
    for x, y in {(x + dx, y + dy) for x, y in tiles for dx in (0, 1) for dy in (0, 1)}:
        nothing = np.zeros((TILE, TILE), np.int8)
        four = [[tiles.get((x + dx, y + dy), nothing) for dx in (-1, 0)] for dy in (-1, 0)]
        part = np.block(four)
        low, left = TILE - rows, TILE - columns
        result[x, y] = part[low : low + TILE, left : left + TILE]
    return result


def _drive(at: Array, path: Array) -> list[Array]:
    """Return the poses of a robot that turns towards each point and drives there."""
    step = STEP_NS * 1e-9
    poses = []
    for goal in path:
        while (left := math.dist(at[:2], goal)) > 0.06:
            off = wrap(math.atan2(goal[1] - at[1], goal[0] - at[0]) - at[2])
            if abs(off) > 0.3:
                at = compose(
                    at, pose(0.0, 0.0, math.copysign(min(MAX_TURN * step, abs(off)), off))
                )
            else:
                at = compose(at, pose(min(MAX_SPEED * step, left), 0.0, 2 * off * step))
            poses.append(at)
    return poses


def _cast(walls: Array, at: Array) -> Array:
    """Return the distance (RAYS,) to the nearest of the walls (n, 4: both ends' x and y), m."""
    angles = at[2] + ANGLE_MIN + ANGLE_INCREMENT * np.arange(RAYS)
    ray = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None]  # (RAYS, 1, 2)
    start, side = walls[:, :2] - at[:2], walls[:, 2:] - walls[:, :2]  # (n, 2)
    with np.errstate(divide='ignore', invalid='ignore'):
        cross = ray[..., 0] * side[:, 1] - ray[..., 1] * side[:, 0]
        along = (start[:, 0] * side[:, 1] - start[:, 1] * side[:, 0]) / cross
        where = (start[:, 0] * ray[..., 1] - start[:, 1] * ray[..., 0]) / cross
    hit = (along > 0) & (where >= 0) & (where <= 1)
    distance: Array = np.where(hit, along, np.inf).min(axis=1)
    return distance


def _sides(boxes: tuple[Box, ...]) -> Array:
    corners = [box.corners() for box in boxes]
    return np.concatenate([_ring(four) for four in corners])


def _disc(centre: Array) -> Array:
    angles = np.linspace(0.0, 2 * math.pi, 12, endpoint=False)
    return _ring(centre + ROBOT_RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1))


def _ring(corners: Array) -> npt.NDArray[np.float64]:
    return np.hstack([corners, np.roll(corners, -1, axis=0)])
