"""
The auction, as each robot's ledger plays it: whom the contract gives which task, now and here.

It is a combinatorial question with an exact answer (Tasks.assign), the same for all who ask it
with the same facts. What is not on the ledger is who is there: a robot asks without those that it
does not hear, and those that leave what they were given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from collab_robots.contract.views.tasks import Task, TaskState, TasksView
from collab_robots.core.clock import SECOND

ABSENT_AFTER = 3 * SECOND  # a robot that leaves what it was given for so long is not there

_Bids = frozenset[tuple[bytes, float]]


class Auction:
    """
    Asks who should do what, for one robot.

    :param name: this robot. It is asked for as if it were free: it is about to be.
    :param view: of the state after all records.
    """

    def __init__(self, name: str, view: TasksView) -> None:
        self.name = name
        self._view = view
        self._waiting: dict[str, tuple[bytes, int]] = {}  # robot: what it was given, since when
        self._absent: dict[str, _Bids] = {}

    def assign(self, now_ns: int, present: Collection[str] | None) -> Mapping[bytes, str]:
        """
        Return which robot should do which open task, by key.

        :param present: robots heard lately, if known: others' bids do not count.
        """
        tasks = self._view.tasks(now_ns)
        holders = {task.holder for task in tasks if task.holder is not None}
        self._absent = {
            robot: bids
            for robot, bids in self._absent.items()
            if robot not in holders and _bids_of(robot, tasks) <= bids
        }
        absent = set(self._absent)
        if present is not None:
            absent |= {robot for task in tasks for robot in task.bids} - {*present, self.name}
        assigned = self._view.assign(now_ns, absent, holders - {self.name})
        self._watch(now_ns, assigned, tasks)
        return assigned

    def _watch(self, now_ns: int, assigned: Mapping[bytes, str], tasks: Sequence[Task]) -> None:
        """Notice who does not take what it was given; a new bid brings it back."""
        waiting: dict[str, tuple[bytes, int]] = {}
        for task in tasks:
            robot = assigned.get(task.key)
            if robot is None or robot == self.name or now_ns < task.award_from:
                continue
            before, since = self._waiting.get(robot, (task.key, now_ns))
            waiting[robot] = (task.key, since if before == task.key else now_ns)
            if now_ns - waiting[robot][1] > ABSENT_AFTER:
                self._absent[robot] = _bids_of(robot, tasks)
        self._waiting = waiting


def _bids_of(robot: str, tasks: Sequence[Task]) -> _Bids:
    return frozenset(
        (task.key, task.bids[robot])
        for task in tasks
        if task.state == TaskState.OPEN and robot in task.bids
    )
