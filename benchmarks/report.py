"""What every benchmark ends with: tables for people, one JSON file for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
import json
import os
from pathlib import Path
import platform
import statistics
from typing import Annotated, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
import typer

from collab_robots.core.versions import versions

FOLDER = Path('runs/benchmarks')
WIDTH = 120  # of what goes into a file or a pipe
PACKAGES = ('cbor2', 'onnxruntime', 'py-evm', 'pynacl', 'pyrevm')

OutOption = Annotated[
    Path | None, typer.Option(help='The JSON file; else a new one in runs/benchmarks.')
]


@dataclass
class Report:
    """
    The figures of one run.

    :param name: of the benchmark; begins the file's name.
    :param options: what the run was asked for, seed included.
    """

    name: str
    options: Mapping[str, Any]
    console: Console = field(default_factory=lambda: _console())
    _parts: dict[str, Any] = field(default_factory=dict)

    def table(
        self,
        part: str,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        figures: Any = None,
    ) -> None:
        """
        Print a table; the first column says what each row is, the others are figures.

        :param figures: what is to be in the JSON file under the name ``part``.
        """
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for index, column in enumerate(columns):
            table.add_column(column, justify='right' if index else 'left', no_wrap=True)
        for row in rows:
            table.add_row(*map(words, row))
        self.console.print(title, style='bold', highlight=False)
        self.console.print(table)
        if figures is not None:
            self.keep(part, figures)

    def keep(self, part: str, figures: Any) -> None:
        """Put figures into the JSON file."""
        self._parts[part] = figures

    def note(self, text: str) -> None:
        """Print a remark."""
        self.console.print(text, highlight=False)

    def write(self, path: Path | None = None) -> Path:
        """
        Write the JSON file.

        :param path: by default a new one in ``runs/benchmarks``.
        :returns: where it is.
        """
        now = datetime.now(timezone.utc)
        path = path or FOLDER / f'{self.name}-{now:%Y%m%d-%H%M%S}.json'
        content = {
            'benchmark': self.name,
            'date': now.isoformat(timespec='seconds'),
            'machine': machine(),
            'versions': versions(PACKAGES),
            'options': dict(self.options),
            'figures': self._parts,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, default=str) + '\n', 'utf-8')
        self.console.print(f'written: {path}', highlight=False)
        return path


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def machine() -> dict[str, Any]:
    """Describe this computer without naming it."""
    processor = platform.processor()
    info = Path('/proc/cpuinfo')
    if info.is_file():
        lines = info.read_text('utf-8', 'replace').splitlines()
        found = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
        processor = found[0] if found else processor
    return {
        'system': platform.system(),
        'architecture': platform.machine(),
        'processor': processor,
        'cores': os.cpu_count(),
        'python': platform.python_version(),
    }


def words(value: Any) -> str:
    """Write a figure with three digits that count; what does not exist is a dash."""
    if value is None:
        return '–'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, float):
        return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'
    return f'{value:,}' if isinstance(value, int) else str(value)


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Return count, median, p95 and maximum."""
    if not values:
        return {'count': 0, 'median': None, 'p95': None, 'max': None}
    ordered = sorted(values)
    return {
        'count': len(ordered),
        'median': statistics.median(ordered),
        'p95': ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        'max': ordered[-1],
    }
