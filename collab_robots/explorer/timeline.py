"""
What was seen of a run, kept small enough for memory and free of ROS.

Times are seconds of simulated time, positions metres in the map frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TYPE_CHECKING

if TYPE_CHECKING:
    from collab_robots.core.geometry import Grid

STATES = ('open', 'held', 'done', 'stale')  # in the order of TaskStatus.msg


class Waypoint(NamedTuple):
    """Where a robot truly was."""

    t: float
    x: float
    y: float
    yaw: float


class LedgerSample(NamedTuple):
    """One robot's word on its own ledger; LedgerStatus.msg explains the fields."""

    t: float
    blocks: int
    waiting: int
    pending: int
    accepted: int
    heights: tuple[int, ...]
    set_digest: str
    state_root: str
    reverted: int
    peers: tuple[str, ...]
    refused: dict[str, int]
    bytes_sent: int
    bytes_received: int
    alarm: str


class TaskCounts(NamedTuple):
    """How many tasks one robot sees in each state, and which robots hold one."""

    t: float
    open: int
    held: int
    done: int
    stale: int
    holders: tuple[str, ...]


class Coverage(NamedTuple):
    """The share of reachable free space that one robot's map knew."""

    t: float
    robot: str
    share: float


class Seen(NamedTuple):
    """One detection of one robot; ``thumbnail`` is a JPEG or empty."""

    t: float
    robot: str
    class_id: int
    label: str
    confidence: float
    x: float
    y: float
    thumbnail: bytes


class Answer(NamedTuple):
    """
    How one picture of a robot was named; InferenceTrace.msg explains the fields.

    :param t: of the picture.
    :param helper: who answered; empty for the robot itself.
    :param exit: cut of the early exit that answered, -1 for none.
    """

    t: float
    robot: str
    seq: int
    plan: str
    planned: str
    predicted: float
    helper: str
    exit: int
    bytes: int
    seconds: float
    attempts: int
    lost: float
    events: tuple[str, ...]


class RadioSample(NamedTuple):
    """What the radio carried since its start, bytes per kind, and who heard whom."""

    t: float
    robots: tuple[str, ...]
    hears: tuple[tuple[bool, ...], ...]  # row hears column
    sent: dict[str, int]
    delivered: dict[str, int]
    lost: dict[str, int]


class Split(NamedTuple):
    """Two halves that could not hear each other for a while."""

    start: float
    end: float
    halves: tuple[tuple[str, ...], tuple[str, ...]]

    def half_of(self, robot: str) -> int:
        """Return 0 or 1: the half that a robot was in."""
        return 0 if robot in self.halves[0] else 1


def halves(robots: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the two halves of a split as the simulated radio makes them."""
    middle = (len(robots) + 1) // 2
    return robots[:middle], robots[middle:]


@dataclass
class Timeline:
    """
    Everything that the report and the checks know of a run besides the ledger files.

    :param robots: names, in the order of the roster.
    :param split: the scripted outage, if any.
    """

    robots: tuple[str, ...]
    split: Split | None = None
    now: float = 0.0
    speed: float | None = None  # the simulator's latest real-time factor
    held_at: float | None = None  # when the mission was put on hold
    paths: dict[str, list[Waypoint]] = field(default_factory=dict)
    believed: dict[str, list[Waypoint]] = field(default_factory=dict)
    ledgers: dict[str, list[LedgerSample]] = field(default_factory=dict)
    tasks: dict[str, list[TaskCounts]] = field(default_factory=dict)
    maps: dict[str, Grid] = field(default_factory=dict)
    coverage: list[Coverage] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    radio: list[RadioSample] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)  # (t, bytes of all processes)
    killed: dict[str, list[float]] = field(default_factory=dict)  # robot: when it died
    notes: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for series in (self.paths, self.believed, self.ledgers, self.tasks):
            for robot in self.robots:
                series.setdefault(robot, [])

    def note(self, text: str) -> None:
        """Remember something worth telling, with its time."""
        self.notes.append((self.now, text))

    def answers_of(self, robot: str) -> list[Answer]:
        """Return how the pictures of one robot were named, in the order of the answers."""
        return [answer for answer in self.answers if answer.robot == robot]

    def latest_coverage(self) -> dict[str, float]:
        """Return each robot's newest coverage, 0 before its first map."""
        shares = dict.fromkeys(self.robots, 0.0)
        for sample in self.coverage:
            shares[sample.robot] = sample.share
        return shares

    def equal(self, robots: tuple[str, ...]) -> bool:
        """Tell whether the newest words of these robots name one set of blocks and one state."""
        newest = [self.ledgers[robot][-1] for robot in robots if self.ledgers[robot]]
        agreed = len({(sample.set_digest, sample.state_root) for sample in newest}) == 1
        return len(newest) == len(robots) and agreed
