"""``collab-robots ledger …``: look into a robot's ledger file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli.common import plain_errors, print_pairs

ledger_app = typer.Typer(no_args_is_help=True, help="Look into a robot's ledger file.")


@ledger_app.command(
    'status',
    epilog=('Example:\n\n  collab-robots ledger status runs/2026-01-31_12-00-00/robot1/ledger.db'),
)
def ledger_status(
    db: Annotated[Path, typer.Argument(help="A robot's ledger.db.")],
    fleet: Annotated[
        Path | None,
        typer.Option(
            help='Fleet file; looked for beside the ledger and one folder up if not given.',
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print as JSON.')] = False,
) -> None:
    """Read a ledger file, execute it, and print what it holds; safe while the robot runs."""
    with plain_errors():
        from collab_robots.explorer.ledgers import find_fleet, status

        summary = status(db, find_fleet(db, fleet))
        if as_json:
            typer.echo(json.dumps(summary, indent=2))
        else:
            print_pairs(summary)
