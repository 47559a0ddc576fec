"""The finality rule broken on purpose, to see what the invariants are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

from collab_robots.core.clock import SECOND
from collab_robots.sim.protocol.memo import replaced
from collab_robots.tangle.dag import Dag
from collab_robots.tangle.finality import Finality
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.quorum import Quorum

_ACTIVE = 2.0  # s


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
            weights = [robot.weight for robot in ledger.fleet.robots]
            quorum = ActiveQuorum(ledger.dag, weights)
            ledger.finality._quorum = quorum


class ActiveQuorum(Quorum):
    """
    At least 2/3 of the weight heard lately: what GoShimmer's approval weight counts.

    :param dag: whose newest records tell who was heard.
    """

    def __init__(self, dag: Dag, weights: Sequence[int]) -> None:
        super().__init__(weights)
        self._dag = dag

    def reached(self, mask: int) -> bool:
        """Tell whether these robots are enough of those that are active."""
        newest = [self._dag.newest(issuer) for issuer in range(self._dag.members)]
        times = [entry.record.issued_at if entry is not None else 0 for entry in newest]
        since = max(times) - round(_ACTIVE * SECOND)
        active = [issuer for issuer, at in enumerate(times) if at >= since]
        weight = sum(self._weights[issuer] for issuer in active if mask >> issuer & 1)
        return 3 * weight >= 2 * sum(self._weights[issuer] for issuer in active)


def _half(quorum: Quorum, mask: int) -> bool:
    weights = quorum._weights
    weight = sum(w for index, w in enumerate(weights) if mask >> index & 1)
    return 2 * weight >= sum(weights)
