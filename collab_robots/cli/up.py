"""``collab-robots up``: start robots, real or simulated, where ``ros2 launch`` is not."""

from __future__ import annotations

from dataclasses import asdict
from itertools import cycle
import json
from pathlib import Path
import shlex
from typing import Annotated, TYPE_CHECKING

import typer

from collab_robots.cli.common import FAILED, interrupt_on_term, OK, plain_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collab_robots.bringup.processes import Process

STYLES = ('cyan', 'green', 'magenta', 'yellow', 'blue', 'bright_cyan', 'bright_green')
EPILOG = (
    'Examples:\n\n'
    '  collab-robots up --sim --robots 2\n\n'
    '  collab-robots up --sim --world store --set cameras:=false --set speed:=2 --respawn\n\n'
    '  collab-robots up --fleet my_fleet/fleet.yaml --robot robot1 --respawn\n\n'
    '  collab-robots up --fleet my_fleet/fleet.yaml --all --params site.yaml --dry-run\n\n'
    "Of what says how a robot is, the later counts more: defaults, params.yaml in the robot's "
    'folder, --params, --set. docs/parameters.md tells all names.\n\n'
    'Exit codes: 0 ended by Ctrl-C and all processes ended cleanly, 1 one did not, or the '
    'simulator or all robots died, 2 wrong input.'
)


def up(
    sim: Annotated[
        bool, typer.Option('--sim', help='Simulate: robots, building and radio.')
    ] = False,
    robots: Annotated[int, typer.Option(min=1, max=64, help='How many are simulated.')] = 2,
    world: Annotated[
        str, typer.Option(help='World file, or a name: office, store.', metavar='WORLD')
    ] = 'office',
    fleet: Annotated[
        Path | None,
        typer.Option(
            help="Fleet file; each robot's folder is beside it. A simulation makes its own if "
            'not given.',
            show_default=False,
        ),
    ] = None,
    robot: Annotated[
        list[str] | None,
        typer.Option(
            help='A robot to start. May be repeated.', metavar='NAME', show_default=False
        ),
    ] = None,
    all_robots: Annotated[
        bool, typer.Option('--all', help='Start all robots of the fleet file on this computer.')
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            help='New folder of a simulation; runs/<time> if not given.', show_default=False
        ),
    ] = None,
    params: Annotated[
        list[Path] | None,
        typer.Option(
            help='ROS parameter file for all robots. May be repeated.', show_default=False
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            '--set',
            metavar='NAME:=VALUE',
            help='A parameter of all robots, or of the simulator. May be repeated.',
            show_default=False,
        ),
    ] = None,
    tf: Annotated[
        str,
        typer.Option(
            metavar='CONVENTION',
            help='namespaced: tf topics of its own for each robot; prefixed: one /tf, frames as '
            'robot1/odom.',
        ),
    ] = 'namespaced',
    use_sim_time: Annotated[
        bool, typer.Option('--use-sim-time', help='Time comes from /clock, also without --sim.')
    ] = False,
    diagnostics: Annotated[
        str, typer.Option(help='Topic of diagnostics; /<robot>/diagnostics if not given.')
    ] = '',
    respawn: Annotated[
        bool, typer.Option('--respawn', help='Start a robot again when its process died.')
    ] = False,
    respawn_delay: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help='After so many s.')
    ] = 2.0,
    log_level: Annotated[
        str, typer.Option(metavar='LEVEL', help='debug, info, warn, error or fatal.')
    ] = 'info',
    domain: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=232,
            help='ROS domain, and this computer only; if not given, as the environment says.',
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option('--dry-run', help='Print the commands and start nothing.')
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option('--json', help='Print what would be started as JSON, and start nothing.'),
    ] = False,
) -> None:
    """
    Start robots, and with --sim the building that they are in, until Ctrl-C.

    Starts what "ros2 launch collab_robots sim.launch.py" and "fleet.launch.py" start.
    """
    with plain_errors():
        from collab_robots.bringup.processes import simulator
        from collab_robots.bringup.tables import ROBOT, SHARED, SIMULATOR
        from collab_robots.bringup.values import check_names, read_values
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.team import find_world, Team

        if [sim, bool(robot), all_robots].count(True) != 1:
            raise ConfigError('say what is to start: --sim, or --fleet with --robot or --all')
        texts = _texts(settings or ())
        check_names({**ROBOT, **(SIMULATOR if sim else {})}, texts)
        processes: list[Process] = []
        if sim:
            path = find_world(world)
            team = Team.simulated(path, robots, fleet, folder)
            own = {name: texts.pop(name) for name in list(texts) if name in SIMULATOR}
            values = {'robots': robots, **read_values(SIMULATOR, own)}
            processes.append(simulator(path, values, tf=tf, log_level=log_level))
        elif fleet is None:
            raise ConfigError('whose robots? Give --fleet my_fleet/fleet.yaml')
        else:
            team = Team.of_file(fleet, robot or ())
        processes += team.robots(
            read_values(ROBOT if len(team.starts) == 1 else SHARED, texts),
            files=params or (),
            simulated=sim,
            use_sim_time=use_sim_time,
            tf=tf,
            diagnostics=diagnostics,
            log_level=log_level,
        )
        if dry_run or as_json:
            _print_plan(processes, as_json)
            raise typer.Exit(OK)
        team.make()
        clean = _run(processes, domain, respawn_delay if respawn else None)
    raise typer.Exit(OK if clean else FAILED)


def _texts(settings: Sequence[str]) -> dict[str, str]:
    from collab_robots.core.errors import ConfigError

    result = {}
    for setting in settings:
        name, sign, text = setting.partition(':=')
        if not sign:
            raise ConfigError(f'--set: expected NAME:=VALUE, got {setting!r:.80}')
        result[name] = text
    return result


def _print_plan(processes: Sequence[Process], as_json: bool) -> None:
    if as_json:
        plan = [{**asdict(process), 'command': process.command} for process in processes]
        typer.echo(json.dumps(plan, indent=2, default=str))
    else:
        typer.echo('\n'.join(shlex.join(process.command) for process in processes))


def _run(processes: Sequence[Process], domain: int | None, respawn: float | None) -> bool:
    from rich.text import Text

    from collab_robots.explorer.processes import environment
    from collab_robots.explorer.supervise import Supervisor
    from collab_robots.explorer.terminal.print import console, safe

    out = console()
    names = [process.name for process in processes]
    width = max(map(len, names))
    styles = dict(zip(names, cycle(STYLES)))

    def say(name: str, line: str) -> None:
        prefix = (f'{name:<{width}} | ', styles.get(name, 'bold'))
        out.print(Text.assemble(prefix, safe(line)), soft_wrap=True)

    interrupt_on_term()
    where = environment(domain)
    said = where.get('ROS_DOMAIN_ID', '0')
    say('', f'starting {", ".join(names)} in ROS domain {said}; Ctrl-C ends all')
    return Supervisor(processes, where, say, respawn).run()
