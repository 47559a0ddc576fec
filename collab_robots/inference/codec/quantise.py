"""
Affine quantisation: one step for a whole tensor, one offset per channel, a whole number of steps.

Layers that are normalised spread their channels alike. A range for each channel is no better then
and has to be sent: 4 bytes a channel are a third of a small tensor at 2 bits. Measured beside
others, DynO's range of the tensor too, by ``python -m benchmarks.codec``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[np.float32]
Levels = npt.NDArray[np.int32]
FINEST = 1 << 15  # steps between 0 and the farthest value, at most
_LEAST = 2.0**-126  # the least normal float32
_MOST = float(np.finfo(np.float32).max)


def choose_step(x: Tensor, bits: int) -> int:
    """
    Return the step at which an average channel's range has ``2 ** bits`` levels.

    :param x: (channels, …).
    :returns: the upper half of a float32.
    """
    flat = x.reshape(len(x), -1)
    low, high = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
    span = float((high - low).mean())
    far = float(max(high.max(), -low.min()))
    step = np.float32(max(span / ((1 << bits) - 1), far / FINEST, _LEAST))
    return int(-(-int(step.view(np.uint32)) >> 16))


def widen(step: int) -> float:
    """Return the float32 of this upper half."""
    return float(np.uint32(step << 16).view(np.float32))


def quantise(x: Tensor, step: int) -> Levels:
    """Return the nearest multiples of the step."""
    return np.asarray(np.rint(x * np.float64(1 / widen(step))), dtype=np.int32)


def dequantise(levels: Levels, step: int) -> Tensor:
    """Return the values that the levels stand for."""
    return np.clip(levels * widen(step), -_MOST, _MOST).astype(np.float32)
