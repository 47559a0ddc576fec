"""
A tile in coarse cells of three values: what robots compare to find out who lies.

A sketch has 16×16 cells of 0.2 m in two masks of 256 bits; bit ``16 * row + column``, row 0 the
lowest y. What counts as a conflict of two sketches is in ``contracts/lib/Sketch.sol``, and here
for whoever has no contract at hand; the numbers belong together and are chosen from measurement
(docs/trust.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from collab_robots.contract.calls.maps import LEAST_KNOWN, MAX_SKETCHES, SKETCH_SIDE
from collab_robots.mapping.layer import TILE, TileIndex
from collab_robots.mapping.layers import FREE_BELOW
from collab_robots.mapping.tile import Shown

Mask = npt.NDArray[np.bool_]

CELL = TILE // SKETCH_SIDE  # cells of the map, along a side of one cell of the sketch
SURE = 2.5  # log-odds of what is occupied: three hits; a teammate that drives by gets fewer
LEAST_OCCUPIED = 3  # cells of the map that make a cell occupied
SMALL = 3  # cells; what stands free and is no longer or wider may be a teammate, and is left out
PAD = SMALL  # cells around the tile, to tell how large a thing is
CHANGED = 32  # cells: a sketch that differs so much from the last is submitted too
WINDOW = 12  # cells along a side of the windows in which sketches are compared …
STEP = 4  # … that begin so many cells apart; Sketches.WINDOW and so on
TOLERATED = 6  # differing cells in a window
_AROUND = np.ones((3, 3), bool)


class Sketch(NamedTuple):
    """
    What a robot found in a region.

    :param x: column of the region's tile.
    :param y: row of the region's tile.
    :param free: cells that are surely free: nothing is within one cell of them either.
    :param occupied: cells with something in them.
    """

    x: int
    y: int
    free: int
    occupied: int

    @property
    def known(self) -> int:
        """How many of the 256 cells it tells something about."""
        return (self.free | self.occupied).bit_count()


def sketch(tiles: Mapping[TileIndex, npt.NDArray[Any]], x: int, y: int) -> Sketch:
    """
    Return the sketch of a tile.

    It looks at the neighbouring tiles too: a wall there may be why a cell here is not surely free,
    and a thing that ends at the border here may go on.

    :param tiles: log-odds or levels (64, 64) of one layer.
    """
    odds = _around(tiles, x, y)
    hit = _counts(odds >= SURE)
    passed = _counts(odds <= FREE_BELOW)
    clear = passed == CELL * CELL  # a cell that was missed may be the wall that two rays straddle
    free = ndimage.binary_erosion(clear, _AROUND)
    occupied = _without_small(hit >= LEAST_OCCUPIED)
    inside = slice(PAD, PAD + SKETCH_SIDE)
    return Sketch(x, y, _bits(free[inside, inside]), _bits(occupied[inside, inside]))


def differing(a: Sketch, b: Sketch, size: int = WINDOW) -> int:
    """Return the most cells in any window that are free in one and occupied in the other."""
    cells = (a.free & b.occupied) | (a.occupied & b.free)
    return max((cells & window).bit_count() for window in windows(size))


def conflict(a: Sketch, b: Sketch) -> bool:
    """Tell whether two sketches of one region cannot both be true."""
    return differing(a, b) > TOLERATED


@cache
def windows(size: int) -> tuple[int, ...]:
    """Return the windows of a sketch as masks."""
    window = sum(((1 << size) - 1) << SKETCH_SIDE * row for row in range(size))
    starts = range(0, SKETCH_SIDE - size + 1, STEP)
    return tuple(window << SKETCH_SIDE * row + column for row in starts for column in starts)


def _around(tiles: Mapping[TileIndex, npt.NDArray[Any]], x: int, y: int) -> npt.NDArray[Any]:
    """Return a tile with PAD cells of the sketch on each side; what no tile has is zero."""
    nothing = np.zeros((TILE, TILE), np.float32)
    rows = [
        np.hstack([tiles.get((x + dx, y + dy), nothing) for dx in (-1, 0, 1)]) for dy in (-1, 0, 1)
    ]
    part = slice(TILE - PAD * CELL, 2 * TILE + PAD * CELL)
    return np.vstack(rows)[part, part]


def _counts(cells: Mask) -> npt.NDArray[np.int64]:
    """Count the set cells of the map in each cell of the sketch."""
    side = len(cells) // CELL
    counts: npt.NDArray[np.int64] = cells.reshape(side, CELL, side, CELL).sum(axis=(1, 3))
    return counts


def _without_small(occupied: Mask) -> Mask:
    """Take out what stands free and fits into SMALL×SMALL cells."""
    things, _ = ndimage.label(occupied, _AROUND)
    small = [
        number
        for number, where in enumerate(ndimage.find_objects(things), 1)
        if max(part.stop - part.start for part in where) <= SMALL
    ]
    return occupied & ~np.isin(things, small)


def _bits(mask: Mask) -> int:
    return int.from_bytes(np.packbits(mask.ravel(), bitorder='little').tobytes(), 'little')


@dataclass
class _Page:
    """What is known of one tile's sketch: the present one, since when, and what was submitted."""

    versions: tuple[int, ...] = ()
    now: Sketch | None = None
    since_ns: int = 0
    submitted: list[Sketch] = field(default_factory=list)


class SketchBook:
    """
    Decide when the sketch of an own tile is worth submitting.

    It is when it tells enough, has settled, and is new: the first of its tile, or in conflict with
    the last one submitted, or different from it in many cells. The contract takes MAX_SKETCHES of
    a tile.

    :param layer: the own layer, live.
    :param settle_ns: a sketch that has not changed for this long has settled: what the robot
        still explores changes, and teammates who stand in view move on.
    """

    def __init__(self, layer: Shown, settle_ns: int) -> None:
        self._layer = layer
        self._settle_ns = settle_ns
        self._pages: dict[TileIndex, _Page] = {}

    def due(self, now_ns: int) -> list[Sketch]:
        """Return the sketches to submit now, in fixed order; they count as submitted."""
        tiles = self._layer.tiles
        odds = {index: tile.log_odds for index, tile in tiles.items()}
        result = []
        for index in sorted(tiles):
            page = self._pages.setdefault(index, _Page())
            self._look(page, index, odds, now_ns)
            if self._is_due(page, now_ns):
                assert page.now is not None
                page.submitted.append(page.now)
                result.append(page.now)
        return result

    def _look(
        self,
        page: _Page,
        index: TileIndex,
        odds: Mapping[TileIndex, npt.NDArray[Any]],
        now_ns: int,
    ) -> None:
        x, y = index
        near = [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        tiles = self._layer.tiles
        versions = tuple(tiles[place].version if place in tiles else -1 for place in near)
        if versions == page.versions:
            return
        page.versions = versions
        found = sketch(odds, x, y)
        if found != page.now:
            page.now, page.since_ns = found, now_ns

    def _is_due(self, page: _Page, now_ns: int) -> bool:
        if page.now is None or now_ns - page.since_ns < self._settle_ns:
            return False
        if page.now.known < LEAST_KNOWN or len(page.submitted) == MAX_SKETCHES:
            return False
        if not page.submitted:
            return True
        last = page.submitted[-1]
        return conflict(page.now, last) or _difference(page.now, last) >= CHANGED


def _difference(a: Sketch, b: Sketch) -> int:
    return ((a.free ^ b.free) | (a.occupied ^ b.occupied)).bit_count()
