"""Blocks and the DAG, in print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from collab_robots.explorer.book.answers import Block, BlockDetails, Call, Dag, Page
from collab_robots.explorer.terminal.print import (
    listed,
    paged,
    pairs,
    plain,
    short,
    state,
    STYLES,
    table,
    when,
)

_STATES = ('pending', 'accepted', 'final')  # as Dag.state counts them
_MARKS = ('○', '◐', '●')
_CUT = '; these are the newest of more, see --limit'


def block_page(page: Page[Block], kind: str | None) -> Group:
    """Return a list of blocks, the newest at the end as in a log; see :func:`block_rows`."""
    return paged('blocks', block_rows(page.items[::-1], kind), page)


def block_rows(blocks: Sequence[Block], kind: str | None, header: bool = True) -> Table:
    """
    Return a line for every block, and for every call after its first.

    :param kind: what the blocks were chosen by (:class:`.reader.Filter`): other calls are counted.
    """
    made = table(
        Column('time', width=max([9, *(len(when(block.issued)) for block in blocks)])),
        Column('block', width=12),
        Column('robot', width=10, overflow='fold'),
        Column('state', width=8),
        Column('calls', overflow='fold'),
    )
    made.show_header = header
    for block in blocks:
        made.add_row(
            when(block.issued),
            short(block.id),
            plain(block.robot or 'unsigned'),
            state(block.state.value),
            _calls(block, kind),
        )
    return made


def block_details(block: BlockDetails) -> Table:
    """Return all about a block."""
    final = '' if block.position is None else f': number {block.position} of the final order'
    return pairs(
        [
            ('block', block.id),
            ('robot', f'{block.robot}, its record {block.seq}' if block.robot else 'unsigned'),
            ('issued', f'{when(block.issued)}, received {when(block.received)}'),
            ('state', state(block.state.value).append(final)),
            ('depth', f'{block.depth}, round {block.round}' + ', a witness' * block.witness),
            ('epoch', str(block.epoch)),
            ('size', f'{block.size} bytes' + ('' if block.raw else ', not held any more')),
            ('parents', listed(block.parents)),
            ('children', listed(block.children)),
            ('heard', listed(f'{name} {count}' for name, count in block.heard.items())),
            ('approved by', listed(block.approved_by)),
            ('tag', block.tag),
            ('data', block.data),
            *(row for at, call in enumerate(block.calls, 1) for row in _call_rows(at, call)),
        ]
    )


def lanes(dag: Dag) -> Group:
    """Return the DAG, oldest first: in each robot's lane its record, or the one that is named."""
    sides = any(dag.side)
    made = table(
        'time',
        *(Column(plain(name), overflow='fold') for name in dag.robots),
        'block',
        '>calls',
        *['>side'] * sides,
    )
    parents = _parents(dag)
    for index, robot in enumerate(dag.robot):
        lane = [Text('│', 'dim') for _ in dag.robots]
        for parent in parents[index]:
            if dag.robot[parent] >= 0:
                lane[dag.robot[parent]] = Text(f'└ {dag.seq[parent]}', 'dim')
        if robot >= 0:
            at = dag.state[index]
            lane[robot] = Text(f'{_MARKS[at]} {dag.seq[index]}', STYLES[_STATES[at]])
        made.add_row(
            when(dag.issued[index]),
            *lane,
            short(dag.id[index]),
            str(dag.calls[index] or '') if robot >= 0 else 'data',
            *[str(dag.side[index] or '')] * sides,
        )
    legend = "○ pending  ◐ accepted  ● final, with the record's number; └ names this one"
    return Group(made, Text(legend + _CUT * dag.cut, 'dim'))


def _parents(dag: Dag) -> list[list[int]]:
    """Return the parents of every block that are in this part."""
    found: list[list[int]] = [[] for _ in dag.id]
    for child, parent in zip(dag.edges[::2], dag.edges[1::2], strict=True):
        found[child].append(parent)
    return found


def _calls(block: Block, kind: str | None) -> Text:
    if not block.calls:
        return Text('data' if block.robot is None else 'heartbeat', 'dim')
    chosen = [
        call
        for call in block.calls
        if kind in (None, call.name) or (kind == 'reverted' and not call.ok)
    ]
    lines = [_call(call) for call in chosen]
    if len(chosen) < len(block.calls):
        lines.append(Text(f'and {len(block.calls) - len(chosen)} other calls', 'dim'))
    return Text('\n').join(lines)


def _call(call: Call) -> Text:
    if call.ok:
        return plain(f'· {call.words}')
    return plain(f'✗ {call.words}: {call.reason}', 'red')


def _call_rows(number: int, call: Call) -> list[tuple[str, str | Text]]:
    return [
        (f'call {number}', _call(call)),
        ('about task', call.task or ''),
        *(('told', event) for event in call.events),
    ]
