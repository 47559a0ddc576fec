"""
ROS 2 messages of what a ledger knows, without ROS.

Types and their definitions are those of ROS 2 Jazzy; positions are m in the frame ``map``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from rosbags.typesys import get_typestore, Stores
from rosbags.typesys.store import Typestore

from collab_robots.core.geometry import FREE, OCCUPIED, UNKNOWN
from collab_robots.explorer.book.answers import Robot, Sighting, Sketch, Task
from collab_robots.explorer.export.tables import ns
from collab_robots.explorer.maps import COLOURS

FRAME = 'map'
GRID = 'nav_msgs/msg/OccupancyGrid'
MARKERS = 'visualization_msgs/msg/MarkerArray'
DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'
LOG = 'rcl_interfaces/msg/Log'
TEXT = 'std_msgs/msg/String'
DEBUG, INFO, WARN = 10, 20, 30  # Log.msg

Message = Any
"""One of the type store's dataclasses, which it makes when it is loaded."""

_SECOND = 1_000_000_000  # ns
_MARKER = 'visualization_msgs/msg/Marker'
_CUBES, _SPHERE, _WORDS = 6, 2, 9  # Marker.msg: CUBE_LIST, SPHERE, TEXT_VIEW_FACING
_ADD, _DELETE_ALL = 0, 3
_OK, _ERROR, _STALE = 0, 2, 3  # DiagnosticStatus.msg
_CELLS = {'.': FREE, '#': OCCUPIED, ' ': UNKNOWN}
_COLOURS = {'open': '#e0a800', 'done': '#138a5e', 'stale': '#9a9a9a', 'missed': '#c5303f'}
_SIZE = 0.3  # m, of a marker
_LETTERS = 0.25  # m


@cache
def store() -> Typestore:
    """Return the message types."""
    return get_typestore(Stores.ROS2_JAZZY)


def text(words: str) -> Message:
    """Return a std_msgs/String."""
    return _make(TEXT, words)


def log(time: float, level: int, robot: str, words: str, call: str, block: str) -> Message:
    """
    Return a log line.

    :param call: stands as its function.
    :param block: id, stands as its file.
    """
    return _make(LOG, _stamp(time), level, robot, words, block, call, 0)


def grid(time: float, sketches: Mapping[tuple[int, int], Sketch], region_size: float) -> Message:
    """
    Return sketches as one map.

    :param sketches: by region, at least one.
    :param region_size: m.
    """
    side = len(next(iter(sketches.values())).rows)
    corner = np.min([*sketches], axis=0)
    columns, rows = (np.max([*sketches], axis=0) - corner + 1) * side
    cells = np.full((rows, columns), UNKNOWN, np.int8)
    for region, sketch in sketches.items():
        x, y = (np.array(region) - corner) * side
        cells[y : y + side, x : x + side] = [[_CELLS[cell] for cell in row] for row in sketch.rows]
    origin = _pose(*(corner * region_size))
    about = _make(
        'nav_msgs/msg/MapMetaData',
        _stamp(time),
        region_size / side,
        int(columns),
        int(rows),
        origin,
    )
    return _make(GRID, _header(time), about, cells.ravel())


def tasks(time: float, found: Iterable[Task], robots: Sequence[str]) -> Message:
    """
    Return tasks as cubes in the colours of their states, or of the robots that hold them.

    :param robots: all, in the order of the roster.
    """
    known = list(found)
    colours = dict(zip(robots, COLOURS * len(robots), strict=False))
    cubes = _marker(
        time,
        'tasks',
        0,
        _CUBES,
        scale=_SIZE,
        points=[_point(*task.place) for task in known],
        colours=[
            _colour(colours[task.holder] if task.holder else _COLOURS[task.state])
            for task in known
        ],
    )
    names = [
        _marker(
            time,
            'holders',
            number,
            _WORDS,
            place=task.place,
            scale=_LETTERS,
            colour=colours[task.holder],
            words=f'{task.holder}: {task.words}',
        )
        for number, task in enumerate(known)
        if task.holder
    ]
    return _make(MARKERS, [_marker(time, '', 0, action=_DELETE_ALL), cubes, *names])


def sighting(seen: Sighting, number: int) -> Message:
    """Return a sighting as a ball with its name; all have different numbers."""
    words = f'{seen.label} {seen.confidence:.0%} ({seen.robot})'
    ball = _marker(
        seen.time, 'sightings', number, _SPHERE, place=seen.place, scale=_SIZE, colour=COLOURS[4]
    )
    name = _marker(
        seen.time, 'labels', number, _WORDS, place=seen.place, scale=_LETTERS, words=words
    )
    return _make(MARKERS, [ball, name])


def diagnostics(time: float, robots: Iterable[Robot]) -> Message:
    """Return how robots stand: an error for one that is not trusted."""
    return _make(DIAGNOSTICS, _header(time), [_status(robot) for robot in robots])


def _status(robot: Robot) -> Message:
    level = _OK if robot.standing == 'active' else _STALE
    if robot.convicted or robot.equivocated or robot.standing == 'expelled':
        level = _ERROR
    values = {
        'blocks': robot.blocks,
        'final': robot.final,
        'last': robot.last,
        'silent': robot.silent,
        'rate': robot.rate,
        'reverted': robot.reverted,
        'tasks_done': robot.tasks_done,
        'convicted': robot.convicted,
        'equivocated': robot.equivocated,
        **{f'behind_{name}': seconds for name, seconds in robot.behind.items()},
    }
    pairs = [_make('diagnostic_msgs/msg/KeyValue', key, str(told)) for key, told in values.items()]
    return _make(
        'diagnostic_msgs/msg/DiagnosticStatus',
        level,
        robot.name,
        robot.standing,
        robot.key,
        pairs,
    )


def _marker(
    time: float,
    space: str,
    number: int,
    kind: int = _SPHERE,
    *,
    action: int = _ADD,
    place: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    colour: str = '#202020',
    points: Sequence[Message] = (),
    colours: Sequence[Message] = (),
    words: str = '',
) -> Message:
    """Return a marker; ``points`` and ``colours`` are those of a list of cubes."""
    return _make(
        _MARKER,
        _header(time),
        space,
        number,
        kind,
        action,
        _pose(*place),
        _make('geometry_msgs/msg/Vector3', scale, scale, scale),
        _colour(colour),
        _make('builtin_interfaces/msg/Duration', 0, 0),  # for ever
        False,
        list(points),
        list(colours),
        '',
        _make('sensor_msgs/msg/CompressedImage', _header(time), '', np.empty(0, np.uint8)),
        [],
        words,
        '',
        _make('visualization_msgs/msg/MeshFile', '', np.empty(0, np.uint8)),
        False,
    )


def _colour(code: str) -> Message:
    red, green, blue = bytes.fromhex(code[1:])
    return _make('std_msgs/msg/ColorRGBA', red / 255, green / 255, blue / 255, 1.0)


def _pose(x: float, y: float) -> Message:
    upright = _make('geometry_msgs/msg/Quaternion', 0.0, 0.0, 0.0, 1.0)
    return _make('geometry_msgs/msg/Pose', _point(x, y), upright)


def _point(x: float, y: float) -> Message:
    return _make('geometry_msgs/msg/Point', float(x), float(y), 0.0)


def _header(time: float) -> Message:
    return _make('std_msgs/msg/Header', _stamp(time), FRAME)


def _stamp(time: float) -> Message:
    return _make('builtin_interfaces/msg/Time', *divmod(ns(time), _SECOND))


def _make(name: str, *values: Any) -> Message:
    return store().types[name](*values)
