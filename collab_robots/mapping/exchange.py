"""
Decide which map tiles of teammates to believe, ask for, and serve.

The ledger names, per (owner, x, y), the digest of the tile that counts. This class holds the
bytes against those digests; it neither decodes tiles nor knows how they travel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collab_robots.core.clock import SECOND
from collab_robots.mapping.layers import TileKey
from collab_robots.mapping.tile import tile_digest

MAX_EARLY = 1024
ASK_AFTER_NS = 1 * SECOND
FORGED_AFTER_NS = 10 * SECOND
MAX_ASKED = 32


@dataclass(frozen=True)
class Bytes:
    """A tile's bytes with the key they were sent under and when they came (ns)."""

    key: TileKey
    data: bytes
    at_ns: int


@dataclass
class _Want:
    digest: bytes
    since_ns: int
    tries: int = 0


class TileExchange:
    """
    Match tiles with the digests on the ledger.

    :param name: this robot; its own tiles are served, never asked for.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._held: dict[TileKey, tuple[bytes, Bytes]] = {}  # with digest: counts, and is served
        self._wanted: dict[TileKey, _Want] = {}
        self._early: dict[TileKey, Bytes] = {}
        self.forged = 0  # tiles that no digest on the ledger ever vouched for

    def own(self, x: int, y: int, data: bytes, now_ns: int) -> bytes:
        """Take a new version of an own tile and return its digest (32 bytes)."""
        digest = tile_digest(data)
        key = (self._name, x, y)
        self._held[key] = (digest, Bytes(key, data, now_ns))
        return digest

    def receive(self, key: TileKey, data: bytes, now_ns: int) -> Bytes | None:
        """
        Take a tile that arrived.

        :returns: the tile if the ledger vouches for it already; otherwise it waits for its digest.
        """
        if key[0] == self._name:
            return None
        digest = tile_digest(data)
        tile = Bytes(key, data, now_ns)
        want = self._wanted.get(key)
        if want is not None and want.digest == digest:
            return self._accept(key, digest, tile)
        if digest != self._digest_of(key):
            self._early.pop(key, None)
            self._early[key] = tile  # newest last
            if len(self._early) > MAX_EARLY:
                self._early.pop(next(iter(self._early)))
                self.forged += 1
        return None

    def learn(self, digests: Mapping[TileKey, bytes], now_ns: int) -> list[Bytes]:
        """
        Take the ledger's word on all tiles.

        :returns: tiles that came before their digest and count from now on.
        """
        accepted = []
        for key, digest in digests.items():
            if key[0] == self._name or self._digest_of(key) == digest:
                self._wanted.pop(key, None)
                continue
            want = self._wanted.get(key)
            if want is None or want.digest != digest:
                self._wanted[key] = _Want(digest, now_ns)
            early = self._early.get(key)
            if early is not None and tile_digest(early.data) == digest:
                accepted.append(self._accept(key, digest, early))
        for key, tile in list(self._early.items()):
            if now_ns - tile.at_ns > FORGED_AFTER_NS:
                del self._early[key]
                self.forged += 1
        return accepted

    def missing(self, others: Iterable[str], now_ns: int) -> list[tuple[str, bytes]]:
        """
        Return what to ask for now: (robot to ask, digest); the owner first, then the others.

        :param others: teammates that can be asked.
        """
        helpers = sorted(set(others) - {self._name})
        asked: list[tuple[str, bytes]] = []
        for (owner, _, _), want in self._wanted.items():
            if len(asked) == MAX_ASKED:
                break
            if now_ns - want.since_ns >= ASK_AFTER_NS and helpers:
                turn = [owner, *(name for name in helpers if name != owner)]
                asked.append((turn[want.tries % len(turn)], want.digest))
                want.tries += 1
                want.since_ns = now_ns
        return asked

    def serve(self, digest: bytes) -> list[Bytes]:
        """Return the current tiles with this digest, own or vouched for; equal tiles share one."""
        return [tile for held, tile in self._held.values() if held == digest]

    def _digest_of(self, key: TileKey) -> bytes | None:
        held = self._held.get(key)
        return held[0] if held else None

    def _accept(self, key: TileKey, digest: bytes, tile: Bytes) -> Bytes:
        self._early.pop(key, None)
        self._wanted.pop(key, None)
        self._held[key] = (digest, tile)
        return tile
