"""
From messages to what is shown of a fleet, and from that to markers for RViz and Foxglove.

All markers are in the frame ``map``. A thing keeps its id as long as it is shown, in every process
and after a restart: ids are checksums of names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
import math
from typing import Any
import zlib

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point as PointMsg
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.tasks import REGION
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.explorer.scene import (
    Hearing,
    Link,
    Member,
    Point,
    Spot,
    Standing,
    Thing,
    Word,
)
from collab_robots.nodes.conversions import header, pose_to_msg
from collab_robots_msgs.msg import Detection, LedgerStatus, RadioStatus

FRAME = 'map'
DASHES = 12  # of a line where nothing is heard, however long it is
TEXT = 0.22  # m, height of a capital letter
FLOOR, LINES, BODIES, LABELS = 0.02, 0.1, 0.15, 0.5  # m, heights at which things are drawn
ROBOT_SIZE = 0.4  # m, across
SHAPES = {
    Kind.EXPLORE: (Marker.CYLINDER, 0.5, 1.0),
    Kind.INSPECT: (Marker.CUBE, 0.35, 1.0),
    Kind.VERIFY: (Marker.CUBE, REGION, 0.4),  # the map is to be seen through it
}
"""What tasks are drawn as, how many m across, and how strongly (0 to 1)."""
STATE_COLOURS = {
    TaskState.OPEN: (0.95, 0.70, 0.10, 0.9),
    TaskState.HELD: (0.16, 0.47, 0.84, 0.9),
    TaskState.DONE: (0.07, 0.54, 0.37, 0.35),
    TaskState.STALE: (0.55, 0.55, 0.55, 0.2),
    TaskState.MISSED: (0.77, 0.19, 0.23, 0.35),
}
STANDING_COLOURS = {
    Standing.TRUSTED: (0.07, 0.54, 0.37, 1.0),
    Standing.CONVICTED: (0.77, 0.19, 0.23, 1.0),
    Standing.EQUIVOCATOR: (0.71, 0.25, 0.56, 1.0),
    Standing.SILENT: (0.55, 0.55, 0.55, 1.0),
}
HEARING_COLOURS = {
    Hearing.BOTH: (0.07, 0.54, 0.37, 0.6),
    Hearing.ONE: (0.95, 0.70, 0.10, 0.8),
    Hearing.NONE: (0.77, 0.19, 0.23, 0.8),
}
WHITE = (1.0, 1.0, 1.0, 1.0)
CYAN = (0.00, 0.56, 0.64, 0.9)

Colour = tuple[float, float, float, float]


class Shown:
    """What one topic shows, so that what is gone is deleted."""

    def __init__(self) -> None:
        self._shown: set[tuple[str, int]] = set()

    def array(self, markers: Sequence[Marker], time_ns: int, lifetime: float) -> MarkerArray:
        """
        Return markers stamped, with those deleted that were shown and are not among them.

        :param lifetime: s until they vanish by themselves when nobody shows them any more.
        """
        now = {(marker.ns, marker.id) for marker in markers}
        gone = [
            Marker(ns=ns, id=number, action=Marker.DELETE)
            for ns, number in sorted(self._shown - now)
        ]
        self._shown = now
        for marker in (*gone, *markers):
            marker.header = header(FRAME, time_ns)
            marker.lifetime = Duration(sec=int(lifetime), nanosec=int(lifetime % 1 * SECOND))
        return MarkerArray(markers=[*gone, *markers])

    def clear(self) -> MarkerArray:
        """Return what deletes all of it."""
        self._shown.clear()
        return MarkerArray(markers=[Marker(header=header(FRAME, 0), action=Marker.DELETEALL)])


def word_from_msg(msg: LedgerStatus) -> Word:
    """Return what a ledger says of the team."""
    return Word(
        frozenset(msg.peers), frozenset(msg.convicted), frozenset(msg.equivocators), msg.alarm
    )


def hears_from_msg(msg: RadioStatus) -> list[tuple[str, str]]:
    """
    Return pairs of robots of which the first hears the second.

    :raises RefusedError: if there are not as many bits as pairs.
    """
    robots = list(msg.robots)
    if len(msg.hears) != len(robots) ** 2:
        raise RefusedError(
            Refusal.MALFORMED, f'expected {len(robots)} x {len(robots)} bits, got {len(msg.hears)}'
        )
    pairs = product(robots, robots)
    return [pair for pair, heard in zip(pairs, msg.hears, strict=True) if heard]


def sighting_from_msg(msg: Detection) -> tuple[int, str, float, Point]:
    """
    Return the class, its label, the confidence and the place.

    :raises RefusedError: if a number is not finite.
    """
    place = (msg.position.x, msg.position.y)
    if not all(map(math.isfinite, (*place, msg.confidence))):
        raise RefusedError(Refusal.MALFORMED, f'a detection at {place}')
    return msg.class_id, msg.label, msg.confidence, place


def identity(*names: Any) -> int:
    """Return the id of a marker: 31 bits of a checksum of its names."""
    return zlib.crc32(repr(names).encode()) >> 1


def tasks_to_msg(spots: Iterable[Spot]) -> list[Marker]:
    """
    Return tasks: a shape in the colour of the state, and a line from who holds it.

    Words are only beside those that are held, or over whose end ledgers differ.
    """
    markers = []
    for spot in spots:
        colour, number = STATE_COLOURS[spot.state], identity(spot.key)
        kind, size, strength = SHAPES[spot.kind]
        paint = (*colour[:3], colour[3] * strength)
        markers.append(_solid('place', kind, number, spot.place, (size, size, FLOOR), paint))
        told = spot.state is TaskState.DONE and len(spot.words) > 1
        if told or spot.state is TaskState.HELD:
            markers.append(_text('label', number, spot.place, _label(spot)))
        for holder, place in spot.holders.items():
            markers.append(
                _lines('holder', identity(spot.key, holder), [place, spot.place], colour)
            )
    return markers


def _label(spot: Spot) -> str:
    kind = spot.kind.name.lower()
    if len(spot.words) == 1:
        return f'{kind}: {next(iter(spot.words))}'
    lines = (f'{word} ({", ".join(robots)})' for word, robots in spot.words.items())
    return '\n'.join((kind, *lines))


def trust_to_msg(members: Iterable[Member]) -> list[Marker]:
    """Return robots in the colour of where they stand, with their names."""
    markers = []
    for member in members:
        colour, number = STANDING_COLOURS[member.standing], identity(member.name)
        x, y, _ = member.pose.tolist()
        place = (x, y)
        size = (ROBOT_SIZE, ROBOT_SIZE, BODIES)
        markers.append(_solid('robot', Marker.CYLINDER, number, place, size, colour))
        heading = _solid(
            'heading', Marker.ARROW, number, place, (2 * ROBOT_SIZE, 0.08, 0.08), colour
        )
        heading.pose.orientation = pose_to_msg(member.pose, FRAME, 0).pose.orientation
        markers.append(heading)
        words = [member.name]
        if member.told_by:
            words.append(f'{member.standing.value} ({member.told_by} of {member.heard} ledgers)')
        elif member.standing is Standing.SILENT:
            words.append(member.standing.value)
        if member.alarm:
            words.append(member.alarm)
        markers.append(_text('name', number, place, '\n'.join(words)))
    return markers


def links_to_msg(links: Iterable[Link]) -> list[Marker]:
    """Return a line between robots: whole where they hear each other, dashed where not."""
    return [
        _lines(
            f'hear {link.hearing.value}',
            identity(link.robots),
            _dashed(*link.ends) if link.hearing is Hearing.NONE else link.ends,
            HEARING_COLOURS[link.hearing],
        )
        for link in links
    ]


def _dashed(start: Point, end: Point) -> list[Point]:
    """Return the ends of dashes, evenly from start to end."""
    parts = 2 * DASHES - 1
    return [
        tuple(a + (b - a) * index / parts for a, b in zip(start, end, strict=True))
        for index in range(parts + 1)
    ]


def things_to_msg(things: Iterable[Thing]) -> list[Marker]:
    """Return what cameras recognised, with its name and who saw it."""
    markers = []
    for thing in things:
        confidence, place = thing.best
        number = identity(thing.class_id, thing.cell)
        markers.append(_solid('thing', Marker.CUBE, number, place, (0.15, 0.15, 0.15), CYAN))
        words = f'{thing.label} {confidence:.0%}\n{", ".join(sorted(thing.seen))}'
        markers.append(_text('label', number, place, words))
    return markers


def _solid(
    ns: str, kind: int, number: int, place: Point, size: tuple[float, float, float], colour: Colour
) -> Marker:
    marker = Marker(ns=ns, id=number, type=kind, color=_colour(colour))
    marker.scale.x, marker.scale.y, marker.scale.z = size
    marker.pose.position = _point(place, size[2] / 2)
    return marker


def _text(ns: str, number: int, place: Point, text: str) -> Marker:
    marker = Marker(
        ns=ns, id=number, type=Marker.TEXT_VIEW_FACING, text=text, color=_colour(WHITE)
    )
    marker.scale.z = TEXT
    marker.pose.position = _point(place, LABELS)
    return marker


def _lines(ns: str, number: int, ends: Sequence[Point], colour: Colour) -> Marker:
    """Return lines from the first point to the second, the third to the fourth and so on."""
    marker = Marker(ns=ns, id=number, type=Marker.LINE_LIST, color=_colour(colour))
    marker.scale.x = 0.04
    marker.points = [_point(end, LINES) for end in ends]
    return marker


def _point(place: Point, height: float) -> PointMsg:
    return PointMsg(x=place[0], y=place[1], z=height)


def _colour(colour: Colour) -> ColorRGBA:
    red, green, blue, alpha = colour
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)
