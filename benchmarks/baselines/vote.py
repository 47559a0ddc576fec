"""
The map vote of Keramat et al. (arXiv 2208.13467), as in their code.

collab_mapping/smartcontract.py in https://github.com/TIERS/collab_mapping at 98b8aba: maps of a
region are compared in windows of 50×50 cells of 0.05 m, each new one with every earlier one. After
each comparison a robot is expelled for ever if its map was compared three times or more and has
more conflicts than agreements. Maps of expelled robots leave the merged map; they are compared on.
Our own implementation, of these rules only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[np.int8]
"""-1 free, 0 unknown, 1 occupied."""

WINDOW = 50  # cells
MAX_UNKNOWN = 0.2  # of a window, in either map; else it is skipped
MAX_DIFFERENT = 0.2  # of the cells of a window that both know
COMPARED = 3  # maps, before anybody is expelled


def complies(a: Cells, b: Cells) -> bool:
    """Tell whether two maps of one region agree; what no whole window covers is not compared."""
    for row in range(0, a.shape[0] - WINDOW + 1, WINDOW):
        for column in range(0, a.shape[1] - WINDOW + 1, WINDOW):
            window = slice(row, row + WINDOW), slice(column, column + WINDOW)
            first, second = a[window], b[window]
            known = (first != 0) & (second != 0)
            unknown = max((first == 0).mean(), (second == 0).mean())
            if not known.any() or unknown > MAX_UNKNOWN:
                continue
            if (first != second)[known].mean() > MAX_DIFFERENT:
                return False
    return True


@dataclass
class _Map:
    robot: int
    conflicts: int = 0
    agreements: int = 0

    @property
    def is_byzantine(self) -> bool:
        compared = self.conflicts + self.agreements
        return compared >= COMPARED and self.conflicts > self.agreements


def expelled(order: Sequence[int], agree: npt.NDArray[np.bool_]) -> set[int]:
    """
    Return whom the vote expels.

    :param order: robots in the order in which their maps of one region arrive.
    :param agree: (n, n) whether the maps of two of them do.
    """
    maps: list[_Map] = []
    result: set[int] = set()
    for robot in order:
        new = _Map(robot)
        for old in maps:
            if agree[old.robot, robot]:
                old.agreements, new.agreements = old.agreements + 1, new.agreements + 1
            else:
                old.conflicts, new.conflicts = old.conflicts + 1, new.conflicts + 1
            result |= {each.robot for each in (old, new) if each.is_byzantine}
        maps.append(new)
    return result
