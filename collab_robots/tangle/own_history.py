"""Whether a robot knows all that it ever said; before, it must not speak."""

from __future__ import annotations

from collab_robots.core.clock import SECOND
from collab_robots.tangle.settings import LedgerConfig


class OwnHistory:
    """
    Keeps a robot that lost its disk from signing a second record with a seq it used before.

    Its history is then only with the others. Any of them may be the only one that got its last
    record, so it waits until it has heard every other robot of the roster, and holds what they
    claim it issued. A claim that robots of a third of the weight at most make, and nobody fulfils
    within ``recovery_timeout``, is taken for a lie.

    :param lost: own records may be missing: the store is empty or incomplete, and the robot is not
        known to be new.
    """

    def __init__(self, lost: bool, config: LedgerConfig) -> None:
        self._lost = lost
        self._timeout = round(config.recovery_timeout * SECOND)
        self._stuck: tuple[int, int] | None = None  # own height, since when
        self._done = False

    @property
    def is_missing(self) -> bool:
        """Tell whether others claim records of this robot that it does not have."""
        return self._stuck is not None

    @property
    def is_lost(self) -> bool:
        """Tell whether the robot is still to hear from every other one before it may speak."""
        return self._lost and not self._done

    def spoke(self) -> None:
        """Take note of an own new record: from here on nobody can know more of this robot."""
        self._done = True
        self._stuck = None

    def is_complete(self, now: int, height: int, claimed: int, vouched: int, unheard: int) -> bool:
        """
        Tell whether the robot may speak.

        :param height: own records at hand.
        :param claimed: own records that any teammate claims to have.
        :param vouched: those that robots of more than a third of the weight claim: no lie.
        :param unheard: how many of the roster have not announced since the start what they have.
        """
        if self._done:
            return True
        if claimed <= height:
            self._stuck = None
            return not (self._lost and unheard)
        if self._stuck is None or self._stuck[0] != height:
            self._stuck = (height, now)
        patient = now - self._stuck[1] < self._timeout
        return vouched <= height and not patient and not (self._lost and unheard)
