"""What the commands share: exit codes, how errors are told, how figures are printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import signal
from typing import Any

import typer

OK, FAILED, BAD_INPUT, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print our own errors as one message, without a traceback; nothing in it is control."""
    from collab_robots.core.errors import (
        CollabError,
        ConfigError,
        RefusedError,
        UnreachableError,
    )

    try:
        yield
    except CollabError as error:
        from collab_robots.explorer.terminal.print import safe

        told = '\n'.join(map(safe, str(error).splitlines()))
        typer.echo(f'collab-robots: {told}', err=True)
        code = FAILED
        if isinstance(error, (ConfigError, RefusedError)):
            code = BAD_INPUT
        elif isinstance(error, UnreachableError):
            code = UNREACHABLE
        raise typer.Exit(code) from None


def print_pairs(summary: dict[str, Any]) -> None:
    """Print a summary as a table of names and values."""
    from rich.console import Console
    from rich.table import Column, Table

    from collab_robots.explorer.terminal.print import plain

    table = Table('', Column(overflow='fold'), box=None, show_header=False, pad_edge=False)
    for key, value in summary.items():
        if isinstance(value, dict):
            value = ', '.join(f'{name} {number}' for name, number in value.items()) or '-'
        elif isinstance(value, list):
            value = ', '.join(map(str, value)) or '-'
        elif value is None or value == '':
            value = '-'
        elif isinstance(value, float):
            value = f'{value:.4g}'
        table.add_row(key.replace('_', ' '), plain(str(value)))
    Console().print(table)


def interrupt_on_term() -> None:
    """Let SIGTERM end a command as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # some send it twice
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
