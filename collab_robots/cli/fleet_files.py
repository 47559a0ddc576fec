"""``collab-robots fleet init|add|keys|check``: the files that robots need, before they run."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
import json
from pathlib import Path
from typing import Annotated, Any, TYPE_CHECKING

import typer

from collab_robots.cli.common import FAILED, OK, plain_errors
from collab_robots.cli.fleet_change import JsonOption

if TYPE_CHECKING:
    from collab_robots.bringup.values import Pose
    from collab_robots.explorer.robot_files import Network

DirectoryArgument = Annotated[Path, typer.Argument(help='The folder with fleet.yaml.')]
HERE = Path()


class Profile(str, Enum):
    """How machines find one another."""

    MULTICAST = 'multicast'
    FASTDDS = 'fastdds'
    ZENOH = 'zenoh'


EPILOGS = {
    'init': (
        'Examples:\n\n'
        '  collab-robots fleet init site7 --robots scout,mule,crane\n\n'
        '  collab-robots fleet init site7 --network fastdds --base 10.0.0.1 \\\n\n'
        '    --robots "scout={x: 1.0, y: 2.0, yaw: 1.57}; mule={x: 3.0, y: 2.0}"\n\n'
        'Give every robot the fleet.yaml and its own folder. In it are the key, which nobody else '
        'may see, its parameters (params.yaml), its environment (robot.env), and key.unused. That '
        'file says that the key signed nothing yet, so its robot may start with an empty ledger; '
        'the robot removes it. With an empty ledger and without it, the robot lost its disk: it '
        'then says nothing before it heard every other robot. laptop.env is for those who look at '
        'the robots. Exit codes: 0 done, 2 wrong input.'
    ),
    'add': (
        'Examples:\n\n'
        '  collab-robots fleet add crane site7\n\n'
        '  collab-robots fleet add "crane={x: 5.0, y: 2.0, yaw: 0.0}" site7 --json\n\n'
        'The fleet file is never changed: it names the fleet, and robots may have it already. So '
        'a robot that is not in it is let in by the robots that run: fleet admit. Before any '
        'robot ran, making a new fleet with fleet init is simpler. For a robot of the fleet file '
        'it makes what is missing in its folder, but never a key. Exit codes: 0 done, 2 wrong '
        'input.'
    ),
    'keys': (
        'Examples:\n\n'
        '  collab-robots fleet keys site7\n\n'
        '  collab-robots fleet keys site7 --json\n\n'
        'A key that was lost, or that somebody else may have seen, is replaced while the fleet '
        'runs: collab-robots fleet rekey ROBOT --key-folder DIR. Private keys are never shown. '
        'Exit codes: 0 each robot has its key, 1 not so, 2 wrong input.'
    ),
    'check': (
        'Examples:\n\n'
        '  collab-robots fleet check site7\n\n'
        '  collab-robots fleet check /var/lib/collab-robots --robot scout\n\n'
        'With --robot on the robot itself. It looks at files only; collab-robots doctor looks at '
        'a robot that runs. Exit codes: 0 nothing is wrong (there may be warnings), 1 something '
        'is, 2 there is no fleet file.'
    ),
    'security': (
        'Example:\n\n'
        '  collab-robots fleet security site7 --out policy.xml\n\n'
        '  ros2 security create_enclave KEYSTORE /scout\n\n'
        '  ros2 security create_permission KEYSTORE /scout policy.xml\n\n'
        'docs/field.md has all commands. Exit codes: 0 done, 2 wrong input.'
    ),
}


def init(
    directory: Annotated[Path, typer.Argument(help='Folder to write to.')],
    robots: Annotated[
        str,
        typer.Option(
            help='Names, with commas between them; or with start poses in the common map, in m '
            'and rad: "robot1={x: 1.0, y: 2.0, yaw: 0.5}; robot2={…}".'
        ),
    ],
    name: Annotated[str, typer.Option(help='Name of the fleet.')] = 'fleet',
    network: Annotated[
        Profile, typer.Option(help='How machines find one another: see docs/field.md.')
    ] = Profile.MULTICAST,
    base: Annotated[
        str, typer.Option(help="The base station's name or address, of the other profiles.")
    ] = 'base.local',
    domain: Annotated[
        int, typer.Option(min=0, max=101, help='ROS domain; no other fleet nearby has the same.')
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Make the fleet file, and each robot's folder: its key, parameters and environment."""
    with plain_errors():
        from collab_robots.explorer.fleets import make_fleet
        from collab_robots.explorer.robot_files import LAPTOP_FILE, Network, write_new

        poses = _robots(robots)
        net = Network(network.value, base, domain)
        made = make_fleet(directory, list(poses), name)
        folders = {robot: _make_folder(directory / robot, net, poses[robot]) for robot in poses}
        laptop = write_new(directory, net.texts(LAPTOP_FILE))
        if as_json:
            told: dict[str, Any] = {'fleet': made.fleet, 'id': made.id.hex()}
            told['file'] = str(directory / 'fleet.yaml')
            told['robots'] = [
                {**member.model_dump(), 'files': [str(path) for path in folders[member.name]]}
                for member in made.robots
            ]
            typer.echo(json.dumps(told, indent=2))
            return
        typer.echo(f'{directory / "fleet.yaml"}: fleet {made.fleet}, id {made.id.hex()}')
        for member in made.robots:
            typer.echo(f'{directory / member.name / "key"}: {member.name} {member.public_key}')
        for path in [*laptop, *(path for files in folders.values() for path in files)]:
            typer.echo(f'{path}')


