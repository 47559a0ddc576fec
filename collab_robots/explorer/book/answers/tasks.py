"""Tasks: who had which when, and why."""

from __future__ import annotations

from collab_robots.explorer.book.answers.base import Answer
from collab_robots.explorer.book.answers.robots import Event


class Task(Answer):
    """
    A task at a time.

    :param id: its key without the zeros that all begin with.
    :param kind: explore, inspect, verify or infer.
    :param place: (x, y), m; of the middle of its cell, or to verify of its region.
    :param state: open, held, done, stale or missed.
    :param why: it is in that state, in words.
    :param bids: cost of each bidder, m.
    :param completed: when, per robot that did it.
    """

    id: str
    words: str
    kind: str
    place: tuple[float, float]
    round: int
    state: str
    why: str
    holder: str | None
    priority: int
    deadline: float
    proposed: float
    award_from: float
    lease_until: float
    bids: dict[str, float]
    completed: dict[str, float]


class Lease(Answer):
    """
    When a robot had a task.

    :param end: done, released, lapsed, superseded or held.
    """

    robot: str
    begin: float
    until: float
    end: str


class TaskDetails(Task):
    """
    A task with its whole history.

    :param reasons: per robot why it has the task or does not, in words.
    """

    reasons: dict[str, str]
    leases: tuple[Lease, ...]
    history: tuple[Event, ...]


class Bar(Answer):
    """A lease in the timeline of tasks."""

    task: str
    words: str
    kind: str
    robot: str
    begin: float
    until: float
    end: str
