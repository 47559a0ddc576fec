"""The task a robot is busy with, and when there is nothing left to do for it."""

from __future__ import annotations

from dataclasses import dataclass

from collab_robots.contract.calls.common import Kind
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array
from collab_robots.tasks.task_view import TaskView

DWELL = {  # s at the goal, for the map and the camera
    Kind.EXPLORE: 1.5,
    Kind.INSPECT: 1.2,
    Kind.VERIFY: 12.0,  # at most: it ends once the ledger has what the robot found there
}
LINGER = 4 * SECOND  # a task whose frontier vanished on the way is kept until the next is ready


@dataclass
class Job:
    """The task this robot has awarded itself."""

    task: TaskView
    since: int
    accepted: bool = False
    renewed_at: int = 0
    goal: Array | None = None
    face: float | None = None
    planned_at: int = 0
    arrived_at: int | None = None
    vanished_at: int | None = None

    def over(self, now_ns: int) -> bool:
        """Whether there is nothing left to do."""
        stood = self.arrived_at is not None and (
            now_ns - self.arrived_at >= DWELL[self.task.kind] * SECOND
        )
        return self.accepted and (stood or self.vanished_at is not None)

    def overdue(self, now_ns: int) -> bool:
        """Whether it is over and should not be kept until the next task is ready."""
        gone = self.vanished_at is not None and now_ns - self.vanished_at >= LINGER
        return self.over(now_ns) and (gone or self.arrived_at is not None)

    def __str__(self) -> str:
        x, y = self.task.cell
        return f'{self.task.kind.name.lower()} ({x},{y})'
