"""
How good was the map, and did the posters get their names: pure functions of truth and result.

Distances are metres, times seconds, positions in the map frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from collab_robots.core.geometry import Array, FREE, Grid, UNKNOWN, wrap
from collab_robots.explorer.timeline import Waypoint

OCCUPIED_FROM = 65  # % and more is a wall, as nav2's map_saver has it
FREE_UP_TO = 25  # % and less is free
NEAR = 0.15  # m: a wall cell this close to a true one is right
SIGHT_RANGE = 4.0  # m: posters closer than this have to be named
SIGHT_ANGLE = math.radians(60.0)  # off the poster's normal; flatter than this nobody can read it
SIGHT_TIME = 1.0  # s in view without a break: two pictures of the camera
SAME_PLACE = 0.8  # m between two words about one picture
NAMED_WITHIN = 1.0  # m between a poster and the sighting that names it

Mask = npt.NDArray[np.bool_]


class Poster(NamedTuple):
    """A poster in the world: its middle, where it faces (rad), its width, the right labels."""

    x: float
    y: float
    facing: float
    width: float
    labels: tuple[str, ...]


class Camera(NamedTuple):
    """The robots' camera: its horizontal angle of view (rad), how far ahead of the middle (m)."""

    view: float
    forward: float


class Sighting(NamedTuple):
    """What the fleet agreed to have seen, and where."""

    x: float
    y: float
    label: str
    confidence: float = 1.0


def fuse(reports: Iterable[tuple[str, Sighting]]) -> list[Sighting]:
    """
    Make one sighting of all that robots said about one place.

    A robot's later word about a place replaces its earlier one, because it has summed up its own
    looks; different robots' words are weighed by their confidence.

    :param reports: (robot, what it said), oldest first.
    """
    latest: list[tuple[str, Sighting]] = []
    for robot, said in reports:
        latest = [
            (who, before) for who, before in latest if who != robot or not _close(before, said)
        ]
        latest.append((robot, said))
    groups: list[list[Sighting]] = []
    for _, said in sorted(latest, key=lambda item: -item[1].confidence):
        for group in groups:
            if _close(group[0], said):
                group.append(said)
                break
        else:
            groups.append([said])
    return [_agreed(group) for group in groups]


def _close(a: Sighting, b: Sighting) -> bool:
    return math.dist((a.x, a.y), (b.x, b.y)) <= SAME_PLACE


def _agreed(group: list[Sighting]) -> Sighting:
    weights: dict[str, float] = {}
    for said in group:
        weights[said.label] = weights.get(said.label, 0.0) + said.confidence
    label = max(weights, key=lambda name: weights[name])
    voices = [said for said in group if said.label == label]
    return Sighting(
        sum(said.x for said in voices) / len(voices),
        sum(said.y for said in voices) / len(voices),
        label,
        max(said.confidence for said in voices),
    )


def lookup(grid: Grid, points: Array) -> npt.NDArray[np.int8]:
    """Return the grid's value at each point (n, 2); unknown outside the grid."""
    cells = grid.cells(points)
    values = np.full(len(points), UNKNOWN, dtype=np.int8)
    inside = grid.inside(cells)
    values[inside] = grid.data[cells[inside, 0], cells[inside, 1]]
    return values


def coverage(points: Array, beside_wall: Mask, mapped: Grid) -> float:
    """
    Return the share of free points (n, 2) that the map knows.

    It knows them as free. A cell that touches a wall may also be mapped as wall: the face lies on
    the edge between two cells, and noise of a centimetre decides which of them the hits fall in.

    :param beside_wall: (n,) which points lie in such a cell.
    """
    if not len(points):
        return 0.0
    values = lookup(mapped, points)
    free = (values >= FREE) & (values <= FREE_UP_TO)
    return float(np.mean(free | (beside_wall & (values >= OCCUPIED_FROM))))


def beside_wall(truth: Grid) -> Mask:
    """Return the mask of the cells that are a wall or touch one, corners included."""
    return np.asarray(ndimage.binary_dilation(truth.data >= OCCUPIED_FROM, np.ones((3, 3))))


