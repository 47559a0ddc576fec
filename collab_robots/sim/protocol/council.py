"""The smallest contract that changes a roster: what 2/3 of the weight voted for is done."""

from __future__ import annotations

from collections.abc import Mapping

import cbor2

from collab_robots.core.fleet import Fleet
from collab_robots.sim.protocol.scenario import Change
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.handover import Roster, roster_of
from collab_robots.tangle.order import Order

VOTE = b'vote'
_DONE = -1  # all bits: whoever votes later adds nothing


def vote(change: int) -> bytes:
    """Return the call that votes for a change of the scenario."""
    return VOTE + bytes([change])


class Council:
    """
    The state of one robot: what 2/3 of the weight voted for is done at once, and once only.

    :param changes: that may be voted for, each with the robot that joins, if one does.
    """

    def __init__(self, fleet: Fleet, changes: Mapping[int, tuple[Change, str, bytes]]) -> None:
        self._fleet = fleet
        self._changes = changes
        self._calls = {vote(number) for number in changes}
        self._order: Order
        self._counted = 0  # final records
        self._votes: list[tuple[int, int, int]] = []  # position, change, bit mask of robots

    def follow(self, order: Order) -> None:
        """Count the votes in this order."""
        self._order = order

    def next_roster(self, position: int) -> Roster | None:
        """Return the roster that the votes up to there lead to, if it is another one."""
        roster = self._count(position)[0]
        return roster if roster != roster_of(self._fleet) else None

    def state_at(self, position: int) -> bytes:
        """Return the votes up to there."""
        return cbor2.dumps(self._count(position)[1], canonical=True)

    def restore(self, position: int, state: bytes, fleet: Fleet) -> None:
        """Go on from such votes."""
        self._counted, self._fleet = position, fleet
        self._votes = [(0, number, mask) for number, mask in cbor2.loads(state).items()]

    def _count(self, position: int) -> tuple[Roster, dict[int, int]]:
        """Return the roster, and by change who voted for it; the order forgets old votes."""
        order = self._order
        for entry in order.entries[self._counted - order.base : position - order.base]:
            for call in entry.record.calls if entry.issuer != FOREIGN else ():
                if call in self._calls:
                    self._votes.append((entry.position, call[-1], 1 << entry.issuer))
        self._counted = max(self._counted, position)
        roster = list(roster_of(self._fleet))
        votes: dict[int, int] = {}
        for at, number, mask in self._votes:
            if at < position:
                votes[number] = votes.get(number, 0) | mask
                if votes[number] != _DONE and self._decided(votes[number]):
                    votes[number] = _DONE
                    self._carry_out(number, roster)
        return roster, votes

    def _decided(self, mask: int) -> bool:
        robots = self._fleet.robots
        weight = sum(robot.weight for index, robot in enumerate(robots) if mask >> index & 1)
        return 3 * weight >= 2 * self._fleet.total_weight

    def _carry_out(self, number: int, roster: list[tuple[str, bytes, int]]) -> None:
        change, name, key = self._changes[number]
        if change.joins:
            roster.append((name, key, 1))
        for robot, weight in ((change.leaves, 0), (change.returns, 1)):
            if robot is not None:
                roster[robot] = (*roster[robot][:2], weight)
