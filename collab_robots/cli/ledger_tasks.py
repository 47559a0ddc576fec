"""``collab-robots ledger tasks | task``: who does what, and why."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from collab_robots.cli.common import FAILED
from collab_robots.cli.ledger_common import (
    AtOption,
    DbArgument,
    EXIT_CODES,
    FleetOption,
    JsonOption,
    LimitOption,
    moment,
    opened,
    PageOption,
    RobotOption,
    show,
)

TASKS_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger tasks\n\n'
    '  collab-robots ledger tasks --state open --limit 100\n\n'
    '  collab-robots ledger tasks --at 60\n\n' + EXIT_CODES
)
TASK_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger task "explore (3, -1) round 0"\n\n'
    '  collab-robots ledger task "explore (3, -1) round 0" --at 60 --json\n\n' + EXIT_CODES
)


class TaskState(str, Enum):
    """Where a task stands."""

    OPEN = 'open'
    HELD = 'held'
    DONE = 'done'
    STALE = 'stale'
    MISSED = 'missed'


def tasks(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    state: Annotated[TaskState | None, typer.Option(help='Only these.')] = None,
    at: AtOption = None,
    limit: LimitOption = 50,
    page: PageOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tasks, newest first."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_tasks

        wanted = None if state is None else state.value
        answer = reader.tasks(wanted, moment(reader, at), page, limit)
        show(answer, print_tasks.task_page, as_json)
    if not answer.items:
        raise typer.Exit(FAILED)


def task(
    identity: Annotated[str, typer.Argument(metavar='ID', help='Of the task, or its words.')],
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who bid on a task, who got it and why, and why the others did not."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_tasks

        show(reader.task(identity, moment(reader, at)), print_tasks.task_details, as_json)
