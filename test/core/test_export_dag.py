"""Drawings of the DAG: what they show, and that nothing in a ledger breaks them."""

from itertools import pairwise
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.explorer.book.answers import Dag
from collab_robots.explorer.export.dag import to_dot, to_svg

SVG = '{http://www.w3.org/2000/svg}'
EVIL = '</title><script>alert("1")</script>&\\'
STRING = r'"((?:[^"\\]|\\.)*)"'  # of DOT
NODE = re.compile(rf'  {STRING} \[(.*)\];')
EDGE = re.compile(rf'  {STRING} -> {STRING};')


def make(
    blocks: list[tuple[int, float, int, int, int, list[int]]], robots: tuple[str, ...]
) -> Dag:
    """Return a DAG of (robot, issued, state, side, calls, indices of parents)."""
    robot, issued, state, side, calls, parents = zip(*blocks, strict=True) if blocks else [()] * 6
    numbers = tuple(range(len(blocks)))
    return Dag(
        robots=robots,
        id=tuple(f'0x{number:064x}' for number in numbers),
        robot=robot,
        seq=numbers,
        issued=issued,
        depth=numbers,
        round=numbers,
        state=state,
        side=side,
        calls=calls,
        edges=tuple(end for child in numbers for one in parents[child] for end in (child, one)),
        cut=False,
    )


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    robots = ('robot1', EVIL, 'robot3')
    count, time, blocks = draw(st.integers(0, 30)), 0.0, []
    for number in range(count):
        time += draw(st.floats(0, 50))
        earlier = st.lists(st.integers(0, number - 1), max_size=4, unique=True)
        blocks.append(
            (
                draw(st.integers(-1, 2)),
                time,
                draw(st.integers(0, 2)),
                draw(st.integers(0, 7)),
                draw(st.integers(0, 3)),
                draw(earlier) if number else [],
            )
        )
    return make(blocks, robots)


def edges(dag: Dag) -> list[tuple[int, int]]:
    return list(zip(dag.edges[::2], dag.edges[1::2], strict=True))


@given(dags())
def test_dot_names_every_block_and_every_edge(dag: Dag) -> None:
    head, _, *lines, last = to_dot(dag).splitlines()
    assert (head, last) == ('digraph ledger {', '}')
    nodes = [found for line in lines if (found := NODE.fullmatch(line))]
    assert [found[1] for found in nodes] == list(dag.id)
    found = [edge.groups() for line in lines if (edge := EDGE.fullmatch(line))]
    assert found == [(dag.id[child], dag.id[parent]) for child, parent in edges(dag)]
    assert len(nodes) + len(found) == len(lines), 'there is nothing else'
    for node, robot, seq in zip(nodes, dag.robot, dag.seq, strict=True):
        attributes = dict(re.findall(rf'(\w+)={STRING}', node[2]))
        name = f'{dag.robots[robot]} {seq}' if robot >= 0 else 'unsigned'
        label = attributes['label'].replace('\\"', '"').replace('\\\\', '\\')
        assert label.startswith(name) and set(attributes) > {'tooltip', 'fillcolor', 'shape'}


def marks(svg: ElementTree.Element) -> list[tuple[float, float, str, str]]:
    """Return x, y, fill and title of every block drawn."""
    found = []
    for mark in svg:
        title = mark.find(f'{SVG}title')
        if title is None or mark.tag == f'{SVG}title':
            continue
        if mark.tag == f'{SVG}circle':
            x, y = float(mark.attrib['cx']), float(mark.attrib['cy'])
        else:
            half = float(mark.attrib['width']) / 2
            x, y = float(mark.attrib['x']) + half, float(mark.attrib['y']) + half
        found.append((x, y, mark.attrib['fill'], title.text or ''))
    return found


@given(dags())
def test_svg_has_time_to_the_right_and_a_lane_for_each_robot(dag: Dag) -> None:
    svg = ElementTree.fromstring(to_svg(dag))
    drawn = marks(svg)
    assert not list(svg.iter(f'{SVG}script'))
    assert [title.split('\n')[1] for *_, title in drawn] == list(dag.id)
    for (x, *_), (after, *_) in pairwise(drawn):
        assert after >= x, 'they are in the order of time'
    lanes: dict[int, set[float]] = {}
    for robot, (_, y, *_) in zip(dag.robot, drawn, strict=True):
        lanes.setdefault(robot, set()).add(y)
    assert all(len(ys) == 1 for ys in lanes.values())
    assert len(set.union(set(), *lanes.values())) == len(lanes)
    for robot in lanes:
        xs = [x for one, (x, *_) in zip(dag.robot, drawn, strict=True) if one == robot]
        assert all(b - a >= 14.8 for a, b in pairwise(xs)), 'none lies on another one'
    inside = [x < float(svg.attrib['width']) and y < float(svg.attrib['height'])
              for x, y, *_ in drawn]  # fmt: skip
    assert all(inside)


@given(dags())
def test_svg_draws_the_edges_from_block_to_block(dag: Dag) -> None:
    svg = ElementTree.fromstring(to_svg(dag))
    drawn = marks(svg)
    paths = [path.attrib['d'] for path in svg.iter(f'{SVG}path') if path.get('fill') == 'none']
    ends = [
        tuple(map(float, re.split('[ L]', part))) for path in paths for part in path.split('M')[1:]
    ]
    assert sorted(ends) == pytest.approx(
        sorted((*drawn[child][:2], *drawn[parent][:2]) for child, parent in edges(dag))
    )


def test_svg_tells_states_sides_and_calls_apart() -> None:
    blocks = [(0, float(n), n % 3, n % 2, n // 3, []) for n in range(6)]
    text = to_svg(make(blocks, ('robot1', 'robot2')))
    svg = ElementTree.fromstring(text)
    drawn = marks(svg)
    assert len({fill for *_, fill, _ in drawn}) == 3
    assert [fill for *_, fill, _ in drawn[:3]] == [fill for *_, fill, _ in drawn[3:]]
    assert text.count('<circle') - 3 == 3 and text.count(f'width="{10}"') == 3
    assert sum(rect.get('height') == '28' for rect in svg.iter(f'{SVG}rect')) == 3


def test_quiet_times_take_little_room() -> None:
    blocks = [(0, 0.0, 2, 0, 0, []), (0, 1e6, 2, 0, 0, [0])]
    svg = ElementTree.fromstring(to_svg(make(blocks, ('robot1',))))
    assert float(svg.attrib['width']) < 1_000
