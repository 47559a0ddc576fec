"""
The auction, as each robot plays it: what to say of which tasks, given what the contract says now.

Who should get which task is for the contract to say: Tasks.assign, as every robot's ledger asks it
(:mod:`collab_robots.tasks.auction`). Each robot awards itself what it got; if the facts differed,
the contract settles it. Nothing here waits, draws lots or remembers: memory is in the agent.
"""

from __future__ import annotations

from collections.abc import Sequence

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.tasks.places import Cell, Place
from collab_robots.tasks.task_view import TaskView

SETTLE = SECOND // 2  # after my own bid, so that I have seen the others'
RENEW_EVERY = 3 * SECOND
BID_EVERY = 2 * SECOND
PROPOSE_EVERY = 3 * SECOND
MAX_BIDS = 6  # live bids of one robot, the most urgent first, then the cheapest
URGENT = 1  # priority of what comes before all else
SEEN = 0.001  # m, Tasks.AT_HAND; the bid of a robot that has seen the place already
_DRIVES = 0.002  # m; bids from here on are meant as a way to go (messages carry float32)


def rounds(tasks: Sequence[TaskView]) -> dict[tuple[Kind, Cell], int]:
    """Return how often each cell's task was done or missed: the round its next task has."""
    result: dict[tuple[Kind, Cell], int] = {}
    for task in tasks:
        if task.state in (TaskState.DONE, TaskState.MISSED):
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
