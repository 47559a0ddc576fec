"""``collab-robots doctor``: what is wrong with a robot, and what to do."""

from __future__ import annotations

from functools import partial
import json
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

from collab_robots.cli.common import FAILED, interrupt_on_term, OK, plain_errors
from collab_robots.cli.fleet_change import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collab_robots.explorer.doctor.finding import Finding
    from collab_robots.explorer.doctor.heard import Heard
    from collab_robots.explorer.doctor.robot import Robot

MAX_DOMAIN = 232  # ports end there
STYLES = {'ok': 'green', 'warn': 'yellow', 'fail': 'bold red'}

doctor_app = typer.Typer()


@doctor_app.command(
    epilog=(
        'Examples:\n\n'
        '  collab-robots doctor site7/robot1\n\n'
        '  collab-robots doctor site7/robot1 --offline\n\n'
        '  collab-robots doctor site7/robot1 --seconds 20 --json\n\n'
        'Run it on the robot, as the user and with the environment that the robot runs with; it '
        'does not disturb the robot. docs/doctor.md says what each check means. '
        'Exit codes: 0 nothing failed, 1 something failed, 2 wrong input.'
    )
)
def doctor(
    folder: Annotated[
        Path, typer.Argument(help="The robot's folder, with its key; its name is the robot's.")
    ],
    fleet: Annotated[
        Path | None,
        typer.Option(
            help='Fleet file; looked for in the folder and beside it if not given.',
            show_default=False,
        ),
    ] = None,
    params: Annotated[
        list[Path] | None,
        typer.Option(
            help='ROS parameter file that the robot is started with, besides params.yaml in its '
            'folder. May be repeated.',
            show_default=False,
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option(help="Of its nodes; the robot's name if not given.", show_default=False)
    ] = '',
    sim_time: Annotated[
        bool, typer.Option('--sim-time', help='The robot is simulated: time is that of /clock.')
    ] = False,
    offline: Annotated[
        bool, typer.Option('--offline', help='Look at this computer only; listen to nobody.')
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help='How long to listen, s.')
    ] = 5.0,
    lidar: Annotated[float, typer.Option(min=0.0, help='Scans that have to come, Hz.')] = 3.0,
    camera: Annotated[float, typer.Option(min=0.0, help='Pictures that have to come, Hz.')] = 1.0,
    odometry: Annotated[float, typer.Option(min=0.0, help='Odometry that has to come, Hz.')] = 5.0,
    free: Annotated[int, typer.Option(min=0, help='Disk that has to be free, MiB.')] = 256,
    domain: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_DOMAIN,
            envvar='ROS_DOMAIN_ID',
            help="The fleet's ROS domain; that of robot.env in the folder if not given, or 0.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a robot and say what is wrong, and what to do about it."""
    interrupt_on_term()
    with plain_errors():
        import os

        from collab_robots.explorer.doctor.examine import examine
        from collab_robots.explorer.doctor.finding import Level, Limits, MIB
        from collab_robots.explorer.doctor.robot import read_robot

        limits = Limits(lidar=lidar, camera=camera, odometry=odometry, free_disk=free * MIB)
        robot, findings = read_robot(folder, fleet, params or (), namespace, sim_time)
        for name, value in robot.environment.items():  # so that it looks where the robot does
            os.environ.setdefault(name, value)
        listen = None if offline else partial(_listen, domain=domain, seconds=seconds)
        findings += examine(robot, limits, os.environ, listen)
        if as_json:
            _print_json(robot, findings)
        else:
            _print_table(findings)
    failed = any(finding.level is Level.FAIL for finding in findings)
    raise typer.Exit(FAILED if failed else OK)


def _listen(robot: Robot, domain: int | None, seconds: float) -> Heard:
    import os

    from rich.console import Console
    from rich.progress import Progress

    from collab_robots.core.errors import ConfigError

    if domain is None:
        text = os.environ.get('ROS_DOMAIN_ID', '0')
        if not text.isdecimal() or int(text) > MAX_DOMAIN:
            raise ConfigError(f'ROS_DOMAIN_ID: expected a number up to {MAX_DOMAIN}, got {text!r}')
        domain = int(text)
    try:
        from collab_robots.nodes.doctor import listen
    except ImportError as error:
        raise ConfigError(
            f'ROS or the messages are missing ({error}); run: make setup, or use --offline'
        ) from None
    bar = Progress(console=Console(stderr=True), transient=True)
    bar.disable = not bar.console.is_terminal
    with bar:
        task = bar.add_task(f'listening to {robot.name} in domain {domain}', total=seconds)
        return listen(robot, domain, seconds, lambda done: bar.update(task, completed=done))


def _print_json(robot: Robot, findings: Sequence[Finding]) -> None:
    rows = [
        {
            'check': finding.check,
            'level': finding.level.value,
            'message': finding.message,
            'fix': finding.fix,
        }
        for finding in findings
    ]
    typer.echo(json.dumps({'robot': robot.name, 'findings': rows}, indent=2))


def _print_table(findings: Sequence[Finding]) -> None:
    from rich.table import Column
    from rich.text import Text

    from collab_robots.explorer.terminal.print import console, plain, table

    made = table('check', '', Column('what was found, and what to do', overflow='fold'))
    for finding in findings:
        told = plain(finding.message)
        if finding.fix:
            told.append_text(Text('\n→ ')).append_text(plain(finding.fix, 'cyan'))
        level = finding.level.value
        made.add_row(plain(finding.check), plain(level, STYLES[level]), told)
    console().print(made)
