"""Bits that no model says anything of: signs, low bits, values too rare for a symbol."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError

Bits = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


def to_bits(values: Numbers, widths: Numbers) -> Bits:
    """Return each value's lowest ``width`` bits, the highest first, all in a row."""
    ends = np.cumsum(widths)
    total = int(ends[-1]) if len(ends) else 0
    shifts = np.repeat(ends, widths) - 1 - np.arange(total)
    return (np.repeat(values, widths) >> shifts & 1).astype(np.uint8)


class BitReader:
    """
    Reads what :func:`to_bits` gave.

    :param bits: all there are.
    """

    def __init__(self, bits: Bits) -> None:
        self._bits = bits

    @property
    def rest(self) -> Bits:
        """What was not read yet."""
        return self._bits

    def read(self, widths: Numbers) -> Numbers:
        """
        Return the values of these widths.

        :raises RefusedError: if there are too few bits.
        """
        ends = np.cumsum(widths)
        total = int(ends[-1]) if len(ends) else 0
        if total > len(self._bits):
            raise RefusedError(Refusal.TENSOR, f'{len(self._bits)} bits are too few')
        used, self._bits = self._bits[:total].astype(np.int64), self._bits[total:]
        used <<= np.repeat(ends, widths) - 1 - np.arange(total)
        sums = np.concatenate([[0], np.cumsum(used)])
        return sums[ends] - sums[ends - widths]
