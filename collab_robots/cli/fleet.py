"""``collab-robots fleet …``: the file that all robots share, and who is in the fleet."""

from __future__ import annotations

from itertools import pairwise
import json
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

from collab_robots.cli import fleet_change, fleet_files
from collab_robots.cli.common import OK, plain_errors, UNREACHABLE
from collab_robots.cli.fleet_change import DomainOption, EXIT_CODES, JsonOption, put, TimeoutOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collab_robots.contract.views.roster import PendingChange, Roster

fleet_app = typer.Typer(
    no_args_is_help=True, help='Make the file that all robots share; say who is in the fleet.'
)
for _command, _example in (
    (fleet_change.admit, 'admit robot5 --fleet site7/fleet.yaml'),
    (fleet_change.remove, 'remove robot5 --fleet site7/fleet.yaml'),
    (fleet_change.rekey, 'rekey robot2 --fleet site7/fleet.yaml --key-folder site7/robot2_b'),
    (fleet_change.reweigh, 'reweigh robot1 3 --fleet site7/fleet.yaml'),
    (fleet_change.reinstate, 'reinstate robot3 --fleet site7/fleet.yaml'),
    (fleet_change.withdraw, 'withdraw robot5 --fleet site7/fleet.yaml'),
):
    fleet_app.command(epilog=f'Example:\n\n  collab-robots fleet {_example}\n\n{EXIT_CODES}')(
        _command
    )
for _name, _make in fleet_files.COMMANDS.items():
    fleet_app.command(_name, epilog=fleet_files.EPILOGS[_name])(_make)


@fleet_app.command(
    'show',
    epilog=(
        'Examples:\n\n'
        '  collab-robots fleet show --db site7/robot1/ledger.db\n\n'
        '  collab-robots fleet show --fleet site7/fleet.yaml\n\n'
        'The first reads a ledger file, the second asks the robots that run. '
        'Exit codes: 0 done, 2 wrong input, 3 too few robots answer.'
    ),
)
def fleet_show(
    db: Annotated[
        Path | None, typer.Option(help="A robot's ledger.db; the robot may run.")
    ] = None,
    fleet: Annotated[
        Path | None,
        typer.Option(help='Fleet file; with --db looked for beside it if not given.'),
    ] = None,
    domain: DomainOption = 0,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Say who is in the fleet, who was, and what is being voted on."""
    with plain_errors():
        from collab_robots.contract.ballot import Ballot
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer import rosters
        from collab_robots.explorer.files import find_fleet

        history: dict[int, str] = {}
        if db is not None:
            roster, pending, epochs = rosters.read_rosters(db, find_fleet(db, fleet))
            history = {0: ', '.join(robot.name for robot in epochs[0].robots)} | {
                after.epoch: rosters.changes_in_words(before, after)
                for before, after in pairwise(epochs)
            }
        elif fleet is not None:
            ballot = put(Ballot(lambda roster: None), fleet, domain, timeout)
            if ballot.roster is None:
                typer.echo('; '.join(ballot.explain()), err=True)
                raise typer.Exit(UNREACHABLE)
            roster, pending = ballot.roster, tuple(ballot.pending)
            if ballot.silent:
                typer.echo(f'did not answer: {", ".join(ballot.silent)}', err=True)
        else:
            raise ConfigError('name a ledger with --db, or the fleet file with --fleet')
        if as_json:
            told = rosters.as_json(roster, pending)
            typer.echo(json.dumps({**told, 'epochs': history}, indent=2))
        else:
            _print_roster(roster, pending, history)
    raise typer.Exit(OK)


def _print_roster(
    roster: Roster, pending: Iterable[PendingChange], history: dict[int, str]
) -> None:
    from rich.console import Console
    from rich.table import Table

    for epoch, words in history.items():
        typer.echo(f'epoch {epoch}: {words}')
    table = Table(box=None, pad_edge=False)
    for title in (f'epoch {roster.epoch}', 'weight', 'standing', 'public key'):
        table.add_column(title, overflow='fold')
    for robot in roster.robots:
        table.add_row(robot.name, str(robot.weight), robot.standing.value, robot.key.hex())
    Console().print(table)
    for item in pending:
        typer.echo(item.explain())
