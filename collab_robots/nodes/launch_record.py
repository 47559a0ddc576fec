"""
The recorder, for record.launch.py and whatever launch file wants to record what it starts.

Such a launch file takes ``OPTION`` among its arguments and adds :func:`recording` to its actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext
from launch.actions import ExecuteProcess

from collab_robots.bringup.parameters import Parameter, Table
from collab_robots.bringup.recording import command, PRESETS, quality
from collab_robots.bringup.values import check_namespace
from collab_robots.core.errors import ConfigError
from collab_robots.nodes.launch_texts import temporary
from collab_robots.nodes.launching import PACKAGE, read

ARGUMENTS: Table = {
    'out': Parameter('', 'Folder of the bag; it must not exist. Empty: bag_<date>_<time>.'),
    'regex': Parameter('', 'Expression for the topics instead of all of these robots.'),
    'images': Parameter(False, 'Whether to record pictures too.'),
    'compression': Parameter(
        'zstd_fast',
        f'MCAP preset: {"; ".join(f"{name}: {text}" for name, text in PRESETS.items())}.',
        choices=tuple(PRESETS),
    ),
}
OPTION: Table = {
    'record': Parameter(False, 'Whether to record it by rosbag2, as record.launch.py does.'),
    'bag': Parameter('', 'Folder of that bag; it must not exist. Empty: bag_<date>_<time>.'),
}


def recording(context: LaunchContext, robots: Sequence[str], use_sim_time: bool) -> list[Any]:
    """
    Return the actions that record some robots, none unless ``OPTION`` says so.

    :param robots: their namespaces.
    """
    chosen = read(context, OPTION)
    usual = {name: parameter.default for name, parameter in ARGUMENTS.items()}
    values = {**usual, 'out': chosen['bag']}
    return list(recorder(robots, values, use_sim_time)) if chosen['record'] else []


def recorder(
    robots: Sequence[str], values: Mapping[str, Any], use_sim_time: bool
) -> Iterator[Any]:
    """
    Yield the actions that record some robots.

    :param robots: their namespaces.
    :param values: of ``ARGUMENTS``.
    :raises ConfigError: if the bag exists, or a namespace cannot be.
    """
    for robot in robots:
        check_namespace(robot)
    out = Path(values['out'] or f'bag_{datetime.now():%Y-%m-%d_%H-%M-%S}')
    if out.exists():
        raise ConfigError(f'out: {out} exists already; a bag is never overwritten')
    file = Path(get_package_share_directory(PACKAGE)) / 'config' / 'rosbag' / 'qos.yaml'
    overrides, removal = temporary(quality(file, robots), '.yaml')
    yield removal
    chosen = {name: values[name] for name in ('regex', 'images', 'compression')}
    words = command(out, robots, overrides, use_sim_time=use_sim_time, **chosen)
    yield ExecuteProcess(cmd=words, name='recorder', output='screen')
