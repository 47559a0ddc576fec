"""
Cut a tensor into chunks that are decoded each by itself.

Chunk k of n holds every n-th channel (and, where there are more chunks than channels, every m-th
row), so that the loss of one hurts everywhere a little and nowhere much.

A chunk is a header (version and bits, shape, index, count, CRC-32 of all the rest) and the coded
levels. All numbers are big-endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
import struct
import zlib

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec.lossless import pack, unpack
from collab_robots.inference.codec.quantise import (
    choose_step,
    dequantise,
    Levels,
    quantise,
    Tensor,
    widen,
)

LOSSLESS = 32
BITS = (8, 6, 4, 3, 2, LOSSLESS)
_CODES = {bits: code for code, bits in enumerate(BITS)}
CHUNK_BYTES = 4000  # three packets on Ethernet; smaller ones cost more bytes: benchmarks/codec.py
MAX_CHUNK_BYTES = 60_000
SLACK = 1.25  # a chunk may be so much larger than asked for
USUAL_GAIN = 0.7  # bits fewer per value than asked for: how large a chunk may begin
MAX_CHUNKS = 2048  # or up to twice as many
MAX_SIDE = 4096
MAX_VALUES = 1 << 24
VERSION = 1
_HEAD = struct.Struct('>BHHHHH')
_STEP = struct.Struct('>H')
_CRC = struct.Struct('>I')
_OVERHEAD = _HEAD.size + _CRC.size


@dataclass(frozen=True)
class Decoded:
    """
    A tensor from chunks.

    :param lost: share of its values that were in lost chunks, and are filled.
    """

    tensor: Tensor
    lost: float


@dataclass(frozen=True)
class _Plan:
    """Which chunk holds what of a (channels, rows, columns) tensor."""

    sides: tuple[int, int, int]
    channels: int  # groups of channels
    rows: int  # groups of rows

    @classmethod
    def of_lines(cls, sides: tuple[int, int, int], lines: int) -> _Plan:
        """Plan for chunks of at most so many rows of channels."""
        channels, rows, _ = sides
        if lines >= rows:
            return cls(sides, math.ceil(channels / (lines // rows)), 1)
        return cls(sides, channels, math.ceil(rows / lines))

    @classmethod
    def of_count(cls, sides: tuple[int, int, int], count: int) -> _Plan:
        """Return the plan with so many chunks."""
        channels = max(1, min(count, sides[0]))
        rows = count // channels
        if not 1 <= rows <= sides[1] or channels * rows != count:
            raise RefusedError(Refusal.TENSOR, f'{count} chunks of {sides} cannot be')
        return cls(sides, channels, rows)

    @property
    def count(self) -> int:
        return self.channels * self.rows

    def part(self, index: int) -> tuple[slice, slice]:
        return (
            slice(index % self.channels, None, self.channels),
            slice(index // self.channels, None, self.rows),
        )

    def shape(self, index: int) -> tuple[int, int, int]:
        first, second = self.part(index)
        return (
            len(range(*first.indices(self.sides[0]))),
            len(range(*second.indices(self.sides[1]))),
            self.sides[2],
        )


def encode(tensor: Tensor, bits: int, *, chunk_bytes: int = CHUNK_BYTES) -> list[bytes]:
    """
    Code a tensor.

    :param tensor: (channels, rows, columns), (tokens, channels) or (channels,); finite float32.
    :param bits: 8, 6, 4, 3 or 2 of each value; 32: float32 as it is.
    :param chunk_bytes: a chunk is about so large, and never above 60,000.
    :returns: the chunks; each tells all that :func:`decode` needs.
    :raises RefusedError: if this is no such tensor.
    """
    if not isinstance(tensor, np.ndarray) or tensor.dtype != np.float32:
        raise RefusedError(Refusal.TENSOR, 'expected a float32 array')
    sides = _sides(tensor.shape, bits)
    if not np.isfinite(tensor).all():
        raise RefusedError(Refusal.TENSOR, 'expected finite values')
    x = _arrange(tensor, sides)
    step = None if bits == LOSSLESS else choose_step(x, bits)
    values = x.astype('>f4') if step is None else quantise(x, step)
    limit = max(1, min(chunk_bytes, MAX_CHUNK_BYTES))
    total, least = sides[0] * sides[1], math.ceil(sides[0] * sides[1] / MAX_CHUNKS)
    guess = bits - (USUAL_GAIN if step is not None else 0)
    lines = int(limit * 8 / (guess * sides[2]))
    grow = True
    while True:
        lines = min(max(lines, least), total)
        plan = _Plan.of_lines(sides, lines)
        chunks = [_close(values, step, bits, plan, index) for index in range(plan.count)]
        largest = max(map(len, chunks))
        if largest > min(SLACK * limit, MAX_CHUNK_BYTES) and lines > least:
            lines = min(lines - 1, lines * limit // largest)
        elif grow and 2 * largest < limit and lines < total:
            lines = lines * limit // largest
        else:
            return chunks
        grow = False


def decode(
    chunks: Sequence[bytes | None], shape: tuple[int, ...], bits: int, *, fill: float | Tensor = 0
) -> Decoded:
    """
    Put a tensor together.

    :param chunks: all of one tensor, in order; None: lost.
    :param shape: of the tensor, as the model has it at its cut.
    :param bits: that were agreed.
    :param fill: for values that were lost: one, or one per channel.
    :raises RefusedError: if a chunk is malformed, or of another tensor.
    """
    sides = _sides(shape, bits)
    plan = _Plan.of_count(sides, len(chunks))
    x = np.empty(sides, dtype=np.float32)
    x[:] = np.reshape(np.asarray(fill, dtype=np.float32), (-1, 1, 1))
    lost = x.size
    for index, chunk in enumerate(chunks):
        if chunk is not None:
            found = _open(chunk, bits, plan, index)
            x[plan.part(index)] = found
            lost -= found.size
    back = x if len(shape) == 3 else x.reshape(sides[:2]).T
    return Decoded(np.ascontiguousarray(back).reshape(shape), lost / x.size)


def _sides(shape: tuple[int, ...], bits: int) -> tuple[int, int, int]:
    """Return channels, rows and columns."""
    if bits not in BITS:
        raise RefusedError(Refusal.TENSOR, f'expected bits of {BITS}, got {bits}')
    if not 1 <= len(shape) <= 3 or min(shape) < 1 or max(shape) > MAX_SIDE:
        raise RefusedError(Refusal.TENSOR, f'expected sides of 1 to {MAX_SIDE}, got {shape}')
    if math.prod(shape) > MAX_VALUES:
        raise RefusedError(Refusal.TENSOR, f'expected at most {MAX_VALUES} values, got {shape}')
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return (shape[1], shape[0], 1) if len(shape) == 2 else (1, shape[0], 1)


def _arrange(tensor: Tensor, sides: tuple[int, int, int]) -> Tensor:
    return (tensor.T if tensor.ndim == 2 else tensor).reshape(sides)


def _close(
    values: npt.NDArray[np.float32] | Levels, step: int | None, bits: int, plan: _Plan, index: int
) -> bytes:
    part = values[plan.part(index)]
    if step is None:
        body = part.tobytes()
    else:
        body = _STEP.pack(step) + pack(part.reshape(len(part), -1).astype(np.int32, copy=False))
    head = _HEAD.pack(VERSION << 4 | _CODES[bits], *plan.sides, index, plan.count)
    return head + _CRC.pack(zlib.crc32(head + body)) + body


def _open(chunk: bytes, bits: int, plan: _Plan, index: int) -> Tensor:
    if not _OVERHEAD <= len(chunk) <= MAX_CHUNK_BYTES:
        raise RefusedError(Refusal.TENSOR, f'a chunk of {len(chunk)} bytes')
    head, crc, body = chunk[: _HEAD.size], chunk[_HEAD.size : _OVERHEAD], chunk[_OVERHEAD:]
    if _CRC.unpack(crc)[0] != zlib.crc32(head + body):
        raise RefusedError(Refusal.TENSOR, 'wrong checksum')
    expected = (VERSION << 4 | _CODES[bits], *plan.sides, index, plan.count)
    if _HEAD.unpack(head) != expected:
        raise RefusedError(Refusal.TENSOR, f'expected {expected}, got {_HEAD.unpack(head)}')
    shape = plan.shape(index)
    if bits == LOSSLESS:
        return _plain(body, shape)
    if len(body) < _STEP.size:
        raise RefusedError(Refusal.TENSOR, f'{len(body)} bytes are too short')
    step = _STEP.unpack(body[: _STEP.size])[0]
    if not 0 < widen(step) < math.inf:
        raise RefusedError(Refusal.TENSOR, f'a step of {widen(step)}')
    levels = unpack(body[_STEP.size :], shape[0], shape[1] * shape[2])
    return dequantise(levels, step).reshape(shape)


def _plain(body: bytes, shape: tuple[int, int, int]) -> Tensor:
    if len(body) != 4 * math.prod(shape):
        raise RefusedError(Refusal.TENSOR, f'expected {shape}, got {len(body)} bytes')
    x = np.frombuffer(body, dtype='>f4').astype(np.float32).reshape(shape)
    if not np.isfinite(x).all():
        raise RefusedError(Refusal.TENSOR, 'expected finite values')
    return x
