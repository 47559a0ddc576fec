"""
Map tiles as bytes.

One version byte, then zlib of 64×64 int8 levels, row by row from the lowest y. A level is the
log-odds in whole steps, -4 … 4: coarse, so that a tile that has settled keeps its bytes and its
digest. The digest, which the ledger holds, is BLAKE2b-256 of all the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
from typing import NamedTuple, Protocol
import zlib

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.mapping.layer import Floats, TILE, TileIndex

Levels = npt.NDArray[np.int8]

TILE_VERSION = 1
MAX_TILE_BYTES = 8192
DIGEST_BYTES = 32
MAX_LEVEL = 4
HYSTERESIS = 0.75  # of a step: a level changes only if the log-odds are this far from it
_CELLS = TILE * TILE


class ShownTile(Protocol):
    """The part of a tile that others are shown: ``log_odds`` (64, 64)."""

    @property
    def log_odds(self) -> Floats: ...
    @property
    def version(self) -> int: ...


class Shown(Protocol):
    """The part of a layer that others are shown."""

    @property
    def tiles(self) -> Mapping[TileIndex, ShownTile]: ...


class CodedTile(NamedTuple):
    """A tile's column, row and bytes."""

    x: int
    y: int
    data: bytes


def tile_digest(data: bytes) -> bytes:
    """Return what the ledger knows a tile's bytes by: 32 bytes."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


def encode_tile(levels: Levels) -> bytes:
    """
    Code levels (64, 64) in -4 … 4.

    :raises ValueError: if they have another shape or range.
    """
    if levels.shape != (TILE, TILE) or levels.dtype != np.int8 or np.abs(levels).max() > MAX_LEVEL:
        raise ValueError(f'expected int8 (64, 64) within ±{MAX_LEVEL}, got {levels.shape}')
    return bytes([TILE_VERSION]) + zlib.compress(levels.tobytes(), 6)


def decode_tile(data: bytes) -> Levels:
    """
    Return the levels (64, 64) of a tile.

    :raises RefusedError: TOO_LARGE, VERSION or MALFORMED; never unpacks more than a tile.
    """
    if len(data) > MAX_TILE_BYTES:
        raise RefusedError(Refusal.TOO_LARGE, f'tile of {len(data)} bytes, max {MAX_TILE_BYTES}')
    if not data or data[0] != TILE_VERSION:
        raise RefusedError(Refusal.VERSION, f'tile version {data[:1].hex()}, not {TILE_VERSION}')
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(data[1:], _CELLS + 1)
    except zlib.error as error:
        raise RefusedError(Refusal.MALFORMED, f'tile is not zlib: {error}') from None
    if len(raw) != _CELLS or not unpack.eof or unpack.unused_data:
        raise RefusedError(Refusal.MALFORMED, f'tile does not unpack to exactly {_CELLS} bytes')
    levels = np.frombuffer(raw, np.int8).reshape(TILE, TILE)
    if levels.min() < -MAX_LEVEL or levels.max() > MAX_LEVEL:
        raise RefusedError(Refusal.MALFORMED, f'tile has levels outside ±{MAX_LEVEL}')
    return levels


class TileCoder:
    """
    Code the tiles of an own layer that changed.

    :param period_ns: a tile is given out at most once in this time.
    """

    def __init__(self, layer: Shown, period_ns: int) -> None:
        self._layer = layer
        self._period_ns = period_ns
        self._version: dict[TileIndex, int] = {}  # that was coded last
        self._given: dict[TileIndex, tuple[int, Levels]] = {}  # when, and what

    def changed(self, now_ns: int) -> list[CodedTile]:
        """Return the tiles whose coded content is not what was given out last, in fixed order."""
        result = []
        for index, tile in sorted(self._layer.tiles.items()):
            if self._version.get(index) == tile.version:
                continue
            given = self._given.get(index)
            if given is not None and now_ns - given[0] < self._period_ns:
                continue
            self._version[index] = tile.version
            old = given[1] if given is not None else np.zeros((TILE, TILE), np.int8)
            far = np.abs(tile.log_odds - old) > HYSTERESIS
            if far.any():
                levels = np.where(far, np.rint(tile.log_odds), old).astype(np.int8)
                self._given[index] = (now_ns, levels)
                result.append(CodedTile(*index, encode_tile(levels)))
        return result
