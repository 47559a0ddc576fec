"""What the contract Maps knows and decides: tiles, sightings, lies and disputes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from collab_robots.contract.artifact import CODEC, WORD
from collab_robots.contract.deployment import robot_names
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.source import Source
from collab_robots.core.clock import SECOND

CONTRACT = 'Maps'

Value = TypeVar('Value')


class FactKind(IntEnum):
    """What a fact is about: its first word, Maps.FactKind."""

    TILE = 1
    SIGHTING = 2
    REGION = 3
    VERDICT = 4


_TYPES = {
    FactKind.TILE: '(uint8,uint32,int16,int16,bytes32)',
    FactKind.SIGHTING: '(uint8,uint32,uint40,uint16,uint16,int32,int32)',
    FactKind.REGION: '(int16,int16,(uint8,uint32,uint64,uint40[],(uint256,uint256)[])[])',
    FactKind.VERDICT: '(uint32,uint64)',
}


@dataclass(frozen=True)
class Sighting:
    """
    Something a robot's camera recognised.

    :param confidence: 0 to 1.
    :param position: (x, y) in m, map frame.
    :param at: ns, cut to whole seconds.
    """

    robot: str
    class_id: int
    confidence: float
    position: tuple[float, float]
    at: int


class Masks(NamedTuple):
    """A sketch of 16×16 cells: bit ``16 * row + column``; what is in neither is unknown."""

    free: int
    occupied: int


@dataclass(frozen=True)
class Conflict:
    """
    Two sketches of one region that cannot both be true.

    :param at: when the accused robot submitted its one, ns, cut to whole seconds.
    :param witness_at: the same of the other robot.
    """

    at: int
    sketch: Masks
    witness: str
    witness_at: int
    witness_sketch: Masks


@dataclass(frozen=True)
class Evidence:
    """
    What speaks against a robot in one region.

    :param region: column and row of the region's tile.
    :param suffices: whether those against it include an honest robot: it is convicted.
    :param conflicts: with sketches that the robot submitted.
    """

    region: tuple[int, int]
    suffices: bool
    conflicts: tuple[Conflict, ...]

    @property
    def witnesses(self) -> frozenset[str]:
        """Who is against it."""
        return frozenset(conflict.witness for conflict in self.conflicts)


@dataclass(frozen=True)
class Dispute:
    """
    A region that somebody should go and look at.

    :param region: column and row of its tile.
    :param since: ns, cut to whole seconds.
    """

    region: tuple[int, int]
    since: int


@dataclass(frozen=True)
class _Roster:
    """Who the contracts' indices stand for, and what of each robot's words is void."""

    names: tuple[str, ...]
    generations: tuple[int, ...]


class MapsView:
    """
    Reads a runner's state; nothing is decoded or asked again that did not change.

    :param runner: updated by its owner; every answer is of its present state.
    :param final: read the state after the final records only.
    """

    def __init__(self, runner: Runner, final: bool = False) -> None:
        self._source = Source(runner, final)
        self._decoded: dict[bytes, tuple[bytes, tuple[FactKind, Any]]] = {}  # by id; with bytes
        self._answers: tuple[int, dict[object, Any]] = (-1, {})  # of one version

    def tiles(self) -> dict[tuple[str, int, int], bytes]:
        """Return the latest digest of every tile by (owner, x, y); do not change it."""
        return self._kept('tiles', self._tiles)

    def sightings(self) -> list[Sighting]:
        """Return all sightings, oldest first; do not change the list."""
        return self._kept('sightings', self._sightings)

    def sketches(self) -> dict[tuple[str, int, int], tuple[Masks, ...]]:
        """Return the sketches of every region by (robot, x, y), oldest first; do not change it."""
        return self._kept('sketches', self._sketches)

    def sketched(self) -> dict[tuple[str, int, int], int]:
        """Return when each robot sketched a region last, ns; keys as of :meth:`sketches`."""
        return self._kept('sketched', self._sketched)

    def newest_sketches(self) -> dict[tuple[str, int, int], Masks]:
        """Return what each robot said last of every region, by (robot, x, y); do not change it."""
        return self._kept(
            'newest', lambda: {key: masks[-1] for key, masks in self.sketches().items()}
        )

    def convicted(self) -> frozenset[str]:
        """Return who lied about a region, by the contract's verdict: their layers do not count."""
        return self._kept('convicted', self._convicted)

    def evidence(self, robot: str) -> list[Evidence]:
        """Return what speaks against a robot, region by region; enough of it or not."""
        return self._kept(('evidence', robot), lambda: self._evidence(robot))

    def disputes(self) -> list[Dispute]:
        """Return the regions that a robot that has not mapped them should look at."""
        return self._kept('disputes', self._disputes)

    def conflicting(self, a: Masks, b: Masks) -> bool:
        """Tell whether two sketches of one region cannot both be true."""
        with self._source.contracts() as contracts:
            return bool(contracts.ask(CONTRACT, 'conflicting', a, b)[0])

    def _tiles(self) -> dict[tuple[str, int, int], bytes]:
        roster = self._roster()
        return {
            (roster.names[robot], x, y): digest
            for robot, generation, x, y, digest in self._of(FactKind.TILE)
            if generation == roster.generations[robot]
        }

    def _sightings(self) -> list[Sighting]:
        roster = self._roster()
        sightings = [
            Sighting(
                roster.names[robot], class_id, permille / 1000, (x / 1000, y / 1000), at * SECOND
            )
            for robot, generation, at, class_id, permille, x, y in self._of(FactKind.SIGHTING)
            if generation == roster.generations[robot]
        ]
        return sorted(sightings, key=lambda sighting: (sighting.at, sighting.robot))

    def _sketches(self) -> dict[tuple[str, int, int], tuple[Masks, ...]]:
        roster = self._roster()
        return {
            (roster.names[robot], x, y): tuple(Masks(*found) for found in sketches)
            for x, y, testimonies in self._of(FactKind.REGION)
            for robot, generation, _, _, sketches in testimonies
            if generation == roster.generations[robot]
        }

    def _sketched(self) -> dict[tuple[str, int, int], int]:
        roster = self._roster()
        return {
            (roster.names[robot], x, y): times[-1] * SECOND
            for x, y, testimonies in self._of(FactKind.REGION)
            for robot, generation, _, times, _ in testimonies
            if generation == roster.generations[robot]
        }

    def _convicted(self) -> frozenset[str]:
        with self._source.contracts() as contracts:
            (mask,) = contracts.ask(CONTRACT, 'convicted')
        names = self._roster().names
        return frozenset(name for index, name in enumerate(names) if mask >> index & 1)

    def _evidence(self, robot: str) -> list[Evidence]:
        names = self._roster().names
        index = names.index(robot)
        found = []
        with self._source.contracts() as contracts:
            for region, accused in self._contested():
                if index not in accused:
                    continue
                suffices, conflicts = contracts.ask(CONTRACT, 'evidence', index, *region)
                told = tuple(
                    Conflict(
                        at * SECOND,
                        Masks(*sketch),
                        names[witness],
                        witness_at * SECOND,
                        Masks(*witness_sketch),
                    )
                    for at, sketch, witness, witness_at, witness_sketch in conflicts
                )
                if told:
                    found.append(Evidence(region, suffices, told))
        return found

    def _disputes(self) -> list[Dispute]:
        with self._source.contracts() as contracts:
            times = {
                region: contracts.ask(CONTRACT, 'disputedSince', *region)[0]
                for region, _ in self._contested()
            }
        return [Dispute(region, time * SECOND) for region, time in times.items() if time]

    def _contested(self) -> list[tuple[tuple[int, int], set[int]]]:
        """Return the regions with any conflict, in order, and the indices of those in one."""
        regions = (
            ((x, y), {robot for robot, _, against, _, _ in testimonies if against})
            for x, y, testimonies in self._of(FactKind.REGION)
        )
        return sorted((region, accused) for region, accused in regions if accused)

    def _roster(self) -> _Roster:
        return self._kept('roster', self._read_roster)

    def _read_roster(self) -> _Roster:
        with self._source.contracts() as contracts:
            _, robots = contracts.ask('Fleet', 'roster')
        names = robot_names(self._source.runner.fleet, robots)
        return _Roster(tuple(names), tuple(entry[3] for entry in robots))

    def _of(self, kind: FactKind) -> Iterator[Any]:
        """Yield the facts of one kind, decoded."""
        for found, value in self._kept('facts', self._read_facts):
            if found is kind:
                yield value

    def _read_facts(self) -> list[tuple[FactKind, Any]]:
        facts = self._source.facts()
        self._decoded = {
            key: known
            if (known := self._decoded.get(key)) and known[0] is raw
            else (raw, _decode(raw))
            for key, raw in facts.of(CONTRACT).items()
        }
        return [decoded for _, decoded in self._decoded.values()]

    def _kept(self, what: object, read: Callable[[], Value]) -> Value:
        """Return an answer, read at most once for each version of the state."""
        version = self._source.version
        if self._answers[0] != version:
            self._answers = (version, {})
        answers = self._answers[1]
        if what not in answers:
            answers[what] = read()
        kept: Value = answers[what]
        return kept


def _decode(raw: bytes) -> tuple[FactKind, Any]:
    kind = FactKind(int.from_bytes(raw[:WORD], 'big'))
    return kind, CODEC.decode(('uint8', _TYPES[kind]), raw)[1]
