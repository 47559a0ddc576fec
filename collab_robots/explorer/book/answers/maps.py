"""The map, and who contributed what."""

from __future__ import annotations

from collab_robots.explorer.book.answers.base import Answer


class Sketch(Answer):
    """
    A region as a robot drew it: 16 rows from y's least to greatest, 16 characters each.

    ``.`` is free, ``#`` occupied, a space unknown.
    """

    rows: tuple[str, ...]


class Contribution(Answer):
    """A robot's sketch of a region, and when it sent it."""

    robot: str
    time: float
    sketch: Sketch
    counts: bool


class Region(Answer):
    """
    A map tile, as sketches show it.

    :param merged: of all that count.
    """

    region: tuple[int, int]
    merged: Sketch
    contributions: tuple[Contribution, ...]


class Sighting(Answer):
    """Something a robot's camera recognised."""

    time: float
    robot: str
    place: tuple[float, float]
    class_id: int
    label: str
    confidence: float


class Map(Answer):
    """
    The map that the ledger knows.

    :param region_size: side of a region, m; region (x, y) begins at (x, y) times that.
    """

    region_size: float
    regions: tuple[Region, ...]
    sightings: tuple[Sighting, ...]
