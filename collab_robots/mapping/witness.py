"""
Hold what teammates show against what they said of it on the ledger.

A robot's sketches are judged by the contract. This is about the tiles that it gives its teammates:
they have to agree with its newest sketch of the same region, or they do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collab_robots.mapping.layers import LayeredMap, TileKey
from collab_robots.mapping.sketch import conflict, Sketch, sketch


class Witness:
    """
    See the module.

    :param layers: where the tiles are; those that do not agree are withheld there.
    """

    def __init__(self, layers: LayeredMap) -> None:
        self._layers = layers
        self._said: Mapping[TileKey, Sketch] = {}

    def learn(self, said: Mapping[TileKey, Sketch]) -> list[TileKey]:
        """
        Take what all robots said last of every region.

        :returns: the tiles that do not agree with their owners' word any more.
        """
        before, self._said = self._said, said
        return self._look(key for key, found in said.items() if before.get(key) != found)

    def see(self, key: TileKey) -> list[TileKey]:
        """
        Look at a tile that is new, and at those around it, whose sketches it is part of.

        :returns: as :meth:`learn`.
        """
        owner, x, y = key
        return self._look((owner, x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1))

    def _look(self, keys: Iterable[TileKey]) -> list[TileKey]:
        found = []
        for key in keys:
            owner, x, y = key
            tiles, said = self._layers.tiles(owner), self._said.get(key)
            if said is None or (x, y) not in tiles:
                continue
            parts = conflict(sketch(tiles, x, y), said)
            if self._layers.withhold(key, parts) and parts:
                found.append(key)
        return found
