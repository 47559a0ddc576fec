"""Where a robot can go, and what that is worth to it: what it bids on, and for how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import math

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.geometry import Array
from collab_robots.tasks.allocation import task_at
from collab_robots.tasks.bidder import Option
from collab_robots.tasks.coverage import viewpoint
from collab_robots.tasks.places import Place
from collab_robots.tasks.planner import Routes
from collab_robots.tasks.task_view import TaskView

INSPECT_EXTRA = 20.0  # m added to the bids of inspections: a frontier wins unless so much farther
FAR = 12.0  # m; while an open frontier is nearer than this, it bids on no walls at all
SMALL_EXTRA = 1.0  # m added to the bids of the smallest places, less for larger ones …
LARGE = 10  # … and nothing from this many planning cells on
MAX_LOOKED_AT = 8  # unseen walls considered at a time, nearest first
AT_LEAST = 0.01  # m; a bid of less would say that the robot has seen the place and need not go
INTO_REGION = 10.0  # m to drive for each m nearer to a region's centre: edges show too little


def price(option: Option) -> float:
    """Return what to bid, m: small frontiers and inspections can wait."""
    small = SMALL_EXTRA * max(0.0, 1.0 - len(option.place.points) / LARGE)
    later = INSPECT_EXTRA if option.place.kind == Kind.INSPECT else 0.0
    return max(AT_LEAST, option.cost_m + small + later)


def stand(place: Place, routes: Routes) -> tuple[Array, float] | None:
    """Return where to stand for what is no wall, (2,) m, and the cost to get there, or None."""
    pull = INTO_REGION if place.kind == Kind.VERIFY else 1.0
    return routes.near(place.points, place.centre, pull)


def options_of(
    places: Sequence[Place],
    routes: Routes,
    tasks: Sequence[TaskView],
    shuns: Callable[[Kind, tuple[int, int]], bool],
    busy: bool,
) -> list[Option]:
    """
    Return the places that a robot can go to; walls only when no frontier near is left for it.

    :param shuns: whether it gave up on the place of that kind at a cell.
    :param busy: it has a task that it will not be done with soon.
    """
    result = []
    for place in places:
        if place.kind == Kind.INSPECT or shuns(place.kind, place.cell):
            continue
        found = stand(place, routes)
        if found is not None:
            result.append(Option(place, found[1], found[0]))
    near = [
        option.place
        for option in result
        if option.place.kind == Kind.EXPLORE and option.cost_m < FAR
    ]
    if busy or any(_is_open(place, tasks) for place in near):
        return result
    here = routes.pose[:2]
    walls = [place for place in places if place.kind == Kind.INSPECT]
    walls.sort(key=lambda place: (math.dist(place.centre, here), place.cell))
    walls = [place for place in walls if not shuns(Kind.INSPECT, place.cell)]
    for place in walls[:MAX_LOOKED_AT]:
        view = viewpoint(place, routes)
        if view is not None:
            result.append(Option(place, view[2], view[0], view[1]))
    return result


def _is_open(place: Place, tasks: Sequence[TaskView]) -> bool:
    """Whether somebody still has to take a place on."""
    task = task_at(place, tasks)
    return task is None or task.state == TaskState.OPEN
