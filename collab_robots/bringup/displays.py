"""
RViz' displays for certain robots, from a file with placeholders.

In a file, ``<robot_namespace>`` (as in Nav2's) and ``<robot>`` stand for a robot. A group of
displays that has them is repeated for every robot; elsewhere they stand for the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from collab_robots.bringup.placeholders import filled
from collab_robots.core.errors import ConfigError

GROUP = 'rviz_common/Group'
NEED_TF = frozenset(f'rviz_default_plugins/{name}' for name in ('LaserScan', 'RobotModel', 'TF'))
"""Displays of things that are not in the frame ``map``."""


def displays(file: Path, robots: Sequence[str], tf: bool) -> str:
    """
    Return the text of an RViz file for some robots.

    :param robots: their namespaces without the leading slash, at least one.
    :param tf: whether RViz gets the transforms of all of them; if not, displays that need them
        are left out.
    :raises ConfigError: if the file is missing or is none of RViz'.
    """
    try:
        config = yaml.safe_load(file.read_text(encoding='utf-8'))
        manager = config['Visualization Manager']
        manager['Displays'] = _shown(manager['Displays'], robots, tf)
    except OSError as error:
        raise ConfigError(f'{file}: cannot be read: {error.strerror}') from None
    except (yaml.YAMLError, KeyError, TypeError):
        raise ConfigError(f"{file}: is not one of RViz' files") from None
    return yaml.safe_dump(filled(config, robots[0]), sort_keys=False)


def _shown(displays: Sequence[dict[str, Any]], robots: Sequence[str], tf: bool) -> list[Any]:
    """Return what can be drawn, with groups repeated."""
    result: list[Any] = []
    for display in displays:
        if display['Class'] == GROUP:
            group = {**display, 'Displays': _shown(display['Displays'], robots, tf)}
            copies = [filled(group, robot) for robot in robots]
            result += copies if copies[0] != group else [group]
        elif tf or display['Class'] not in NEED_TF:
            result.append(display)
    return result
