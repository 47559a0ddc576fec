"""The finality rule broken on purpose, to see what the invariants are worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from collab_robots.sim.protocol.memo import replaced
from collab_robots.tangle.finality import Finality
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.quorum import Quorum


class Breakage(str, Enum):
    """
    What is broken.

    ``THRESHOLD``: half of the roster is a quorum. ``DENOMINATOR``: a quorum is 2/3 of the robots
    heard lately, not of the full roster. ``EQUIVOCATION``: a vote for a leader counts although its
    past holds another candidate for the same slot.
    """

    NONE = 'none'
    THRESHOLD = 'threshold'
    DENOMINATOR = 'denominator'
    EQUIVOCATION = 'equivocation'

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Break all ledgers of this process, as long as it lasts."""
        if self is Breakage.THRESHOLD:
            with replaced(Quorum, reached=_half):
                yield
        elif self is Breakage.EQUIVOCATION:
            with replaced(Finality, _is_alone=lambda *arguments: True):
                yield
        else:
            yield

    def boot(self, ledger: Ledger) -> None:
        """Break one ledger that was just started."""
        if self is Breakage.DENOMINATOR:
            ledger.dag.quorum = ledger.finality._quorum = ActiveQuorum(ledger)


class ActiveQuorum(Quorum):
    """
    At least 2/3 of the weight heard lately: what GoShimmer's approval weight counts.

    :param ledger: it knows whom it heard.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def reached(self, mask: int) -> bool:
        """Tell whether these robots are enough of those that are active."""
        now = self._ledger._clock.now_ns()
        robots = self._ledger.fleet.robots
        active = [i for i in range(len(robots)) if self._ledger._is_active(i, now)]
        weight = sum(robots[i].weight for i in active if mask >> i & 1)
        return 3 * weight >= 2 * sum(robots[i].weight for i in active)


def _half(quorum: Quorum, mask: int) -> bool:
    weights = quorum._weights
    weight = sum(w for index, w in enumerate(weights) if mask >> index & 1)
    return 2 * weight >= sum(weights)
