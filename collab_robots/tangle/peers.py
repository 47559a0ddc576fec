"""Who is there, and what each says it has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import Have


@dataclass(slots=True)
class Peer:
    """
    What is known of a teammate.

    :param heard_at: ns, local clock, of anything it sent.
    :param heights: that it announced last.
    :param final: the same: how many records are final there.
    :param snapshot: the same: the snapshot that it serves.
    :param announced: it announced at all.
    :param failures: requests in a row that brought nothing.
    :param not_before: ns, local clock: it is not asked before.
    """

    heard_at: int
    heights: tuple[int, ...]
    final: int = 0
    snapshot: int = 0
    announced: bool = False
    failures: int = 0
    not_before: int = 0

    def may_be_asked(self, now: int, config: LedgerConfig) -> bool:
        """Tell whether it was heard lately and is not left alone at ``now`` (ns)."""
        return self.not_before <= now and now - self.heard_at < config.silence * SECOND

    def fail(self, now: int, config: LedgerConfig) -> None:
        """Leave it alone for a while, each time longer: it did not answer, or it lied."""
        backoff = config.request_timeout * 2 ** min(self.failures, 16)
        self.failures += 1
        self.not_before = now + round(min(backoff, config.max_backoff) * SECOND)


class Peers:
    """
    The teammates heard so far. Names are not proven: a false one makes somebody seem near.

    :param me: own name.
    :param silence: s; who was not heard for that long is away.
    """

    def __init__(self, me: str, silence: float) -> None:
        self._fleet: Fleet
        self._me = me
        self._silence = round(silence * SECOND)
        self.known: dict[str, Peer] = {}
        """By name, in roster order."""

    def begin(self, fleet: Fleet) -> None:
        """Go on with a roster."""
        self._fleet = fleet
        self.known = {name: self.known[name] for name in fleet.index_by_name if name in self.known}
        for peer in self.known.values():
            peer.heights = self._fit(peer.heights)

    def hear(self, name: str, now: int) -> None:
        """Take note of a message at ``now`` (ns), if it is of a teammate."""
        if name == self._me or name not in self._fleet.index_by_name:
            return
        peer = self.known.get(name)
        if peer is not None:
            peer.heard_at = now
            return
        self.known[name] = Peer(now, (0,) * len(self._fleet.robots))
        names = self._fleet.index_by_name
        self.known = {name: self.known[name] for name in names if name in self.known}

    def take(self, have: Have, now: int) -> Peer:
        """
        Take note of an announcement at ``now`` (ns).

        :param have: a checked one, of a teammate.
        """
        self.hear(have.sender, now)
        peer = self.known[have.sender]
        peer.heights = self._fit(have.heights)
        peer.final, peer.snapshot, peer.announced = have.final, have.snapshot, True
        return peer

    @property
    def unheard(self) -> int:
        """How many teammates have not announced yet what they have."""
        return sum(
            not (robot.name in self.known and self.known[robot.name].announced)
            for index, robot in enumerate(self._fleet.robots)
            if robot.name != self._me and index not in self._fleet.left
        )

    def _fit(self, heights: tuple[int, ...]) -> tuple[int, ...]:
        """Return heights of this epoch's roster: another one's may be longer or shorter."""
        members = len(self._fleet.robots)
        return (*heights, *(0,) * members)[:members]

    def near(self, now: int) -> tuple[str, ...]:
        """Return the names of those heard lately."""
        return tuple(
            name for name, peer in self.known.items() if now - peer.heard_at < self._silence
        )

    def heard_since(self, name: str, since: int) -> bool:
        """Tell whether a robot was heard at ``since`` (ns) or later."""
        return name in self.known and self.known[name].heard_at >= since

    def is_behind(self, final: int, now: int) -> bool:
        """Tell whether the final order of a teammate that is near is shorter than that."""
        return any(self.known[name].final < final for name in self.near(now))

    def lacking(self, heights: Sequence[int], passed_over: Collection[int]) -> int:
        """
        Return how many records more than are here robots of more than a third announced.

        :param heights: here, per roster index.
        :param passed_over: roster indexes that do not matter.
        """
        return sum(
            max(self.vouched(issuer) - height, 0)
            for issuer, height in enumerate(heights)
            if issuer not in passed_over
        )

    @property
    def tell(self) -> bool:
        """Whether robots of more than a third announced what they have: one of them is honest."""
        robots = self._fleet.robots
        told = sum(
            robots[self._fleet.index_by_name[name]].weight
            for name, peer in self.known.items()
            if peer.announced
        )
        return 3 * told > sum(robot.weight for robot in robots)

    def claimed(self, issuer: int) -> int:
        """Return the greatest height of an issuer that anybody announced."""
        return max((peer.heights[issuer] for peer in self.known.values()), default=0)

    def vouched(self, issuer: int) -> int:
        """
        Return the greatest height of an issuer that robots of more than a third announced.

        One of them is honest.
        """
        robots = self._fleet.robots
        total = sum(robot.weight for robot in robots)
        weight = 0
        for height, name in sorted(
            ((peer.heights[issuer], name) for name, peer in self.known.items()), reverse=True
        ):
            weight += robots[self._fleet.index_by_name[name]].weight
            if 3 * weight > total:
                return height
        return 0
