"""The script that makes docs/nodes.md, and what the page says, for tests."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
import re
import sys
from typing import Any, NamedTuple

from rclpy.qos import QoSProfile

from collab_robots.nodes import qos

ROOT = Path(__file__).parents[2]


class Row(NamedTuple):
    """A topic of a table."""

    node: str
    way: str  # Publishes, Subscribes to
    name: str
    kind: str
    profile: QoSProfile


def script() -> Any:
    spec = spec_from_file_location('document_nodes', ROOT / 'scripts' / 'document_nodes.py')
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


def rows() -> list[Row]:
    """Return all topics that the page lists; of those of robots without their namespace."""
    result, node, way = [], '', ''
    for line in (ROOT / 'docs' / 'nodes.md').read_text(encoding='utf-8').splitlines():
        if begin := re.match(r'<!-- begin topics (\w+) -->', line):
            node = begin[1]
        elif head := re.match(r'\| (Publishes|Subscribes to) \|', line):
            way = head[1]
        elif row := re.match(r'\| `(.*?)` \| `(.*?)` \| ([A-Z_]+) \|', line):
            if node:
                name = row[1].removeprefix('/<robot>/')
                result.append(Row(node, way, name, row[2], getattr(qos, row[3])))
        elif line == '<!-- end -->':
            node = ''
    return result
