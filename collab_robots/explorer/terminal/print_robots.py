"""Robots, in print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from collab_robots.explorer.book.answers import Robot, RobotDetails
from collab_robots.explorer.terminal.print import (
    listed,
    paged,
    pairs,
    plain,
    span,
    state,
    table,
    when,
)
from collab_robots.explorer.terminal.print_tasks import events


def robot_rows(robots: Sequence[Robot]) -> Table:
    """Return a line for every robot."""
    made = table(
        'robot', 'standing', '>records', '>final', '>/s', 'silent', '>done', '>no effect', '>holds'
    )
    for robot in robots:
        made.add_row(
            plain(robot.name),
            _standing(robot),
            str(robot.blocks),
            str(robot.final),
            f'{robot.rate:.1f}',
            span(robot.silent),
            str(robot.tasks_done),
            f'{robot.reverted} of {robot.calls}',
            str(len(robot.holds)),
        )
    return made


def robot_details(details: RobotDetails) -> Group:
    """Return a robot and all that it did."""
    robot = details.robot
    behind = (f'{name} for {span(gap)}' for name, gap in robot.behind.items() if gap > 0)
    head = pairs(
        [
            ('robot', plain(robot.name, 'bold')),
            ('key', robot.key),
            ('standing', _standing(robot)),
            ('weight', str(robot.weight)),
            ('records', f'{robot.blocks}, of them final {robot.final}; {robot.rate:.1f} a second'),
            ('newest', f'{when(robot.last)}, silent since for {span(robot.silent)}'),
            ('has not heard', listed(behind)),
            ('calls', f'{robot.calls}, of them without effect {robot.reverted}'),
            ('tasks done', str(robot.tasks_done)),
            ('holds', listed(robot.holds)),
        ]
    )
    return Group(head, '', paged('events', events(details.history.items), details.history))


def _standing(robot: Robot) -> Text:
    words = state(robot.standing)
    if robot.convicted:
        words.append(', convicted of a wrong map', 'red')
    if robot.equivocated:
        words.append(', signed twice', 'red')
    return words
