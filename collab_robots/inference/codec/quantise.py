"""
One step for all channels of a tensor, its offsets predicted and not sent.

Between batch-normalised layers the channels spread alike; a step for each, as DynO's ISQuant has
it, gains nothing there, and its ranges cost more than the values at few bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collab_robots.inference.codec.model import UNIT, Whole

Tensor = npt.NDArray[np.float32]
FINEST = 1 << 15  # steps between 0 and the farthest value, at most
_LEAST = 2.0**-126  # the least normal float32
_MOST = float(np.finfo(np.float32).max)


def choose_step(x: Tensor, bits: int) -> int:
    """
    Return the step at which an average channel's range has ``2 ** bits`` levels.

    :param x: (channels, …).
    :returns: the upper half of a float32.
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    spans = flat.max(axis=1) - flat.min(axis=1)
    step = max(spans.mean() / ((1 << bits) - 1), np.abs(flat).max() / FINEST, _LEAST)
    return int(np.ceil(np.float32(step).view(np.uint32) / (1 << 16)))


def widen(step: int) -> float:
    """Return the float32 of this upper half."""
    return float(np.uint32(step << 16).view(np.float32))


def to_units(x: Tensor, step: int) -> Whole:
    """Return the values as multiples of step / :data:`UNIT`."""
    return np.rint(x.astype(np.float64) * (UNIT / widen(step))).astype(np.int64)


def from_units(units: Whole, step: int) -> Tensor:
    """Return the values that the units stand for."""
    return np.clip(units * (widen(step) / UNIT), -_MOST, _MOST).astype(np.float32)
