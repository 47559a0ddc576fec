"""
Map a recorded log, whole or cut into pieces as if several robots had driven them.

Each piece is one robot with a known start pose (the log's corrected pose at the cut) and the raw
odometry from there on. The first robot merges the others' layers through coded tiles, as
teammates do. There is no loop closure: what a robot gets wrong on its way stays in its layer.

The errors are those of https://doi.org/10.1007/s10514-009-9155-6 (Kümmerle et al. 2009, On
measuring the accuracy of SLAM algorithms): how far relative poses are from those that a person
confirmed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
import math
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import Array, compose, Grid, inverse, pose, UNKNOWN
from collab_robots.mapping.carmen import Log, read_log, Reading
from collab_robots.mapping.layers import LayeredMap
from collab_robots.mapping.mapper import Mapper, MapperConfig

MAX_PIECES = 16
MIN_SCANS = 10  # per piece
MAX_RELATIONS = 200_000
STAMP_TOLERANCE = 0.02  # s; a relation counts if a scan is this near to both its ends

# Logs keep a scan only every metre or half radian, and their odometry is poor.
LOG_CONFIG = MapperConfig(max_range=12.0, shift_floor=0.1, turn_floor=0.1)


@dataclass(frozen=True)
class Piece:
    """What one robot made of its piece: its readings, poses (n, 3) and scan counts."""

    readings: Sequence[Reading]
    poses: Array
    counts: Counter[str]


@dataclass(frozen=True)
class RelationError:
    """Errors of relative poses: how many were compared, and their mean and spread (m, rad)."""

    used: int
    shift_mean: float
    shift_std: float
    turn_mean: float
    turn_std: float

    @property
    def words(self) -> str:
        """Say it with units."""
        return (
            f'mean {self.shift_mean:.3f} m and {math.degrees(self.turn_mean):.1f}°, '
            f'over {self.used} relations'
        )


@dataclass(frozen=True)
class Summary:
    """
    How well a log was mapped.

    ``shift_*`` (m) and ``turn_mean`` (rad) compare each pose with the log's corrected one, which
    has errors of its own; ``relations`` compares with the confirmed relative poses, and
    ``log_relations`` does the same for the log's corrected poses; nothing without a file of them.
    """

    scans: int
    malformed: int
    pieces: int
    matched: int
    fallback: int
    shift_mean: float
    shift_max: float
    turn_mean: float
    relations: RelationError | None
    log_relations: RelationError | None

    @property
    def words(self) -> dict[str, str]:
        """Say it with units."""
        lines = {
            'scans': f'{self.scans}, as {self.pieces} robot(s); {self.malformed} malformed lines',
            'matched': f'{self.matched}; {self.fallback} by odometry alone',
            "off the log's poses": f'mean {self.shift_mean:.3f} m and '
            f'{math.degrees(self.turn_mean):.1f}°, at most {self.shift_max:.3f} m',
        }
        if self.relations is not None and self.log_relations is not None:
            lines['off the true relations'] = self.relations.words
            lines["the log's poses are off by"] = self.log_relations.words
        return lines


def run(
    log: Path,
    pieces: int,
    out: Path,
    relations: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """
    Map a log, and draw the map.

    :param pieces: robots that share the log.
    :param out: the picture (PNG) to write.
    :param relations: relative poses to compare with, lines of ``t1 t2 x y z roll pitch yaw``.
    :param progress: told how many of how many scans are done.
    :raises ConfigError: if a file cannot be read or written, or the log is too short.
    """
    recorded = read_log(log)
    known = None if relations is None else read_relations(relations)
    parts, grid = replay(recorded, pieces, progress)
    try:
        draw(grid, parts, out)
    except (OSError, ValueError) as error:
        raise ConfigError(f'{out}: cannot be written: {error}') from None
    return summary(recorded, parts, known)


def replay(
    log: Log, pieces: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[Piece], Grid]:
    """
    Map the pieces of a log one after the other and merge the layers.

    :raises ConfigError: if a piece would have fewer than 10 scans.
    """
    total = len(log.readings)
    if not 1 <= pieces <= MAX_PIECES or total // pieces < MIN_SCANS:
        most = min(MAX_PIECES, total // MIN_SCANS)
        raise ConfigError(f'pieces: expected 1 to {most} for {total} scans, got {pieces}')
    cuts = [total * number // pieces for number in range(pieces + 1)]
    parts: list[Piece] = []
    team: LayeredMap | None = None
    for number, (start, stop) in enumerate(pairwise(cuts)):
        readings = log.readings[start:stop]
        start_pose = compose(readings[0].corrected, inverse(readings[0].odometry))
        mapper = Mapper(start_pose, LOG_CONFIG)
        poses = []
        for done, reading in enumerate(readings, start + 1):
            mapper.add_odometry(reading.scan.stamp_ns, reading.odometry)
            mapper.add_scan(reading.scan)
            poses.append(mapper.pose)
            progress(done, total)
        parts.append(Piece(readings, np.array(poses), mapper.counts))
        if team is None:
            team = LayeredMap('robot_0', mapper.layer)
        else:
            for tile in mapper.changed_tiles(readings[-1].scan.stamp_ns):
                team.put(f'robot_{number}', tile.x, tile.y, tile.data)
    assert team is not None
    return parts, team.merged()


def summary(log: Log, parts: Sequence[Piece], relations: Array | None = None) -> Summary:
    """
    Compare the poses of all pieces with the log's corrected ones and with known relations.

    :param relations: (n, 5) as from :func:`read_relations`.
    """
    readings = [reading for part in parts for reading in part.readings]
    found = np.concatenate([part.poses for part in parts])
    corrected = np.array([reading.corrected for reading in readings])
    off = np.array([compose(inverse(a), b) for a, b in zip(corrected, found, strict=True)])
    shift = np.hypot(off[:, 0], off[:, 1])
    stamps = np.array([reading.stamp_s for reading in readings])
    counts = sum((part.counts for part in parts), Counter[str]())
    return Summary(
        scans=len(readings),
        malformed=log.malformed,
        pieces=len(parts),
        matched=counts['matched'],
        fallback=counts['fallback'],
        shift_mean=float(shift.mean()),
        shift_max=float(shift.max()),
        turn_mean=float(np.abs(off[:, 2]).mean()),
        relations=_compared(relations, stamps, found),
        log_relations=_compared(relations, stamps, corrected),
    )


def read_relations(path: Path) -> Array:
    """
    Read relative poses (n, 5): two stamps (s), x, y (m), yaw (rad).

    :raises ConfigError: if the file cannot be read or a line is malformed.
    """
    try:
        table = np.loadtxt(path, max_rows=MAX_RELATIONS, ndmin=2)
    except (OSError, ValueError) as error:
        raise ConfigError(f'{path}: not a file of relations: {error}') from None
    if table.shape[1] != 8 or not np.all(np.isfinite(table)):
        raise ConfigError(f'{path}: expected lines of t1 t2 x y z roll pitch yaw')
    return np.asarray(table[:, [0, 1, 2, 3, 7]])


def relation_error(relations: Array, stamps: Array, poses: Array) -> RelationError | None:
    """
    Compare relative poses with known ones whose both ends are scans.

    The files may count time from another epoch than the log: the shift between them is the one
    that makes most stamps meet.

    :param stamps: (n,) s, of the poses (n, 3).
    :returns: nothing if no relation has scans at both its ends.
    """
    ends = np.unique(relations[:, :2])
    gaps = np.round((ends[:, None] - stamps[None, :]) / STAMP_TOLERANCE).astype(np.int64)
    values, counts = np.unique(gaps, return_counts=True)
    epoch = float(values[counts.argmax()]) * STAMP_TOLERANCE
    order = np.argsort(stamps, kind='stable')
    shifts, turns = [], []
    for first, second, x, y, yaw in relations:
        a = _at(first - epoch, stamps, order)
        b = _at(second - epoch, stamps, order)
        if a is not None and b is not None and a != b:
            found = compose(inverse(poses[a]), poses[b])
            off = compose(inverse(pose(x, y, yaw)), found)
            shifts.append(np.hypot(off[0], off[1]))
            turns.append(abs(off[2]))
    if not shifts:
        return None
    return RelationError(
        len(shifts),
        float(np.mean(shifts)),
        float(np.std(shifts)),
        float(np.mean(turns)),
        float(np.std(turns)),
    )


def draw(grid: Grid, parts: Sequence[Piece], out: Path) -> None:
    """Write a picture of the map with the ways of the robots."""
    height, width = grid.data.shape
    left, bottom = grid.origin
    extent = (left, left + width * grid.resolution, bottom, bottom + height * grid.resolution)
    shade = np.where(grid.data == UNKNOWN, 0.75, 1.0 - grid.data / 100.0)
    figure = Figure(figsize=(10, 10 * height / width), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(
        shade, cmap='gray', vmin=0, vmax=1, origin='lower', extent=extent, interpolation='nearest'
    )
    for number, part in enumerate(parts):
        axes.plot(part.poses[:, 0], part.poses[:, 1], linewidth=0.8, label=f'robot {number}')
    axes.set_xlabel('x (m)')
    axes.set_ylabel('y (m)')
    axes.legend(loc='upper right')
    known = np.argwhere(grid.data != UNKNOWN)
    if len(known):
        (low_y, low_x), (high_y, high_x) = known.min(axis=0), known.max(axis=0) + 1
        axes.set_xlim(left + low_x * grid.resolution - 1, left + high_x * grid.resolution + 1)
        axes.set_ylim(bottom + low_y * grid.resolution - 1, bottom + high_y * grid.resolution + 1)
    figure.savefig(out, format='png')


def _compared(relations: Array | None, stamps: Array, poses: Array) -> RelationError | None:
    return None if relations is None else relation_error(relations, stamps, poses)


def _at(stamp: float, stamps: Array, order: npt.NDArray[np.intp]) -> int | None:
    place = int(np.searchsorted(stamps, stamp, sorter=order))
    near = [int(order[k]) for k in (place - 1, place) if 0 <= k < len(order)]
    best = min(near, key=lambda k: abs(stamps[k] - stamp))
    return best if abs(stamps[best] - stamp) <= STAMP_TOLERANCE else None
