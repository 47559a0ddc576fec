"""``collab-robots ledger export``: a ledger in forms that other programs read."""

from __future__ import annotations

from pathlib import Path
import sys
from typing import Annotated

import typer

from collab_robots.cli.common import interrupt_on_term
from collab_robots.cli.ledger_common import (
    DbArgument,
    EXIT_CODES,
    FleetOption,
    opened,
    progress,
    RobotOption,
    some_time,
)
from collab_robots.explorer.export.forms import Format, What

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger export --format csv --what calls > calls.csv\n\n'
    '  collab-robots ledger export robot1/ledger.db --format parquet -o blocks.parquet\n\n'
    '  collab-robots ledger export --format mcap -o fleet.mcap    (for Foxglove, ros2 bag)\n\n'
    '  collab-robots ledger export --format dot --since 40 --until 80 | dot -Tsvg > dag.svg\n\n'
    + EXIT_CODES
)


def export(
    form: Annotated[
        Format,
        typer.Option(
            '--format',
            metavar='FORMAT',
            help='jsonl, csv or parquet: a table; mcap: a bag of ROS 2 messages; dot: a drawing '
            'of the DAG.',
        ),
    ],
    db: DbArgument = None,
    what: Annotated[
        What | None,
        typer.Option(
            metavar='TABLE',
            help=f'Of these, blocks if not given: {", ".join(one.value for one in What)}.',
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            '--out',
            '-o',
            help='File to write, whole or not at all; standard output if not given, except for '
            'parquet and mcap.',
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help='What happened then or later.', metavar='TIME')
    ] = None,
    until: Annotated[
        str | None, typer.Option(help='What happened then or earlier.', metavar='TIME')
    ] = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
) -> None:
    """Write a ledger for other programs, the oldest first."""
    with opened(db, robot, fleet) as reader, progress() as told:
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.export import tables, write

        if what is not None and not form.is_table:
            raise ConfigError(f'--what is for tables, {form.value} holds no table')
        table = what or What.BLOCKS
        span = tables.Span(some_time(since), some_time(until))
        interrupt_on_term()
        if out is not None:
            with write.whole_file(out) as file:
                write.export(reader, form, table, span, file, told)
        elif form.is_text:
            write.export(reader, form, table, span, sys.stdout.buffer, told)
        else:
            raise ConfigError(f'{form.value} goes to a file: name it with --out')
