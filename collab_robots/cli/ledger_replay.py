"""``collab-robots ledger replay``: how all stood at a moment."""

from __future__ import annotations

from typing import Annotated

import typer

from collab_robots.cli.ledger_common import (
    DbArgument,
    EXIT_CODES,
    FleetOption,
    JsonOption,
    moment,
    opened,
    RobotOption,
    show,
)

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger replay --to 60\n\n'
    '  collab-robots ledger replay --to @500 robot1/ledger.db\n\n'
    '  collab-robots ledger replay --to 0x12ab --json\n\n'
    'By a time it tells what all records that were issued until then come to; by a number or a '
    'final block, what the final order up to there comes to.\n\n' + EXIT_CODES
)


def replay(
    to: Annotated[
        str,
        typer.Option(
            '--to',
            help='A time (s or ISO 8601), @N for the first N final records, or a block.',
            metavar='TIME|@N|ID',
        ),
    ],
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how all stood at a moment: robots, tasks, trust and the roots of the state."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.explorer.terminal import print_replay

        at = moment(reader, to)
        answer = print_replay.Replay(
            overview=reader.overview(at),
            robots=reader.robots(at),
            held=reader.tasks('held', at),
            open=reader.tasks('open', at),
            trust=reader.trust(at),
        )
        show(answer, print_replay.replay, as_json)
