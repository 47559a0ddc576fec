"""
The command line: ``collab-robots``.

Everything heavy is imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from collab_robots import __version__
from collab_robots.cli import up
from collab_robots.cli.common import BAD_INPUT, FAILED, INTERRUPTED, OK
from collab_robots.cli.contract import contract_app
from collab_robots.cli.demo import demo_app
from collab_robots.cli.doctor import doctor_app
from collab_robots.cli.fleet import fleet_app
from collab_robots.cli.infer import infer_app
from collab_robots.cli.ledger import ledger_app
from collab_robots.cli.ledger_sim import EPILOG, simulate
from collab_robots.cli.world import world_app

__all__ = ['BAD_INPUT', 'FAILED', 'INTERRUPTED', 'OK', 'app', 'main']

app = typer.Typer(
    name='collab-robots',
    no_args_is_help=True,
    rich_markup_mode='rich',
    pretty_exceptions_enable=False,
    context_settings={'help_option_names': ['-h', '--help']},
    help='A team of robots that keeps working when its network falls apart.',
)
app.add_typer(demo_app)
app.command('up', epilog=up.EPILOG)(up.up)
app.add_typer(doctor_app)
app.add_typer(contract_app, name='contract')
app.add_typer(fleet_app, name='fleet')
app.add_typer(infer_app, name='infer')
app.add_typer(ledger_app, name='ledger')
app.add_typer(world_app, name='world')
ledger_app.command('sim', epilog=EPILOG)(simulate)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f'collab-robots {__version__}')
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option('--version', callback=_version, is_eager=True, help='Print the version.'),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
