"""
The order in which the values of a channel are coded: coarse to fine, each between known ones.

First one corner; then, on grids of half the spacing each time, the middles of the squares from
their four corners and the middles of the edges from the up to four points around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]
SHARES = 12  # is divided by 1, 2, 3 and 4: means stay whole numbers
_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_STRAIGHT = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Pass:
    """
    Values that are coded at once.

    :param where: (n,) their places in a channel, row by row.
    :param around: (4, n) the places of known neighbours; one behind the last place where none is.
    :param share: (4, n) the weight of each in the mean, of :data:`SHARES`; 0 where none is.
    """

    where: Indices
    around: Indices
    share: Indices


@lru_cache(maxsize=256)
def passes(rows: int, columns: int) -> tuple[Pass, ...]:
    """Return the passes after the corner."""
    spacing = 1
    while spacing < max(rows, columns):
        spacing *= 2
    found = []
    while spacing > 1:
        half = spacing // 2
        y, x = np.meshgrid(np.arange(0, rows, half), np.arange(0, columns, half), indexing='ij')
        odd_y, odd_x = (y // half) % 2 == 1, (x // half) % 2 == 1
        for chosen, steps in ((odd_y & odd_x, _DIAGONAL), (odd_y ^ odd_x, _STRAIGHT)):
            if chosen.any():
                found.append(_pass(y[chosen], x[chosen], half, steps, rows, columns))
        spacing = half
    return tuple(found)


def _pass(
    y: Indices, x: Indices, half: int, steps: tuple[tuple[int, int], ...], rows: int, columns: int
) -> Pass:
    there_y = np.stack([y + half * step for step, _ in steps])
    there_x = np.stack([x + half * step for _, step in steps])
    inside = (0 <= there_y) & (there_y < rows) & (0 <= there_x) & (there_x < columns)
    around = np.where(inside, there_y * columns + there_x, rows * columns)
    return Pass(y * columns + x, around, np.where(inside, SHARES // inside.sum(axis=0), 0))
