"""Start Gazebo Harmonic with a world, and a team of robots in it; DDS is their radio."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import shlex
import shutil
import tempfile
from typing import Any

from ament_index_python.packages import get_package_share_directory, PackageNotFoundError
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    AppendEnvironmentVariable,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnShutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.tables import NAMESPACED, OPTIONS, PREFIXED, SHARED, SIMULATOR
from collab_robots.bringup.topics import CLOCK, IMAGE, TF, TF_STATIC
from collab_robots.core.errors import ConfigError
from collab_robots.nodes import launching
from collab_robots.sim.gazebo.export import export, Files, RobotFiles
from collab_robots.sim.world import load_world

GAZEBO = {
    'seed': SIMULATOR['seed'],
    'gui': Parameter(True, "Whether to show Gazebo's window."),
    'headless': Parameter(
        False, 'Whether there is no display: no window, and cameras and lidars render by EGL.'
    ),
    'spawn_period': Parameter(
        2.0,
        'Time between two robots; of many at once Gazebo leaves some out.',
        0.0,
        60.0,
        's',
    ),
}
ARGUMENTS = {
    **launching.SIMULATION,
    **GAZEBO,
    **SHARED,
    **OPTIONS,
    'use_sim_time': replace(OPTIONS['use_sim_time'], default=True),
}


def start(context: LaunchContext) -> Iterator[Any]:
    """Yield Gazebo, which ends all when it ends, the clock's bridge, and one robot by another."""
    wanted, options = launching.read(context, GAZEBO), launching.read(context, OPTIONS)
    try:
        gazebo = Path(get_package_share_directory('ros_gz_sim'), 'launch', 'gz_sim.launch.py')
    except PackageNotFoundError:
        raise ConfigError(
            'Gazebo Harmonic is not here: apt-get install ros-jazzy-ros-gz, and source ROS 2 '
            'again; sim.launch.py simulates the same without it'
        ) from None
    path, team = launching.simulation(context)
    processes = launching.robots(context, team, launching.chosen(context, SHARED))
    folder = Path(tempfile.mkdtemp(prefix='collab_robots_gazebo_'))
    remove = OpaqueFunction(function=lambda _context: shutil.rmtree(folder, ignore_errors=True))
    yield RegisterEventHandler(OnShutdown(on_shutdown=[remove]))
    files = export(
        load_world(path), tuple(team.starts), folder, wanted['seed'], options['tf'] == PREFIXED
    )
    yield AppendEnvironmentVariable('GZ_SIM_RESOURCE_PATH', str(files.models))
    yield IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(gazebo)),
        launch_arguments={
            'gz_args': _gazebo_arguments(files, wanted),
            'on_exit_shutdown': 'true',
        }.items(),
    )
    yield _bridge(
        files.clock, options, **{f'qos_overrides.{CLOCK}.publisher.reliability': 'best_effort'}
    )
    for index, (robot, process) in enumerate(zip(files.robots, processes, strict=True)):
        yield TimerAction(
            period=(index + 1) * wanted['spawn_period'],
            actions=[*_robot(files.name, robot, options), process],
        )


def _gazebo_arguments(files: Files, wanted: dict[str, Any]) -> str:
    window = [] if wanted['gui'] and not wanted['headless'] else ['-s']
    rendering = ['--headless-rendering'] if wanted['headless'] else []
    seed = ['--seed', str(wanted['seed'])]
    return shlex.join(['-r', '-v3', *window, *rendering, *seed, str(files.world)])


def _robot(world: str, robot: RobotFiles, options: dict[str, Any]) -> Iterator[Node]:
    """Yield what puts a robot into Gazebo and carries its topics."""
    x, y, yaw = (str(number) for number in robot.start.tolist())
    place = ['-x', x, '-y', y, '-Y', yaw]
    yield _node(
        *('ros_gz_sim', 'create', options, robot.name),
        arguments=['-world', world, '-name', robot.name, '-file', str(robot.model), *place],
    )
    yield _bridge(robot.bridge, options, robot.name)
    yield _node(
        *('ros_gz_image', 'image_bridge', options, robot.name),
        arguments=[f'/{robot.name}/{IMAGE}'],
        parameters=[{'qos': 'sensor_data'}],
    )
    # One process for all of a robot's static frames, and RViz gets the robot's looks with them.
    yield _node(
        *('robot_state_publisher', 'robot_state_publisher', options, robot.name),
        parameters=[
            {
                'robot_description': ParameterValue(robot.urdf.read_text(), value_type=str),
                'frame_prefix': '' if options['tf'] == NAMESPACED else f'{robot.name}/',
                'use_sim_time': options['use_sim_time'],
            }
        ],
        remappings=[(f'/{topic}', topic) for topic in (TF, TF_STATIC)]
        if options['tf'] == NAMESPACED
        else [],
    )


def _bridge(config: Path, options: dict[str, Any], namespace: str = '', **qos: str) -> Node:
    return _node(
        *('ros_gz_bridge', 'parameter_bridge', options, namespace),
        parameters=[{'config_file': str(config), **qos}],
    )


def _node(
    package: str, executable: str, options: dict[str, Any], namespace: str, **more: Any
) -> Node:
    return Node(
        package=package,
        executable=executable,
        namespace=namespace or None,
        ros_arguments=['--log-level', options['log_level']],
        output='screen',
        **more,
    )


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the simulation."""
    return launching.describe(ARGUMENTS, start)
