"""How much of the team has approved what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum

from collab_robots.core.clock import SECOND
from collab_robots.tangle.dag import Entry, FOREIGN
from collab_robots.tangle.peers import Peers
from collab_robots.tangle.tangle import Tangle


class Status(str, Enum):
    """
    How far a record has come.

    ``PENDING``: known here. ``ACCEPTED``: at least 2/3 of the weight heard from lately has it in
    its past; good enough to act on, also inside a partition, but revocable: when the other side
    is heard again, it counts too. ``FINAL``: irrevocable, by at least 2/3 of the *whole*
    roster: it is in the final order.
    """

    PENDING = 'pending'
    ACCEPTED = 'accepted'
    FINAL = 'final'


def accepted_heights(
    seen: Sequence[Sequence[int] | None],
    weights: Sequence[int],
    active: Collection[int],
    forks: Mapping[int, int],
) -> tuple[int, ...]:
    """
    Return, per issuer, how many of its records are accepted.

    A record is approved by every robot whose newest record has it in its past, so the records of
    one issuer are accepted up to some height: the largest that robots of 2/3 of the active weight
    have seen.

    :param seen: per roster index, ``Entry.seen`` of its newest record; None if it has none.
    :param weights: per roster index.
    :param active: roster indexes of the robots heard from lately.
    :param forks: ``Dag.forks``. From its fork on, nothing of an issuer is accepted, because
        ``seen`` does not tell its branches apart.
    """
    needed = 2 * sum(weights[robot] for robot in active)  # compared with 3 x the approving weight
    heights = []
    for issuer in range(len(weights)):
        votes = sorted(
            ((row[issuer] if (row := seen[robot]) else 0, weights[robot]) for robot in active),
            reverse=True,
        )
        approving, height = 0, 0
        for vote, weight in votes:
            approving += weight
            if 3 * approving >= needed:
                height = vote
                break
        heights.append(min(height, forks.get(issuer, height)))
    return tuple(heights)


class Approval:
    """
    What is accepted now, for one robot.

    :param index: roster index of the robot, which always counts itself.
    :param window: s; who was not heard for that long does not count.
    """

    def __init__(self, tangle: Tangle, peers: Peers, index: int, window: float) -> None:
        self._tangle = tangle
        self._peers = peers
        self._index = index
        self._window = round(window * SECOND)
        self._heights: tuple[int, ...] | None = None

    def forget(self) -> None:
        """Take note that time passed, or that something changed."""
        self._heights = None

    def heights(self, now: int) -> tuple[int, ...]:
        """Return, per roster index, how many of its records are accepted at ``now`` (ns)."""
        if self._heights is None:
            tangle, dag = self._tangle, self._tangle.dag
            newest = [dag.newest(robot) for robot in range(dag.members)]
            self._heights = accepted_heights(
                [entry.seen if entry is not None else None for entry in newest],
                [robot.weight for robot in tangle.fleet.robots],
                [robot for robot in range(dag.members) if self._is_active(robot, now)],
                {issuer: proof.seq for issuer, proof in tangle.proofs.items()} | dag.forks,
            )
        return self._heights

    def status(self, entry: Entry, now: int) -> Status:
        """Return how far a solid record has come at ``now`` (ns)."""
        if entry.position >= 0:
            return Status.FINAL
        if entry.issuer != FOREIGN and entry.record.seq < self.heights(now)[entry.issuer]:
            return Status.ACCEPTED
        return Status.PENDING

    def _is_active(self, robot: int, now: int) -> bool:
        """Tell whether a robot was heard from lately, itself or by a record others passed on."""
        if robot == self._index:
            return True
        if robot in self._tangle.unvouched:
            return False
        since = now - self._window
        newest = self._tangle.dag.newest(robot)
        return self._peers.heard_since(self._tangle.fleet.robots[robot].name, since) or (
            newest is not None and newest.record.issued_at >= since
        )
