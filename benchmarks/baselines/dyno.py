"""
DynO's packing and its choice (Almeida et al., https://arxiv.org/abs/2104.09949).

Packing "CNN-ISPM": the range comes from this sample's tensor, one for the whole of it; its bits
are shuffled so that the first bits of all numbers lie together; then LZ4. The scheduler knows
times and expected accuracy of every pair of split and bit width, drops the pairs that break the
accuracy wanted, and takes the fastest at the rate that it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
import math

import lz4.block
import numpy as np
import numpy.typing as npt

from benchmarks.baselines.offload import (
    Candidate,
    chunks_of,
    fastest,
    joined,
    quantise,
    RANGE,
    restore,
)
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec import CHUNK_BYTES, Decoded, Tensor
from collab_robots.inference.options import Kind

BITS = (8, 6, 4, 3, 2)


def encode(tensor: Tensor, bits: int, *, chunk_bytes: int = CHUNK_BYTES) -> list[bytes]:
    """Pack a tensor."""
    head, integers = quantise(tensor, bits)
    return chunks_of(
        head + lz4.block.compress(_shuffled(integers, bits), store_size=False), chunk_bytes
    )


def decode(chunks: Sequence[bytes | None], shape: tuple[int, ...], bits: int) -> Decoded:
    """
    Unpack a tensor.

    :raises RefusedError: if it is not whole.
    """
    data, count = joined(chunks), math.prod(shape)
    plane = -(-count // 8)
    try:
        planes = lz4.block.decompress(data[RANGE.size :], uncompressed_size=bits * plane)
    except lz4.block.LZ4BlockError as error:
        raise RefusedError(Refusal.TENSOR, f'not LZ4: {error}') from None
    if len(planes) != bits * plane:
        raise RefusedError(Refusal.TENSOR, f'expected {bits * plane} B, got {len(planes)}')
    integers = _restored(planes, count, bits).reshape(shape)
    return Decoded(restore(data[: RANGE.size], integers, bits), 0.0)


def choose(candidates: Sequence[Candidate], rate: float, delay: float, floor: float) -> Candidate:
    """
    Return the fastest of the splits that keep the accuracy, or the robot itself.

    :param floor: the least top-1 that is wanted.
    """
    good = [
        one
        for one in candidates
        if one.option.kind is Kind.LOCAL
        or (one.option.kind is Kind.SPLIT and one.option.bits in BITS and one.accuracy >= floor)
    ]
    return fastest(good, rate, delay)


def _shuffled(integers: npt.NDArray[np.uint8], bits: int) -> bytes:
    flat = integers.reshape(-1)
    return b''.join(
        np.packbits(flat >> np.uint8(bit) & np.uint8(1)).tobytes() for bit in reversed(range(bits))
    )


def _restored(planes: bytes, count: int, bits: int) -> npt.NDArray[np.uint8]:
    rows = np.frombuffer(planes, np.uint8).reshape(bits, -1)
    result = np.zeros(count, np.uint8)
    for row in rows:
        result = result << np.uint8(1) | np.unpackbits(row, count=count)
    return result
