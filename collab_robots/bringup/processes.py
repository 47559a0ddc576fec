"""
The processes of a team and their parameters, whoever starts them.

The launch files, ``collab-robots up`` and the demo all start what is described here. A robot is
one process with all its nodes; what robots say to one another goes straight over DDS, or over a
simulator's radio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
import sys
from typing import Any

from collab_robots.bringup.tables import EXPLORER, NAMESPACED, OPTIONS, PREFIXED, ROBOT, SIMULATOR
from collab_robots.bringup.topics import DIAGNOSTICS, direct_remappings, TF, TF_STATIC
from collab_robots.bringup.values import check_namespace, checked
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet

ENVIRONMENT = {
    'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4',
    'OMP_NUM_THREADS': '1',
    'OPENBLAS_NUM_THREADS': '1',
    'PYTHONUNBUFFERED': '1',
}
"""
What processes get unless somebody set it: one thread a library, and DDS over UDP.

After a ``kill -9`` Fast DDS' shared memory may leave the process that takes the place deaf and
dumb (https://github.com/eProsima/Fast-DDS/issues/5053).
"""
PARAMETER_FILE = 'params.yaml'  # in a robot's folder, if it is there


@dataclass(frozen=True)
class Process:
    """
    One process.

    :param name: by which people tell it from the others.
    :param module: what Python runs.
    :param arguments: of a program that is no node.
    :param namespace: of its nodes, beginning with a slash; empty: none.
    :param parameters: of its nodes; they win over ``files``.
    :param files: ROS parameter files; later ones win.
    :param remappings: of its nodes' topics.
    :param log_level: of its nodes, such as debug; empty: ROS' default.
    :param vital: whether all that was started with it ends when it ends.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    namespace: str = ''
    parameters: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    remappings: tuple[tuple[str, str], ...] = ()
    log_level: str = ''
    vital: bool = False

    @property
    def executable(self) -> str:
        """The name under which colcon installs it."""
        return self.module.rpartition('.')[2]

    @property
    def ros_arguments(self) -> list[str]:
        """What ROS takes from its command line."""
        result = ['-r', f'__ns:={self.namespace}'] if self.namespace else []
        for topic, other in self.remappings:
            result += ['-r', f'{topic}:={other}']
        for file in self.files:
            result += ['--params-file', str(file)]
        for name, value in self.parameters.items():
            result += ['-p', f'{name}:={in_yaml(value)}']
        return [*result, '--log-level', self.log_level] if self.log_level else result

    @property
    def command(self) -> list[str]:
        """Its command line."""
        ros = self.ros_arguments
        return [
            *(sys.executable, '-m', self.module),
            *self.arguments,
            *(['--ros-args', *ros] if ros else []),
        ]


def in_yaml(value: Any) -> str:
    """Return a parameter's value as the YAML that ROS reads."""
    if isinstance(value, (str, Path)):
        return "'{}'".format(str(value).replace("'", "''"))
    return json.dumps(value)


def node(module: str, **options: Any) -> Process:
    """Return a process of one of this package's executables, such as ``ledger_node``."""
    return Process(options.pop('name', module), f'collab_robots.nodes.{module}', **options)


def robot(
    name: str,
    fleet: Path,
    values: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    files: Sequence[Path] = (),
    namespace: str = '',
    simulated: bool = False,
    use_sim_time: bool = False,
    tf: str = NAMESPACED,
    diagnostics: str = '',
    log_level: str = 'info',
) -> Process:
    """
    Return one robot, wherever its folder is; for one of this machine see :func:`fleet_robot`.

    :param name: in the fleet file.
    :param fleet: the fleet file.
    :param values: parameters of ``ROBOT`` that are chosen; they win over all else.
    :param folder: with the robot's key, ledger and pose; that of its name beside the fleet file.
    :param files: parameter files of this machine.
    :param namespace: the robot's name if empty.
    :param simulated: a simulator's radio carries what it says; else DDS does.
    :param use_sim_time: time comes from ``/clock``, as it does for all that is simulated.
    :param tf: how frames are named, as ``OPTIONS`` says.
    :param diagnostics: topic of diagnostics; that of its namespace if empty.
    :raises ConfigError: if a value or the namespace cannot be, or a parameter file is missing.
    """
    for file in files:
        if not file.is_file():
            raise ConfigError(f'{file}: there is no such parameter file')
    checked(OPTIONS, {'tf': tf, 'log_level': log_level})
    namespace = '/' + (namespace or name).removeprefix('/')
    check_namespace(namespace)
    folder = fleet.parent / name if folder is None else folder
    remappings = [] if simulated else direct_remappings()
    own: dict[str, Any] = {
        'name': name,
        'fleet': str(fleet),
        'key': str(folder / 'key'),
        'store': str(folder / 'ledger.db'),
        'pose_file': str(folder / 'pose.json'),
    }
    if tf == PREFIXED:
        own['frame_prefix'] = f'{name}/'
        remappings += [(topic, f'/{topic}') for topic in (TF, TF_STATIC)]
    remappings.append((DIAGNOSTICS, diagnostics or f'{namespace}{DIAGNOSTICS}'))
    parameters = checked(ROBOT, {**own, **(values or {})})
    parameters['use_sim_time'] = simulated or use_sim_time
    return node(
        'robot',
        name=name,
        namespace=namespace,
        parameters=parameters,
        files=tuple(files),
        remappings=tuple(remappings),
        log_level=log_level,
    )


def fleet_robot(
    name: str,
    fleet: Path,
    values: Mapping[str, Any] | None = None,
    *,
    files: Sequence[Path] = (),
    **options: Any,
) -> Process:
    """
    Return one robot whose folder is on this machine.

    The parameter file in its folder, if there is one, counts less than ``files``.

    :param options: more for :func:`robot`.
    :raises ConfigError: also if the fleet file or the robot's key is missing.
    """
    roster = Fleet.load(fleet)
    own = (options.get('folder') or fleet.parent / name) / PARAMETER_FILE
    process = robot(
        name, fleet, values, files=[*([own] if own.is_file() else []), *files], **options
    )
    key = Path(process.parameters['key'])
    if not key.is_file():
        roster.index_of(name)  # one that joined the fleet later is not in its file, but has a key
        raise ConfigError(
            f'{key}: the key of {name} is not here; start it where its folder is, or bring the '
            'folder here'
        )
    return process


def simulator(
    world: Path,
    values: Mapping[str, Any] | None = None,
    *,
    tf: str = NAMESPACED,
    log_level: str = 'info',
) -> Process:
    """
    Return the simulator.

    :param world: the world file.
    :param values: parameters of ``SIMULATOR`` that are chosen.
    :raises ConfigError: if a value cannot be.
    """
    own = {'world': str(world), 'frame_prefixes': tf == PREFIXED}
    parameters = checked(SIMULATOR, {**own, **(values or {})})
    return node(
        'sim_node', name='simulator', parameters=parameters, log_level=log_level, vital=True
    )


def explorer(values: Mapping[str, Any], view: str = 'web') -> Process:
    """
    Return what shows a ledger.

    :param values: those of ``EXPLORER`` that are chosen.
    :param view: ``web`` or ``top``.
    :raises ConfigError: if a value cannot be.
    """
    options = checked(EXPLORER, values)
    ledger = options.pop('ledger', None)
    return Process(
        'explorer',
        'collab_robots.cli',
        (
            *('ledger', view),
            *([ledger] if ledger else []),
            *(
                part
                for name, value in options.items()
                for part in (f'--{name.replace("_", "-")}', str(value))
            ),
        ),
        vital=True,
    )
