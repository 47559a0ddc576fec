"""
How published systems split a network between a small robot and a helper: what they have in common.

Our own implementations of their published rules. They get the same measured times, rates and
messages as our planner; what differs is what they may choose from, when, and how a tensor is
packed. Times are in s, rates in bit/s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import struct

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec import Tensor
from collab_robots.inference.options import Option

RANGE = struct.Struct('<ff')


@dataclass(frozen=True)
class Candidate:
    """
    One way to answer a frame, as measured.

    :param head: s of work here, packing included.
    :param size: bytes on the way.
    :param tail: s of work at the helper, unpacking included.
    :param accuracy: top-1, 0 to 1.
    """

    option: Option
    head: float
    size: float
    tail: float
    accuracy: float

    def seconds(self, rate: float, delay: float) -> float:
        """Return how long it takes; ``delay`` is there and back and only for what is sent."""
        if not self.option.remote:
            return self.head
        return self.head + 8 * self.size / rate + delay + self.tail


def fastest(candidates: Iterable[Candidate], rate: float, delay: float) -> Candidate:
    """Return which takes least."""
    return min(candidates, key=lambda candidate: candidate.seconds(rate, delay))


def quantise(tensor: Tensor, bits: int) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """Return range and integers of ``bits`` bits, on one scale for the whole of this tensor."""
    low, high = float(tensor.min()), float(tensor.max())
    step = (high - low) / (2**bits - 1) or 1.0
    return RANGE.pack(low, high), np.rint((tensor - low) / step).astype(np.uint8)


def restore(head: bytes, integers: npt.NDArray[np.uint8], bits: int) -> Tensor:
    """Undo :func:`quantise`."""
    low, high = RANGE.unpack(head)
    step = (high - low) / (2**bits - 1) or 1.0
    return np.asarray(integers * np.float32(step) + np.float32(low), np.float32)


def chunks_of(data: bytes, size: int) -> list[bytes]:
    """Return a packed tensor in pieces that fit a message each."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def joined(chunks: Sequence[bytes | None]) -> bytes:
    """
    Return the pieces as one.

    :raises RefusedError: if one is lost: these packings cannot do without.
    """
    there = [chunk for chunk in chunks if chunk is not None]
    if len(there) < len(chunks) or not there:
        raise RefusedError(Refusal.TENSOR, 'a piece of a packed tensor is missing')
    return b''.join(there)
