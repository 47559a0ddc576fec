"""What the contract knows and decides, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from collab_robots.contract.calls import Kind, task_key, task_words, WORD
from collab_robots.contract.facts import Facts
from collab_robots.contract.notes import LEASE_S
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND

BIDDING_S = 1  # Fleet.BIDDING
OPEN_FOR_S = 20  # Fleet.OPEN_FOR

_PARTS_AT = 14  # words: Fleet.TaskFacts, the offset and the length of the parts
_PART_WORDS = 7  # Fleet.PartFacts
_NEVER = 1 << 62  # s


class TaskState(IntEnum):
    """Where a task stands; the numbers are those of TaskStatus.msg."""

    OPEN = 0
    HELD = 1
    DONE = 2
    STALE = 3


@dataclass(frozen=True)
class Task:
    """
    One task at one time. All times are ns of the fleet's clock, cut to whole seconds.

    :param key: 32 bytes, what names it in calls.
    :param cell: (x, y) in cells of the map grid.
    :param round: how often the cell's task was completed before.
    :param holder: who has the task: the one robot that may work on it.
    :param bids: path cost in m of every robot that may be awarded the task. A bid is used up
        when its robot releases the task or lets the lease lapse; it has to bid again.
    :param lease_until: end of the holder's lease; 0 if nobody holds it.
    :param proposed_at: the earliest proposal.
    :param award_from: an award issued before this time has no effect.
    :param completed: when, per robot that did it; more than one only after a split.
    """

    key: bytes
    kind: Kind
    cell: tuple[int, int]
    round: int
    state: TaskState
    holder: str | None
    bids: Mapping[str, float]
    lease_until: int
    proposed_at: int
    award_from: int
    completed: Mapping[str, int]

    @property
    def words(self) -> str:
        """Name the task for people."""
        return task_words(self.kind, *self.cell, self.round)


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


@dataclass(frozen=True)
class _Part:
    """One robot's part in a task, as in Fleet.PartFacts; times in s."""

    robot: str
    address: bytes
    cost: int
    bid_at: int
    awarded_at: int
    renewed_at: int
    released_at: int
    completed_at: int


@dataclass(frozen=True)
class _Facts:
    """One task without time, as in Fleet.TaskFacts; times in s."""

    key: bytes
    before: bytes  # key of the round before
    kind: int
    x: int
    y: int
    round: int
    first_proposed: int
    last_proposed: int
    proposers: int
    bidders: int
    completed: int
    parts: tuple[tuple[int, _Part], ...]

    def lease(self, bit: int, part: _Part) -> tuple[bool, int]:
        """Tell whether a robot's lease counts and when it ends or ended, s (Fleet._lease)."""
        if not self.bidders >> bit & 1 or part.awarded_at <= self.first_proposed + BIDDING_S:
            return False, 0
        last = max(part.awarded_at, part.renewed_at)
        if part.released_at >= last:
            return False, part.released_at
        return True, last + LEASE_S

    def at(self, now: int) -> tuple[Task, int]:
        """Judge the task at a time, s; also return until when, s, nothing changes by itself."""
        holder: tuple[int, bytes, str, int] | None = None
        bids: dict[str, float] = {}
        fresh = self.last_proposed
        changes = []
        for bit, part in self.parts:
            counts, until = self.lease(bit, part)
            live = counts and until > now
            fresh = max(fresh, until)
            if live:
                changes.append(until)
                candidate = (part.cost, part.address, part.robot, until)
                holder = min(holder, candidate) if holder else candidate
            used_up = (not live and part.bid_at < until) or 0 < part.bid_at <= part.released_at
            if self.bidders >> bit & 1 and not used_up:
                bids[part.robot] = part.cost / 1000
        completed = {
            part.robot: part.completed_at * SECOND
            for bit, part in self.parts
            if self.completed >> bit & 1
        }
        if completed:
            state, holder, until = TaskState.DONE, None, _NEVER
        elif holder:
            state, until = TaskState.HELD, min(changes)
        elif fresh + OPEN_FOR_S < now:
            state, until = TaskState.STALE, _NEVER
        else:
            state, until = TaskState.OPEN, fresh + OPEN_FOR_S + 1
        task = Task(
            self.key,
            Kind(self.kind),
            (self.x, self.y),
            self.round,
            state,
            holder[2] if holder else None,
            bids,
            holder[3] * SECOND if holder else 0,
            self.first_proposed * SECOND,
            (self.first_proposed + BIDDING_S + 1) * SECOND,
            completed,
        )
        return task, until


