"""
Frontiers: where known free space ends and unknown space begins.

B. Yamauchi, "A frontier-based approach for autonomous exploration", CIRA 1997.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from collab_robots.contract.calls.common import Kind
from collab_robots.core.geometry import FREE, Grid, UNKNOWN
from collab_robots.tasks.places import Mask, Place, split_into_places

MIN_FRONTIER = 0.4  # m; a robot does not fit through less
MIN_AREA = 0.25  # m²
_EIGHT = np.ones((3, 3), dtype=bool)


def frontier_mask(grid: Grid) -> Mask:
    """
    Mark the free cells that border on unknown space.

    Unknown slivers narrower than three cells are no space (between far rays, along walls), nor
    are small pockets (corners behind furniture).

    :param grid: at planning resolution, from ``places.coarsen``.
    :returns: (height, width).
    """
    space = ndimage.binary_opening(grid.data == UNKNOWN, structure=_EIGHT)
    labels, _ = ndimage.label(space)
    area = np.bincount(labels.reshape(-1)) * grid.resolution**2
    space &= area[labels] >= MIN_AREA
    return np.asarray(ndimage.binary_dilation(space) & (grid.data == FREE))


def frontiers(grid: Grid) -> list[Place]:
    """
    Return the frontiers of a map, cut into places, sorted by cell.

    Whether a robot can reach them is not decided here.

    :param grid: at planning resolution, from ``places.coarsen``.
    """
    min_cells = max(1, round(MIN_FRONTIER / grid.resolution))
    return split_into_places(frontier_mask(grid), grid, Kind.EXPLORE, min_cells)