def add(
    robot: Annotated[
        str, typer.Argument(help='Its name; or with its start pose: "robot5={x: 1.0, y: 2.0}".')
    ],
    directory: DirectoryArgument = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make the folder of one more robot, or what is missing in that of a robot of the fleet."""
    with plain_errors():
        from collab_robots.core.errors import ConfigError
        from collab_robots.core.fleet import Fleet
        from collab_robots.core.identity import PrivateKey
        from collab_robots.explorer.fleets import make_key
        from collab_robots.explorer.robot_files import read_environment, write_robot_files

        fleet = Fleet.load(directory / 'fleet.yaml')
        (name, pose), *more = _robots(robot).items()
        if more:
            raise ConfigError('one robot at a time')
        folder, path = directory / name, directory / name / 'key'
        known = name in fleet.index_by_name
        if known and not path.exists():
            raise ConfigError(
                f'{path}: the key of {name} is not here, and a second one would be another '
                "robot's; bring it, or: collab-robots fleet rekey NAME --key-folder DIR"
            )
        key = PrivateKey.load(path) if path.exists() else make_key(folder)
        written = write_robot_files(folder, read_environment(directory), pose)
        admit = [] if known else f'collab-robots fleet admit {name} --fleet'.split()
        next_ = [*admit, str(directory / 'fleet.yaml')] if admit else []
        if as_json:
            files = [str(path) for path in written]
            told = {'robot': name, 'public_key': key.public.hex(), 'files': files, 'next': next_}
            typer.echo(json.dumps(told, indent=2))
            return
        typer.echo(f'{path}: {name} {key.public.hex()}')
        for file in written:
            typer.echo(f'{file}')
        if next_:
            typer.echo(f'the fleet has to let it in, while its robots run:\n\n  {" ".join(next_)}')


def keys(directory: DirectoryArgument = HERE, as_json: JsonOption = False) -> None:
    """List the keys that lie here: whose they are, who can read them, whether they were used."""
    with plain_errors():
        from collab_robots.explorer.doctor.finding import Level
        from collab_robots.explorer.fleet_keys import list_keys
        from collab_robots.explorer.terminal.print import safe

        found = list_keys(directory)
        if as_json:
            typer.echo(json.dumps([key.as_json() for key in found], indent=2))
        else:
            from rich.console import Console
            from rich.table import Table

            table = Table(box=None, pad_edge=False)
            for title in ('robot', 'mode', 'used', 'public key'):
                table.add_column(title, overflow='fold')
            for key in found:
                used = {True: 'yes', False: 'no', None: '-'}[key.used]
                table.add_row(key.robot, key.mode or '-', used, key.public or '-')
            Console().print(table)
            for key in found:
                if not key.is_good:
                    typer.echo(safe(key.finding.message), err=True)
                    typer.echo(safe(f'  {key.finding.fix}'), err=True)
        wrong = any(key.finding.level is Level.FAIL for key in found)
    raise typer.Exit(FAILED if wrong else OK)


def check(
    directory: DirectoryArgument = HERE,
    robot: Annotated[
        str | None,
        typer.Option(help='Only this robot has to be here, as on the robot itself.'),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look whether a fleet's files are complete and fit together; each finding says the fix."""
    with plain_errors():
        from collab_robots.explorer.fleet_check import check_fleet
        from collab_robots.explorer.terminal.print import safe

        problems = check_fleet(directory, robot)
        errors = sum(problem.is_error for problem in problems)
        if as_json:
            typer.echo(json.dumps([problem.as_json() for problem in problems], indent=2))
        else:
            for problem in problems:
                found = problem.finding
                typer.echo(safe(f'{found.level.value} {problem.robot}: {found.message}'))
                typer.echo(safe(f'  {found.fix}'))
            typer.echo(f'errors: {errors}, warnings: {len(problems) - errors}')
    raise typer.Exit(FAILED if errors else OK)


def security(
    directory: DirectoryArgument = HERE,
    out: Annotated[
        Path | None, typer.Option(help='File to write; else it is printed.', show_default=False)
    ] = None,
) -> None:
    """Write the SROS2 policy: what each robot may say and hear, and nothing more."""
    with plain_errors():
        from collab_robots.bringup.security import policy
        from collab_robots.core.errors import ConfigError
        from collab_robots.core.fleet import Fleet

        text = policy([robot.name for robot in Fleet.load(directory / 'fleet.yaml').robots])
        if out is None:
            typer.echo(text, nl=False)
            return
        try:
            out.write_text(text, encoding='utf-8')
        except OSError as error:
            raise ConfigError(f'{out}: cannot be written: {error.strerror}') from None


COMMANDS: dict[str, Callable[..., None]] = {
    'init': init,
    'add': add,
    'keys': keys,
    'check': check,
    'security': security,
}


def _robots(text: str) -> dict[str, Pose]:
    """
    Return names and start poses.

    :raises ConfigError: if they are malformed, or a name is there twice.
    """
    from collab_robots.bringup.values import read_robots

    if '=' in text:
        return read_robots(text)
    return read_robots(';'.join(f'{name.strip()}={{}}' for name in text.split(',')))


def _make_folder(folder: Path, network: Network, pose: Pose) -> list[Path]:
    from collab_robots.explorer.robot_files import ROBOT_FILES, write_robot_files

    return write_robot_files(folder, network.texts(*ROBOT_FILES), pose)
