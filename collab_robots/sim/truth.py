"""The true map of a world, and which part of it a robot can get to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from collab_robots.core.geometry import Array, FREE, Grid, OCCUPIED, UNKNOWN

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Box:
    """
    An upright box on the floor.

    :param centre: x and y, m.
    :param half: half extents along its own x and y, m.
    :param turn: yaw, rad.
    :param height: m.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    turn: float
    height: float

    def local(self, points: Array) -> Array:
        """Bring points (n, 2) into the box's own frame."""
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        turned = (points - np.asarray(self.centre)) @ np.array([[cos, -sin], [sin, cos]])
        return np.asarray(turned)

    def contains(self, points: Array) -> Mask:
        """Tell which points (n, 2) lie in the box's floor area."""
        return np.asarray((np.abs(self.local(points)) <= np.asarray(self.half)).all(axis=1))

    def corners(self) -> Array:
        """Give the floor area as its four corners, shape (4, 2)."""
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        turned = signs * np.asarray(self.half) @ np.array([[cos, sin], [-sin, cos]])
        return np.asarray(turned + self.centre)


def boxes_at(boxes: Sequence[Box], points: Array) -> Mask:
    """Tell which points (n, 2) lie in any of the boxes."""
    result = np.zeros(len(points), dtype=bool)
    for box in boxes:
        result |= box.contains(points)
    return result


def true_grid(boxes: Sequence[Box], size: tuple[float, float], resolution: float) -> Grid:
    """
    Draw boxes into a grid whose corner is the origin.

    A cell is occupied if its centre lies in a box, unknown if it can be reached from outside
    the size without crossing an occupied cell, free otherwise.
    """
    columns, rows = (math.ceil(extent / resolution - 1e-9) for extent in size)
    data = np.full((rows, columns), FREE, dtype=np.int8)
    grid = Grid(data, resolution, (0.0, 0.0))
    for box in boxes:
        corners = box.corners()
        low = np.maximum(grid.cells(corners.min(axis=0, keepdims=True))[0], 0)
        high = np.minimum(grid.cells(corners.max(axis=0, keepdims=True))[0] + 1, data.shape)
        window = np.mgrid[low[0] : high[0], low[1] : high[1]].reshape(2, -1).T
        inside = window[box.contains(grid.centres(window))]
        data[inside[:, 0], inside[:, 1]] = OCCUPIED
    around = np.pad(data == FREE, 1, constant_values=True)
    parts, _ = ndimage.label(around)
    data[(parts == parts[0, 0])[1:-1, 1:-1]] = UNKNOWN
    return grid


def is_free_disc(grid: Grid, point: Sequence[float], radius: float) -> bool:
    """Tell whether all cells within ``radius`` of a point are free."""
    cells = np.argwhere(grid.data != FREE)
    inside = grid.inside(grid.cells(np.array([point], dtype=np.float64)))[0]
    distance = np.hypot(*(grid.centres(cells) - np.asarray(point)).T)
    return bool(inside and (distance > radius).all())


def reachable(grid: Grid, starts: Sequence[Array], radius: float) -> Mask:
    """
    Return the free space that robots can get to know: what coverage is measured against.

    Where the robot's centre can go from the starts, widened by its diameter through free cells:
    corners that its disc does not fill count, rooms behind gaps narrower than the robot do not.

    :param grid: the true map.
    :param starts: poses in the map frame.
    :param radius: of the robot, m.
    :returns: (height, width) mask.
    """
    free = grid.data == FREE
    clear = ndimage.distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1] * grid.resolution
    parts, _ = ndimage.label(clear > radius)
    rows, columns = grid.cells(np.array([start[:2] for start in starts])).T
    centres = np.isin(parts, np.setdiff1d(parts[rows, columns], [0]))
    steps = max(1, math.ceil(2 * radius / grid.resolution))
    return np.asarray(ndimage.binary_dilation(centres, iterations=steps, mask=free))


def visible_walls(grid: Grid, known: Mask) -> Mask:
    """
    Return the occupied cells that touch a known free cell: the walls a lidar can find.

    :param known: free cells, usually :func:`reachable`.
    :returns: (height, width) mask.
    """
    near = ndimage.binary_dilation(known, structure=np.ones((3, 3)))
    return np.asarray(near & (grid.data == OCCUPIED))
