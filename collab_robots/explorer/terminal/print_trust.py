"""Whom to trust and why, and who may serve which model, in print."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from collab_robots.explorer.book.answers import Conflict, Evidence, Models, Sketch, Trust, Verdict
from collab_robots.explorer.terminal.print import (
    heading,
    lines,
    listed,
    pairs,
    plain,
    short,
    state,
    table,
    when,
)


def trust(answer: Trust, sketches: bool) -> Group:
    """
    Return whom to trust, and the submissions behind it.

    :param sketches: draw the first two of each region that conflict.
    """
    made = table('robot', 'standing', Column('', overflow='fold'))
    for verdict in answer.verdicts:
        found = verdict.convicted or verdict.equivocated
        made.add_row(
            plain(verdict.robot),
            state(verdict.standing),
            plain(verdict.words.removeprefix(f'{verdict.robot}: '), 'red' if found else ''),
        )
    parts: list[RenderableType] = [made]
    for verdict in answer.verdicts:
        parts += _reasons(verdict, sketches)
    if answer.disputes:
        disputes = table('region', 'since')
        for dispute in answer.disputes:
            disputes.add_row(str(dispute.region), when(dispute.since))
        parts += [heading('Disputed, with too few witnesses so far'), disputes]
    needed = f'Witnesses of equal weight that convict a robot now: {answer.needed}'
    return Group(*parts, '', plain(needed, 'dim'))


def models(answer: Models) -> Group:
    """Return the models that robots serve, and the audits that they failed."""
    made = table('part', Column('of model', overflow='fold'), 'served by')
    for model in answer.models:
        made.add_row(plain(model.part or model.id), short(model.model), listed(model.servers))
    parts: list[RenderableType] = [made if answer.models else 'nobody offers a model']
    for robot, kinds in answer.failures.items():
        parts += ['', _failures(robot, kinds)]
    return Group(*parts)


def _reasons(verdict: Verdict, sketches: bool) -> Iterator[RenderableType]:
    """Yield what speaks against a robot."""
    if verdict.proof:
        yield heading(f'{verdict.robot} signed two records with one number')
        yield lines(verdict.proof)
    for evidence in verdict.evidence:
        enough = 'enough to convict it' if evidence.suffices else 'not enough to convict it'
        yield heading(f'Against {verdict.robot} in region {evidence.region}: {enough}')
        yield _conflicts(evidence)
        if sketches and evidence.conflicts:
            yield ''
            yield _side_by_side(verdict.robot, evidence.conflicts[0])
    if verdict.failures:
        yield ''
        yield _failures(verdict.robot, verdict.failures)


def _conflicts(evidence: Evidence) -> Table:
    made = table(
        'it drew at',
        'in block',
        'witness',
        'drew at',
        'in block',
        '>cells differ',
    )
    for conflict in evidence.conflicts:
        made.add_row(
            when(conflict.time),
            short(conflict.block or 'pruned'),
            plain(conflict.witness),
            when(conflict.witness_time),
            short(conflict.witness_block or 'pruned'),
            str(len(conflict.cells)),
        )
    return made


def _side_by_side(robot: str, conflict: Conflict) -> Table:
    made = Table(box=None, header_style='dim', pad_edge=False)
    made.add_column(plain(f'{robot} at {when(conflict.time)}'))
    made.add_column(plain(f'{conflict.witness} at {when(conflict.witness_time)}'))
    made.add_row(
        *(_sketch(one, conflict.cells) for one in (conflict.sketch, conflict.witness_sketch))
    )
    return made


def _sketch(sketch: Sketch, cells: Collection[tuple[int, int]]) -> Text:
    """Return a sketch, north up, every cell two characters wide as terminals are."""
    return Text('\n').join(
        Text().join(
            plain(char * 2, 'reverse red' if (x, y) in cells else '')
            for x, char in enumerate(sketch.rows[y])
        )
        for y in reversed(range(len(sketch.rows)))
    )


def _failures(robot: str, kinds: dict[str, dict[str, int]]) -> Table:
    """Return how often which auditor found a robot wrong."""
    return pairs(
        (f'{robot} failed {kind}', listed(f'{by} found {count}' for by, count in found.items()))
        for kind, found in kinds.items()
    )
