"""
What an operator sees of a fleet: what each robot says, put together. Knows no ROS.

It believes what it is told and checks nothing: each ledger's word is that robot's word. What the
ledgers prove, ``collab-robots ledger verify`` checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import combinations
import math
from typing import TYPE_CHECKING

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.tasks import CELL, REGION
from collab_robots.contract.views.tasks import TaskState

if TYPE_CHECKING:
    from collab_robots.core.geometry import Array
    from collab_robots.tasks.task_view import TaskView

MAX_FINDINGS = 200
SAME_THING = 0.5  # m; sightings of one class in one cell of this size are of one thing
FURTHEST = (TaskState.STALE, TaskState.MISSED, TaskState.OPEN, TaskState.HELD, TaskState.DONE)
"""States of a task, the one that is shown where ledgers differ last."""

Point = tuple[float, float]


class Standing(Enum):
    """Where a robot stands with the team."""

    TRUSTED = 'trusted'
    CONVICTED = 'convicted'
    EQUIVOCATOR = 'equivocator'
    SILENT = 'silent'


class Hearing(Enum):
    """Whether two robots hear each other."""

    BOTH = 'both'
    ONE = 'one'
    NONE = 'none'


@dataclass(frozen=True)
class Word:
    """What one robot's ledger says of the team; LedgerStatus.msg explains the fields."""

    peers: frozenset[str] = frozenset()
    convicted: frozenset[str] = frozenset()
    equivocators: frozenset[str] = frozenset()
    alarm: str = ''


@dataclass(frozen=True)
class Member:
    """
    One robot.

    :param pose: (x, y, yaw) in the map frame, where it thinks it is.
    :param told_by: how many of the ledgers that are heard say so, of one that is not trusted.
    :param heard: how many ledgers are heard.
    :param alarm: of its own ledger.
    """

    name: str
    pose: Array
    standing: Standing
    told_by: int
    heard: int
    alarm: str


@dataclass(frozen=True)
class Spot:
    """
    One task where it is.

    :param place: m, map frame: the centre of its cell, or of its region.
    :param state: the furthest that any ledger says.
    :param holders: where those are who hold it by any ledger's word.
    :param words: who says what of it; one entry when all that are heard agree.
    """

    key: bytes
    kind: Kind
    place: Point
    state: TaskState
    holders: Mapping[str, Point]
    words: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Link:
    """Two robots, where they are, and whether they hear each other."""

    robots: tuple[str, str]
    ends: tuple[Point, Point]
    hearing: Hearing


@dataclass
class Thing:
    """
    Something that cameras recognised.

    :param cell: roughly where; of a class there is one thing in a cell.
    :param seen: by robot how sure it was (0 to 1), and where it saw it (m, map frame).
    """

    class_id: int
    label: str
    cell: tuple[int, int]
    seen: dict[str, tuple[float, Point]] = field(default_factory=dict)

    @property
    def best(self) -> tuple[float, Point]:
        """Return the surest sighting."""
        return max(self.seen.values())


