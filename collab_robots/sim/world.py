"""
The world as a person writes it: one YAML file with walls, doors, furniture, posters and starts.

From it come the MuJoCo model (``sim/mjcf.py``) and the true map (``sim/truth.py``), so the two
cannot disagree. Units m and degrees; the world frame is the robots' map frame.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
import math
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from collab_robots.core.config import load_yaml, Strict
from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import Array, Grid, pose
from collab_robots.sim.truth import Box, boxes_at, is_free_disc, true_grid

ROBOT_RADIUS = 0.18  # m
RESOLUTION = 0.05  # m per cell of the true map
MAX_ROBOTS = 64

Metres = Annotated[float, Field(ge=0.0, le=100.0)]
Length = Annotated[float, Field(gt=0.0, le=100.0)]
Name = Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9_ -]{0,63}$')]
Start = tuple[Metres, Metres, Annotated[float, Field(ge=-360.0, le=360.0)]]
Starts = Annotated[tuple[Start, ...], Field(max_length=MAX_ROBOTS)]
Label = Annotated[str, Field(min_length=1, max_length=100)]


def photographs() -> Path:
    """Return the folder of scikit-image's wheel that holds the photographs."""
    spec = find_spec('skimage')
    if spec is None or spec.origin is None:
        raise ConfigError('scikit-image is not installed: it holds the photographs of the posters')
    return Path(spec.origin).parent / 'data'


class Wall(Strict):
    """
    A straight wall, with openings for doors.

    ``line`` is the centre line (x0, y0, x1, y1); each door is (distance from x0, y0 along the
    line to the door's middle, width).
    """

    line: tuple[Metres, Metres, Metres, Metres]
    doors: Annotated[tuple[tuple[Metres, Length], ...], Field(max_length=50)] = ()

    @property
    def length(self) -> float:
        """Length of the centre line, m."""
        x0, y0, x1, y1 = self.line
        return math.hypot(x1 - x0, y1 - y0)

    @model_validator(mode='after')
    def _doors_fit(self) -> Wall:
        if self.length < 0.05:
            raise ValueError(f'a wall is at least 0.05 m long, this one is {self.length:.3f} m')
        self.pieces()
        return self

    def pieces(self) -> list[tuple[float, float]]:
        """Return the (from, to) stretches of the line, m, that the doors leave."""
        at, result = 0.0, []
        for middle, width in sorted(self.doors):
            if middle - width / 2 < at - 1e-9 or middle + width / 2 > self.length + 1e-9:
                raise ValueError(
                    f'the door at {middle} m, {width} m wide, overlaps another or the end of its '
                    f'{self.length:.2f} m wall'
                )
            result.append((at, middle - width / 2))
            at = middle + width / 2
        result.append((at, self.length))
        return [(a, b) for a, b in result if b - a > 1e-6]


class Furniture(Strict):
    """A box on the floor: ``at`` is its centre, ``size`` its extent along its own x and y."""

    name: Name
    at: tuple[Metres, Metres]
    size: tuple[Length, Length]
    height: Annotated[float, Field(ge=0.3, le=5.0)] = 1.0  # the lidar looks out at 0.25 m
    turn: Annotated[float, Field(ge=-360.0, le=360.0)] = 0.0


class Poster(Strict):
    """
    A photograph on a wall; its height follows from the picture's aspect.

    ``at`` is the middle of the picture on the wall's face, ``facing`` the direction it looks to,
    ``centre`` the height of its middle; ``labels`` are the ImageNet-1k names that are right.
    """

    image: Annotated[str, Field(pattern=r'^[A-Za-z0-9_]{1,60}\.(png|jpg)$')]
    at: tuple[Metres, Metres]
    facing: Annotated[float, Field(ge=-360.0, le=360.0)]
    width: Annotated[float, Field(ge=0.3, le=3.0)] = 1.2
    centre: Annotated[float, Field(ge=0.2, le=3.0)] = 0.5
    labels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=20)]

    @property
    def path(self) -> Path:
        """The picture's file."""
        return photographs() / self.image

    @cached_property
    def height(self) -> float:
        """Height of the picture, m."""
        with Image.open(self.path) as picture:
            return float(self.width * picture.height / picture.width)

    @property
    def normal(self) -> Array:
        """Unit vector (2,) out of the wall."""
        angle = math.radians(self.facing)
        return np.array([math.cos(angle), math.sin(angle)])

    @property
    def middle(self) -> Array:
        """Where the middle of the picture is (2,), a little before the wall."""
        return np.asarray(self.at + 0.01 * self.normal)

    @model_validator(mode='after')
    def _picture_exists(self) -> Poster:
        if not self.path.is_file():
            raise ValueError(f'scikit-image has no picture {self.image} in its data folder')
        if self.centre < self.height / 2:
            raise ValueError(
                f'the picture is {self.height:.2f} m high: with its middle at {self.centre} m it '
                'reaches below the floor'
            )
        return self


