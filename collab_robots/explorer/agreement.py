"""
Did the fleet agree: pure functions of what the robots' ledgers hold.

Times are seconds of simulated time; tasks and blocks are named by their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
import math
from typing import NamedTuple, TYPE_CHECKING

if TYPE_CHECKING:
    from collab_robots.explorer.timeline import Split  # brings numpy

LEASE = 10.0  # s, as in contracts/Fleet.sol
_LEASE_CALLS = ('award', 'renew', 'complete', 'release')


class Act(NamedTuple):
    """One contract call about a task that took effect; for an award, ``robot`` is the winner."""

    t: float
    robot: str
    name: str
    task: str


class BlockRow(NamedTuple):
    """One block in one robot's file."""

    id: bytes
    issuer: int
    seq: int
    issued: float
    received: float


@dataclass
class Lease:
    """One robot's hold of one task, from its award to its end."""

    robot: str
    task: str
    start: float
    until: float
    end: float | None = None  # completed or released
    done: bool = False

    @property
    def closed(self) -> float:
        """When the hold was over: completed, released, or run out."""
        return self.until if self.end is None else min(self.end, self.until)

    def lapsed(self, now: float) -> bool:
        """Tell whether the lease ran out before the robot completed or released the task."""
        return self.until < (now if self.end is None else self.end)


def effective(acts: Sequence[Act]) -> list[Act]:
    """
    Leave out what is no part of a lease: awards to robots that never bid have no effect.

    :returns: awards, renewals, completions and releases.
    """
    bidders = {(act.task, act.robot) for act in acts if act.name in ('bid', 'reveal')}
    return [
        act
        for act in acts
        if act.name in _LEASE_CALLS and (act.name != 'award' or (act.task, act.robot) in bidders)
    ]


def leases(acts: Iterable[Act]) -> list[Lease]:
    """Follow every hold of every task through its awards, renewals and end."""
    found: list[Lease] = []
    running: dict[tuple[str, str], Lease] = {}
    for act in sorted(acts):
        key = (act.robot, act.task)
        lease = running.get(key)
        if act.name == 'award' or (act.name == 'renew' and lease is not None):
            if lease is None or lease.until < act.t:
                lease = Lease(act.robot, act.task, act.t, 0.0)
                running[key] = lease
                found.append(lease)
            lease.until = math.floor(act.t) + LEASE  # the contract counts whole seconds
        elif act.name in ('complete', 'release') and lease is not None:
            lease.end, lease.done = act.t, act.name == 'complete'
            del running[key]
    return found


def completions(acts: Iterable[Act]) -> dict[str, dict[str, float]]:
    """Return who completed each task, and when first."""
    found: dict[str, dict[str, float]] = {}
    for act in sorted(acts):
        if act.name == 'complete':
            found.setdefault(act.task, {}).setdefault(act.robot, act.t)
    return found


def completed_by_halves(done: Mapping[str, Mapping[str, float]], split: Split) -> tuple[int, int]:
    """Return how many tasks each half completed while the two could not hear each other."""
    counts = [0, 0]
    for robots in done.values():
        for half in {
            split.half_of(robot) for robot, t in robots.items() if split.start <= t <= split.end
        }:
            counts[half] += 1
    return counts[0], counts[1]


def wrongly_twice(
    done: Mapping[str, Mapping[str, float]], held: Sequence[Lease], split: Split | None
) -> list[str]:
    """Return the tasks that were completed twice although no split can excuse it."""
    wrong = []
    for task, robots in done.items():
        if len(robots) < 2:
            continue
        workers = (
            set()
            if split is None
            else {
                lease.robot
                for lease in held
                if lease.task == task and lease.start <= split.end and lease.closed >= split.start
            }
        )
        by_half = [0, 0]
        for robot in robots:
            by_half[0 if split is None else split.half_of(robot)] += 1
        both = split is not None and {split.half_of(robot) for robot in workers} == {0, 1}
        if not both or max(by_half) > 1:
            wrong.append(task)
    return wrong


def lost_leases(
    held: Sequence[Lease],
    done: Mapping[str, Mapping[str, float]],
    killed: Mapping[str, Sequence[float]],
    now: float,
) -> list[Lease]:
    """
    Return the leases that ran out although their robot lived and had reason to renew them.

    A robot has none once it died, the task was completed, or another robot held it too.

    :param killed: when each robot died.
    :param now: when the mission was put on hold; later nobody renews.
    """

    def excused(lease: Lease) -> bool:
        died = any(lease.start <= t <= lease.until for t in killed.get(lease.robot, ()))
        finished = any(t <= lease.until for t in done.get(lease.task, {}).values())
        shared = any(
            other.task == lease.task
            and other.robot != lease.robot
            and other.start <= lease.until
            and other.closed >= lease.start
            for other in held
        )
        return died or finished or shared

    return [lease for lease in held if lease.lapsed(now) and not excused(lease)]


def missing_blocks(files: Mapping[str, Sequence[BlockRow]]) -> dict[str, int]:
    """Return how many blocks that some robot holds each robot lacks."""
    sets = {robot: {row.id for row in rows} for robot, rows in files.items()}
    union = set().union(*sets.values()) if sets else set()
    return {robot: len(union - held) for robot, held in sets.items()}


def heal_seconds(files: Mapping[str, Sequence[BlockRow]], heal: float) -> float:
    """Return how long after the links came back the last older block reached the last robot."""
    arrivals = [row.received for rows in files.values() for row in rows if row.issued < heal]
    return max(0.0, max(arrivals, default=heal) - heal)
