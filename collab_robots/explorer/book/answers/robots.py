"""Robots, and what happened."""

from __future__ import annotations

from collab_robots.explorer.book.answers.base import Answer, Page


class Event(Answer):
    """
    Something that happened.

    :param kind: the call's name, or ``superseded``, ``split``, ``joined``, ``equivocation``.
    :param block: where it stands.
    :param ok: whether it took effect.
    """

    time: float
    robot: str
    kind: str
    words: str
    ok: bool = True
    block: str | None = None
    task: str | None = None


class Robot(Answer):
    """
    A robot at a time.

    :param standing: active, expelled or left.
    :param blocks: that the ledger has of it, in all.
    :param final: of these.
    :param last: when it issued its newest, s.
    :param silent: s since then, by the newest record of all.
    :param rate: records a second, of its last minute.
    :param reverted: calls without effect.
    :param tasks_done: in all.
    :param holds: ids of tasks.
    :param behind: per robot, s by which its newest record does not know that one's: how long it
        has not heard it.
    """

    name: str
    key: str
    weight: int
    standing: str
    blocks: int
    final: int
    last: float
    silent: float
    rate: float
    calls: int
    reverted: int
    tasks_done: int
    holds: tuple[str, ...]
    convicted: bool
    equivocated: bool
    behind: dict[str, float]


class RobotDetails(Answer):
    """A robot with all that it did, newest first."""

    robot: Robot
    history: Page[Event]
