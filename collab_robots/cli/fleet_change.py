"""``collab-robots fleet admit`` and its kin: a running fleet votes on who is in it."""

from __future__ import annotations

import json
from pathlib import Path
import re
import shlex
from typing import Annotated, Any, NoReturn, TYPE_CHECKING

import typer

from collab_robots.cli.common import FAILED, OK, plain_errors, UNREACHABLE
from collab_robots.cli.contract_common import progress

if TYPE_CHECKING:
    from collab_robots.contract.ballot import Ballot
    from collab_robots.contract.wishes import Wish

NameArgument = Annotated[str, typer.Argument(help='Name of the robot.')]
FleetOption = Annotated[Path, typer.Option(help='Fleet file, as all robots have it.')]
DomainOption = Annotated[
    int, typer.Option(min=0, max=232, envvar='ROS_DOMAIN_ID', help="The fleet's ROS domain.")
]
TimeoutOption = Annotated[float, typer.Option(min=1.0, help='Longest to wait, s.')]
JsonOption = Annotated[bool, typer.Option('--json', help='Print as JSON.')]
KeyFolderOption = Annotated[
    Path | None,
    typer.Option(
        help="The robot's folder: its key is made there, unless there is one.", show_default=False
    ),
]
PublicKeyOption = Annotated[
    str | None,
    typer.Option(
        metavar='HEX', help='Its public key, if the key is made elsewhere.', show_default=False
    ),
]
FLEET = Path('fleet.yaml')
TIMEOUT = 60.0
MAX_WEIGHT = 1_000_000  # core/fleet.py, which takes too long to import for --help
EXIT_CODES = (
    'Exit codes: 0 it is so, 1 it was not decided in time (votes stay: the same command later '
    'goes on), 2 wrong input, 3 too few robots answer.'
)


def admit(
    name: NameArgument,
    fleet: FleetOption = FLEET,
    weight: Annotated[int, typer.Option(min=1, max=MAX_WEIGHT, help='What its votes weigh.')] = 1,
    key_folder: KeyFolderOption = None,
    public_key: PublicKeyOption = None,
    domain: DomainOption = 0,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
) -> None:
    """
    Let a new robot into the running fleet.

    Makes its key, lets every robot that answers vote for it, waits until the fleet has a new
    roster, and prints how the robot is started. The fleet file stays as it is.
    """
    with plain_errors():
        from collab_robots.contract.wishes import to_join
        from collab_robots.core.errors import ConfigError
        from collab_robots.core.fleet import ROBOT_NAME

        if not re.match(ROBOT_NAME, name):
            raise ConfigError(
                f'expected a name like robot_5, at most 32 letters, got {name!r:.50}'
            )
        key, start = _key_and_start(name, fleet, key_folder, public_key)
        _change(to_join(name, key, weight), fleet, domain, timeout, as_json, start)


def remove(
    name: NameArgument,
    fleet: FleetOption = FLEET,
    domain: DomainOption = 0,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
) -> None:
    """Let a robot go, for ever; it need not run."""
    with plain_errors():
        from collab_robots.contract.wishes import to_leave

        _change(to_leave(name), fleet, domain, timeout, as_json)


def rekey(
    name: NameArgument,
    fleet: FleetOption = FLEET,
    key_folder: KeyFolderOption = None,
    public_key: PublicKeyOption = None,
    domain: DomainOption = 0,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
) -> None:
    """
    Give a robot a new key: its old one was lost, or somebody else may have it.

    It needs a folder of its own, as keys are never overwritten.
    """
    with plain_errors():
        from collab_robots.contract.wishes import to_rekey
        from collab_robots.core.errors import ConfigError

        if key_folder is None and public_key is None:
            raise ConfigError('say where the new key is to be: --key-folder, or --public-key')
        key, start = _key_and_start(name, fleet, key_folder, public_key)
        _change(to_rekey(name, key), fleet, domain, timeout, as_json, start)


def reweigh(
    name: NameArgument,
    weight: Annotated[
        int, typer.Argument(min=1, max=MAX_WEIGHT, help='What its votes are to weigh.')
    ],
    fleet: FleetOption = FLEET,
    domain: DomainOption = 0,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
) -> None:
    """Let a robot's votes weigh more or less."""
    with plain_errors():
        from collab_robots.contract.wishes import to_reweigh

        _change(to_reweigh(name, weight), fleet, domain, timeout, as_json)


def reinstate(
    name: NameArgument,
    fleet: FleetOption = FLEET,
    domain: DomainOption = 0,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
) -> None:
    """Let a robot that was convicted and expelled count again; what it said before stays void."""
    with plain_errors():
        from collab_robots.contract.wishes import to_reinstate

        _change(to_reinstate(name), fleet, domain, timeout, as_json)