def precision(truth: Grid, mapped: Grid) -> float:
    """Return the share of mapped wall cells that lie within ``NEAR`` of a true wall cell."""
    walls = np.argwhere(mapped.data >= OCCUPIED_FROM)
    if not len(walls):
        return 0.0
    return float(np.mean(_distance(truth, mapped.centres(walls)) <= NEAR + 1e-9))


def recall(truth: Grid, surface: Mask, mapped: Grid) -> float:
    """
    Return the share of the true wall's surface that has a mapped wall cell within ``NEAR``.

    :param surface: the wall cells that a lidar can see.
    """
    cells = np.argwhere(surface)
    if not len(cells):
        return 0.0
    return float(np.mean(_distance(mapped, truth.centres(cells)) <= NEAR + 1e-9))


def _distance(grid: Grid, points: Array) -> Array:
    """Return how far each point's cell (n, 2) is from the grid's next wall cell, inf if none."""
    walls = grid.data >= OCCUPIED_FROM
    if not walls.any():
        return np.full(len(points), np.inf)
    margin = math.ceil(2 * NEAR / grid.resolution)
    distances = ndimage.distance_transform_edt(~np.pad(walls, margin)) * grid.resolution
    cells = grid.cells(points) + margin
    inside = np.all((cells >= 0) & (cells < distances.shape), axis=1)
    result = np.full(len(points), np.inf)
    result[inside] = distances[cells[inside, 0], cells[inside, 1]]
    return result


def line_of_sight(truth: Grid, start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Tell whether no wall lies between two points; the last ``NEAR`` belong to the end's wall."""
    length = math.dist(start, end) - NEAR
    if length <= 0:
        return True
    steps = np.arange(0.0, length, truth.resolution / 2.0)[:, None]
    direction = (np.asarray(end) - np.asarray(start)) / math.dist(start, end)
    return not np.any(lookup(truth, np.asarray(start) + steps * direction) >= OCCUPIED_FROM)


def was_seen(poster: Poster, path: Iterable[Waypoint], truth: Grid, camera: Camera) -> bool:
    """
    Tell whether a robot on this path had the poster in its picture long enough to name it.

    That is: all of its width for ``SIGHT_TIME`` within the camera's view, closer than
    ``SIGHT_RANGE``, not flatter than ``SIGHT_ANGLE``, and no wall between.
    """
    since: float | None = None
    for point in path:
        if not _in_view(poster, point, truth, camera):
            since = None
            continue
        since = point.t if since is None else since
        if point.t - since >= SIGHT_TIME - 1e-9:
            return True
    return False


def _in_view(poster: Poster, point: Waypoint, truth: Grid, camera: Camera) -> bool:
    eye = (
        point.x + camera.forward * math.cos(point.yaw),
        point.y + camera.forward * math.sin(point.yaw),
    )
    if math.dist(eye, (poster.x, poster.y)) > SIGHT_RANGE:
        return False
    outward = math.atan2(eye[1] - poster.y, eye[0] - poster.x)
    if abs(wrap(outward - poster.facing)) > SIGHT_ANGLE:
        return False
    for side in (-0.5, 0.5):
        x = poster.x - side * poster.width * math.sin(poster.facing)
        y = poster.y + side * poster.width * math.cos(poster.facing)
        bearing = math.atan2(y - eye[1], x - eye[0])
        if abs(wrap(bearing - point.yaw)) > camera.view / 2.0:
            return False
    return line_of_sight(truth, eye, (poster.x, poster.y))


def nearest(poster: Poster, sightings: Sequence[Sighting]) -> Sighting | None:
    """Return the sighting next to the poster, or None if none lies within ``NAMED_WITHIN``."""

    def distance(sighting: Sighting) -> float:
        return math.dist((poster.x, poster.y), (sighting.x, sighting.y))

    best = min(sightings, key=distance, default=None)
    return best if best is not None and distance(best) <= NAMED_WITHIN else None


def named_rightly(poster: Poster, sightings: Sequence[Sighting]) -> bool:
    """Tell whether the sighting next to the poster carries one of its labels."""
    best = nearest(poster, sightings)
    return best is not None and best.label in poster.labels
