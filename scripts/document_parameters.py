#!/usr/bin/env python3
"""
Write docs/parameters.md from the tables in which the nodes' parameters are declared.

Usage: ``python scripts/document_parameters.py``. Whoever changes ``bringup/tables.py`` runs it;
a test says when somebody forgot.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path

from collab_robots.bringup.parameters import Parameter, Table
from collab_robots.bringup.tables import MARKERS, NODES, ROBOT, SIMULATOR

PAGE = Path(__file__).resolve().parent.parent / 'docs' / 'parameters.md'
HEAD = """\
# Parameters

<!-- Made by scripts/document_parameters.py from collab_robots/bringup/tables.py. -->

What can be chosen about the nodes. They are declared with range and sentence, so a running node
tells the same: `ros2 param describe /robot1/mapper map_period`. The launch files take them as
arguments, and parameter files as everywhere in ROS 2:

```yaml
/**/mapper:                # the mappers of all robots
  ros__parameters:
    map_period: 2.0
/robot1/mapper:            # of one
  ros__parameters:
    initial_pose: [1.0, 2.0, 0.0]
```

A value that is not allowed is refused with what is, at the start (exit status 2) and at run time
(`ros2 param set`). A node reads its parameters when it is configured: to change one,
`ros2 lifecycle set /robot1/mapper deactivate`, then `cleanup`, set it, `configure` and `activate`
([nodes.md](nodes.md#life-cycle)). Beside these every node has `use_sim_time`, and
`qos_overrides.…` for its topics ([nodes.md](nodes.md#quality-of-service)).
"""
ROBOT_TEXT = """\
The process of a robot takes all of them. *Nodes* says who reads which; `all` are the robot's four.
"""
OTHERS = {
    'simulator': (SIMULATOR, 'One process for all robots of a simulation.'),
    'markers': (MARKERS, 'Draws a fleet for RViz; belongs to no robot.'),
}


def page() -> str:
    """Return the whole page."""
    nodes = {name: table for name, table in NODES.items() if name not in OTHERS}
    parts = [HEAD, '## A robot\n', ROBOT_TEXT, _table(ROBOT, nodes)]
    for name, (table, text) in OTHERS.items():
        parts += [f'## {name}\n', f'{text}\n', _table(table, {})]
    return '\n'.join(parts)


def _table(table: Table, nodes: Mapping[str, Table]) -> str:
    """Return a table in Markdown; with nodes, of which each parameter names those that have it."""
    heads = ['parameter', 'allowed', 'default', *(['nodes'] if nodes else []), 'what it is']
    lines = [_row(heads), _row(['---'] * len(heads))]
    for name, parameter in table.items():
        cells = [f'`{name}`', parameter.allowed, _default(parameter)]
        if nodes:
            having = [node for node, each in nodes.items() if name in each]
            cells.append('all' if len(having) == len(nodes) else ', '.join(having))
        lines.append(_row([*cells, parameter.text]))
    return '\n'.join([*lines, ''])


def _row(cells: list[str]) -> str:
    return f'| {" | ".join(cell.replace("|", "&#124;") for cell in cells)} |'


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return '**needed**'
    value = json.dumps(parameter.default)
    return f'`{value}`{f" {parameter.unit}" if parameter.unit else ""}'


if __name__ == '__main__':
    PAGE.write_text(page(), encoding='utf-8')
