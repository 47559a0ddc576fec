"""Start RViz for one robot or for a whole fleet, and the node whose markers it shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import Shutdown
from launch_ros.actions import Node

from collab_robots.bringup import processes
from collab_robots.bringup.displays import displays
from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.processes import PREFIXED
from collab_robots.bringup.tables import MARKERS, OPTIONS
from collab_robots.bringup.topics import TF, TF_STATIC
from collab_robots.bringup.values import check_namespace
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.nodes import launching
from collab_robots.nodes.launch_texts import temporary

VIEW = {
    'namespace': Parameter('', 'The one robot to be shown; empty: the whole fleet.'),
    'config': Parameter(
        '', "RViz file; robot.rviz or fleet.rviz of this package's config/rviz if empty."
    ),
    'markers': Parameter(True, 'Whether to start the node that publishes the markers.'),
    'rviz': Parameter(True, 'Whether to start RViz; false: only the markers, as for Foxglove.'),
}
CHOICES = {
    name: OPTIONS[name] for name in ('use_sim_time', 'tf', 'log_level', 'respawn', 'respawn_delay')
}
TEAM = {name: MARKERS[name] for name in ('fleet', 'robots', 'silence', 'marker_period')}
ARGUMENTS = {**VIEW, **TEAM, **CHOICES}


def start(context: LaunchContext) -> Iterator[Any]:
    """Yield the markers' node and RViz."""
    view, team = launching.read(context, VIEW), launching.chosen(context, TEAM)
    options = launching.read(context, CHOICES)
    alone = [view['namespace'].removeprefix('/')] if view['namespace'] else []
    robots = list(team.pop('robots', ()))
    if fleet := team.pop('fleet', ''):
        robots = robots or list(Fleet.load(fleet).index_by_name)
    robots = robots or alone
    if not robots:
        raise ConfigError('whom to show? Pass fleet:=FILE, robots:="[robot1, …]" or namespace:=…')
    for robot in robots:
        check_namespace(robot)
    if view['markers']:
        yield launching.start(
            context,
            processes.node(
                'markers_node',
                name='markers',
                parameters={**team, 'robots': robots, 'use_sim_time': options['use_sim_time']},
                log_level=options['log_level'],
            ),
        )
    if view['rviz']:
        yield from _rviz(view, alone or robots, options)


def _rviz(view: dict[str, Any], robots: list[str], options: dict[str, Any]) -> Iterator[Any]:
    alone, prefixed = bool(view['namespace']), options['tf'] == PREFIXED
    package = Path(get_package_share_directory(launching.PACKAGE))
    file = Path(view['config'] or package / f'config/rviz/{"robot" if alone else "fleet"}.rviz')
    filled, removal = temporary(displays(file, robots, tf=alone or prefixed), '.rviz')
    yield removal
    yield Node(
        package='rviz2',
        executable='rviz2',
        namespace=robots[0] if alone else None,
        arguments=['-d', str(filled)],
        parameters=[{'use_sim_time': options['use_sim_time']}],
        remappings=[(f'/{topic}', topic) for topic in (TF, TF_STATIC)] if not prefixed else [],
        output='screen',
        on_exit=Shutdown(reason='RViz was closed'),
    )


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start RViz."""
    return launching.describe(ARGUMENTS, start)
