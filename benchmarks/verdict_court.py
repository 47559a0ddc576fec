"""The contracts with a team that submits sketches of one region."""

from __future__ import annotations

from typing import Any

from collab_robots.contract.artifact import suite
from collab_robots.contract.calls.maps import submit_sketch
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.evm import make_evm
from collab_robots.mapping.sketch import Sketch
from collab_robots.tangle.memory import make_team

REGION = (0, 0)


class Court:
    """
    The contracts with a team.

    :param robots: how many.
    """

    def __init__(self, robots: int) -> None:
        fleet, _ = make_team(robots)
        self._senders = [robot.address for robot in fleet.robots]
        self._evm = make_evm()
        self._contracts = Deployment(suite(), fleet, self._evm)

    def conflicting(self, a: Sketch, b: Sketch) -> bool:
        """Ask the contract whether two sketches conflict."""
        pair = (a.free, a.occupied), (b.free, b.occupied)
        return bool(self._contracts.ask('Maps', 'conflicting', *pair)[0])

    def submit(self, robot: int, found: Sketch) -> None:
        """Let a robot submit a sketch of the one region."""
        call = submit_sketch(*REGION, found.free, found.occupied)
        assert self._contracts.call(self._senders[robot], call, 1).ok

    def convicted(self) -> set[int]:
        """Return who is."""
        (mask,) = self._contracts.ask('Maps', 'convicted')
        return {robot for robot in range(len(self._senders)) if mask >> robot & 1}

    def mark(self) -> Any:
        """Return a mark to go back to."""
        return self._evm.mark()

    def rollback(self, mark: Any) -> None:
        """Go back to a mark."""
        self._evm.rollback(mark)