def withdraw(
    name: NameArgument,
    fleet: FleetOption = FLEET,
    domain: DomainOption = 0,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
) -> None:
    """Let the robots take back all votes about one robot, also one that was to be let in."""
    with plain_errors():
        from collab_robots.contract.ballot import Recall

        ballot = put(Recall(name), fleet, domain, timeout)
        told = ['not all votes are taken back:', *ballot.explain()]
        if ballot.is_done:
            asked = ', '.join(ballot.asked)
            told = [f'taken back by {asked}' if asked else f'there is no vote about {name}']
        _say(ballot, told, as_json)


def put(ballot: Ballot, fleet: Path, domain: int, timeout: float) -> Ballot:
    """
    Put a ballot to the robots that run.

    :returns: it; it says how it stands.
    :raises ConfigError: if it cannot come true, or ROS is not here.
    """
    from collab_robots.core.errors import ConfigError
    from collab_robots.core.fleet import Fleet

    roster = Fleet.load(fleet)
    try:
        from collab_robots.nodes.fleet_control import put_to_vote
    except ImportError as error:
        raise ConfigError(
            f'ROS 2 is needed to talk to robots, and {error.name} is not here: run "make setup", '
            'or source the workspace that the robots are built in'
        ) from None
    with progress() as tell:
        strangers = put_to_vote(ballot, roster, domain, timeout, tell)
    for robot in sorted(strangers):
        typer.echo(f'{robot} does not count: it is of another fleet than {fleet}', err=True)
    return ballot


def _change(
    wish: Wish,
    fleet: Path,
    domain: int,
    timeout: float,
    as_json: bool,
    start: list[str] | None = None,
) -> None:
    """Put a change to the vote and say what came of it."""
    from collab_robots.contract.ballot import Ballot

    ballot = put(Ballot(wish), fleet, domain, timeout)
    _say(ballot, _in_words(ballot, domain), as_json, start)


def _say(
    ballot: Ballot, told: list[str], as_json: bool, start: list[str] | None = None
) -> NoReturn:
    """Say what came of a ballot, and exit."""
    if as_json:
        typer.echo(json.dumps({**_facts(ballot), 'words': told, 'start': start}, indent=2))
    else:
        typer.echo('\n'.join(told), err=not ballot.is_done)
        if start is not None and ballot.is_done:
            typer.echo(f'start it, with the fleet file as it is:\n\n{_shell(start)}')
    if ballot.roster is None:
        raise typer.Exit(UNREACHABLE)
    raise typer.Exit(OK if ballot.is_done else FAILED)


def _in_words(ballot: Ballot, domain: int) -> list[str]:
    if not ballot.is_done or ballot.roster is None:
        return [f'not decided in ROS domain {domain}:', *ballot.explain()]
    epoch = ballot.roster.epoch
    if not ballot.is_new:
        return [f'it is so already, in epoch {epoch}']
    told = [f'decided: epoch {epoch} began; asked: {", ".join(ballot.asked) or "nobody"}']
    if ballot.silent:
        told.append(f'did not answer: {", ".join(ballot.silent)}')
    if not ballot.is_heard:
        told.append(
            f'robots with weight {ballot.roster.needed} have to run now before anything is final'
        )
    return told


def _facts(ballot: Ballot) -> dict[str, Any]:
    return {
        'done': ballot.is_done,
        'epoch': None if ballot.roster is None else ballot.roster.epoch,
        'asked': list(ballot.asked),
        'silent': list(ballot.silent),
    }


def _key(folder: Path, public_key: str | None) -> bytes:
    """Return the public key that is given, or that of the folder, where it is made if missing."""
    from collab_robots.core.errors import ConfigError
    from collab_robots.core.identity import PrivateKey, PUBLIC_KEY_BYTES
    from collab_robots.explorer.fleets import make_key

    if public_key is None:
        path = folder / 'key'
        return (PrivateKey.load(path) if path.exists() else make_key(folder)).public
    try:
        key = bytes.fromhex(public_key)
    except ValueError:
        key = b''
    if len(key) != PUBLIC_KEY_BYTES:
        raise ConfigError(f'public key: expected 64 hexadecimal digits, got {public_key!r:.80}')
    return key


def _key_and_start(
    name: str, fleet: Path, folder: Path | None, public_key: str | None
) -> tuple[bytes, list[str]]:
    """Return the public key of a robot, which is made if need be, and how the robot starts."""
    folder = folder or fleet.resolve().parent / name
    key = _key(folder, public_key)
    return key, _start_command(name, fleet, folder, made_here=public_key is None)


def _shell(command: list[str]) -> str:
    """Return a command for a shell, a parameter or remapping a line."""
    words = [f'"{word}"' if "'" in word else shlex.quote(word) for word in command]
    return ' '.join(words).replace(' -p ', ' \\\n  -p ').replace(' -r ', ' \\\n  -r ')


def _start_command(name: str, fleet: Path, folder: Path, made_here: bool) -> list[str]:
    from collab_robots.bringup.processes import robot

    if made_here:
        return robot(name, fleet.resolve(), folder=folder.resolve()).command
    return robot(name, Path(fleet.name), folder=Path()).command
