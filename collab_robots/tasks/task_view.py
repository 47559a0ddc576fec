"""A task as nodes tell one another; apart from the agent: a ledger node needs no solver."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState

if TYPE_CHECKING:
    from collab_robots.tasks.places import Cell


@dataclass(frozen=True)
class TaskView:
    """
    One task as the contract sees it now.

    :param round: how often the cell's task was completed before.
    :param holder: the robot with the best live lease, if any.
    :param accepted: its award is accepted, so it may act.
    :param award_from_ns: the contract ignores an award before that.
    :param assigned: while it is open: the robot that should do it, if any.
    :param bids: m by robot name.
    :param completed_by: robots that completed it.
    :param priority: the highest is assigned first.
    :param mapped_by: to verify: the robots that have mapped the region; it takes another one.
    """

    key: bytes
    kind: Kind
    cell: Cell
    round: int
    state: TaskState
    holder: str | None = None
    assigned: str | None = None
    accepted: bool = False
    proposed_at_ns: int = 0
    award_from_ns: int = 0
    lease_until_ns: int = 0
    bids: Mapping[str, float] = field(default_factory=dict)
    completed_by: Collection[str] = ()
    priority: int = 0
    mapped_by: Collection[str] = ()

    @property
    def live(self) -> bool:
        """Whether somebody may still do it."""
        return self.state in (TaskState.OPEN, TaskState.HELD)
