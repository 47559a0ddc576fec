"""docs/parameters.md says what the nodes declare."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.tables import NODES, ROBOT

ROOT = Path(__file__).parents[2]
spec = spec_from_file_location('document_parameters', ROOT / 'scripts/document_parameters.py')
script = module_from_spec(spec)
spec.loader.exec_module(script)


def test_the_page_is_what_the_script_makes_of_the_tables() -> None:
    assert script.PAGE.read_text(encoding='utf-8') == script.page(), (
        'run: python scripts/document_parameters.py'
    )


def test_every_parameter_of_every_node_is_there_once_for_robots() -> None:
    lines = script.page().splitlines()
    robot = lines[: lines.index('## simulator')]
    for name in ROBOT:
        assert sum(line.startswith(f'| `{name}` |') for line in robot) == 1
    for node in set(NODES) & set(script.OTHERS):
        start = lines.index(f'## {node}')
        for name in NODES[node]:
            assert any(line.startswith(f'| `{name}` |') for line in lines[start:])


def test_a_row_says_who_reads_it_with_unit_and_default() -> None:
    tables = {
        'a': {'x': Parameter(1.5, 'A | b.', 0.0, 2.0, 's'), 'y': Parameter('', 'C.')},
        'b': {'y': Parameter('', 'C.', required=True)},
    }
    merged = {**tables['a'], **tables['b']}
    assert script._table(merged, tables).splitlines()[2:] == [
        '| `x` | a number from 0 to 2 s | `1.5` s | a | A &#124; b. |',
        '| `y` | a text | **needed** | all | C. |',
    ]


@pytest.mark.parametrize('node', NODES)
def test_every_parameter_has_a_sentence(node: str) -> None:
    for name, parameter in NODES[node].items():
        assert parameter.text[0].isupper() or parameter.text[0].isdigit(), name
        assert parameter.text.endswith('.'), name