class StartPoses(Strict):
    """Where robots start (x, y, heading), the first half of them in ``first``."""

    first: Starts
    second: Starts = ()


class World(Strict):
    """A building. What it guarantees once loaded is written at each check below."""

    name: Name
    size: tuple[Annotated[float, Field(ge=2, le=100)], Annotated[float, Field(ge=2, le=100)]]
    wall_height: Annotated[float, Field(ge=0.5, le=5.0)] = 2.0
    wall_thickness: Annotated[float, Field(ge=0.05, le=1.0)] = 0.1
    walls: Annotated[tuple[Wall, ...], Field(min_length=1, max_length=500)]
    furniture: Annotated[tuple[Furniture, ...], Field(max_length=500)] = ()
    posters: Annotated[tuple[Poster, ...], Field(max_length=100)] = ()
    starts: StartPoses

    @cached_property
    def wall_boxes(self) -> tuple[Box, ...]:
        """The walls between the doors, as boxes."""
        result = []
        for wall in self.walls:
            x0, y0, x1, y1 = wall.line
            along = np.array([x1 - x0, y1 - y0]) / wall.length
            turn = math.atan2(along[1], along[0])
            for a, b in wall.pieces():
                middle = np.array([x0, y0]) + along * (a + b) / 2
                half = ((b - a) / 2, self.wall_thickness / 2)
                result.append(Box((middle[0], middle[1]), half, turn, self.wall_height))
        return tuple(result)

    @cached_property
    def furniture_boxes(self) -> tuple[Box, ...]:
        """The furniture, as boxes."""
        return tuple(
            Box(
                item.at, (item.size[0] / 2, item.size[1] / 2), math.radians(item.turn), item.height
            )
            for item in self.furniture
        )

    @cached_property
    def truth(self) -> Grid:
        """The true map: walls and furniture occupied, inside free, outside unknown."""
        return true_grid(self.wall_boxes + self.furniture_boxes, self.size, RESOLUTION)

    @model_validator(mode='after')
    def _all_inside(self) -> World:
        for box in self.wall_boxes + self.furniture_boxes:
            corners = box.corners()
            if corners.min() < -1e-6 or (corners > np.asarray(self.size) + 1e-6).any():
                raise ValueError(f'a wall or a piece of furniture at {box.centre} leaves the size')
        return self

    @model_validator(mode='after')
    def _posters_hang(self) -> World:
        for poster in self.posters:
            side = np.array([-poster.normal[1], poster.normal[0]]) * (poster.width / 2 - 0.01)
            points = np.array(poster.at) + np.linspace(-1.0, 1.0, 9)[:, None] * side
            behind = boxes_at(self.wall_boxes, points - 0.02 * poster.normal)
            before = boxes_at(self.wall_boxes, points + 0.02 * poster.normal)
            if not behind.all() or before.any():
                raise ValueError(
                    f'the poster {poster.image} at {poster.at} facing {poster.facing:g} degrees '
                    'does not hang on the face of a wall'
                )
            if poster.centre + poster.height / 2 > self.wall_height:
                raise ValueError(f'the poster {poster.image} at {poster.at} is above its wall')
        return self

    @model_validator(mode='after')
    def _starts_free(self) -> World:
        starts = self.starts.first + self.starts.second
        if not starts:
            raise ValueError('at least one start pose is needed')
        for index, start in enumerate(starts):
            if not is_free_disc(self.truth, start[:2], ROBOT_RADIUS + 0.02):
                raise ValueError(f'start pose {start} lies outside or in a wall or furniture')
            for other in starts[:index]:
                if math.dist(start[:2], other[:2]) < 2 * ROBOT_RADIUS + 0.02:
                    raise ValueError(f'start poses {other} and {start} overlap')
        return self

    def start_poses(self, robots: int) -> list[Array]:
        """
        Return the start pose of each robot in the map frame.

        The first ceil(n / 2) robots take the first group, the others the second.

        :raises ConfigError: if the world has too few.
        """
        first = first_half(robots)
        groups = (self.starts.first, self.starts.second)
        if first > len(groups[0]) or robots - first > len(groups[1]) or robots < 1:
            raise ConfigError(
                f'{robots} robots need {first} start poses in the first group and '
                f'{robots - first} in the second; world {self.name} has {len(groups[0])} and '
                f'{len(groups[1])}'
            )
        chosen = groups[0][:first] + groups[1][: robots - first]
        return [pose(x, y, math.radians(turn)) for x, y, turn in chosen]


def first_half(robots: int) -> int:
    """Return how many of the robots, sorted by name, belong to the first half."""
    return (robots + 1) // 2


def load_world(path: Path | str) -> World:
    """
    Read a world.

    :raises ConfigError: if the file is missing, malformed, or describes an impossible world.
    """
    return load_yaml(path, World)
