"""
Levels as bytes: several to a byte, then deflate's Huffman codes (RFC 1951), without its matching.

A byte of four values or two is a symbol with its neighbourhood in it. Searching for repeats, as
LZ4 and zstd do, costs time and finds none. Other coders, measured: ``benchmarks/codec.py``.

The layout before deflate: the symbols, ``width`` bits each; a byte for each symbol that is the
largest of its width, what is above; four bytes for each such byte of 255, what is above. A symbol
is a channel's offset or a level less that, its sign in the lowest bit.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec.quantise import Levels

WIDTHS = (2, 4, 8)
_BYTE = 255
_FAR = 1 << 18  # no symbol of an encoder is so large
Symbols = npt.NDArray[np.uint8]


def pack(levels: Levels) -> bytes:
    """
    Code levels.

    :param levels: (channels, positions), of at most 2 ** 16.
    """
    offsets = np.rint(levels.mean(axis=1)).astype(np.int32)
    signed = np.concatenate([offsets, (levels - offsets[:, None]).ravel()])
    symbols = (signed << 1) ^ (signed >> 31)
    width = _choose_width(symbols)
    top = (1 << width) - 1
    above = symbols[symbols >= top] - top
    far = above[above >= _BYTE] - _BYTE
    plain = b''.join(
        (
            _pack_bits(np.minimum(symbols, top).astype(np.uint8), width),
            np.minimum(above, _BYTE).astype(np.uint8).tobytes(),
            far.astype('>u4').tobytes(),
        )
    )
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return bytes([width]) + deflate.compress(plain) + deflate.flush()


def unpack(data: bytes, channels: int, positions: int) -> Levels:
    """
    Undo :func:`pack`.

    :returns: (channels, positions).
    :raises RefusedError: if the bytes are not exactly that.
    """
    width = data[0] if data else 0
    if width not in WIDTHS:
        raise RefusedError(Refusal.TENSOR, f'expected a width of {WIDTHS}, got {width}')
    count = channels * (1 + positions)
    size = -(-count * width // 8)
    plain = _inflate(data[1:], size + 5 * count)
    top = (1 << width) - 1
    symbols = _unpack_bits(plain[:size], count, width)
    above, end = _tail(plain, size, symbols == top, np.dtype(np.uint8))
    far, end = _tail(plain, end, above == _BYTE, np.dtype('>u4'))
    if end != len(plain) or ((far < 0) | (far > _FAR)).any():
        raise RefusedError(Refusal.TENSOR, f'{len(plain) - end} bytes are left, or levels too far')
    above[above == _BYTE] += far
    whole = symbols.astype(np.int32)
    whole[symbols == top] += above
    signed = (whole >> 1) ^ -(whole & 1)
    levels = signed[channels:].reshape(channels, positions)
    levels += signed[:channels, None]
    return levels


def _choose_width(symbols: Levels) -> int:
    """Return the width that is best for such levels, by trial on activations."""
    if 5 * np.count_nonzero(symbols > 2) > 2 * len(symbols):
        return 8
    return 4 if 8 * np.count_nonzero(symbols) > len(symbols) else 2


def _pack_bits(symbols: Symbols, width: int) -> bytes:
    each = 8 // width
    rows = np.zeros(-(-len(symbols) // each) * each, dtype=np.uint8)
    rows[: len(symbols)] = symbols
    packed: Symbols = rows[::each].copy()
    for nth in range(1, each):
        packed <<= width
        packed |= rows[nth::each]
    return packed.tobytes()


def _unpack_bits(data: bytes, count: int, width: int) -> Symbols:
    """Return the symbols; the bits behind the last have to be zeros."""
    if len(data) != -(-count * width // 8):
        raise RefusedError(Refusal.TENSOR, f'{len(data)} bytes are too short')
    each, packed = 8 // width, np.frombuffer(data, dtype=np.uint8)
    symbols: Symbols = np.empty(each * len(packed), dtype=np.uint8)
    for nth in range(each):
        symbols[nth::each] = packed >> (8 - width * (nth + 1)) & (1 << width) - 1
    if symbols[count:].any():
        raise RefusedError(Refusal.TENSOR, 'expected zeros behind the last symbol')
    return symbols[:count]


def _tail(
    plain: bytes, begin: int, which: npt.NDArray[np.bool_], kind: np.dtype[np.unsignedinteger]
) -> tuple[Levels, int]:
    """Return a number for each that has one, and where they end."""
    count = np.count_nonzero(which)
    end = begin + count * kind.itemsize
    if end > len(plain):
        raise RefusedError(Refusal.TENSOR, f'{len(plain)} bytes are too short')
    return np.frombuffer(plain[begin:end], dtype=kind).astype(np.int32), end


def _inflate(data: bytes, limit: int) -> bytes:
    """Return what was deflated; no more memory than the limit is taken."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflate.decompress(data, limit)
    except zlib.error as error:
        raise RefusedError(Refusal.TENSOR, f'not deflated: {error}') from None
    if not inflate.eof or inflate.unused_data:
        raise RefusedError(Refusal.TENSOR, 'the deflated bytes do not end where they should')
    return plain
