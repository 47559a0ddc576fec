"""Per-channel affine quantisation, its ranges taken from the tensor itself (DynO's ISQuant)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[np.float32]
Levels = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.uint16]


def quantise(x: Tensor, bits: int) -> tuple[Levels, Halves]:
    """
    Round each channel to ``2 ** bits`` levels between its least and its greatest value.

    :param x: (channels, positions).
    :returns: the levels, and (2, channels): least value and step, the upper halves of float32.
    """
    low = x.min(axis=1)
    affine = np.stack([low, (x.max(axis=1) - low) / np.float32((1 << bits) - 1)])
    halves = ((affine.view(np.uint32) + np.uint32(1 << 15)) >> 16).astype(np.uint16)
    low, step = widen(halves)
    safe = np.where(step > 0, step, np.float32(1))
    levels = np.rint((x - low[:, None]) / safe[:, None])
    return np.clip(levels, 0, (1 << bits) - 1).astype(np.uint8), halves


def dequantise(levels: Levels, halves: Halves) -> Tensor:
    """Return the values that the levels stand for, (channels, positions)."""
    low, step = widen(halves)
    return np.asarray(levels * step[:, None] + low[:, None], dtype=np.float32)


def widen(halves: Halves) -> Tensor:
    """Return the float32 with these upper halves."""
    return (halves.astype(np.uint32) << 16).view(np.float32)
