"""Calls of the contract Maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collab_robots.contract.calls import common
from collab_robots.contract.calls.common import encode

MAX_TILES = 32  # Maps.MAX_TILES
MAX_CONFIDENCE = 1000  # per mille

CALLS: Mapping[str, str] = {
    'submitTiles': 'submit {batch:count} tiles',
    'reportSighting': 'saw class {classId} ({confidence:percent}) at ({x:m}, {y:m})',
}
ERRORS: Mapping[str, str] = {
    'BadTileCount': '{count} tiles in one call, at least 1 and at most {most}',
    'NoDigest': 'the digest of tile ({x}, {y}) is all zeros',
    'BadConfidence': 'confidence {permille} is above 1000 per mille',
}
EVENTS: Mapping[str, str] = {'TilesSubmitted': '', 'Sighted': ''}


def submit_tiles(tiles: Sequence[tuple[int, int, bytes]]) -> bytes:
    """
    Encode: what the sender's map tiles hash to.

    :param tiles: 1 to MAX_TILES of (x, y, digest of 32 bytes).
    :raises CallError: if a value is out of range, as for every call below.
    """
    common.batch('tiles', tiles, MAX_TILES)
    return encode('submitTiles', [(x, y, common.digest(digest)) for x, y, digest in tiles])


def report_sighting(class_id: int, confidence_permille: int, x_mm: int, y_mm: int) -> bytes:
    """Encode: the sender's camera recognised something at a place in the map frame."""
    common.within('confidence', confidence_permille, 0, MAX_CONFIDENCE)
    return encode('reportSighting', class_id, confidence_permille, x_mm, y_mm)
