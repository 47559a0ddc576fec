"""What a robot gives to others of the map that it makes, however it makes it."""

from __future__ import annotations

from collab_robots.core.clock import SECOND
from collab_robots.mapping.sketch import Sketch, SketchBook
from collab_robots.mapping.tile import CodedTile, Shown, TileCoder

TILE_PERIOD = 2 * SECOND  # a tile is given out at most once in this time
SETTLE_TIME = 5 * SECOND  # a tile whose sketch has not changed for this long has settled


class Surveyor:
    """
    Base of what maps.

    :param layer: the own layer, live.
    """

    def __init__(self, layer: Shown) -> None:
        self.show(layer)

    def show(self, layer: Shown) -> None:
        """Show teammates this layer: the own one, unless somebody wants to see a robot lie."""
        self._coder = TileCoder(layer, TILE_PERIOD)
        self._book = SketchBook(layer, SETTLE_TIME)

    def changed_tiles(self, now_ns: int) -> list[CodedTile]:
        """Return (column, row, bytes) of the tiles whose coded content changed; rate-limited."""
        return self._coder.changed(now_ns)

    def due_sketches(self, now_ns: int) -> list[Sketch]:
        """Return the sketches to submit now; they count as submitted. Ask every few seconds."""
        return self._book.due(now_ns)
