"""``collab-robots demo`` and ``collab-robots map``: runs that make something to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli.common import FAILED, interrupt_on_term, OK, plain_errors, print_pairs

demo_app = typer.Typer()


@demo_app.command(
    epilog=(
        'Examples:\n\n'
        '  collab-robots demo\n\n'
        '  collab-robots demo --robots 2 --split none --duration 60\n\n'
        '  collab-robots demo --seed 3 --headless --json > summary.json\n\n'
        '  collab-robots demo --robots 3 --kill robot2:50:65\n\n'
        '  collab-robots demo --liar robot3\n\n'
        '  collab-robots demo --slow robot1:8 --slow robot3:4\n\n'
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
    liar: Annotated[
        str | None,
        typer.Option(
            metavar='ROBOT',
            help='Let a robot lie: it adds a wall to the map that it shows the others.',
            show_default=False,
        ),
    ] = None,
    share: Annotated[
        bool, typer.Option(help='Let robots name pictures together; else each alone.')
    ] = True,
    slow: Annotated[
        list[str] | None,
        typer.Option(
            metavar='ROBOT:FACTOR',
            help='Let a robot run its network so many times slower, as one with a small processor '
            'would. May be repeated; robot1:8 if not given, "none" for no such robot.',
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
    with plain_errors():
        from rich.console import Console

        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.run import Options, prepare
        from collab_robots.explorer.settings import (
            default_duration,
            default_world,
            parse_kill,
            parse_slow,
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
                liar,
                share,
                parse_slow(slow),
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

        interrupt_on_term()
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


@demo_app.command(
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
    with plain_errors():
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
            print_pairs({**summary.words, 'picture': out})
