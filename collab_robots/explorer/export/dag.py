"""Drawings of a part of the DAG: DOT, for graphviz, and SVG, for any browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from collab_robots.explorer.book.answers import Dag

UNSIGNED = 'unsigned'
STATES = ('pending', 'accepted', 'final')  # as Dag.state counts them
_FILLS = ('#ffffff', '#f2c14e', '#2a9d68')
_TINTS = ('none', '#e7effa', '#fbeee3', '#efe8f7', '#e6f4ea')  # behind blocks, by side of a split
_INK, _FAINT = '#30363d', '#8a929b'

# All in pixels.
_LEFT, _TOP, _BOTTOM, _RIGHT = 110, 46, 40, 24
_LANE = 56  # between two lanes
_RADIUS = 5
_GAP = 15  # between two blocks of a lane, at least
_LONGEST = 60  # between two blocks that follow one another
_PER_SECOND = 40
_TICK = 90  # between two times


def to_dot(dag: Dag) -> str:
    """
    Return the DOT of a part of the DAG: time to the right, edges from child to parent.

    A block is filled by its state; one with calls is a box.
    """
    return '\n'.join(_dot(dag)) + '\n'


def to_svg(dag: Dag) -> str:
    """
    Return the SVG of a part of the DAG: time to the right, one lane for each robot.

    Blocks are filled by their state, and have a tint behind them by their side of a split. Where
    little happens time is compressed; the axis names it. Titles tell what a block is.
    """
    return '\n'.join(_svg(dag)) + '\n'


def _dot(dag: Dag) -> Iterator[str]:
    yield 'digraph ledger {'
    yield '  rankdir=RL; node [fontname=Helvetica, fontsize=10, style=filled];'
    for index, identity in enumerate(dag.id):
        robot = _robot(dag, index)
        name = f'{robot} {dag.seq[index]}' if dag.robot[index] >= 0 else UNSIGNED
        look = {
            'label': f'{name}\n{dag.issued[index]:.1f} s',
            'tooltip': _about(dag, index),
            'group': robot,
            'shape': 'box' if dag.calls[index] else 'ellipse',
            'fillcolor': _FILLS[dag.state[index]],
        }
        attributes = ', '.join(f'{key}={_quoted(value)}' for key, value in look.items())
        yield f'  {_quoted(identity)} [{attributes}];'
    for child, parent in _edges(dag):
        yield f'  {_quoted(dag.id[child])} -> {_quoted(dag.id[parent])};'
    yield '}'


def _quoted(text: str) -> str:
    """Return a string as DOT has it."""
    text = text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
    return f'"{text}"'


class _Place(NamedTuple):
    x: float
    y: float


def _svg(dag: Dag) -> Iterator[str]:
    lanes = [*dag.robots, *[UNSIGNED] * (-1 in dag.robot)]
    places = _places(dag, len(lanes))
    width = max((place.x for place in places), default=_LEFT) + _RIGHT
    width = max(width, _LEFT + 4 * _TICK)
    height = _TOP + _LANE * len(lanes) + _BOTTOM
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" font-family="Helvetica, Arial, sans-serif" '
        'font-size="12">'
    )
    yield f'<title>{_counted(dag)}</title>'
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'
    yield from _legend(dag)
    for number, lane in enumerate(lanes):
        y = _lane(number)
        yield f'<text x="12" y="{y + 4}" fill="{_INK}">{escape(lane)}</text>'
        yield f'<path d="M{_LEFT - 12} {y}H{width - 12:.0f}" stroke="#e3e6ea"/>'
    for place, side in zip(places, dag.side, strict=True):
        if side:
            yield (
                f'<rect x="{place.x - _GAP / 2:.1f}" y="{place.y - 14:.0f}" width="{_GAP}" '
                f'height="28" fill="{_TINTS[1 + (side - 1) % (len(_TINTS) - 1)]}"/>'
            )
    yield from _axis(dag, places, height)
    yield from _lines(dag, places)
    for index, place in enumerate(places):
        yield _block(dag, index, place)
    yield '</svg>'


def _places(dag: Dag, lanes: int) -> list[_Place]:
    """Return where blocks go: later ones farther right, none on another one of its lane."""
    free = [float(_LEFT)] * lanes
    x, before = float(_LEFT), dag.issued[0] if dag.issued else 0.0
    found = dict[int, _Place]()
    for index in sorted(
        range(len(dag.id)), key=lambda index: (dag.issued[index], dag.depth[index])
    ):
        lane = dag.robot[index] % lanes
        x = max(x + min((dag.issued[index] - before) * _PER_SECOND, _LONGEST), free[lane])
        before, free[lane] = dag.issued[index], x + _GAP
        found[index] = _Place(x, _lane(lane))
    return [found[index] for index in range(len(dag.id))]


def _lane(number: int) -> int:
    return _TOP + _LANE * number + _LANE // 2


def _lines(dag: Dag, places: list[_Place]) -> Iterator[str]:
    """Yield the edges: one path for those within a lane, one for the others."""
    for stroke, same in (('#b9c0c8', False), (_INK, True)):
        parts = [
            f'M{places[child].x:.1f} {places[child].y}L{places[parent].x:.1f} {places[parent].y}'
            for child, parent in _edges(dag)
            if (dag.robot[child] == dag.robot[parent]) is same
        ]
        yield f'<path d="{"".join(parts)}" fill="none" stroke="{stroke}" stroke-width="0.8"/>'


def _block(dag: Dag, index: int, place: _Place) -> str:
    """Return a block: a disc, one with calls is a square."""
    look = f'fill="{_FILLS[dag.state[index]]}" stroke="{_INK}"'
    title = f'<title>{escape(_about(dag, index))}</title>'
    x, y = place
    if dag.calls[index]:
        side = 2 * _RADIUS
        corner = f'x="{x - _RADIUS:.1f}" y="{y - _RADIUS}"'
        return f'<rect {corner} width="{side}" height="{side}" {look}>{title}</rect>'
    return f'<circle cx="{x:.1f}" cy="{y}" r="{_RADIUS - 1}" {look}>{title}</circle>'


def _axis(dag: Dag, places: list[_Place], height: int) -> Iterator[str]:
    """Yield the times of some blocks, far enough apart to be read."""
    last = -float('inf')
    for place, issued in sorted(zip(places, dag.issued, strict=True)):
        if place.x - last >= _TICK:
            last = place.x
            line = f'M{place.x:.1f} {_TOP - 4}V{height - _BOTTOM + 6}'
            yield f'<path d="{line}" stroke="#e3e6ea" stroke-dasharray="2 4"/>'
            yield (
                f'<text x="{place.x:.1f}" y="{height - 16}" text-anchor="middle" '
                f'fill="{_FAINT}">{issued:.1f} s</text>'
            )


def _legend(dag: Dag) -> Iterator[str]:
    yield f'<text x="12" y="22" fill="{_INK}">{_counted(dag)}</text>'
    x = 330
    for name, fill in zip(STATES, _FILLS, strict=True):
        yield f'<circle cx="{x}" cy="18" r="{_RADIUS}" fill="{fill}" stroke="{_INK}"/>'
        yield f'<text x="{x + 10}" y="22" fill="{_FAINT}">{name}</text>'
        x += 80


def _counted(dag: Dag) -> str:
    more = ', the newest of more' if dag.cut else ''
    return f'{len(dag.id)} blocks{more}; squares hold calls'


def _about(dag: Dag, index: int) -> str:
    """Say what a block is."""
    robot = _robot(dag, index)
    seq = f' {dag.seq[index]}' if dag.robot[index] >= 0 else ''
    return (
        f'{robot}{seq}\n{dag.id[index]}\nissued {dag.issued[index]:.3f} s, '
        f'round {dag.round[index]}, {STATES[dag.state[index]]}, calls: {dag.calls[index]}'
    )


def _robot(dag: Dag, index: int) -> str:
    return dag.robots[dag.robot[index]] if dag.robot[index] >= 0 else UNSIGNED


def _edges(dag: Dag) -> Iterator[tuple[int, int]]:
    """Yield child and parent, as indices of blocks."""
    return zip(dag.edges[::2], dag.edges[1::2], strict=True)
