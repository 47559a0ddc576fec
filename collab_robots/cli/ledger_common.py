"""What the commands that look into a ledger share: where it is, when, and how answers leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
import json
from pathlib import Path
import time
from typing import Annotated, TYPE_CHECKING, TypeVar

import typer

from collab_robots.cli.common import plain_errors

if TYPE_CHECKING:
    from rich.console import RenderableType

    from collab_robots.explorer.book.answers import Answer
    from collab_robots.explorer.book.reader import Moment, Reader, Told

    Said = TypeVar('Said', bound=Answer | Sequence[Answer])

LEDGER = 'ledger.db'
EXIT_CODES = (
    'Exit codes: 0 done, 1 nothing found or the ledger cannot be read, 2 wrong input, '
    '3 the server does not answer.'
)
_DEPTH = 4  # folders down: runs/<time>/<robot>/ledger.db from the project's own
_PATIENCE = 2.0  # s of work before its progress is worth showing

DbArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A robot's ledger.db, or a folder with some below it: then the newest run's first "
        'robot. The current folder if not given.',
        show_default=False,
    ),
]
RobotOption = Annotated[
    str | None,
    typer.Option('--robot', help='Ask the server of "ledger web" there instead.', metavar='URL'),
]
FleetOption = Annotated[
    Path | None,
    typer.Option(
        help='Fleet file; looked for beside the ledger and one folder up if not given.',
        show_default=False,
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option(
        '--at',
        help='Look back: a time (s or ISO 8601), @N for the first N final records, or a block.',
        metavar='TIME|@N|ID',
    ),
]
LimitOption = Annotated[int, typer.Option(min=1, max=500, help='How many on a page.')]
PageOption = Annotated[
    str | None, typer.Option(help='What the page before named as the next.', show_default=False)
]
JsonOption = Annotated[bool, typer.Option('--json', help='Print as JSON.')]


@contextmanager
def opened(db: Path | None, robot: str | None, fleet: Path | None) -> Iterator[Reader]:
    """
    Open the ledger that a command is about; errors within are printed as :func:`plain_errors`.

    Which one it is of several, is said on stderr.

    :param robot: URL of a server to ask instead.
    """
    with plain_errors(), progress() as told:
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.book.open import open_reader, SCHEMES

        if robot is not None and not robot.startswith(SCHEMES):
            raise ConfigError(f'--robot {robot}: expected http://HOST:PORT')
        if robot is not None and db is not None:
            raise ConfigError(f'either {db} or --robot {robot}, not both')
        source: Path | str
        if robot is not None:
            source = robot
        else:
            source, count = find_ledger(db)
            if count > 1:
                typer.echo(
                    f"reading {source}, the newest run's first of {count} ledgers", err=True
                )
        with open_reader(source, fleet, told) as reader:
            yield reader


def find_ledger(place: Path | None) -> tuple[Path, int]:
    """
    Return the ledger at or below a place, and how many there are.

    :param place: a ledger, or a folder; None is the current one.
    :raises ConfigError: if there is none in a folder.
    """
    from collab_robots.core.errors import ConfigError

    folder = Path() if place is None else place
    if place is not None and not place.is_dir():
        return place, 1
    found = [path for depth in range(_DEPTH) for path in folder.glob('*/' * depth + LEDGER)]
    if not found:
        raise ConfigError(
            f'{folder.resolve()}: no {LEDGER} here or up to {_DEPTH - 1} folders down; name one, '
            'or a server with --robot'
        )
    newest = max(found, key=lambda path: path.stat().st_mtime).parent.parent
    return min(path for path in found if path.parent.parent == newest), len(found)


def known_robots(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a robot from the fleet file beside the ledger."""
    from collab_robots.core.errors import CollabError
    from collab_robots.explorer.files import find_fleet

    try:
        db, _ = find_ledger(context.params.get('db'))
        fleet = find_fleet(db, context.params.get('fleet'))
    except CollabError:
        return []
    return [robot.name for robot in fleet.robots if robot.name.startswith(incomplete)]


@contextmanager
def progress() -> Iterator[Told]:
    """Show on stderr, if that is a terminal, how far work is that takes long."""
    from rich.console import Console
    from rich.progress import Progress

    begin = time.monotonic()
    bar = Progress(console=Console(stderr=True), transient=True)
    bar.disable = not bar.console.is_terminal
    task = bar.add_task('')

    def told(what: str, done: int, total: int) -> None:
        bar.update(task, description=what, completed=done, total=total)
        if done >= total:
            bar.stop()
        elif time.monotonic() - begin > _PATIENCE:
            bar.start()

    try:
        yield told
    finally:
        bar.stop()


def moment(reader: Reader, text: str | None) -> Moment | None:
    """
    Return the time that somebody wrote.

    :param text: see ``AtOption``; a final block stands for the order up to it, with it.
    :raises ConfigError: if it is none of that.
    """
    from collab_robots.core.errors import ConfigError
    from collab_robots.explorer.book.reader import Moment

    if text is None:
        return None
    if text.startswith('@'):
        if not text[1:].isdecimal():
            raise ConfigError(f'expected @ and a number of final records, got {text!r}')
        return Moment(position=int(text[1:]))
    seconds = _time(text)
    if seconds is not None:
        return Moment(time=seconds)
    block = reader.block(text)
    if block.position is None:
        return Moment(time=block.issued)
    return Moment(position=block.position + 1)


def some_time(text: str | None) -> float | None:
    """
    Return s of the fleet's clock for what somebody wrote, if anything.

    :raises ConfigError: if it is no time.
    """
    from collab_robots.core.errors import ConfigError

    seconds = None if text is None else _time(text)
    if text is not None and seconds is None:
        raise ConfigError(f'expected a time, s or ISO 8601, got {text!r}')
    return seconds


def _time(text: str) -> float | None:
    """Read s, or ISO 8601 (UTC if it does not say); None if it is neither."""
    from datetime import datetime, timezone

    with suppress(ValueError):
        return float(text)
    with suppress(ValueError):
        found = datetime.fromisoformat(text.replace('Z', '+00:00'))
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    return None


def show(told: Said, printer: Callable[[Said], RenderableType], as_json: bool) -> None:
    """
    Print an answer, or a list of them.

    :param printer: makes what people see of it.
    :param as_json: for programs; pure ASCII, so that nothing in it controls a terminal.
    """
    from collab_robots.explorer.terminal.print import console

    if not as_json:
        console().print(printer(told))
    elif isinstance(told, Sequence):
        typer.echo(json.dumps([answer.model_dump(mode='json') for answer in told], indent=2))
    else:
        typer.echo(json.dumps(told.model_dump(mode='json'), indent=2))
