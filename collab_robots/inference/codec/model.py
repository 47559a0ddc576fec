"""
What is known of a value before it is coded: about where it is, and about how far from there.

All of it is arithmetic of whole numbers, the same on every processor: a coder whose two ends
disagree in one bit returns noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collab_robots.inference.codec.layout import Pass, passes, SHARES

Whole = npt.NDArray[np.int64]
UNIT = 64  # of a step; values, means and spreads are multiples of 1 / UNIT
WEIGHTS = 16  # a weight is so many sixteenths
_PRIOR = 2  # as many values the scale of the whole counts in that of a channel


@dataclass(frozen=True)
class Scales:
    """
    What a chunk tells of its values, each in one byte.

    :param first: :func:`scale` of the values in the corner.
    :param rest: of what the others differ from their prediction.
    :param weight: how much of a prediction is the neighbours' mean, of :data:`WEIGHTS`; the rest
        is the mean of the channel so far.
    """

    first: int
    rest: int
    weight: int


def scale(index: int) -> int:
    """Return about 2, 2.8, 4, 5.7 … as whole numbers; 2 steps are an octave."""
    return (2 | index & 1) << (index >> 1)


def nearest_scale(value: float) -> int:
    """Return the index of the scale nearest to the value."""
    return min(range(MAX_SCALE + 1), key=lambda index: abs(scale(index) - value))


MAX_SCALE = 40


class Predictor:
    """
    Values of some channels as they become known, and what they say of the next.

    :param channels, rows, columns: shape of the values.
    :param scales: what the chunk tells.
    """

    def __init__(self, channels: int, rows: int, columns: int, scales: Scales) -> None:
        # One more place per channel stays 0: the neighbour outside.
        self._known = np.zeros((channels, rows * columns + 1), dtype=np.int64)
        self._passes = passes(rows, columns)
        self._scales = scales
        self._sum = np.zeros((channels, 1), dtype=np.int64)
        self._off = np.full((channels, 1), _PRIOR * scale(scales.rest), dtype=np.int64)
        self._count = 0

    @property
    def values(self) -> Whole:
        """What is known, (channels, positions)."""
        return self._known[:, :-1]

    def predictions(self) -> Iterator[tuple[npt.NDArray[np.intp], Whole, Whole]]:
        """
        Yield, pass by pass, the places, predicted values and spreads (channels, n).

        Between two, :meth:`learn` has to be called with the first's outcome.
        """
        corner = np.zeros((len(self._known), 1), dtype=np.int64)
        yield np.zeros(1, dtype=np.intp), corner, corner + scale(self._scales.first)
        for one in self._passes:
            yield (one.where, *self._predict(one))

    def learn(self, where: npt.NDArray[np.intp], predicted: Whole, levels: Whole) -> None:
        """Take in the levels of a pass: by how many steps the values differ from predicted."""
        values = predicted + UNIT * levels
        self._known[:, where] = values
        self._sum += values.sum(axis=1, keepdims=True)
        if self._count:
            self._off += UNIT * np.abs(levels).sum(axis=1, keepdims=True)
        self._count += len(where)

    def _predict(self, one: Pass) -> tuple[Whole, Whole]:
        weight = self._scales.weight
        usual = self._sum // self._count
        around = self._known[:, one.around]  # (channels, 4, n)
        near = (around * one.share).sum(axis=1)  # times SHARES
        whole = WEIGHTS * SHARES
        mean = (weight * near + (WEIGHTS - weight) * SHARES * usual + whole // 2) // whole
        apart = (np.abs(around - near[:, None] // SHARES) * one.share).sum(axis=1) // SHARES
        off = self._off // (self._count - 1 + _PRIOR)
        return mean, (apart + off) // 2
