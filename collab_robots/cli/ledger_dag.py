"""``collab-robots ledger dag``: the DAG, in the terminal or as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli.ledger_common import (
    DbArgument,
    EXIT_CODES,
    FleetOption,
    JsonOption,
    opened,
    RobotOption,
    show,
    some_time,
)

EPILOG = (
    'Examples:\n\n'
    '  collab-robots ledger dag --limit 40\n\n'
    '  collab-robots ledger dag --around 0x12ab\n\n'
    '  collab-robots ledger dag --since 38 --until 85 --limit 2000 --svg --out split.svg\n\n'
    '  collab-robots ledger dag --dot | dot -Tpdf > dag.pdf\n\n' + EXIT_CODES
)


def dag(
    db: DbArgument = None,
    robot: RobotOption = None,
    fleet: FleetOption = None,
    around: Annotated[str | None, typer.Option(help='Blocks near this one.', metavar='ID')] = None,
    since: Annotated[
        str | None, typer.Option(help='Issued then or later.', metavar='TIME')
    ] = None,
    until: Annotated[
        str | None, typer.Option(help='Issued then or earlier.', metavar='TIME')
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=20_000, help='How many at most.')] = 30,
    as_dot: Annotated[bool, typer.Option('--dot', help='Print as a graph for Graphviz.')] = False,
    as_svg: Annotated[bool, typer.Option('--svg', help='Print as an SVG picture.')] = False,
    out: Annotated[
        Path | None, typer.Option('--out', '-o', help='File to write the graph or picture to.')
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which blocks name which, a lane for every robot."""
    with opened(db, robot, fleet) as reader:
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.terminal import print_blocks

        if as_dot + as_svg + as_json > 1:
            raise ConfigError('choose one of --dot, --svg and --json')
        if out is not None and not (as_dot or as_svg):
            raise ConfigError('--out goes with --dot or --svg')
        answer = reader.dag(around, some_time(since), some_time(until), limit)
        if as_dot or as_svg:
            from collab_robots.explorer.export import dag as pictures

            made = pictures.to_svg(answer) if as_svg else pictures.to_dot(answer)
            if out is None:
                typer.echo(made)
                return
            try:
                out.write_text(made, encoding='utf-8')
            except OSError as error:
                raise ConfigError(f'{out}: cannot be written: {error.strerror}') from None
        else:
            show(answer, print_blocks.lanes, as_json)
