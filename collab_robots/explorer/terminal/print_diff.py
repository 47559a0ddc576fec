"""Two ledgers beside each other, in print."""

from __future__ import annotations

from rich.console import Group
from rich.table import Column
from rich.text import Text

from collab_robots.explorer.terminal.compare import Difference
from collab_robots.explorer.terminal.print import listed, plain, short, table

_NAMED = 8  # ids shown of a side


def difference(answer: Difference) -> Group:
    """Return what each ledger has that the other lacks, and whether the final orders part."""
    made = table('ledger', '>only there', 'signed by', Column('the first', overflow='fold'))
    for lead in (answer.first, answer.second):
        made.add_row(
            plain(lead.robot),
            str(len(lead.blocks)),
            listed(f'{name} {count}' for name, count in lead.robots.items()),
            listed(map(short, lead.blocks[:_NAMED])),
        )
    return Group(
        *(plain(f'{lead.robot}: {lead.source}', 'dim') for lead in (answer.first, answer.second)),
        made,
        f'in both: {answer.common} blocks',
        _verdict(answer),
    )


def _verdict(answer: Difference) -> Text:
    if answer.parts_at is not None:
        return plain(
            f'The final orders PART at number {answer.parts_at}: '
            f'{" and ".join(answer.at_parting)}',
            'bold red',
        )
    if answer.parted:
        return plain(
            'The final orders PART, before the records that both files hold: their digests differ',
            'bold red',
        )
    return plain(
        f'The final orders do not part: the same record at all {answer.compared} numbers that '
        'both have',
        'green',
    )
