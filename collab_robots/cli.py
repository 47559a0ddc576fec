"""
The command line: ``collab-robots``.

Everything heavy is imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path
import signal
import sys
from typing import Annotated, Any

import typer

from collab_robots import __version__

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name='collab-robots',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode='rich',
    pretty_exceptions_enable=False,
    context_settings={'help_option_names': ['-h', '--help']},
    help='A team of robots that keeps working when its network falls apart.',
)
fleet_app = typer.Typer(no_args_is_help=True, help='Make the file that all robots share.')
ledger_app = typer.Typer(no_args_is_help=True, help="Look into a robot's ledger file.")
app.add_typer(fleet_app, name='fleet')
app.add_typer(ledger_app, name='ledger')


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


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Print our own errors as one message, without a traceback."""
    from collab_robots.core.errors import CollabError, ConfigError, RefusedError

    try:
        yield
    except CollabError as error:
        typer.echo(f'collab-robots: {error}', err=True)
        bad_input = isinstance(error, (ConfigError, RefusedError))
        raise typer.Exit(BAD_INPUT if bad_input else FAILED) from None


def _interrupt_on_term() -> None:
    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@app.command(
    epilog=(
        'Examples:\n\n'
        '  collab-robots demo\n\n'
        '  collab-robots demo --robots 2 --split none --duration 60\n\n'
        '  collab-robots demo --seed 3 --headless --json > summary.json\n\n'
        '  collab-robots demo --robots 3 --kill robot2:50:65\n\n'
        'Exit codes: 0 all checks hold, 1 a check failed or a process died, 2 wrong input, '
        '130 interrupted (the report is written all the same).'
    )
)
def demo(
    robots: Annotated[int, typer.Option(min=1, max=8, help='How many robots.')] = 4,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help='Seed of noise, drift and radio.')
    ] = 1,
    split: Annotated[
        str,
        typer.Option(
            metavar='A:B',
            help='Seconds between which the two halves cannot hear each other; '
            '"none" for no split.',
        ),
    ] = '40:80',
    world: Annotated[
        Path | None, typer.Option(help='World file; the office if not given.', show_default=False)
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=10.0,
            max=3600.0,
            help='At most so many simulated seconds; 140 for four robots or more and longer for '
            'fewer, if not given.',
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=10.0, help='Simulated seconds per second, at most.')
    ] = 1.0,
    cameras: Annotated[bool, typer.Option(help='Render what the cameras see.')] = True,
    kill: Annotated[
        list[str] | None,
        typer.Option(
            metavar='ROBOT:A[:B]',
            help="Cut a robot's power (kill -9) at second A, start it again "
            'at B. May be repeated.',
            show_default=False,
        ),
    ] = None,
    headless: Annotated[
        bool, typer.Option('--headless', help='Plain lines instead of the live view.')
    ] = False,
    as_json: Annotated[
        bool, typer.Option('--json', help='Only the summary, as JSON, on standard output.')
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help='Folder of this run, new or empty; runs/<time> if not given.', show_default=False
        ),
    ] = None,
    domain: Annotated[
        int | None,
        typer.Option(
            min=0, max=101, help='ROS domain; a free one if not given.', show_default=False
        ),
    ] = None,
) -> None:
    """
    Let simulated robots map a building through a network split, and judge how they did.

    Writes a report with the map, the ledgers and every check into the run's folder.
    """
    with _plain_errors():
        from rich.console import Console

        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.run import Options, prepare
        from collab_robots.explorer.settings import (
            default_duration,
            default_world,
            parse_kill,
            parse_split,
        )

        duration = duration or default_duration(robots)
        kills = tuple(parse_kill(text, duration) for text in kill or ())
        run = prepare(
            Options(
                robots,
                seed,
                parse_split(split, duration, robots),
                world or default_world(),
                duration,
                speed,
                cameras,
                out,
                domain,
                kills,
            )
        )
        from collab_robots.explorer.demo import carry_out
        from collab_robots.explorer.live import LiveScreen, PlainScreen

        try:
            from collab_robots.nodes.observer_node import Observer
        except ImportError as error:
            raise ConfigError(
                f'ROS or the messages are missing ({error}); run: make setup'
            ) from None

        _interrupt_on_term()
        console = Console(stderr=as_json)
        live = console.is_terminal and not headless
        screen = LiveScreen(console, duration) if live else PlainScreen(console)
        try:
            carry_out(run, Observer.of, screen)
        finally:
            screen.close()
        from collab_robots.explorer.report import finish, print_verdict

        summary = finish(run)
        print_verdict(run, summary, console)
        if as_json:
            typer.echo(json.dumps(summary, indent=2))
    raise typer.Exit(run.code or (OK if summary['passed'] else FAILED))


@app.command(
    'map', epilog=('Example:\n\n  collab-robots map intel.gfs.log --pieces 4 --out intel.png')
)
def map_log(
    log: Annotated[Path, typer.Argument(help='Recorded log with FLASER lines (CARMEN format).')],
    pieces: Annotated[
        int, typer.Option(min=1, max=16, help='Cut it into so many pieces, one for each robot.')
    ] = 1,
    out: Annotated[Path, typer.Option(help='Picture to write.')] = Path('map.png'),
    relations: Annotated[
        Path | None, typer.Option(help='True relative poses to compare with.', show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print the figures as JSON.')] = False,
) -> None:
    """Map a recorded log, whole or in pieces as if each came from another robot."""
    with _plain_errors():
        from dataclasses import asdict

        from rich.console import Console
        from rich.progress import Progress

        from collab_robots.mapping.replay import run

        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task('scans', total=None)

            def advance(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            summary = run(log, pieces, out, relations, advance)
        if as_json:
            typer.echo(json.dumps(asdict(summary), indent=2))
        else:
            _print_pairs({**summary.words, 'picture': out})


@fleet_app.command(
    'init',
    epilog=(
        'Example:\n\n  collab-robots fleet init config/site7 --robots scout,mule,crane\n\n'
        'Give every robot the fleet.yaml and its own key file, and nobody else the key.'
    ),
)
def fleet_init(
    directory: Annotated[Path, typer.Argument(help='Folder to write to.')],
    robots: Annotated[str, typer.Option(help='Names, with commas between them.')],
    name: Annotated[str, typer.Option(help='Name of the fleet.')] = 'fleet',
) -> None:
    """Make a private key for each robot and the fleet file with their public keys."""
    with _plain_errors():
        from collab_robots.explorer.fleets import make_fleet

        names = [part.strip() for part in robots.split(',')]
        made = make_fleet(directory, names, name)
        typer.echo(f'{directory / "fleet.yaml"}: fleet {made.fleet}, id {made.id.hex()}')
        for member in made.robots:
            typer.echo(f'{directory / member.name / "key"}: {member.name} {member.public_key}')


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
    with _plain_errors():
        from collab_robots.explorer.ledgers import find_fleet, status

        summary = status(db, find_fleet(db, fleet))
        if as_json:
            typer.echo(json.dumps(summary, indent=2))
        else:
            _print_pairs(summary)


def _print_pairs(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table('', Column(overflow='fold'), box=None, show_header=False, pad_edge=False)
    for key, value in summary.items():
        if isinstance(value, dict):
            value = ', '.join(f'{name} {number}' for name, number in value.items()) or '-'
        elif isinstance(value, float):
            value = f'{value:.4g}'
        table.add_row(key.replace('_', ' '), str(value))
    Console().print(table)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == '__main__':
    main()
