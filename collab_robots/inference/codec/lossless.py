"""Lossless coding of levels: bit planes, then zstd."""

from __future__ import annotations

import numpy as np
import zstandard

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec.quantise import Levels

ZSTD_LEVEL = 3


def pack(levels: Levels, bits: int) -> bytes:
    """Return the levels as bytes; they are below ``2 ** bits``."""
    planes = np.stack([levels.ravel() >> plane & 1 for plane in reversed(range(bits))])
    return squeeze(np.packbits(planes, axis=1).tobytes())


def unpack(data: bytes, count: int, bits: int) -> Levels:
    """
    Return ``count`` levels.

    :raises RefusedError: if the bytes are not exactly that.
    """
    width = (count + 7) // 8
    raw = np.frombuffer(stretch(data, width * bits), dtype=np.uint8)
    planes = np.unpackbits(raw.reshape(bits, width), axis=1, count=count)
    levels = np.zeros(count, dtype=np.uint8)
    for plane in planes:
        levels = levels << 1 | plane
    return levels


def squeeze(data: bytes) -> bytes:
    """Compress bytes."""
    return zstandard.ZstdCompressor(ZSTD_LEVEL, write_content_size=True).compress(data)


def stretch(data: bytes, size: int) -> bytes:
    """
    Undo :func:`squeeze`.

    :param size: what has to come out; no more memory than that is taken.
    :raises RefusedError: if anything else does.
    """
    try:
        parameters = zstandard.get_frame_parameters(data)
        if parameters.content_size != size:
            raise RefusedError(
                Refusal.TENSOR, f'expected {size} bytes, got {parameters.content_size}'
            )
        raw = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise RefusedError(Refusal.TENSOR, f'not zstd: {error}') from None
    if len(raw) != size:
        raise RefusedError(Refusal.TENSOR, f'expected {size} bytes, got {len(raw)}')
    return raw
