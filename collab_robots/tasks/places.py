"""
Places in the map that tasks are about, and the names both halves of a split give them.

A task is named by the 1 m cell of the map frame that its place lies in: a function of positions
only, so two robots that see the same place propose the same task, whatever else they know.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.tasks import CELL, REGION
from collab_robots.core.geometry import Array, FREE, Grid, OCCUPIED, UNKNOWN

PLANNING_RESOLUTION = 0.1  # m
MAX_EXTENT = 2.0  # m; a longer stretch is cut along a lattice of this size
MIN_PIECE = 5  # planning cells; smaller cuttings join their neighbour
OCCUPIED_FROM = 50  # occupancy value
_RING = 4  # unknown cells around the coarse grid, so that its edge can be a frontier
_EIGHT = np.ones((3, 3), dtype=bool)

Cell = tuple[int, int]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Place:
    """
    A connected stretch of cells that one robot can deal with in one visit.

    :param cell: its name: the coarse cell of its centre.
    :param points: (n, 2) centres of its planning cells, m, map frame.
    :param centre: (2,) its medoid: the point nearest to the mean.
    :param cells: every coarse cell it touches.
    """

    kind: Kind
    cell: Cell
    points: Array
    centre: Array
    cells: frozenset[Cell]


def cells_of(points: Array) -> frozenset[Cell]:
    """Return the coarse cells that points (n, 2) of the map frame lie in."""
    lattice = np.unique(encode(points, CELL))
    return frozenset(zip(*(axis.tolist() for axis in decode(lattice)), strict=True))


def encode(points: Array, size: float) -> npt.NDArray[np.int64]:
    """Name the lattice cell of each point (n, 2) by one number."""
    lattice = np.floor(points / size + 1e-6).astype(np.int64)
    return np.asarray((lattice[:, 0] << 32) + lattice[:, 1])


def decode(names: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the x and y of lattice cells that ``encode`` named."""
    y = ((names + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
    return (names - y) >> 32, y


def coarsen(grid: Grid) -> Grid:
    """
    Return the map at planning resolution, surrounded by unknown cells.

    A coarse cell is occupied if any of its cells is, else free if any is, else unknown: gaps
    between two lidar rays far away close, and walls stay tight.
    """
    factor = max(1, round(PLANNING_RESOLUTION / grid.resolution))
    height, width = grid.data.shape
    padded = np.pad(
        grid.data, ((0, -height % factor), (0, -width % factor)), constant_values=UNKNOWN
    )
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    highest = blocks.max(axis=(1, 3))  # occupied beats free beats unknown
    data = np.where(highest >= OCCUPIED_FROM, OCCUPIED, np.minimum(highest, 0)).astype(np.int8)
    resolution = grid.resolution * factor
    x, y = grid.origin
    return Grid(
        np.pad(data, _RING, constant_values=UNKNOWN),
        resolution,
        (x - _RING * resolution, y - _RING * resolution),
    )


def split_into_places(mask: Mask, grid: Grid, kind: Kind, min_cells: int) -> list[Place]:
    """
    Group marked cells into places, in a fixed order.

    Connected stretches shorter than ``MAX_EXTENT`` stay whole; longer ones are cut along a
    lattice fixed in the map frame, so that a stretch which grows at one end keeps its other
    names. Stretches with the same name are one place.

    :param mask: (height, width), the shape of ``grid``.
    :param min_cells: connected stretches with fewer cells are ignored.
    """
    labels, count = ndimage.label(mask, structure=_EIGHT)
    cells = np.argwhere(mask)
    if count == 0:
        return []
    owner = labels[cells[:, 0], cells[:, 1]]
    order = np.argsort(owner, kind='stable')
    points = grid.centres(cells[order])
    named: dict[Cell, list[Array]] = {}
    for stretch in np.split(points, np.flatnonzero(np.diff(owner[order])) + 1):
        if len(stretch) < min_cells:
            continue
        for piece in _cut(stretch):
            named.setdefault(next(iter(cells_of(_medoid(piece)[None]))), []).append(piece)
    result = []
    for cell, pieces in sorted(named.items()):
        whole = np.concatenate(pieces)
        largest = max(pieces, key=len)
        result.append(Place(kind, cell, whole, _medoid(largest), cells_of(whole)))
    return result


def region(name: Cell, grid: Grid) -> Place | None:
    """
    Return the free part of a region that is to be verified, None if there is none.

    :param name: column and row of the map tile.
    :param grid: at planning resolution.
    """
    points = grid.centres(np.argwhere(grid.data == FREE))
    low = REGION * np.array(name)
    points = points[((points >= low) & (points < low + REGION)).all(axis=1)]
    if len(points) == 0:
        return None
    return Place(Kind.VERIFY, name, points, _medoid(points), frozenset({name}))


def _medoid(points: Array) -> Array:
    offsets = points - points.mean(axis=0)
    distances = np.einsum('ij,ij->i', offsets, offsets).round(
        6
    )  # so that ties are ties everywhere
    return np.asarray(points[np.argmin(distances)])


def _cut(points: Array) -> list[Array]:
    extent = float(np.ptp(points, axis=0).max())
    if extent <= MAX_EXTENT:
        return [points]
    _, piece = np.unique(encode(points, MAX_EXTENT), return_inverse=True)
    sizes = np.bincount(piece)
    large = np.flatnonzero(sizes >= MIN_PIECE)
    if len(large) == 0:
        return [points]
    means = np.stack([points[piece == index].mean(axis=0) for index in large])
    for small in np.flatnonzero(sizes < MIN_PIECE):
        mean = points[piece == small].mean(axis=0)
        piece[piece == small] = large[np.argmin([math.dist(mean, other) for other in means])]
    return [points[piece == index] for index in large]
