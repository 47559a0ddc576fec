"""What one robot remembers of the auction: it does not repeat itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array
from collab_robots.tasks.allocation import (
    bid_changed,
    BID_EVERY,
    is_seen,
    MAX_BIDS,
    may_award,
    PROPOSE_EVERY,
    rounds,
    URGENT,
)
from collab_robots.tasks.intents import Bid, Propose, Release
from collab_robots.tasks.places import Cell, Place
from collab_robots.tasks.task_view import TaskView

MAX_ROUNDS = 3  # completions of a cell, after which it is proposed again only if its frontier …
GROWN = 1.5  # … is this much longer
STEADY = 2 * SECOND
SHUN_FOR = 20 * SECOND  # a task that I failed at is left to others


@dataclass(frozen=True)
class Option:
    """
    A place that this robot can go to.

    :param cost_m: path cost.
    :param goal: (2,) m, map frame.
    :param face: yaw to end with, rad, or None.
    """

    place: Place
    cost_m: float
    goal: Array
    face: float | None = None


class Bidder:
    """
    Proposes, bids and picks what to award itself, at a bounded rate.

    :param name: this robot.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._rounds: dict[tuple[Kind, Cell], int] = {}
        self._sizes: dict[tuple[Kind, Cell], int] = {}  # points of a place when it was last done
        self._noticed: dict[Cell, int] = {}
        self._proposed: dict[Propose, int] = {}
        self._bid_at: dict[bytes, int] = {}
        self._shunned: dict[tuple[Kind, Cell], int] = {}
        self._inspected: set[Cell] = set()

    def learn(self, tasks: Sequence[TaskView], places: Sequence[Place]) -> None:
        """Take note of what was completed, and how large its place was then."""
        sizes = {(place.kind, place.cell): len(place.points) for place in places}
        for name, count in rounds(tasks).items():
            if count > self._rounds.get(name, 0):
                self._rounds[name] = count
                self._sizes[name] = sizes.get(name, 0)
        self._inspected |= {
            task.cell
            for task in tasks
            if task.kind == Kind.INSPECT and task.state == TaskState.DONE
        }

    def inspected(self) -> Collection[Cell]:
        """Return the cells whose inspection is done, by whomever."""
        return self._inspected

    def shun(self, now_ns: int, kind: Kind, cell: Cell) -> None:
        """Leave a task that I failed at to others for a while."""
        self._shunned[kind, cell] = now_ns + SHUN_FOR

    def shuns(self, now_ns: int, kind: Kind, cell: Cell) -> bool:
        """Tell whether I failed at a task lately."""
        return self._shunned.get((kind, cell), 0) > now_ns

    def is_worth_it(self, place: Place) -> bool:
        """Tell whether a place was not done too often already, or grew since."""
        name = (place.kind, place.cell)
        often = self._rounds.get(name, 0) >= MAX_ROUNDS
        return not often or len(place.points) > GROWN * self._sizes[name]

    def propose(self, now_ns: int, places: Sequence[Place], at_once: bool) -> list[Propose]:
        """
        Propose places, each at most once in a while.

        :param places: reachable, and without a live task.
        :param at_once: else only places that keep their name for ``STEADY``: while robots drive,
            many last for a second only.
        """
        self._noticed = {place.cell: self._noticed.get(place.cell, now_ns) for place in places}
        if not at_once:
            places = [place for place in places if now_ns - self._noticed[place.cell] >= STEADY]
        new = [
            Propose(place.kind, place.cell, self._rounds.get((place.kind, place.cell), 0))
            for place in places
            if self.is_worth_it(place)
        ]
        return self._not_lately(now_ns, new)

    def urge(self, now_ns: int, tasks: Sequence[TaskView]) -> list[Propose]:
        """Say that tasks come before all others, as long as nobody has said so."""
        new = [
            Propose(task.kind, task.cell, task.round, URGENT)
            for task in tasks
            if task.priority < URGENT
        ]
        return self._not_lately(now_ns, new)

    def _not_lately(self, now_ns: int, proposals: Sequence[Propose]) -> list[Propose]:
        result = []
        for proposal in proposals:
            if now_ns >= self._proposed.get(proposal, -PROPOSE_EVERY) + PROPOSE_EVERY:
                self._proposed[proposal] = now_ns
                result.append(proposal)
        return result

    def bid(self, now_ns: int, offers: Sequence[tuple[TaskView, float]]) -> list[Bid]:
        """
        Bid on the cheapest of the most urgent tasks.

        It bids again only if the cost changed, or the bid is lost or used up. What I once bid
        cheaply on is among the cheapest until I correct it: the auction takes me at my word.

        :param offers: open tasks that I could do, and my costs in m.
        """

        def rank(offer: tuple[TaskView, float]) -> tuple[int, float, bytes]:
            task, cost = offer
            return -task.priority, min(cost, task.bids.get(self.name, cost)), task.key

        result = []
        for task, cost in sorted(offers, key=rank)[:MAX_BIDS]:
            then = self._bid_at.get(task.key, -BID_EVERY)
            if now_ns >= then + BID_EVERY and bid_changed(task.bids.get(self.name), cost):
                self._bid_at[task.key] = now_ns
                result.append(Bid(task.key, cost))
        return result

    def withdraw(
        self, now_ns: int, tasks: Sequence[TaskView], wanted: Collection[bytes]
    ) -> list[Release]:
        """
        Take back my bids on tasks that I should do but do not want: their places are gone.

        :param wanted: keys of the tasks that I would do now.
        """
        result = []
        for task in self._unwanted(tasks, wanted):
            if now_ns >= self._bid_at.get(task.key, -BID_EVERY) + BID_EVERY:
                self._bid_at[task.key] = now_ns
                result.append(Release(task.key))
        return result

    def claims(self, now_ns: int, tasks: Sequence[TaskView]) -> list[TaskView]:
        """Return the tasks that I may award myself now and need not drive for."""
        return [
            task
            for task in tasks
            if task.assigned == self.name and self.claimable(task) and self.may(now_ns, task)
        ]

    def choose(
        self, now_ns: int, tasks: Sequence[TaskView], wanted: Collection[bytes]
    ) -> TaskView | None:
        """
        Return the task that I may award myself now and should drive to.

        It is the one that the auction gives me. If I do not want that any more, it is the
        cheapest that is given to nobody, as long as the others do not know.

        :param wanted: keys of the tasks that I would do now.
        """
        gone = bool(self._unwanted(tasks, wanted))
        mine = [
            task
            for task in tasks
            if task.key in wanted
            and (task.assigned == self.name or (gone and task.assigned is None))
            and self.may(now_ns, task)
        ]
        return min(mine, key=lambda task: (task.bids[self.name], task.key), default=None)

    def may(self, now_ns: int, task: TaskView) -> bool:
        """Tell whether I may award myself a task now, if I get it."""
        ready = may_award(task, self.name, now_ns, self._bid_at.get(task.key))
        return ready and not self.shuns(now_ns, task.kind, task.cell)

    def claimable(self, task: TaskView) -> bool:
        """Tell whether my bid on a task says that I need not drive for it."""
        return self.name in task.bids and is_seen(task.bids[self.name])

    def _unwanted(self, tasks: Sequence[TaskView], wanted: Collection[bytes]) -> list[TaskView]:
        return [
            task
            for task in tasks
            if task.assigned == self.name and task.key not in wanted and not self.claimable(task)
        ]
