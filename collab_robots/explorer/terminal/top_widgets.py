"""The parts of the screen of ``ledger top``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Sparkline, Static

from collab_robots.explorer.terminal.print import pairs, plain
from collab_robots.explorer.terminal.top_feed import Look, SECONDS
from collab_robots.explorer.terminal.top_lines import Line

KEYS = (
    ('1 2 3 4 5', 'robots, DAG, tasks, trust, traffic'),
    ('↑ ↓ ← →', 'move in a list, as PgUp, PgDn, Home, End'),
    ('Enter', 'tell all about the line: robot, block, task or verdict'),
    ('/', 'show only lines with these words; Escape shows all'),
    ('p', 'pause: nothing changes until p again; what comes in is counted'),
    ('?', 'this help'),
    ('q Ctrl-C', 'quit'),
)
MEANINGS = (
    ('● ◐ ○', 'final, accepted, pending'),
    ('silent', 's since the newest record of the robot, by the newest of all'),
    ('has not heard', 'whom it has not heard for the longest time, and how long'),
    ('a s', 'records a second, of its last minute'),
    ('lag', 's from the newest final record to the newest one'),
)


class Lines(DataTable[Text]):
    """A list. Its cursor stays on its line when others come in, or on the first line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding('home', 'scroll_top', show=False),
        Binding('end', 'scroll_bottom', show=False),
    ]

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        super().__init__(id=name, cursor_type='row', zebra_stripes=False)
        self._names = columns
        self._lines: list[Line] = []

    def on_mount(self) -> None:
        """Make the columns."""
        for name in self._names:
            self.add_column(plain(name, 'dim'))

    def fill(self, lines: list[Line]) -> None:
        """Show other lines."""
        if lines == self._lines:
            return
        at = self.cursor_row
        key = self._lines[at].key if 0 < at < len(self._lines) else ''
        self._lines = lines
        self.clear()
        for line in lines:
            self.add_row(*line.cells, key=line.key)
        if key in self.rows:
            self.move_cursor(row=self.get_row_index(key))


class Traffic(Vertical):
    """What came in during the last minute, as lines and in figures."""

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(id='records-head')
        yield Sparkline(id='records')
        yield Static(id='bytes-head')
        yield Sparkline(id='bytes')
        yield Static(id='calls')

    def fill(self, look: Look) -> None:
        """Show other figures."""
        for name, unit, rates in (
            ('records', 'records', look.records),
            ('bytes', 'bytes', look.bytes_),
        ):
            head = (
                f'{unit} a second: {rates[-1]} now, {sum(rates) / SECONDS:.1f} on average of '
                f'{SECONDS} s, {max(rates)} at most'
            )
            self.query_one(f'#{name}-head', Static).update(plain(head))
            self.query_one(f'#{name}', Sparkline).data = rates
        about = look.overview
        calls = Table.grid(padding=(0, 3))
        for name, count in sorted(about.calls.items(), key=lambda pair: -pair[1]):
            reverted = about.reverted.get(name, 0)
            bad = plain(f'{reverted} without effect', 'red') if reverted else Text()
            calls.add_row(plain(name), plain(str(count)), bad)
        self.query_one('#calls', Static).update(
            Group(plain('calls since the beginning', 'dim'), calls)
        )


class Details(ModalScreen[None]):
    """All about one thing, or help; to be closed with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding('escape,q,enter', 'dismiss', 'close'),
    ]

    def __init__(self, content: RenderableType) -> None:
        super().__init__()
        self._content = content

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with VerticalScroll():
            yield Static(self._content)
        yield Static(plain('↑ ↓ PgUp PgDn to scroll, Escape to close', 'dim'), id='hint')


def help_text() -> RenderableType:
    """Return what the keys and words mean."""
    return Group(pairs(KEYS), '', pairs(MEANINGS))
