"""Record a team by rosbag2 into MCAP files, without pictures unless asked for."""

from collections.abc import Iterator
from typing import Any

from launch import LaunchContext, LaunchDescription

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.tables import OPTIONS
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.nodes import launch_record, launching

TEAM = {
    'fleet': Parameter(
        '', 'Path of the fleet file; its robots are recorded unless robots is set.'
    ),
    'robots': Parameter([''], "Whom to record: the robots' namespaces."),
    'use_sim_time': OPTIONS['use_sim_time'],
}


def start(context: LaunchContext) -> Iterator[Any]:
    """Yield the recorder."""
    team = launching.read(context, TEAM)
    robots = [name for name in team['robots'] if name]
    if team['fleet']:
        robots = robots or list(Fleet.load(team['fleet']).index_by_name)
    if not robots:
        raise ConfigError('whom to record? Pass fleet:=FILE or robots:="[robot1, robot2]"')
    values = launching.read(context, launch_record.ARGUMENTS)
    yield from launch_record.recorder(robots, values, team['use_sim_time'])


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the recorder."""
    return launching.describe({**TEAM, **launch_record.ARGUMENTS}, start)
