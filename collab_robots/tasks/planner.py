"""
Paths on the merged map that keep their distance from walls.

One run of Dijkstra from the robot's pose gives the cost to every cell: all bids at once, and any
path by walking back. The path is the one A* would find; A* is faster for one goal only, and a
bidding robot has many.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import MCP_Geometric

from collab_robots.core.geometry import Array, FREE, Grid, OCCUPIED

ROBOT_RADIUS = 0.18  # m
MARGIN = 0.04  # m
COMFORT = 0.6  # m; farther from walls than this, no path is dearer than another
WALL_WEIGHT = 4.0  # a metre along the closest passable line costs 1 + this
ESCAPE_RADIUS = 0.5  # m around the robot, where even the inflated zone can be left
ESCAPE_COST = 20.0
AVOID_RADIUS = 0.7  # m around things that are not on the map (teammates)
AVOID_COST = 30.0
GOAL_REACH = 0.35  # m; less than from a wall's far cell to the nearest passable one behind it
PASSING = 0.5  # m of clearance where a robot waits while another passes
OFF_MOUTH = 1.2  # m
SPACING = 0.1  # m between two points of a path

_Cells = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Terrain:
    """
    What driving costs, for one map.

    :param grid: the map at planning resolution.
    :param clearance: (height, width) m to the next occupied cell's border.
    :param cost: (height, width) cost per m; infinite where the robot does not fit or nothing is
        known.
    """

    grid: Grid
    clearance: Array
    cost: Array

    @staticmethod
    def of(grid: Grid) -> Terrain:
        """Weigh a map from ``places.coarsen``."""
        if np.any(grid.data == OCCUPIED):
            distance = ndimage.distance_transform_edt(grid.data != OCCUPIED)
        else:
            distance = np.full(grid.data.shape, np.inf)
        clearance = distance * grid.resolution - grid.resolution / 2
        tightness = np.clip((COMFORT - clearance) / (COMFORT - ROBOT_RADIUS), 0.0, 1.0)
        cost = 1.0 + WALL_WEIGHT * tightness**2
        cost[(clearance < ROBOT_RADIUS + MARGIN) | (grid.data != FREE)] = np.inf
        return Terrain(grid, clearance, cost)

    def at(self, values: Array, points: Array) -> Array:
        """Return the values at points (n, 2); infinite outside the map."""
        cells = self.grid.cells(points)
        inside = self.grid.inside(cells)
        result = np.full(len(points), np.inf)
        result[inside] = values[cells[inside, 0], cells[inside, 1]]
        return result

    def unexpected(self, points: Array) -> Array:
        """Return those points (n, 2; map frame) that lie in the open on the map: not walls."""
        clear = self.at(self.clearance, points)
        return np.asarray(points[np.isfinite(clear) & (clear > 0.2)])

    def costs_from(self, pose: Array, avoid: Array | None = None) -> Routes:
        """
        Find the cheapest way to every cell.

        A robot that stands where it should not (pushed to a wall, on an unknown cell) can still
        leave.

        :param pose: (3,), map frame.
        :param avoid: (n, 2) m, map frame: things to keep away from if there is another way.
        """
        cost = self.cost
        if avoid is not None and len(avoid):
            cells = _within(self.grid, avoid, AVOID_RADIUS)
            offsets = self.grid.centres(cells)[:, None] - avoid[None]
            distance = np.sqrt((offsets**2).sum(axis=2).min(axis=1))
            cost = cost.copy()
            cost[tuple(cells.T)] += AVOID_COST * (1.0 - distance / AVOID_RADIUS)
            cost[tuple(cells[distance < ROBOT_RADIUS + MARGIN].T)] += AVOID_COST
        around = _within(self.grid, pose[None, :2], ESCAPE_RADIUS)
        start = self.grid.cells(pose[None, :2])[0]
        if len(around) == 0 or not self.grid.inside(start[None])[0]:
            return Routes(self, pose, cost, np.full(cost.shape, np.inf), None)
        cost = cost.copy()
        leave = around[self.grid.data[around[:, 0], around[:, 1]] != OCCUPIED]
        rows, columns = np.vstack([leave, start]).T
        blocked = ~np.isfinite(cost[rows, columns])
        cost[rows[blocked], columns[blocked]] = ESCAPE_COST
        search = MCP_Geometric(cost)
        metres, _ = search.find_costs([tuple(start)])
        return Routes(self, pose, cost, np.asarray(metres) * self.grid.resolution, search)


@dataclass(frozen=True)
class Routes:
    """
    The cheapest ways from one pose.

    :param cost: (height, width) cost per m, with what was to be avoided.
    :param metres: (height, width) weighted path length, m; infinite where no path leads.
    """

    terrain: Terrain
    pose: Array
    cost: Array
    metres: Array
    search: MCP_Geometric | None

    def near(self, points: Array, centre: Array, pull: float = 1.0) -> tuple[Array, float] | None:
        """
        Return the best place to stand next to some points, and the cost to get there.

        :param points: (n, 2) m; one of them is within ``GOAL_REACH`` of the answer.
        :param centre: (2,) m; the answer is as close to it as the way there is worth.
        :param pull: m of the way that a metre nearer to the centre is worth.
        :returns: goal (2,) and cost in m, or None if none can be reached.
        """
        cells = _within(self.terrain.grid, points, GOAL_REACH)
        if len(cells) == 0:
            return None
        fits = np.isfinite(self.terrain.cost[cells[:, 0], cells[:, 1]])
        where = self.terrain.grid.centres(cells)
        metres = np.where(fits, self.metres[cells[:, 0], cells[:, 1]], np.inf)
        best = int(np.argmin(metres + pull * np.hypot(*(where - centre).T)))
        return (where[best], float(metres[best])) if np.isfinite(metres[best]) else None

    def refuge(self, threat: Array) -> Array | None:
        """
        Return the nearest place where a teammate can pass.

        There is room around it, and it is off the mouth of any narrow passage.

        :param threat: (n, 2) m, map frame: what blocks the way.
        """
        terrain, resolution = self.terrain, self.terrain.grid.resolution
        wide = terrain.clearance >= PASSING
        if len(threat) == 0 or not wide.any():
            return None
        narrow = np.isfinite(terrain.cost) & ~wide & _between(terrain.clearance)
        score = self.metres + np.where(wide, 0.0, np.inf)
        if narrow.any():
            off = ndimage.distance_transform_edt(~narrow) * resolution
            score += 5.0 * np.maximum(0.0, OFF_MOUTH - off)
        rows, columns = np.nonzero(np.isfinite(score))
        where = terrain.grid.centres(np.stack([rows, columns], axis=1))
        apart = np.hypot(*(where[:, None] - threat[None]).transpose(2, 0, 1)).min(
            axis=1, initial=9
        )
        scores = np.where(apart >= 1.0, score[rows, columns], np.inf)
        if not np.isfinite(scores).any():
            return None
        return np.asarray(where[int(np.argmin(scores))])

    def path_to(self, goal: Array) -> Array:
        """
        Return the path to a goal, straightened where that costs no more.

        :param goal: (2,) m.
        :returns: (n, 2) m, ``SPACING`` apart, from the robot to the goal; n = 0 if there is none.
        """
        cell = self.terrain.grid.cells(goal[None])[0]
        inside = bool(self.terrain.grid.inside(cell[None])[0])
        if self.search is None or not inside or not np.isfinite(self.metres[tuple(cell)]):
            return np.empty((0, 2))
        cells = np.array(self.search.traceback(tuple(cell)), dtype=np.int64)
        points = self.terrain.grid.centres(cells)
        points[0] = self.pose[:2]
        costs = self.metres[cells[:, 0], cells[:, 1]]
        corners = [0]
        while corners[-1] < len(points) - 1:
            corners.append(self._farthest(points, costs, corners[-1]))
        return _resample(points[corners])

    def _farthest(self, points: Array, costs: Array, first: int) -> int:
        last = len(points) - 1
        for step in (last - first, 64, 32, 16, 8, 4, 2):
            index = first + step
            if index > last or step < 2:
                continue
            length = math.dist(points[first], points[index])
            count = max(2, math.ceil(length / (0.5 * self.terrain.grid.resolution)))
            line = points[first] + np.linspace(0, 1, count)[:, None] * (
                points[index] - points[first]
            )
            straight = float(self.terrain.at(self.cost, line).mean()) * length
            if straight <= 1.02 * (costs[index] - costs[first]) + 1e-9:
                return index
        return first + 1


def _within(grid: Grid, points: Array, radius: float) -> _Cells:
    """Return the cells (n, 2) inside the grid that lie within a radius of any point (k, 2)."""
    reach = math.ceil(radius / grid.resolution)
    offsets = np.argwhere(np.ones((2 * reach + 1, 2 * reach + 1))) - reach
    offsets = offsets[np.hypot(*offsets.T) * grid.resolution <= radius]
    cells = (grid.cells(points)[:, None] + offsets[None]).reshape(-1, 2)
    cells = cells[grid.inside(cells)]
    flat = np.unique(cells[:, 0] * grid.data.shape[1] + cells[:, 1])
    return np.stack(np.divmod(flat, grid.data.shape[1]), axis=1)


def _between(clearance: Array) -> npt.NDArray[np.bool_]:
    """Mark cells that are squeezed from two opposite sides: doors, corridors."""
    result = np.zeros(clearance.shape, dtype=bool)
    for axis in (0, 1):
        sides = [np.roll(clearance, shift, axis) for shift in (-2, 2)]
        result |= (clearance > sides[0]) & (clearance > sides[1])
    return result


def _resample(corners: Array) -> Array:
    lengths = np.hypot(*np.diff(corners, axis=0).T) if len(corners) > 1 else np.zeros(0)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(2, math.ceil(float(along[-1]) / SPACING) + 1)
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, corners[:, axis]) for axis in (0, 1)], axis=1)
