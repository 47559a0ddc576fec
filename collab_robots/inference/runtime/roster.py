"""Who may be asked for help, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.inference.planner.table import HelperState
from collab_robots.inference.profile.link import Link, LinkEstimate
from collab_robots.inference.profile.times import Times
from collab_robots.inference.runtime.breaker import Breaker
from collab_robots.inference.runtime.engine import Engine
from collab_robots.inference.runtime.messages import Offer
from collab_robots.inference.runtime.timeouts import Timeouts

OFFER_LIFE = 3 * SECOND  # ns; who did not offer for so long is not there
FORGET = 60 * SECOND  # ns
MAX_HELPERS = 64  # more are not listened to
MAX_QUEUE_S = 600.0


class Known:
    """
    One robot that offered its help.

    :param name: its robot.
    :param times: what its work takes, told from its first offer.
    """

    def __init__(self, name: str, times: Times) -> None:
        self.name = name
        self.times = times
        self.link = Link()
        self.timeouts = Timeouts()
        self.breaker = Breaker()
        self.heard = 0
        self.measured = 0
        self.probed_until = 0
        self._queue_s = 0.0
        self._estimate: tuple[int, LinkEstimate] | None = None

    def offered(self, offer: Offer, engine: Engine, now: int) -> None:
        """Take an offer in; while it answers, its answers tell better how fast it is."""
        self.heard = now
        self._queue_s = min(offer.queue_ns / SECOND, MAX_QUEUE_S)
        if now - self.measured > OFFER_LIFE:
            engine.measured((engine.whole_step,), offer.whole_ns / SECOND, self.times)

    def queued(self, queue_s: float, now: int) -> None:
        """Take in how long a frame waited there."""
        self.measured = self.heard = now
        self._queue_s = min(queue_s, MAX_QUEUE_S)

    def queue_s(self, now: int) -> float:
        """Return how long a frame would wait there: what waited when it was heard goes on."""
        return max(self._queue_s - (now - self.heard) / SECOND, 0.0)

    def estimate(self, now: int) -> LinkEstimate:
        """Return the link as it is now; what was computed for this very moment is kept."""
        if self._estimate is None or self._estimate[0] != now:
            self._estimate = now, self.link.estimate(now)
        return self._estimate[1]

    def is_ready(self, now: int) -> bool:
        """Tell whether it is there and its breaker lets a frame pass."""
        return now - self.heard <= OFFER_LIFE and self.breaker.is_ready(now, self.heard)

    def state(self, now: int) -> HelperState:
        """Return what a planner needs to know."""
        return HelperState(self.name, self.estimate(now), self.queue_s(now), self.times)


class Roster:
    """
    The robots that offer their help.

    :param engine: the model that help is wanted with.
    :param allowed: whether a robot may help: it has a lease, or the configuration says so.
    """

    def __init__(self, engine: Engine, allowed: Callable[[str], bool]) -> None:
        self._engine = engine
        self._allowed = allowed
        self._known: dict[str, Known] = {}

    def get(self, name: str) -> Known | None:
        """Return who offered, unless it was forgotten."""
        return self._known.get(name)

    def offered(self, offer: Offer, now: int) -> None:
        """Take an offer in; one for another model, or that cannot be true, is none."""
        if offer.model != self._engine.model.hash or not self._allowed(offer.robot):
            return
        if offer.robot not in self._known:
            self._forget(now)
        known = self._known.get(offer.robot)
        if known is None and len(self._known) >= MAX_HELPERS:
            return
        try:
            if known is None:
                times = self._engine.times.like(offer.whole_ns / SECOND)
                known = Known(offer.robot, times)
            known.offered(offer, self._engine, now)
        except RefusedError:
            return
        self._known[offer.robot] = known

    def ready(self, now: int) -> list[Known]:
        """Return who may be asked now, in the order of their names."""
        known = sorted(self._known.values(), key=lambda helper: helper.name)
        return [one for one in known if one.is_ready(now) and self._allowed(one.name)]

    def _forget(self, now: int) -> None:
        """Make room: forget who did not offer for a minute."""
        gone = [name for name, one in self._known.items() if now - one.heard > FORGET]
        for name in gone:
            del self._known[name]
