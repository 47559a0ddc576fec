"""
What all printers share: text that cannot harm, times, ids, tables.

Robots and strangers write what is in a ledger. All of it goes through :func:`safe`: no control
character reaches the terminal, and rich finds no markup in it, since it comes as ``Text``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from rich.console import Console, Group
from rich.table import Column, Table
from rich.text import Text

from collab_robots.explorer.book.answers import Page

_CLOCK = range(10**8, 253_402_300_800)  # s since 1970 to the year 9999; less is a simulation's
_ID = 12  # characters of an id in lists, as 0x and 5 bytes: 100,000 blocks hardly share them
STYLES = {
    'pending': 'yellow',
    'accepted': 'cyan',
    'final': 'green',
    'open': 'yellow',
    'held': 'cyan',
    'done': 'green',
    'stale': 'dim',
    'missed': 'red',
    'active': 'green',
    'expelled': 'red',
    'left': 'dim',
}
"""How states look."""


def console() -> Console:
    """Return where answers are printed: in colours on a terminal only."""
    return Console(highlight=False)


def safe(text: str) -> str:
    """Return text with every character escaped that is none to print, as Python writes it."""
    return ''.join(
        char if char.isprintable() else char.encode('unicode_escape').decode() for char in text
    )


def plain(text: str, style: str = '') -> Text:
    """Return ledger text as it is: whatever it holds is no markup."""
    return Text(safe(text), style)


def state(name: str) -> Text:
    """Return the name of a state in its colour."""
    return plain(name, STYLES.get(name, ''))


def listed(texts: Iterable[str]) -> Text:
    """Return texts in a row, ``-`` if there are none."""
    return plain(', '.join(texts) or '-')


def lines(texts: Iterable[str]) -> Text:
    """Return texts below each other."""
    return Text('\n').join(map(plain, texts))


def when(time: float) -> str:
    """Return a time of the fleet's clock: s of a simulation, else ISO 8601 in UTC."""
    if not _CLOCK.start <= time < _CLOCK.stop:
        return f'{time:.1f} s'
    return datetime.fromtimestamp(time, timezone.utc).isoformat(' ', 'seconds')[:19]


def span(seconds: float) -> str:
    """Return how long something took."""
    if not 120 <= seconds < 1e9:
        return f'{seconds:.1f} s'
    minutes, hours = divmod(round(seconds / 60), 60)[::-1]
    return f'{hours} h {minutes} min' if hours else f'{minutes} min'


def short(identity: str) -> str:
    """Return the beginning of an id, which commands take for the whole."""
    return safe(identity)[:_ID]


def table(*columns: Column | str) -> Table:
    """Return an empty table; columns whose header begins with ``>`` hold numbers."""
    return Table(
        *(_column(column) if isinstance(column, str) else column for column in columns),
        box=None,
        header_style='dim',
        pad_edge=False,
    )


def _column(header: str) -> Column:
    return Column(header.lstrip('>'), justify='right' if header.startswith('>') else 'left')


def pairs(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Return names with values; empty values are left out."""
    made = Table('', Column(overflow='fold'), box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        if value:
            made.add_row(plain(name, 'dim'), plain(value) if isinstance(value, str) else value)
    return made


def heading(text: str) -> Text:
    """Return the line above a part."""
    return Text('\n').append_text(plain(text, 'bold'))


def paged(what: str, listing: Table, page: Page[Any]) -> Group:
    """Return a part of a list, and how to go on if that is not all."""
    if not page.items:
        return Group('none')
    if page.next is None:
        return Group(listing)
    shown = f'{len(page.items)} of {page.total} {what}; for the next add: --page {page.next}'
    return Group(listing, plain(shown, 'dim'))
