"""Calls of the contract Maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collab_robots.contract.calls import common
from collab_robots.contract.calls.common import encode
from collab_robots.core.errors import CallError

MAX_TILES = 32  # Maps.MAX_TILES, as are the others
MAX_TILE_INDEX = 64
MAX_SKETCHES = 3
SKETCH_SIDE = 16  # cells
LEAST_KNOWN = 96  # cells
MAX_CONFIDENCE = 1000  # per mille

CALLS: Mapping[str, str] = {
    'submitTiles': 'submit {batch:count} tiles',
    'submitSketch': 'sketch region ({x}, {y})',
    'reportSighting': 'saw class {classId} ({confidence:percent}) at ({x:m}, {y:m})',
}
ERRORS: Mapping[str, str] = {
    'BadTileCount': '{count} tiles in one call, at least 1 and at most {most}',
    'NoDigest': 'the digest of tile ({x}, {y}) is all zeros',
    'OutOfMap': 'no map has a tile ({x}, {y})',
    'BadConfidence': 'confidence {permille} is above 1000 per mille',
    'BadSketchSize': 'a call with a sketch has {size} bytes instead of {expected}',
    'SketchOverlaps': 'the sketch has cells that are both free and occupied',
    'TooLittleKnown': 'the sketch knows {known} cells, at least {least}',
    'TooManySketches': 'region ({x}, {y}) has {most} sketches of the sender, the most it may have',
}
EVENTS: Mapping[str, str] = {
    'TileSubmitted': '',
    'Sighted': '',
    'SketchSubmitted': '',
    'Contradicted': '{by} contradicts robots {robots:robots} about region ({x}, {y})',
    'Convicted': '{robot} is convicted: region ({x}, {y}), robots {against:robots} are against it',
}


def submit_tiles(tiles: Sequence[tuple[int, int, bytes]]) -> bytes:
    """
    Encode: what the sender's map tiles hash to.

    :param tiles: 1 to MAX_TILES of (x, y, digest of 32 bytes).
    :raises CallError: if a value is out of range, as for every call below.
    """
    common.batch('tiles', tiles, MAX_TILES)
    return encode(
        'submitTiles', [(_index(x), _index(y), common.digest(digest)) for x, y, digest in tiles]
    )


def submit_sketch(x: int, y: int, free: int, occupied: int) -> bytes:
    """
    Encode: what the sender found in the region of a tile.

    :param free: mask of 256 cells, bit ``16 * row + column``.
    :param occupied: likewise; no cell is in both, and LEAST_KNOWN are in either.
    """
    if free & occupied:
        raise CallError('the sketch has cells that are both free and occupied')
    common.within('known cells', (free | occupied).bit_count(), LEAST_KNOWN, 256)
    return encode('submitSketch', _index(x), _index(y), free, occupied)


def report_sighting(class_id: int, confidence_permille: int, x_mm: int, y_mm: int) -> bytes:
    """Encode: the sender's camera recognised something at a place in the map frame."""
    common.within('confidence', confidence_permille, 0, MAX_CONFIDENCE)
    return encode('reportSighting', class_id, confidence_permille, x_mm, y_mm)


def _index(value: int) -> int:
    return common.within('tile', value, -MAX_TILE_INDEX, MAX_TILE_INDEX - 1)
