"""Record a team by rosbag2 into MCAP files, without pictures unless asked for."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.recording import command, PRESETS, quality
from collab_robots.bringup.values import check_namespace
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.nodes import launching
from collab_robots.nodes.launch_texts import temporary

ARGUMENTS = {
    'out': Parameter('', 'Folder of the bag; it must not exist. Empty: bag_<date>_<time>.'),
    'fleet': Parameter(
        '', 'Path of the fleet file; its robots are recorded unless robots is set.'
    ),
    'robots': Parameter([''], "Whom to record: the robots' namespaces."),
    'regex': Parameter('', 'Expression for the topics instead of all of these robots.'),
    'images': Parameter(False, 'Whether to record pictures too.'),
    'compression': Parameter(
        'zstd_fast',
        f'MCAP preset: {"; ".join(f"{name}: {text}" for name, text in PRESETS.items())}.',
        choices=tuple(PRESETS),
    ),
    'use_sim_time': launching.OPTIONS['use_sim_time'],
}


def start(context: LaunchContext) -> Iterator[Any]:
    """Yield the recorder."""
    values = launching.read(context, ARGUMENTS)
    fleet, robots = values.pop('fleet'), [name for name in values.pop('robots') if name]
    if fleet:
        robots = robots or list(Fleet.load(fleet).index_by_name)
    if not robots:
        raise ConfigError('whom to record? Pass fleet:=FILE or robots:="[robot1, robot2]"')
    for robot in robots:
        check_namespace(robot)
    out = Path(values.pop('out') or f'bag_{datetime.now():%Y-%m-%d_%H-%M-%S}')
    if out.exists():
        raise ConfigError(f'out: {out} exists already; a bag is never overwritten')
    package = Path(get_package_share_directory(launching.PACKAGE))
    overrides, removal = temporary(quality(package / 'config/rosbag/qos.yaml', robots), '.yaml')
    yield removal
    yield ExecuteProcess(
        cmd=command(out, robots, overrides, **values), name='recorder', output='screen'
    )


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the recorder."""
    return launching.describe(ARGUMENTS, start)
