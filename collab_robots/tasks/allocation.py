"""
The auction, as each robot plays it: who gets which task, given what the contract says now.

Greedy sequential single-item auction: of all (cost, task, idle bidder) the cheapest is matched
first, then the next among what is left. Every robot computes the same matching from the same
facts and awards itself what it got; if the facts differed, the contract settles it. Nothing here
waits, draws lots or remembers: memory is in the agent.

M. G. Lagoudakis et al., "Auction-Based Multi-Robot Routing", RSS 2005.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scipy.optimize import linear_sum_assignment

from collab_robots.contract.calls import Kind
from collab_robots.contract.view import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array
from collab_robots.tasks.places import Cell, Place
from collab_robots.tasks.task_view import TaskView

SETTLE = SECOND // 2  # after my own bid, so that I have seen the others'
RENEW_EVERY = 3 * SECOND
BID_EVERY = 2 * SECOND
PROPOSE_EVERY = 3 * SECOND
MAX_BIDS = 6  # live bids of one robot, cheapest first
SEEN = 0.001  # m; the bid of a robot that needs not drive: it has seen the place already
_DRIVES = 0.002  # m; bids from here on are meant as a way to go (messages carry float32)


@dataclass(frozen=True)
class Propose:
    """Ask the fleet to do something at a cell, for the n-th time."""

    kind: Kind
    cell: Cell
    round: int


@dataclass(frozen=True)
class Bid:
    """Offer to do a task at a cost."""

    key: bytes
    cost_m: float


@dataclass(frozen=True)
class Award:
    """Take a task that the auction gives me (award to my own address)."""

    key: bytes


@dataclass(frozen=True)
class Renew:
    """Say that I am still working on it."""

    key: bytes


@dataclass(frozen=True)
class Complete:
    """Say that it is done."""

    key: bytes


@dataclass(frozen=True)
class Release:
    """Give it back."""

    key: bytes


Intent = Propose | Bid | Award | Renew | Complete | Release


def rounds(tasks: Sequence[TaskView]) -> dict[tuple[Kind, Cell], int]:
    """Return how often each cell's task was completed: the round its next task has."""
    result: dict[tuple[Kind, Cell], int] = {}
    for task in tasks:
        if task.state == TaskState.DONE:
            name = (task.kind, task.cell)
            result[name] = max(result.get(name, 0), task.round + 1)
    return result


def task_at(place: Place, tasks: Sequence[TaskView]) -> TaskView | None:
    """
    Return the live task that is about a place, or None.

    Where two are (proposed before the map joined their places), everybody takes the held one,
    then the older one.
    """
    about = [
        task
        for task in tasks
        if task.live and task.kind == place.kind and task.cell in place.cells
    ]
    return min(
        about,
        key=lambda task: (task.state != TaskState.HELD, task.proposed_at_ns, task.key),
        default=None,
    )


def is_seen(cost_m: float) -> bool:
    """Tell whether a bid says that its robot needs not drive."""
    return cost_m < _DRIVES


def match(tasks: Sequence[TaskView], absent: Collection[str] = ()) -> dict[bytes, str]:
    """
    Compute the greedy auction: who gets which open task.

    Robots that hold a task get none, except tasks they need not drive for (bid ``SEEN``).

    :param absent: robots whose bids do not count: they do not take what they get.
    :returns: robot name by task key.
    """
    busy = {task.holder for task in tasks if task.state == TaskState.HELD} | set(absent)
    offers = sorted(
        (cost, task.key, robot)
        for task in tasks
        if task.state == TaskState.OPEN
        for robot, cost in task.bids.items()
        if robot not in absent and (robot not in busy or is_seen(cost))
    )
    result: dict[bytes, str] = {}
    for cost, key, robot in offers:
        if key in result or (robot in busy and not is_seen(cost)):
            continue
        result[key] = robot
        if not is_seen(cost):
            busy.add(robot)
    return result


def may_award(task: TaskView, me: str, now_ns: int, bid_at_ns: int | None) -> bool:
    """Tell whether the contract would record my award now, and others' bids had time to arrive."""
    return (
        task.state == TaskState.OPEN
        and me in task.bids
        and now_ns >= task.award_from_ns
        and (bid_at_ns is None or now_ns >= bid_at_ns + SETTLE)
    )


def bid_changed(old: float | None, new: float) -> bool:
    """Tell whether a bid should be made again: never made, or off by a metre or by 20 %."""
    return old is None or abs(new - old) > max(0.2, min(1.0, 0.2 * old))


def assignment_quality(costs: Array) -> tuple[float, float]:
    """
    Compare the auction with the optimum.

    :param costs: (robots, tasks) m.
    :returns: total cost of the greedy auction, and of the best assignment there is.
    """
    tasks = [
        TaskView(
            index.to_bytes(4, 'big'),
            Kind.EXPLORE,
            (index, 0),
            0,
            TaskState.OPEN,
            bids={f'{robot:04d}': float(row[index]) for robot, row in enumerate(costs)},
        )
        for index in range(costs.shape[1])
    ]
    matching = match(tasks)
    greedy = sum(costs[int(robot), int.from_bytes(key, 'big')] for key, robot in matching.items())
    best = linear_sum_assignment(costs)
    return float(greedy), float(costs[best].sum())
