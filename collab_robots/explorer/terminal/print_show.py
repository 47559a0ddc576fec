"""A ledger at a glance, its splits, and what a search found, in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table

from collab_robots.explorer.book.answers import Found, Overview, Split
from collab_robots.explorer.terminal.print import (
    lines,
    listed,
    paged,
    pairs,
    plain,
    short,
    span,
    table,
    when,
)

_BLOCKS = ('block', 'call', 'data')  # kinds of hits that are in one


def overview(answer: Overview) -> Table:
    """Return a ledger at a glance."""
    blocks = {'pending': answer.pending, 'accepted': answer.accepted, 'final': answer.final}
    return pairs(
        [
            ('ledger', answer.source),
            ('as of', '' if answer.at is None else when(answer.at)),
            ('warning', plain(answer.warning, 'bold red')),
            ('robot', answer.robot),
            ('fleet', f'{answer.fleet}, epoch {answer.epoch}'),
            ('', answer.fleet_id),
            ('robots', listed(answer.robots)),
            ('convicted of a wrong map', plain(', '.join(answer.convicted), 'red')),
            ('signed twice', plain(', '.join(answer.equivocators), 'red')),
            ('time', f'{when(answer.first)} to {when(answer.last)}, round {answer.round}'),
            ('blocks', f'{answer.blocks}: {_counts(blocks)}'),
            ('without signature', str(answer.foreign or '')),
            ('not held any more', str(answer.pruned or '')),
            ('snapshot', str(answer.snapshot or '')),
            ('final lag', span(answer.final_lag)),
            ('splits', str(answer.splits)),
            ('tasks', _counts(answer.tasks) or '-'),
            ('calls', _counts(answer.calls) or '-'),
            ('calls without effect', _counts(answer.reverted) or '-'),
            ('state root', answer.state_root),
            ('final root', answer.final_root),
            ('final digest', answer.final_digest),
        ]
    )


def splits(answers: Sequence[Split]) -> Group:
    """Return when robots did not hear one another, and what came of it."""
    if not answers:
        return Group('all robots heard one another all the time')
    parts: list[RenderableType] = []
    for split in answers:
        until = 'until now' if split.end is None else f'to {when(split.end)}'
        parts += [
            plain(f'split {short(split.id)}: {when(split.begin)} {until}', 'bold'),
            plain(split.words),
            _sides(split),
            pairs(
                [
                    ('joined by', split.joined or 'nothing yet'),
                    ('blocks lost', str(split.blocks_lost)),
                    ('given twice', ', '.join(split.twice)),
                ]
            ),
            '',
        ]
    return Group(*parts[:-1])


def found(answer: Found) -> Group:
    """Return what a search found; if that is nothing, what can be searched for."""
    if not answer.hits.items:
        return Group(
            plain(f'nothing found for {answer.query!r}'),
            pairs([('searched', lines(answer.searched)), ('finds', lines(answer.accepts))]),
        )
    made = table('time', 'kind', 'id', 'what', Column('', overflow='fold'))
    for hit in answer.hits.items:
        identity = short(hit.id) if hit.kind in _BLOCKS else ''
        words = '; '.join(hit.words.splitlines())
        made.add_row(when(hit.time), plain(hit.kind), identity, plain(hit.title), plain(words))
    searched = plain('searched: ' + '; '.join(answer.searched), 'dim')
    return Group(searched, paged('hits', made, answer.hits))


def _sides(split: Split) -> Table:
    made = table('side', '>blocks', '>calls', '>tasks done', 'could make records final')
    for side in split.sides:
        made.add_row(
            listed(side.robots),
            str(side.blocks),
            str(side.calls),
            str(side.done),
            'yes' if side.finalised else 'no',
        )
    return made


def _counts(numbers: Mapping[str, int]) -> str:
    return ', '.join(f'{name} {count}' for name, count in numbers.items())
