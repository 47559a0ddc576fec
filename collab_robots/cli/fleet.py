"""``collab-robots fleet …``: the file that all robots share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli.common import plain_errors

fleet_app = typer.Typer(no_args_is_help=True, help='Make the file that all robots share.')


@fleet_app.command(
    'init',
    epilog=(
        'Example:\n\n  collab-robots fleet init config/site7 --robots scout,mule,crane\n\n'
        'Give every robot the fleet.yaml and its own folder: the key, which nobody else may see, '
        'and key.unused. That file says that the key signed nothing yet, so its robot may start '
        'with an empty ledger; the robot removes it. With an empty ledger and without it, the '
        'robot lost its disk: it then says nothing before it heard every other robot. To replace '
        'a lost key, make a new fleet.'
    ),
)
def fleet_init(
    directory: Annotated[Path, typer.Argument(help='Folder to write to.')],
    robots: Annotated[str, typer.Option(help='Names, with commas between them.')],
    name: Annotated[str, typer.Option(help='Name of the fleet.')] = 'fleet',
) -> None:
    """Make a private key for each robot and the fleet file with their public keys."""
    with plain_errors():
        from collab_robots.explorer.fleets import make_fleet

        names = [part.strip() for part in robots.split(',')]
        made = make_fleet(directory, names, name)
        typer.echo(f'{directory / "fleet.yaml"}: fleet {made.fleet}, id {made.id.hex()}')
        for member in made.robots:
            typer.echo(f'{directory / member.name / "key"}: {member.name} {member.public_key}')