class View:
    """
    Reads a runner's state; nothing is decoded or judged again that did not change.

    :param runner: updated by its owner; every answer is of its present state.
    :param final: read the state after the final records only.
    """

    def __init__(self, runner: Runner, final: bool = False) -> None:
        self._runner = runner
        self._final = final
        self._robots = [(robot.name, robot.address) for robot in runner.fleet.robots]
        self._decoded: dict[bytes, tuple[bytes, _Facts]] = {}  # by key; with what it is read from
        self._judged: dict[bytes, tuple[_Facts, int, int, Task]] = {}  # valid from, until (s)
        self._tiles: tuple[int, dict[tuple[str, int, int], bytes]] = (-1, {})
        self._sightings: tuple[int, list[Sighting]] = (-1, [])

    def tasks(self, now_ns: int) -> list[Task]:
        """
        Return all tasks as they stand at a time, oldest first.

        :param now_ns: the present; what is known today of a past time may not be what was then.
        """
        now = now_ns // SECOND
        judged = {}
        for facts in self._proposed():
            known = self._judged.get(facts.key)
            if known is None or known[0] is not facts or not known[1] <= now < known[2]:
                task, until = facts.at(now)
                known = (facts, now, until, task)
            judged[facts.key] = known
        self._judged = judged
        tasks = [known[3] for known in judged.values()]
        return sorted(tasks, key=lambda task: (task.proposed_at, task.key))

    def tiles(self) -> dict[tuple[str, int, int], bytes]:
        """Return the latest digest of every tile by (owner, x, y); do not change it."""
        if self._tiles[0] != self._version():
            tiles = {}
            for index, raw in self._facts().tiles.items():
                numbers = _numbers(raw)
                for at in range(0, len(numbers), 3):
                    digest = raw[WORD * (at + 2) : WORD * (at + 3)]
                    tiles[self._robots[index][0], numbers[at], numbers[at + 1]] = digest
            self._tiles = (self._version(), tiles)
        return self._tiles[1]

    def sightings(self) -> list[Sighting]:
        """Return all sightings, oldest first; do not change the list."""
        if self._sightings[0] != self._version():
            sightings = [
                Sighting(
                    self._robots[index][0],
                    class_id,
                    permille / 1000,
                    (x / 1000, y / 1000),
                    at * SECOND,
                )
                for index, raw in self._facts().sightings.items()
                for class_id, permille, x, y, at in zip(*[iter(_numbers(raw))] * 5, strict=True)
            ]
            sightings.sort(key=lambda sighting: (sighting.at, sighting.robot))
            self._sightings = (self._version(), sightings)
        return self._sightings[1]

    def _version(self) -> int:
        return self._runner.final_version if self._final else self._runner.version

    def _facts(self) -> Facts:
        return self._runner.final_facts() if self._final else self._runner.facts()

    def _proposed(self) -> list[_Facts]:
        """Return the tasks that are proposed and whose round has come."""
        raw_tasks = self._facts().tasks
        self._decoded = {
            key: known
            if (known := self._decoded.get(key)) and known[0] is raw
            else (raw, self._decode(key, raw))
            for key, raw in raw_tasks.items()
        }
        return [
            facts
            for _, facts in self._decoded.values()
            if facts.proposers and (facts.round == 0 or self._is_done(facts.before))
        ]

    def _is_done(self, key: bytes) -> bool:
        return key in self._decoded and self._decoded[key][1].completed != 0

    def _decode(self, key: bytes, raw: bytes) -> _Facts:
        """Decode what ``Fleet.task`` returns."""
        numbers = _numbers(raw)
        kind, x, y, round_, first, last, proposers, _, bidders, _, completed = numbers[1:12]
        parts = zip(*[iter(numbers[_PARTS_AT:])] * _PART_WORDS, strict=True)
        return _Facts(
            key,
            task_key(Kind(kind), x, y, round_ - 1) if round_ else b'',
            kind,
            x,
            y,
            round_,
            first,
            last,
            proposers,
            bidders,
            completed,
            tuple((index, _Part(*self._robots[index], *rest)) for index, *rest in parts),
        )


def _numbers(raw: bytes) -> list[int]:
    """Return every ABI word as the signed number in its low 8 bytes: all our values fit."""
    words: list[int] = np.frombuffer(raw, '>i8').reshape(-1, WORD // 8)[:, 3].tolist()
    return words
