"""``collab-robots ledger robots | robot``: who is in the fleet, and what they did."""

from __future__ import annotations

from typing import Annotated

import typer

from collab_robots.cli.ledger_common import (
    AtOption,
    DbArgument,
    EXIT_CODES,
    FleetOption,
    JsonOption,
    known_robots,
    LimitOption,
    moment,
    opened,
    PageOption,
    RobotOption,
    show,
)

ROBOTS_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger robots\n\n'
    '  collab-robots ledger robots robot1/ledger.db --at 60\n\n' + EXIT_CODES
)
ROBOT_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger robot robot3\n\n'
    '  collab-robots ledger robot robot3 robot1/ledger.db --limit 200 --json\n\n' + EXIT_CODES
)


def robots(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the robots that are or were in the fleet."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_robots

        show(reader.robots(moment(reader, at)), print_robots.robot_rows, as_json)


def robot(
    name: Annotated[str, typer.Argument(help='Of the robot.', autocompletion=known_robots)],
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    limit: LimitOption = 50,
    page: PageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell all that a robot did, newest first."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_robots

        show(reader.robot(name, page, limit), print_robots.robot_details, as_json)
