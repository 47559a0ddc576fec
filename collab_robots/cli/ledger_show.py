"""``collab-robots ledger status | find | trust | models | splits``: the ledger as a whole."""

from __future__ import annotations

from typing import Annotated

import typer

from collab_robots.cli.common import FAILED
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

STATUS_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger status\n\n'
    '  collab-robots ledger status runs/2026-01-31_12-00-00/robot1/ledger.db\n\n'
    '  collab-robots ledger status --robot http://robot1:8460 --json\n\n'
    'Exit codes: 0 all is well, 1 the ledger is damaged or incomplete, 2 wrong input, 3 the '
    'server does not answer.'
)
FIND_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger find robot3\n\n'
    '  collab-robots ledger find "explore (3, -1)"\n\n'
    '  collab-robots ledger find 0x12ab --json\n\n' + EXIT_CODES
)
TRUST_EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger trust\n\n'
    '  collab-robots ledger trust --robot-name robot3 --sketches\n\n'
    '  collab-robots ledger trust --at 60\n\n' + EXIT_CODES
)
MODELS_EPILOG = 'Example:\n\n  collab-robots ledger models robot1/ledger.db\n\n' + EXIT_CODES
SPLITS_EPILOG = 'Example:\n\n  collab-robots ledger splits robot1/ledger.db\n\n' + EXIT_CODES


def status(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how a ledger is; safe while the robot runs."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_show

        answer = reader.overview()
        show(answer, print_show.overview, as_json)
    if answer.warning:
        raise typer.Exit(FAILED)


def find(
    query: Annotated[
        str,
        typer.Argument(
            help='Beginning of an id, a robot, a task, words of a call, a tag, data or a time; '
            'what it was taken for is said.'
        ),
    ],
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    limit: LimitOption = 20,
    page: PageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search for blocks, robots, tasks, calls, data and times."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_show

        answer = reader.find(query, page, limit)
        show(answer, print_show.found, as_json)
    if not answer.hits.items:
        raise typer.Exit(FAILED)


def trust(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    at: AtOption = None,
    robot_name: Annotated[
        str | None,
        typer.Option(help='Only what speaks against this robot.', autocompletion=known_robots),
    ] = None,
    sketches: Annotated[
        bool, typer.Option('--sketches', help='Draw the maps that contradict each other.')
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say who is trusted, who was expelled, and the submissions behind it."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.terminal import print_trust

        answer = reader.trust(moment(reader, at))
        if robot_name is not None:
            chosen = tuple(one for one in answer.verdicts if one.robot == robot_name)
            if not chosen:
                known = ', '.join(verdict.robot for verdict in answer.verdicts)
                raise ConfigError(f'no robot {robot_name!r}; there are: {known}')
            answer = answer.model_copy(update={'verdicts': chosen})
        show(answer, lambda told: print_trust.trust(told, sketches), as_json)


def models(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the neural networks that robots serve, and the audits that robots failed."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_trust

        show(reader.models(moment(reader, at)), print_trust.models, as_json)


def splits(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say when who could not hear whom, what each side did, and how it was joined."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_show

        show(reader.splits(), print_show.splits, as_json)
