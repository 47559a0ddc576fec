"""The DAG of a run as a picture: DOT, for graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from collab_robots.sim.protocol.run import Run, Violation
from collab_robots.tangle.dag import Entry


def dot(run: Run, violation: Violation | None = None) -> str:
    """
    Draw what the honest robots of a run hold together.

    A colour for each issuer: filled where the record is final, a dashed outline where it is not; a
    box is a witness; a thick red outline shares its issuer and seq with another record. A record
    that has several positions in the final orders names them all.
    """
    return '\n'.join(_lines(run, violation)) + '\n'


def _lines(run: Run, violation: Violation | None) -> Iterator[str]:
    entries: dict[bytes, Entry] = {}
    positions: dict[bytes, set[int]] = {}
    for ledger in run.ledgers:
        for entry in ledger.dag.entries.values():
            entries.setdefault(entry.id, entry)
            if entry.position >= 0:
                positions.setdefault(entry.id, set()).add(entry.position)
    seats: dict[tuple[int, int], int] = {}
    for entry in entries.values():
        seat = (entry.issuer, entry.record.seq)
        seats[seat] = seats.get(seat, 0) + 1
    title = f'seed {run.scenario.seed}'
    if violation is not None:
        title += f': {violation.invariant} at {violation.at:.2f} s, {violation.robot}'
    yield 'digraph ledger {'
    yield f'  rankdir=LR; labelloc=t; label="{title}"; node [fontname=Helvetica, fontsize=10];'
    for entry in sorted(entries.values(), key=lambda entry: (entry.depth, entry.id)):
        forked = seats[entry.issuer, entry.record.seq] > 1
        yield _node(entry, sorted(positions.get(entry.id, ())), run.scenario.robots, forked)
    for entry in entries.values():
        for parent in entry.record.parents:
            if parent in entries:
                yield f'  "{_name(entry.id)}" -> "{_name(parent)}";'
    yield '}'


def _node(entry: Entry, positions: list[int], robots: int, forked: bool) -> str:
    label = f'{entry.issuer:02}#{entry.record.seq}\\nround {entry.round}'
    if positions:
        label += '\\nfinal ' + ', '.join(map(str, positions))
    hue = f'{max(entry.issuer, 0) / robots:.3f}'
    look = [
        f'label="{label}"',
        f'tooltip="{entry.id.hex()}"',
        f'shape={"box" if entry.witness else "ellipse"}',
        f'style={"filled" if positions else "dashed"}',
        f'fillcolor="{hue} 0.35 1.0"',
        f'color="{"red" if forked else f"{hue} 0.9 0.7"}"',
    ]
    if forked:
        look.append('penwidth=3')
    return f'  "{_name(entry.id)}" [{", ".join(look)}];'


def _name(identity: bytes) -> str:
    return identity.hex()[:16]