class Scene:
    """
    Takes what robots say, and tells what is to be shown.

    :param robots: names.
    :param silence_ns: who has not been heard for that long is silent; its word does not count.
    """

    def __init__(self, robots: Sequence[str], silence_ns: int) -> None:
        self._robots = tuple(robots)
        self._silence_ns = silence_ns
        self._poses: dict[str, Array] = {}
        self._tasks: dict[str, Mapping[bytes, TaskView]] = {}
        self._words: dict[str, tuple[int, Word]] = {}
        self._radio: tuple[int, frozenset[tuple[str, str]]] | None = None
        self._things: dict[tuple[int, tuple[int, int]], Thing] = {}

    def put_pose(self, robot: str, pose: Array) -> None:
        """Take where a robot is: (x, y, yaw)."""
        self._poses[robot] = pose

    def put_tasks(self, robot: str, tasks: Iterable[TaskView]) -> None:
        """Take all tasks that a robot's ledger knows."""
        self._tasks[robot] = {task.key: task for task in tasks if task.kind is not Kind.INFER}

    def put_word(self, robot: str, word: Word, now_ns: int) -> None:
        """Take what a robot's ledger says of the team."""
        self._words[robot] = (now_ns, word)

    def put_radio(self, hears: Iterable[tuple[str, str]], now_ns: int) -> None:
        """Take from a simulated radio who hears whom; it knows better than the ledgers."""
        self._radio = (now_ns, frozenset(hears))

    def put_sighting(
        self, robot: str, class_id: int, label: str, confidence: float, place: Point
    ) -> None:
        """Take what a camera recognised, and where (m, map frame)."""
        cell = (math.floor(place[0] / SAME_THING), math.floor(place[1] / SAME_THING))
        key = (class_id, cell)
        thing = self._things.pop(key, None) or Thing(class_id, label, cell)
        thing.seen[robot] = (confidence, place)
        self._things[key] = thing
        if len(self._things) > MAX_FINDINGS:
            self._things.pop(next(iter(self._things)))

    def _heard(self, now_ns: int) -> dict[str, Word]:
        return {
            robot: word
            for robot, (said_at, word) in self._words.items()
            if now_ns - said_at <= self._silence_ns
        }

    def silent(self, now_ns: int) -> list[str]:
        """Return the robots that are not heard."""
        return [robot for robot in self._robots if robot not in self._heard(now_ns)]

    def members(self, now_ns: int) -> list[Member]:
        """Return every robot whose place is known."""
        heard = self._heard(now_ns)
        return [
            self._member(robot, self._poses[robot], heard)
            for robot in self._robots
            if robot in self._poses
        ]

    def _member(self, robot: str, pose: Array, heard: Mapping[str, Word]) -> Member:
        convicting = sum(robot in word.convicted for word in heard.values())
        proving = sum(robot in word.equivocators for word in heard.values())
        if proving:
            standing = Standing.EQUIVOCATOR
        elif convicting:
            standing = Standing.CONVICTED
        else:
            standing = Standing.TRUSTED if robot in heard else Standing.SILENT
        alarm = heard[robot].alarm if robot in heard else ''
        return Member(robot, pose, standing, proving or convicting, len(heard), alarm)

    def spots(self, now_ns: int) -> list[Spot]:
        """Return every task that a ledger knows; those without a place are left out."""
        said: dict[bytes, dict[str, TaskView]] = {}
        for robot in self._heard(now_ns):
            for key, task in self._tasks.get(robot, {}).items():
                said.setdefault(key, {})[robot] = task
        return [self._spot(by_robot) for by_robot in said.values()]

    def _spot(self, said: Mapping[str, TaskView]) -> Spot:
        task = max(said.values(), key=lambda task: FURTHEST.index(task.state))
        size = REGION if task.kind is Kind.VERIFY else CELL
        x, y = task.cell
        words: dict[str, tuple[str, ...]] = {}
        for robot, view in said.items():
            words[_words(view)] = (*words.get(_words(view), ()), robot)
        holders = {view.holder for view in said.values() if view.holder in self._poses}
        return Spot(
            task.key,
            task.kind,
            ((x + 0.5) * size, (y + 0.5) * size),
            task.state,
            {holder: self._place(holder) for holder in sorted(filter(None, holders))},
            words,
        )

    def links(self, now_ns: int) -> list[Link]:
        """Return every pair of robots whose places are known, as far as anybody says of them."""
        heard = self._heard(now_ns)
        radio = self._radio
        if radio is not None and now_ns - radio[0] > self._silence_ns:
            radio = None
        result = []
        for pair in combinations(filter(self._poses.__contains__, self._robots), 2):
            ways = (pair, pair[::-1])
            if radio is not None:
                said = [way in radio[1] for way in ways]
            else:
                said = [b in heard[a].peers for a, b in ways if a in heard]
            if said:
                hearing = Hearing.BOTH if all(said) else Hearing.ONE if any(said) else Hearing.NONE
                ends = (self._place(pair[0]), self._place(pair[1]))
                result.append(Link(pair, ends, hearing))
        return result

    def things(self) -> list[Thing]:
        """Return what cameras recognised, the newest last."""
        return list(self._things.values())

    def _place(self, robot: str) -> Point:
        x, y, _ = self._poses[robot].tolist()
        return x, y


def _words(task: TaskView) -> str:
    if task.state is TaskState.HELD:
        return f'held by {task.holder}'
    if task.state is TaskState.DONE:
        return f'done by {", ".join(task.completed_by)}'
    return task.state.name.lower()
