"""
What the robot's camera has seen of the walls, and where to stand to see the rest.

A wall's face is named by the free cell in front of it, so the two sides of a thin wall are two
faces. A lidar hit within the camera's view is a piece of wall the camera sees: nothing has to be
ray-cast.
"""

from __future__ import annotations

from collections.abc import Collection
import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.tasks import CELL
from collab_robots.core.geometry import Array, FREE, Grid, OCCUPIED, transform
from collab_robots.tasks.places import (
    Cell,
    cells_of,
    encode,
    Place,
    PLANNING_RESOLUTION,
    split_into_places,
)
from collab_robots.tasks.planner import Routes

HALF_VIEW = 0.45  # rad each side; a little less than the camera's 62°
NEAREST, FARTHEST = 0.6, 3.5  # m
MIN_INCIDENCE = 0.5  # sine of the angle between view and wall
MAX_TURN = 0.6  # rad/s; a picture taken while turning faster may miss it
MIN_STRETCH = 5  # planning cells of unseen wall that are worth a drive
STAND_OFF = (1.8, 2.2, 1.5, 2.5, 1.1, 0.8)  # m from the wall, best first
_DIRECTIONS = 24
_STEPS = 24  # points along a line of sight
_NEIGHBOURS = PLANNING_RESOLUTION * (np.argwhere(np.ones((3, 3))) - 1.0)


class CameraCoverage:
    """Remembers the wall faces that one robot's camera has seen."""

    def __init__(self) -> None:
        self._seen: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)  # names of faces, sorted
        self._coarse: frozenset[Cell] = frozenset()

    def look(self, pose: Array, points: Array, turn_rate: float) -> None:
        """
        Take note of what the camera sees now.

        :param pose: (3,) map frame; the camera looks along its yaw.
        :param points: (n, 2) lidar hits in the order of their angles, base frame, m.
        :param turn_rate: rad/s.
        """
        if abs(turn_rate) > MAX_TURN or len(points) < 3:
            return
        distance = np.hypot(*points.T)
        along = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
        length = np.hypot(*along.T)
        across = np.abs(along[:, 0] * points[:, 1] - along[:, 1] * points[:, 0])
        sees = (
            (np.abs(np.arctan2(points[:, 1], points[:, 0])) <= HALF_VIEW)
            & (distance >= NEAREST)
            & (distance <= FARTHEST)
            & (length < 0.5)
            & (across > MIN_INCIDENCE * length * distance)
        )
        if not sees.any():
            return
        before = points[sees] * (1.0 - 1.2 * PLANNING_RESOLUTION / distance[sees])[:, None]
        hits = transform(pose, before)
        around = (hits[:, None] + _NEIGHBOURS).reshape(-1, 2)
        self._seen = np.union1d(self._seen, encode(around, PLANNING_RESOLUTION))
        self._coarse |= cells_of(hits)

    def saw(self, cell: Cell) -> bool:
        """Tell whether it has seen any wall in a coarse cell."""
        return cell in self._coarse

    def unseen(self, grid: Grid, inspected: Collection[Cell]) -> list[Place]:
        """
        Return the stretches of wall that still have to be looked at.

        :param grid: at planning resolution.
        :param inspected: coarse cells that some robot has inspected.
        """
        walls = grid.data == OCCUPIED
        faces = ndimage.binary_dilation(walls) & (grid.data == FREE)
        cells = np.argwhere(faces)
        points = grid.centres(cells)
        skip = np.isin(encode(points, PLANNING_RESOLUTION), self._seen, kind='sort')
        done = (np.array(sorted(inspected), dtype=np.float64).reshape(-1, 2) + 0.5) * CELL
        skip |= np.isin(encode(points, CELL), encode(done, CELL))
        faces[tuple(cells[skip].T)] = False
        return split_into_places(faces, grid, Kind.INSPECT, MIN_STRETCH)


def viewpoint(place: Place, routes: Routes) -> tuple[Array, float, float] | None:
    """
    Return where to stand to look at a stretch of wall.

    :returns: goal (2,) m, yaw to face (rad) and path cost (m); None if no such place can be
        reached.
    """
    grid = routes.terrain.grid
    row, column = grid.cells(place.centre[None])[0]
    around = np.argwhere(grid.data[row - 1 : row + 2, column - 1 : column + 2] == OCCUPIED) - 1
    if len(around) == 0:
        return None
    normal = -around.mean(axis=0)[::-1]  # towards the free side, (x, y)
    angles = np.arange(_DIRECTIONS) * (2 * math.pi / _DIRECTIONS)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cosine = rays @ (normal / max(float(np.hypot(*normal)), 1e-9))
    best: tuple[float, Array, float, float] | None = None
    for rank, radius in enumerate(STAND_OFF):
        stands = place.centre + radius * rays
        cost = routes.terrain.at(routes.metres, stands)
        cost[~np.isfinite(routes.terrain.at(routes.terrain.cost, stands)) | (cosine < 0.7)] = (
            np.inf
        )
        line = place.centre + np.linspace(0.0, 1.0, _STEPS)[:, None, None] * (
            stands - place.centre
        )
        seen = routes.terrain.at(grid.data.astype(np.float64), line.reshape(-1, 2)) == FREE
        cost[~seen.reshape(_STEPS, _DIRECTIONS).all(axis=0)] = np.inf
        score = cost + 2.0 * (1.0 - cosine) + 0.5 * rank
        index = int(np.argmin(score))
        if np.isfinite(score[index]) and (best is None or score[index] < best[0]):
            yaw = math.atan2(-rays[index, 1], -rays[index, 0])
            best = (float(score[index]), stands[index], yaw, float(cost[index]))
    return None if best is None else best[1:]
