"""
Dynamic split computing (Bakhtiarnia et al., https://arxiv.org/abs/2205.11269).

It splits a network only at its natural bottlenecks, without training. As in its public
re-implementation a cut counts if its tensor has fewer bits than the picture and fewer than every
candidate before it. The choice among them, the picture and the robot itself follows the rate.

Here a number has 8 bits on one scale for the tensor. The paper sends float32, which leaves it the
late cuts only: 8 bits are the stronger rival.
"""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np

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

BITS = 8
PIXEL_BITS = 8


def encode(tensor: Tensor, bits: int, *, chunk_bytes: int = CHUNK_BYTES) -> list[bytes]:
    """Pack a tensor: a byte per number; DSC says nothing of coding."""
    head, integers = quantise(tensor, bits)
    return chunks_of(head + integers.tobytes(), chunk_bytes)


def decode(chunks: Sequence[bytes | None], shape: tuple[int, ...], bits: int) -> Decoded:
    """
    Unpack a tensor.

    :raises RefusedError: if it is not whole.
    """
    data = joined(chunks)
    if len(data) != RANGE.size + math.prod(shape):
        raise RefusedError(Refusal.TENSOR, f'expected a byte for each of {shape}')
    integers = np.frombuffer(data, np.uint8, offset=RANGE.size).reshape(shape)
    return Decoded(restore(data[: RANGE.size], integers, bits), 0.0)


def bottlenecks(shapes: Sequence[Sequence[int]]) -> list[int]:
    """
    Return the natural bottlenecks.

    :param shapes: of the tensors at all cuts; the first is the picture, the last the answer.
    """
    least, result = math.prod(shapes[0]) * PIXEL_BITS, []
    for cut, shape in enumerate(shapes[1:-1], 1):
        size = math.prod(shape) * BITS
        if size < least:
            least = size
            result.append(cut)
    return result


def choose(
    candidates: Sequence[Candidate], cuts: Sequence[int], rate: float, delay: float
) -> Candidate:
    """
    Return the fastest of the bottlenecks, the raw picture and the robot itself.

    :param cuts: what :func:`bottlenecks` found.
    """
    return fastest(
        (
            one
            for one in candidates
            if one.option.kind in (Kind.LOCAL, Kind.RAW)
            or (one.option.cut in cuts and one.option.bits == BITS)
        ),
        rate,
        delay,
    )
