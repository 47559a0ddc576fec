"""
What the launch files share: arguments from the nodes' tables, and processes as launch has them.

Only launch files import this: ``launch`` is not where nodes run without ``ros2 launch``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    Shutdown,
)
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from collab_robots.bringup.parameters import Parameter, Table
from collab_robots.bringup.processes import ENVIRONMENT, in_yaml, Process
from collab_robots.bringup.tables import OPTIONS, SIMULATOR
from collab_robots.bringup.values import read_values
from collab_robots.explorer.team import find_world, Team

PACKAGE = 'collab_robots'
SIMULATION: Table = {
    'world': Parameter(
        'office', 'World file, or the name of a world that comes with the project: office, store.'
    ),
    'robots': replace(SIMULATOR['robots'], default=2),
    'fleet': Parameter(
        '',
        'Fleet file of robot1, robot2, …, whose folders are beside it; a fleet is made for this '
        'run if empty.',
    ),
    'folder': Parameter(
        '', 'New folder for the fleet that is made for this run; runs/<time> if empty.'
    ),
}
"""Which robots a simulation has, and where."""
Start = Callable[[LaunchContext], Iterable[Any]]


def describe(arguments: Table, start: Start) -> LaunchDescription:
    """
    Return what a launch file does.

    :param arguments: each with its default, which a person may leave as it is.
    :param start: returns what to start, once the arguments have their values.
    """
    return LaunchDescription(
        [
            *(_declare(name, parameter) for name, parameter in arguments.items()),
            OpaqueFunction(function=lambda context: list(start(context))),
        ]
    )


def _declare(name: str, parameter: Parameter) -> DeclareLaunchArgument:
    allowed: dict[str, Any] = {}
    if parameter.choices:
        allowed['choices'] = list(parameter.choices)
    elif isinstance(parameter.default, bool):
        allowed['choices'] = ['true', 'false', 'True', 'False']
    if not parameter.required:
        allowed['default_value'] = _text(parameter)
    limits = '' if 'choices' in allowed or parameter.kind == 'a text' else parameter.allowed
    return DeclareLaunchArgument(
        name,
        description=f'{parameter.text} ({limits})' if limits else parameter.text,
        **allowed,
    )


def _text(parameter: Parameter) -> str:
    value = parameter.default
    return value if isinstance(value, str) else in_yaml(value)


def read(context: LaunchContext, arguments: Table) -> dict[str, Any]:
    """
    Return all arguments' values.

    :raises ConfigError: if one cannot be.
    """
    given = context.launch_configurations
    return read_values(arguments, {name: given[name] for name in arguments})


def chosen(context: LaunchContext, arguments: Table) -> dict[str, Any]:
    """
    Return the values of those arguments that are not at their defaults.

    :raises ConfigError: if one cannot be.
    """
    return {
        name: value
        for name, value in read(context, arguments).items()
        if value != arguments[name].default
    }


def simulation(context: LaunchContext) -> tuple[Path, Team]:
    """
    Return the world's file and the robots that ``SIMULATION``'s arguments name.

    :raises ConfigError: if the world cannot be read or has too few places.
    """
    given = read(context, SIMULATION)
    world = find_world(given['world'])
    fleet, folder = (Path(given[name]) if given[name] else None for name in ('fleet', 'folder'))
    return world, Team.simulated(world, given['robots'], fleet, folder)


def robots(
    context: LaunchContext, team: Team, values: Mapping[str, Any], **options: Any
) -> list[ExecuteProcess]:
    """
    Return the actions that start a team's robots, as ``OPTIONS`` say.

    :param values: parameters of all of them.
    :param options: more for :func:`.bringup.processes.robot`.
    """
    given = read(context, OPTIONS)
    processes = team.robots(
        values,
        files=[Path(given['params_file'])] if given['params_file'] else [],
        **{name: given[name] for name in ('use_sim_time', 'tf', 'diagnostics', 'log_level')},
        **options,
    )
    team.make()
    return [start(context, process) for process in processes]


def start(context: LaunchContext, process: Process, **options: Any) -> ExecuteProcess:
    """
    Return the action that starts a process.

    If it is not vital its end is told, and it is started again where ``respawn`` says so.

    :param options: more for the action.
    """
    options['additional_env'] = {
        name: value for name, value in ENVIRONMENT.items() if name not in context.environment
    }
    if process.vital:
        options['on_exit'] = Shutdown(reason=f'{process.name} ended')
    else:
        again = read(context, {name: OPTIONS[name] for name in ('respawn', 'respawn_delay')})
        options |= again
        options['on_exit'] = _tell(process.name, **again)
    if process.arguments:
        return ExecuteProcess(cmd=process.command, name=process.name, output='screen', **options)
    level = ['--log-level', process.log_level] if process.log_level else []
    return Node(
        package=PACKAGE,
        executable=process.executable,
        exec_name=process.name,
        namespace=process.namespace or None,
        parameters=[*map(str, process.files), _typed(process.parameters)],
        remappings=list(process.remappings),
        ros_arguments=level,
        output='screen',
        **options,
    )


def _typed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters that launch does not read as YAML a second time."""
    return {
        name: ParameterValue(value, value_type=str)
        if isinstance(value, str)
        else ParameterValue(value, value_type=list[str])
        if isinstance(value, list) and isinstance(value[0], str)
        else value
        for name, value in parameters.items()
    }


def _tell(name: str, respawn: bool, respawn_delay: float) -> Callable[..., LogInfo | None]:
    """Return what says that a process ended, and what becomes of it."""
    then = (
        f'it is started again in {respawn_delay:g} s'
        if respawn
        else 'the rest goes on without it; with respawn:=true it is started again'
    )

    def tell(event: Any, context: LaunchContext) -> LogInfo | None:
        if context.is_shutdown:
            return None
        return LogInfo(msg=f'{name} ended with code {event.returncode}: {then}')

    return tell
