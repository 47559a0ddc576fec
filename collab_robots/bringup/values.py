"""What a person writes about the processes: values, start poses, namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
import math
import re
from typing import Any

import yaml

from collab_robots.bringup.parameters import Parameter, Table
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import ROBOT_NAME

Pose = tuple[float, float, float]
"""x (m), y (m), yaw (rad) in the map."""

_NAMESPACE = re.compile(r'/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')  # as rcl has it
_ROBOT = re.compile(r'\s*([^=\s]+)\s*=\s*(\{[^{}]*\})\s*')
_POSE_KEYS = ('x', 'y', 'yaw')
EXAMPLE = 'robots:="robot1={x: 1.0, y: 2.0, yaw: 0.5}; robot2={x: 3.0, y: 2.0}"'


def check_names(table: Table, names: Iterable[str]) -> None:
    """
    Refuse names that a table does not have.

    :raises ConfigError: naming the first one, and the one that may have been meant.
    """
    for name in names:
        if name not in table:
            near = get_close_matches(name, table, 1)
            meant = f'; is it {near[0]!r}?' if near else ''
            raise ConfigError(f'there is no parameter {name!r}{meant}')


def checked(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return values as a table has them: whole numbers as floats where it wants floats.

    :raises ConfigError: naming the first that it does not allow.
    """
    check_names(table, values)
    result = {name: _with_floats(table[name].default, value) for name, value in values.items()}
    for name, value in result.items():
        table[name].check(name, value)
    return result


def read_value(parameter: Parameter, name: str, text: str) -> Any:
    """
    Return what a text says, in the type of a parameter.

    :raises ConfigError: if it cannot be.
    """
    if isinstance(parameter.default, str):
        value: Any = text
    else:
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
    return checked({name: parameter}, {name: value})[name]


def _with_floats(like: Any, value: Any) -> Any:
    """Return whole numbers, and those that YAML 1.1 takes for texts, as floats, where due."""
    if isinstance(like, list):
        return [_with_floats(like[0], one) for one in _elements(value)]
    if isinstance(like, float) and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    return value


def _elements(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def read_values(table: Table, texts: Mapping[str, str]) -> dict[str, Any]:
    """
    Return values that were written as texts.

    :raises ConfigError: naming the first wrong one.
    """
    check_names(table, texts)
    return {name: read_value(table[name], name, text) for name, text in texts.items()}


def read_robots(text: str) -> dict[str, Pose]:
    """
    Read robots and their start poses as Nav2 has them: ``robot1={x: 1.0, y: 2.0, yaw: 0.5}; …``.

    What is left out of a pose is 0.

    :raises ConfigError: if it is malformed, or names a robot twice.
    """
    result: dict[str, Pose] = {}
    for part in filter(str.strip, text.split(';')):
        found = _ROBOT.fullmatch(part)
        if found is None:
            raise ConfigError(f'robots: cannot read {part.strip()!r:.80}; write: {EXAMPLE}')
        name = found[1]
        if not re.match(ROBOT_NAME, name):
            raise ConfigError(
                f'robots: {name!r:.50} is no name of a robot: small letters, digits and _, at '
                'most 32'
            )
        if name in result:
            raise ConfigError(f'robots: {name} is there twice')
        result[name] = _read_pose(name, found[2])
    if not result:
        raise ConfigError(f'robots: names no robot; write: {EXAMPLE}')
    return result


def _read_pose(robot: str, text: str) -> Pose:
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError:
        given = {text: None}
    poses = {key: _with_floats(0.0, value) for key, value in given.items()}
    wrong = [
        key
        for key, value in poses.items()
        if key not in _POSE_KEYS or not isinstance(value, float) or not math.isfinite(value)
    ]
    if wrong:
        raise ConfigError(
            f'robots: {robot}: expected x and y in m and yaw in rad, got {text!r:.80}; '
            f'write: {EXAMPLE}'
        )
    x, y, yaw = (poses.get(key, 0.0) for key in _POSE_KEYS)
    return x, y, yaw


def check_namespace(namespace: str) -> None:
    """
    Refuse what ROS does not take as a namespace.

    :raises ConfigError: saying what it takes.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigError(
            f'namespace {namespace!r:.80}: expected names of letters, digits and _ that begin '
            'with no digit, with / between, such as robot1 or hall/robot1'
        )
