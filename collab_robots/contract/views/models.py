"""What the contract Models knows and decides: parts of models, who serves them, failed audits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from collab_robots.contract.artifact import CODEC, WORD
from collab_robots.contract.calls.models import Failure, Part
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.roster import read_roster, Roster
from collab_robots.contract.views.source import Source

CONTRACT = 'Models'
_PART = '((bytes32,uint8,uint16,bytes32),uint64,(uint64,uint32,bool)[])'


class FactKind(IntEnum):
    """What a fact is about: its first word, Models.FactKind."""

    PART = 1
    AUDIT = 2
    TALLY = 3


@dataclass(frozen=True)
class Permission:
    """
    Whether a robot may serve a part, and why.

    :param voters: who permits it, by name.
    :param weight: of these.
    :param needed: what is enough: 2/3 of the roster's weight.
    """

    robot: str
    voters: tuple[str, ...]
    weight: int
    needed: int
    granted: bool
    offered: bool

    @property
    def serves(self) -> bool:
        """It may, and says that it does."""
        return self.granted and self.offered

    def explain(self) -> str:
        """Say in words how it stands."""
        said = f'{self.robot}: permitted by {", ".join(self.voters) or "nobody"}'
        said += f', weight {self.weight} of {self.needed}'
        return f'{said}; {"offers" if self.offered else "does not offer"} to serve it'


@dataclass(frozen=True)
class Service:
    """
    A part of a model, and who serves it.

    :param part: None while there are only offers, so that nobody may serve it.
    :param permissions: of the robots that count, by name.
    """

    id: bytes
    part: Part | None
    permissions: Mapping[str, Permission]

    @property
    def servers(self) -> tuple[str, ...]:
        """Who serves it."""
        return tuple(name for name, found in self.permissions.items() if found.serves)


@dataclass(frozen=True)
class Failures:
    """
    Audits that a robot failed, of one kind.

    :param by_auditor: how many each robot found, of different frames and parts.
    :param certain: whether at least one of those robots is honest, as it takes a third of the
        weight that is not.
    """

    by_auditor: Mapping[str, int]
    certain: bool


class ModelsView:
    """
    Reads a runner's state; nothing is asked again while that is the same.

    :param runner: updated by its owner; every answer is of its present state.
    :param final: read the state after the final records only.
    """

    def __init__(self, runner: Runner, final: bool = False) -> None:
        self._source = Source(runner, final)
        self._version = -1
        self._services: tuple[Service, ...] = ()
        self._failures: dict[str, dict[Failure, Failures]] = {}

    def services(self) -> tuple[Service, ...]:
        """Return every part that somebody said something about, by id."""
        self._look()
        return self._services

    def failures(self) -> dict[str, dict[Failure, Failures]]:
        """Return the failed audits of every robot, by name and kind; do not change it."""
        self._look()
        return self._failures

    def _look(self) -> None:
        version = self._source.version
        if version == self._version:
            return
        facts = self._source.facts()
        known = facts.of(CONTRACT)
        with self._source.contracts() as deployment:
            roster = read_roster(deployment, self._source.runner.fleet)
            (convicted,) = deployment.ask('Maps', 'convicted')
            self._services = tuple(
                _service(deployment, roster, convicted, key, raw)
                for key, raw in sorted(known.items())
                if raw[WORD - 1] == FactKind.PART
            )
            self._failures = {
                robot.name: _failures(deployment, roster, convicted, robot.index)
                for robot in roster.robots
            }
        self._version = version


def _service(
    deployment: Deployment, roster: Roster, convicted: int, key: bytes, raw: bytes
) -> Service:
    _, (part, _, _) = CODEC.decode(('uint8', _PART), raw)
    allowed, offering = deployment.ask(CONTRACT, 'servers', key, convicted)
    ((said, weights, needed),) = deployment.ask(CONTRACT, 'supportOf', key, convicted)
    permissions = {
        robot.name: Permission(
            robot.name,
            tuple(
                voter.name for voter in roster.robots if said[voter.index][0] >> robot.index & 1
            ),
            weights[robot.index],
            needed,
            bool(allowed >> robot.index & 1),
            bool(offering >> robot.index & 1),
        )
        for robot in roster.active
    }
    return Service(key, Part(*part) if any(part[0]) else None, permissions)


def _failures(
    deployment: Deployment, roster: Roster, convicted: int, subject: int
) -> dict[Failure, Failures]:
    ((counts, _, certain),) = deployment.ask(CONTRACT, 'failuresOf', subject, convicted)
    return {
        kind: Failures(
            {
                auditor.name: counts[auditor.index][kind - 1]
                for auditor in roster.robots
                if counts[auditor.index][kind - 1]
            },
            certain[kind - 1],
        )
        for kind in Failure
    }
