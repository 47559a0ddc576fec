"""Whether a robot knows all that it ever said; before, it must not speak."""

from __future__ import annotations

from collab_robots.core.clock import SECOND
from collab_robots.tangle.settings import LedgerConfig


class OwnHistory:
    """
    Keeps a robot that lost its disk from signing a second record with a seq it used before.

    Its history is then only with the others: it waits for ``first_have_grace``, so that each
    teammate in reach announces what it has (the first announcement may be older than the robot's
    last record), and until it holds what they claim it issued. A claim that nobody fulfils within
    ``recovery_timeout`` is taken for a lie. What nobody in reach knows cannot be recovered: with a
    lost disk and no teammate near, a robot that spoke before forks.

    :param now: ns, local clock.
    :param height: own records at hand after the start.
    """

    def __init__(self, now: int, height: int, config: LedgerConfig) -> None:
        grace = 0 if height else round(config.first_have_grace * SECOND)
        self._wait_until = now + grace
        self._timeout = round(config.recovery_timeout * SECOND)
        self._stuck: tuple[int, int] | None = None  # own height, since when
        self._done = False

    @property
    def is_missing(self) -> bool:
        """Tell whether others claim records of this robot that it does not have."""
        return self._stuck is not None

    def spoke(self) -> None:
        """Take note of an own new record: from here on nobody can know more of this robot."""
        self._done = True
        self._stuck = None

    def is_complete(self, now: int, height: int, claimed: int) -> bool:
        """
        Tell whether the robot may speak.

        :param height: own records at hand.
        :param claimed: own records that any teammate claims to have.
        """
        if self._done:
            return True
        if now < self._wait_until:
            return False
        if claimed <= height:
            self._stuck = None
            return True
        if self._stuck is None or self._stuck[0] != height:
            self._stuck = (height, now)
        return now - self._stuck[1] >= self._timeout
