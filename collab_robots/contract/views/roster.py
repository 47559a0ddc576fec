"""What the contract Fleet knows and decides: who is in the fleet, and what is being voted on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, IntEnum

from collab_robots.contract.calls.fleet import Capability, Change, ChangeKind
from collab_robots.contract.deployment import Deployment, robot_names
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.source import Source
from collab_robots.core.fleet import Fleet

_CHANGES = {
    ChangeKind.JOIN: 'to let {0} join with weight {1}',
    ChangeKind.LEAVE: 'that {0} leaves',
    ChangeKind.REKEY: 'that {0} has another key',
    ChangeKind.REWEIGH: 'that {0} has weight {1}',
    ChangeKind.REINSTATE: 'that {0} is reinstated',
}


class Standing(Enum):
    """Whether a robot counts."""

    ACTIVE = 'active'
    EXPELLED = 'expelled'
    LEFT = 'left'


class Obstacle(IntEnum):
    """Why a change would not be made, whoever voted for it; the numbers are the contract's."""

    NONE = 0
    MALFORMED = 1
    BAD_WEIGHT = 2
    BAD_NAME = 3
    NAME_TAKEN = 4
    KEY_TAKEN = 5
    FULL = 6
    NO_ROBOT = 7
    OUTDATED = 8
    NOT_EXPELLED = 9
    LAST_ONE = 10


@dataclass(frozen=True)
class Robot:
    """
    A robot that is in the fleet, or was.

    :param key: Ed25519 public key.
    :param weight: 0 if it has left; an expelled robot has it back when it is reinstated.
    :param revision: how often this entry has changed; a vote about the robot names it.
    :param generation: how often it was reinstated; what it said in an earlier one is void.
    :param signer: secp256k1 address for anchors, 20 bytes; empty if it has none.
    """

    index: int
    name: str
    address: bytes
    key: bytes
    weight: int
    standing: Standing
    revision: int
    generation: int
    signer: bytes
    capabilities: Capability


@dataclass(frozen=True)
class Roster:
    """
    The robots of one epoch.

    :param robots: all that ever were, by index.
    """

    epoch: int
    robots: tuple[Robot, ...]

    @property
    def active(self) -> tuple[Robot, ...]:
        """The robots that count."""
        return tuple(robot for robot in self.robots if robot.standing is Standing.ACTIVE)

    @property
    def names(self) -> dict[bytes, str]:
        """Name of each robot by its address."""
        return {robot.address: robot.name for robot in self.robots}

    @property
    def needed(self) -> int:
        """The weight that is enough: 2/3, rounded up."""
        return -(-2 * sum(robot.weight for robot in self.active) // 3)

    def weigh(self, names: Collection[str]) -> int:
        """Return what robots weigh together, of those that count."""
        return sum(robot.weight for robot in self.active if robot.name in names)

    def find(self, name: str) -> Robot | None:
        """Return the robot with a name, also one that has left."""
        return next((robot for robot in self.robots if robot.name == name), None)

    def named(self, mask: int) -> tuple[str, ...]:
        """Return the names of the robots of a mask."""
        return tuple(robot.name for robot in self.robots if mask >> robot.index & 1)


@dataclass(frozen=True)
class PendingChange:
    """
    A change that somebody votes for.

    :param robot: name of the robot that it is about, or that joins.
    :param voters: who does, without the convicted.
    :param weight: of these.
    :param needed: what is enough: 2/3 of the roster's weight.
    """

    id: bytes
    change: Change
    robot: str
    voters: tuple[str, ...]
    weight: int
    needed: int
    obstacle: Obstacle

    @property
    def missing(self) -> int:
        """The weight that is missing; with none missing it is made when the epoch is closed."""
        return max(0, self.needed - self.weight)

    def explain(self) -> str:
        """Say in words what it is and how it stands."""
        what = _CHANGES[ChangeKind(self.change.kind)].format(self.robot, self.change.weight)
        said = f'vote {what}: {", ".join(self.voters)}'
        if self.obstacle:
            return f'{said}; cannot be made: {self.obstacle.name.lower().replace("_", " ")}'
        if self.missing:
            return f'{said}; weight {self.weight} of {self.needed}, {self.missing} missing'
        return f'{said}; weight {self.weight} of {self.needed}, made when the epoch is closed'


class RosterView:
    """
    Reads a runner's state; nothing is asked again while that is the same.

    :param runner: updated by its owner; every answer is of its present state.
    :param final: read the state after the final records only.
    """

    def __init__(self, runner: Runner, final: bool = False) -> None:
        self._source = Source(runner, final)
        self._version = -1
        self._roster = Roster(0, ())
        self._pending: tuple[PendingChange, ...] = ()

    def roster(self) -> Roster:
        """Return who is in the fleet, or was."""
        self._look()
        return self._roster

    def pending(self) -> tuple[PendingChange, ...]:
        """Return what is being voted on, in the order in which it would be made."""
        self._look()
        return self._pending

    def _look(self) -> None:
        version = self._source.version
        if version == self._version:
            return
        with self._source.contracts() as deployment:
            self._roster = read_roster(deployment, self._source.runner.fleet)
            self._pending = read_pending(deployment, self._roster)
        self._version = version


def read_roster(deployment: Deployment, fleet: Fleet) -> Roster:
    """
    Ask who is in the fleet.

    :param fleet: names and keys of its founders, whom the contract has by address only.
    """
    (epoch, _, members, expelled), entries = deployment.ask('Fleet', 'roster')
    names = robot_names(fleet, entries)
    robots = []
    for index, entry in enumerate(entries):
        address, weight, revision, generation, signer, capabilities, key, _ = entry
        present = Standing.EXPELLED if expelled >> index & 1 else Standing.ACTIVE
        robots.append(
            Robot(
                index,
                names[index],
                address,
                key if any(key) else fleet.founders[index].key,
                weight,
                present if members >> index & 1 else Standing.LEFT,
                revision,
                generation,
                signer if any(signer) else b'',
                Capability(capabilities),
            )
        )
    return Roster(epoch, tuple(robots))


def read_pending(deployment: Deployment, roster: Roster) -> tuple[PendingChange, ...]:
    """Ask what is being voted on."""
    (convicted,) = deployment.ask('Maps', 'convicted')
    (changes,) = deployment.ask('Fleet', 'pending', convicted)
    return tuple(
        PendingChange(
            key,
            Change(*change),
            about(Change(*change), roster),
            roster.named(voters),
            weight,
            needed,
            Obstacle(obstacle),
        )
        for key, change, voters, weight, needed, obstacle in changes
    )


def about(change: Change, roster: Roster) -> str:
    """
    Return the name of the robot that a change is about.

    :raises IndexError: if the roster has no such robot.
    """
    if change.kind == ChangeKind.JOIN:
        return change.name.rstrip(b'\0').decode('ascii', 'replace')
    return roster.robots[change.robot].name
