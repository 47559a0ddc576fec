"""Who is enough."""

from __future__ import annotations

from collections.abc import Sequence


class Quorum:
    """
    At least 2/3 of the weight of the whole roster, never of the reachable part.

    Any two quorums share at least a third of the weight: with less than a third Byzantine, an
    honest robot. The honest robots are a quorum by themselves.

    :param weights: of the roster, in its order.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = tuple(weights)
        self._known: dict[int, bool] = {}

    def reached(self, mask: int) -> bool:
        """
        Tell whether these robots are enough.

        :param mask: bit ``i`` is roster index ``i``.
        """
        known = self._known.get(mask)
        if known is None:
            weight = sum(w for index, w in enumerate(self._weights) if mask >> index & 1)
            known = self._known[mask] = 3 * weight >= 2 * sum(self._weights)
            if len(self._known) > 4_096:
                self._known.clear()
        return known
