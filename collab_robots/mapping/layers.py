"""The team's map: one layer per robot, kept apart, so that a robot's layer can be taken out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import FREE, Grid, OCCUPIED, UNKNOWN
from collab_robots.mapping.layer import (
    Floats,
    in_map,
    MAX_TILES,
    RESOLUTION,
    TILE,
    TILE_SIDE,
    TileIndex,
)
from collab_robots.mapping.tile import decode_tile, Levels, Shown, tile_digest

TileKey = tuple[str, int, int]
"""Owner, tile column, tile row."""

MAX_OWNERS = 64
FREE_BELOW = -0.8  # log-odds: two rays passed
OCCUPIED_ABOVE = 0.8


class LayeredMap:
    """
    Own layer and a layer per teammate.

    :param name: this robot.
    :param own: its layer, live.
    """

    def __init__(self, name: str, own: Shown) -> None:
        self._name = name
        self._own = own
        self._others: dict[str, dict[TileIndex, Levels]] = {}
        self._cells: dict[TileIndex, npt.NDArray[np.int8]] = {}  # merged
        self._versions: dict[TileIndex, int] = {}  # of the own tiles that are in it
        self._stale: set[TileIndex] = set()
        self._excluded: frozenset[str] = frozenset()
        self._withheld: set[TileKey] = set()
        self._grid: Grid | None = None

    def put(self, owner: str, x: int, y: int, data: bytes, digest: bytes | None = None) -> None:
        """
        Take a tile of a teammate's layer; it replaces the one before.

        :param digest: what the ledger says its bytes hash to, unless the caller checked that.
        :raises RefusedError: DIGEST if the bytes have another digest, MALFORMED, VERSION or
            TOO_LARGE if they are no tile, FLOOD if there would be too many.
        """
        if digest is not None and tile_digest(data) != digest:
            raise RefusedError(Refusal.DIGEST, f'tile ({x}, {y}) of {owner} is not what it was')
        if owner == self._name:
            raise RefusedError(Refusal.MALFORMED, f'tile ({x}, {y}) claims to be of {owner}: me')
        if not in_map(x, y):
            raise RefusedError(Refusal.MALFORMED, f'tile ({x}, {y}) of {owner} is out of the map')
        levels = decode_tile(data)
        if owner not in self._others and len(self._others) >= MAX_OWNERS:
            raise RefusedError(Refusal.FLOOD, f'{owner}: tiles of more than {MAX_OWNERS} robots')
        layer = self._others.setdefault(owner, {})
        if (x, y) not in layer and len(layer) >= MAX_TILES:
            raise RefusedError(Refusal.FLOOD, f'{owner} has more than {MAX_TILES} tiles')
        layer[x, y] = levels
        self._stale.add((x, y))

    def tiles(self, owner: str) -> Mapping[TileIndex, Levels]:
        """Return the tiles of a teammate's layer, those included that are withheld."""
        return self._others.get(owner, {})

    def withhold(self, key: TileKey, withheld: bool) -> bool:
        """
        Let a teammate's tile not count, or count again.

        :returns: whether that is another state than before.
        """
        if (key in self._withheld) == withheld:
            return False
        (self._withheld.add if withheld else self._withheld.discard)(key)
        self._stale.add(key[1:])
        return True

    def owners(self) -> list[str]:
        """Return the robots that the map has layers of, this one first."""
        return [self._name, *sorted(self._others)]

    def merged(self, excluded: Collection[str] = ()) -> Grid:
        """
        Return the sum of the layers' log-odds as free, occupied and unknown cells.

        The origin lies on a tile's corner. The grid grows with the map. Tiles that have not
        changed since the last call are not computed again.

        :param excluded: robots whose layers do not count.
        """
        if frozenset(excluded) != self._excluded:
            self._excluded = frozenset(excluded)
            self._cells.clear()
            self._versions.clear()
            self._grid = None
            self._stale.update(*self._others.values())
        layers = [item for item in self._others.items() if item[0] not in self._excluded]
        own = {} if self._name in self._excluded else self._own.tiles
        for index, tile in own.items():
            if self._versions.get(index) != tile.version:
                self._versions[index] = tile.version
                self._stale.add(index)
        if self._grid is not None and not self._stale:
            return self._grid
        for index in self._stale:
            parts = [
                tiles[index]
                for name, tiles in layers
                if index in tiles and (name, *index) not in self._withheld
            ]
            odds: Floats = np.zeros((TILE, TILE), np.float32)
            for part in parts:
                odds += part
            if index in own:
                odds += own[index].log_odds
            cells = np.full((TILE, TILE), UNKNOWN, np.int8)
            cells[odds <= FREE_BELOW] = FREE
            cells[odds >= OCCUPIED_ABOVE] = OCCUPIED
            self._cells[index] = cells
        self._stale.clear()
        self._grid = self._assembled()
        return self._grid

    def _assembled(self) -> Grid:
        known = [index for index, cells in self._cells.items() if (cells != UNKNOWN).any()]
        if not known:
            return Grid(np.full((TILE, TILE), UNKNOWN, np.int8), RESOLUTION, (0.0, 0.0))
        indices = np.array(known)
        low, high = indices.min(axis=0), indices.max(axis=0) + 1
        columns, rows = high - low
        data = np.full((rows * TILE, columns * TILE), UNKNOWN, np.int8)
        for x, y in known:
            row, column = (y - low[1]) * TILE, (x - low[0]) * TILE
            data[row : row + TILE, column : column + TILE] = self._cells[x, y]
        return Grid(data, RESOLUTION, (float(low[0]) * TILE_SIDE, float(low[1]) * TILE_SIDE))
