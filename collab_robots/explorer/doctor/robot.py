"""What a robot is told: its parameters, from its folder and from ROS parameter files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from collab_robots.bringup.processes import PARAMETER_FILE
from collab_robots.bringup.processes import robot as robot_process
from collab_robots.bringup.tables import ROBOT
from collab_robots.bringup.values import checked
from collab_robots.core.config import load_yaml
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.doctor.finding import fail, failed, Finding, ok, warn

ROBOT_NODES = ('ledger', 'mapper', 'tasks', 'inference')  # in the process of a robot
SIM_TIME = 'use_sim_time'
FLEET_FILE = 'fleet.yaml'
ENVIRONMENT_FILE = 'robot.env'  # in a robot's folder, if it is there
PATHS = ('fleet', 'key', 'store', 'profile')
_OF_ROS = ('qos_overrides.', 'start_type_description_service', SIM_TIME)


class _Sections(BaseModel):
    model_config = ConfigDict(extra='allow')


@dataclass(frozen=True)
class Robot:
    """
    A robot as its files describe it.

    :param namespace: of its nodes, with a slash.
    :param values: of all its nodes' parameters, defaults included, and ``use_sim_time``.
    :param fleet: None if its file cannot be read.
    :param environment: that it is started with, as far as its folder says.
    """

    name: str
    namespace: str
    values: Mapping[str, Any]
    fleet: Fleet | None
    environment: Mapping[str, str]

    @property
    def teammates(self) -> frozenset[str]:
        """Return the other robots of the fleet file."""
        known = self.fleet.index_by_name if self.fleet is not None else ()
        return frozenset(known) - {self.name}


def read_robot(
    folder: Path,
    fleet: Path | None = None,
    files: Sequence[Path] = (),
    namespace: str = '',
    use_sim_time: bool = False,
) -> tuple[Robot, list[Finding]]:
    """
    Read what a robot is told, and say what is wrong with it.

    :param folder: with its key and ledger; its name is the robot's.
    :param fleet: the fleet file; looked for in the folder and beside it if None. Relative paths
        in parameter files are relative to where it lies, since robots are started there.
    :param files: parameter files, beside the one in its folder.
    :param namespace: of its nodes; the robot's name if empty.
    :param use_sim_time: whether its time comes from ``/clock``, unless a file says so or not.
    :raises ConfigError: if there is no such folder, or the namespace cannot be.
    """
    if folder.name in ('', '..'):
        folder = folder.resolve()
    if not folder.is_dir():
        raise ConfigError(f'{folder}: there is no such folder; name that of a robot')
    inside = folder / FLEET_FILE
    beside = inside if inside.exists() else folder.parent / FLEET_FILE
    process = robot_process(
        folder.name,
        fleet or beside,
        folder=folder,
        namespace=namespace,
        use_sim_time=use_sim_time,
    )
    own = folder / PARAMETER_FILE
    given, findings = _read_files([*([own] if own.exists() else []), *files], process.namespace)
    values = {name: parameter.default for name, parameter in ROBOT.items()}
    values |= {**process.parameters, **given}
    if fleet is not None:
        values['fleet'] = str(fleet)
    start = (fleet or beside).parent
    values |= {name: str(start / values[name]) for name in PATHS if values[name]}
    roster = None
    try:
        roster = Fleet.load(values['fleet'])
    except ConfigError as error:
        fix = 'copy fleet.yaml from another robot: all have the same'
        findings.append(failed('fleet', error, fix))
    else:
        findings.append(_look_at_fleet(roster, values['name']))
    environment = _read_environment(folder / ENVIRONMENT_FILE)
    return Robot(values['name'], process.namespace, values, roster, environment), findings


def _read_environment(path: Path) -> dict[str, str]:
    """Read what systemd gives to the robot's process; nothing if there is no such file."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition('=') for line in lines if '=' in line and not line.startswith('#'))
    return {name.strip(): value.strip().strip('\'"') for name, _, value in pairs}


def _look_at_fleet(fleet: Fleet, name: str) -> Finding:
    robots = ', '.join(fleet.index_by_name)
    if name not in fleet.index_by_name:
        return warn(
            'fleet',
            f'{name} is not in fleet {fleet.fleet!r}; it has: {robots}',
            'check its name; if it joined later, that is as it should be: collab-robots fleet '
            'show says who is in',
        )
    return ok('fleet', f'{fleet.fleet}: {robots}')


def _read_files(files: Iterable[Path], namespace: str) -> tuple[dict[str, Any], list[Finding]]:
    values: dict[str, Any] = {}
    findings = []
    read = []
    for file in files:
        try:
            found = read_parameters(file, namespace)
        except ConfigError as error:
            fix = 'correct it, or have it written anew: collab-robots fleet init'
            findings.append(failed('parameters', error, fix))
            continue
        if not found:
            message = f'{file}: no section of it is for the nodes in {namespace}'
            findings.append(warn('parameters', message, "begin it with '/**:'"))
        for name, value in found.items():
            if name.startswith(_OF_ROS):
                values[name] = value
                continue
            try:
                values |= checked(ROBOT, {name: value})
            except ConfigError as error:
                fix = 'docs/parameters.md has all parameters and what they allow'
                findings.append(fail('parameters', f'{file}: {error}', fix))
        read.append(str(file))
    told = ', '.join(read) or 'no parameter file: those of its folder'
    return values, findings or [ok('parameters', told)]


def read_parameters(path: Path, namespace: str) -> dict[str, Any]:
    """
    Read a ROS parameter file, as far as it is for a robot's nodes.

    :param namespace: of the nodes, with a slash.
    :raises ConfigError: if it is missing or malformed.
    """
    data = load_yaml(path, _Sections).model_extra or {}
    nodes = [f'{namespace}/{node}' for node in ROBOT_NODES]
    values: dict[str, Any] = {}
    for pattern, section in _sections(data, ''):
        if any(_matches(pattern, node) for node in nodes):
            if not isinstance(section, dict):
                raise ConfigError(f'{path}: {pattern}: expected parameters, got {section!r:.40}')
            values |= _flat(section)
    return values


def _sections(data: Mapping[Any, Any], above: str) -> Iterable[tuple[str, Any]]:
    for key, value in data.items():
        if key == 'ros__parameters':
            yield above, value
        elif isinstance(value, dict):
            yield from _sections(value, f'{above}/{str(key).strip("/")}')


def _matches(pattern: str, node: str) -> bool:
    """Tell whether a section is for a node: ``*`` is one name, ``**`` any number of them."""
    parts = [re.escape(part) for part in pattern.strip('/').split('/')]
    joined = ''.join(
        '(/[^/]+)*' if part == r'\*\*' else '/' + part.replace(r'\*', '[^/]+') for part in parts
    )
    return re.fullmatch(joined, node) is not None


def _flat(section: Mapping[Any, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, dict):
            values |= {f'{name}.{inner}': one for inner, one in _flat(value).items()}
        else:
            values[str(name)] = value
    return values
