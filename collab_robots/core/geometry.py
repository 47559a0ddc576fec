"""
Planar poses and occupancy grids (REP-103 units, REP-105 frames).

A pose is a float64 array ``(3,)``: x (m), y (m), yaw (rad, counter-clockwise from x).
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
UNKNOWN = -1
FREE = 0
OCCUPIED = 100


def wrap(angle: float) -> float:
    """Return the same angle in [-pi, pi)."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def pose(x: float, y: float, yaw: float) -> Array:
    """Return a pose of shape (3,)."""
    return np.array([x, y, yaw], dtype=np.float64)


def compose(a: Array, b: Array) -> Array:
    """Return pose ``b``, given in the frame of pose ``a``, in the frame that ``a`` is given in."""
    cos, sin = math.cos(a[2]), math.sin(a[2])
    return pose(
        a[0] + cos * b[0] - sin * b[1],
        a[1] + sin * b[0] + cos * b[1],
        wrap(a[2] + b[2]),
    )


def inverse(a: Array) -> Array:
    """Return the pose that undoes ``a``: ``a`` composed with it is the origin."""
    cos, sin = math.cos(a[2]), math.sin(a[2])
    return pose(-cos * a[0] - sin * a[1], sin * a[0] - cos * a[1], wrap(-a[2]))


def transform(a: Array, points: Array) -> Array:
    """Bring points (n, 2) from the frame of pose ``a`` into the frame ``a`` is given in."""
    cos, sin = math.cos(a[2]), math.sin(a[2])
    rotation = np.array([[cos, -sin], [sin, cos]])
    return np.asarray(points @ rotation.T + a[:2])


@dataclass(frozen=True)
class Grid:
    """
    An occupancy grid in the map frame, as nav_msgs/OccupancyGrid holds it.

    :param data: (height, width) int8; row 0 is the lowest y; -1 unknown, 0 free … 100 occupied.
    :param resolution: m per cell.
    :param origin: x and y (m) of the lower left corner of cell (0, 0).
    """

    data: npt.NDArray[np.int8]
    resolution: float
    origin: tuple[float, float]

    def cells(self, points: Array) -> npt.NDArray[np.int64]:
        """Return the (row, column) of each point (n, 2); may lie outside the grid."""
        columns_rows = np.floor((points - np.asarray(self.origin)) / self.resolution)
        return np.asarray(columns_rows[:, ::-1], dtype=np.int64)

    def centres(self, cells: npt.NDArray[np.int64]) -> Array:
        """Return the centre (x, y) of each (row, column) cell (n, 2)."""
        return np.asarray((cells[:, ::-1] + 0.5) * self.resolution + np.asarray(self.origin))

    def inside(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell which (row, column) cells (n, 2) lie inside the grid."""
        return np.asarray(np.all((cells >= 0) & (cells < self.data.shape), axis=1))
