"""Whether a fleet's folder is complete and fits together, before robots are started with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collab_robots.bringup.processes import PARAMETER_FILE
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.doctor.files import look_at_ledger
from collab_robots.explorer.doctor.finding import fail, Finding, Level, warn
from collab_robots.explorer.doctor.robot import ENVIRONMENT_FILE, FLEET_FILE, read_robot, Robot
from collab_robots.explorer.fleet_keys import Key, list_keys
from collab_robots.explorer.robot_files import DOMAIN

MAX_DOMAIN = 101  # beyond, DDS' ports meet those that Linux gives to any program
SAME_VALUES = ('snapshot_interval',)
SAME_ENVIRONMENT = (DOMAIN, 'RMW_IMPLEMENTATION', 'ROS_DISCOVERY_SERVER')
ALL = 'all'


@dataclass(frozen=True)
class Problem:
    """
    Something that is wrong, or may be.

    :param robot: whose it is; ``all``: of several.
    """

    robot: str
    finding: Finding

    @property
    def is_error(self) -> bool:
        """Tell whether a robot would not start, or not be part of its fleet."""
        return self.finding.level is Level.FAIL

    def as_json(self) -> dict[str, str]:
        """Return it as plain data."""
        found = self.finding
        words = {'check': found.check, 'message': found.message, 'fix': found.fix}
        return {'robot': self.robot, 'level': found.level.value, **words}


def check_fleet(directory: Path, only: str | None = None) -> list[Problem]:
    """
    Look for what is wrong in a fleet's folder.

    :param only: this robot's folder is enough, as on the robot itself.
    :raises ConfigError: if there is no fleet file that can be read, or no such robot in it.
    """
    fleet = Fleet.load(directory / FLEET_FILE)
    if only is not None:
        fleet.index_of(only)
    problems = [
        Problem(key.robot, found)
        for key in list_keys(directory)
        for found in _look_at_key(key, only)
    ]
    robots = []
    for member in fleet.robots:
        folder = directory / member.name
        if only in (None, member.name) and folder.is_dir():
            robot, found = read_robot(folder)
            robots.append(robot)
            found = [*found, *_look_at_robot(robot, folder)]
            problems += [Problem(member.name, one) for one in found if one.level is not Level.OK]
    return [*problems, *(Problem(ALL, found) for found in _look_at_all(robots))]


def _look_at_key(key: Key, only: str | None) -> Iterator[Finding]:
    if only in (None, key.robot):
        if not key.is_good:
            yield key.finding
    elif key.public:
        yield warn(
            'key',
            f'{key.path}: the key of {key.robot} is on the computer of {only}',
            f'remove {key.path.parent}; each robot has its own key only',
        )


def _look_at_robot(robot: Robot, folder: Path) -> Iterator[Finding]:
    add = f'make it: collab-robots fleet add {folder.name} {folder.parent}'
    for check, file in (('parameters', PARAMETER_FILE), ('environment', ENVIRONMENT_FILE)):
        if not (folder / file).is_file():
            yield warn(check, f'{folder / file}: is not here', add)
    where = folder / PARAMETER_FILE
    if robot.name != folder.name:
        yield fail(
            'parameters',
            f'{where}: the name is {robot.name}, in the folder of {folder.name}',
            f'write name: {folder.name}; two robots of one name are not told apart',
        )
    for name, expected in (('fleet', folder.parent / FLEET_FILE), ('key', folder / 'key')):
        given = Path(robot.values[name])
        if given.resolve() != expected.resolve():
            yield fail(
                'parameters',
                f'{where}: {name} is {given}, expected {expected}',
                f'write {name}: {expected.relative_to(folder.parent)}, which is relative to the '
                'folder of fleet.yaml',
            )
    domain = robot.environment.get(DOMAIN, '0')
    if not (domain.isdecimal() and int(domain) <= MAX_DOMAIN):
        yield fail(
            'environment',
            f'{folder / ENVIRONMENT_FILE}: {DOMAIN} is {domain!r:.40}',
            f'write a number from 0 to {MAX_DOMAIN}, the same on all machines of the fleet',
        )
    yield look_at_ledger(robot)


def _look_at_all(robots: Sequence[Robot]) -> Iterator[Finding]:
    """Look at what robots have in common that they must not, or do not have and must."""
    for name in SAME_VALUES:
        yield from _same('parameters', name, {one.name: one.values[name] for one in robots})
    for name in SAME_ENVIRONMENT:
        said = {one.name: one.environment.get(name) for one in robots}
        yield from _same('environment', name, said)
    for names, store in _shared('store', robots):
        fix = 'give each robot a ledger of its own'
        yield fail('parameters', f'{names} have one ledger: {store}', fix)
    for names, pose in _shared('initial_pose', robots):
        fix = 'measure where each robot starts in the common map, and set initial_pose'
        yield warn('parameters', f'{names} start at the same place: {pose}', fix)


def _same(check: str, name: str, said: Mapping[str, Any]) -> Iterator[Finding]:
    if len(set(map(str, said.values()))) > 1:
        told = ', '.join(f'{robot}: {value}' for robot, value in said.items())
        yield fail(check, f'{name} differs: {told}', f'set the same {name} for all robots')


def _shared(name: str, robots: Sequence[Robot]) -> Iterator[tuple[str, str]]:
    """Yield which robots share a value that each should have its own of."""
    owners = defaultdict(list)
    for robot in robots:
        owners[str(robot.values[name])].append(robot.name)
    for value, several in owners.items():
        if len(several) > 1:
            yield ', '.join(several), value
