"""
Recorded lidar logs in CARMEN's text format (http://carmen.sourceforge.net/logger_playback.html).

Lines: ``FLASER n r… x y yaw odom_x odom_y odom_yaw stamp host stamp`` and
``ODOM x y yaw tv rv accel stamp host stamp``; all others are skipped.

Logs that GMapping wrote (``*.gfs.log``) hold corrected poses in both places of FLASER. Their raw
odometry is in the ODOM lines, which start again from the corrected pose after every scan (a line
with stamp 0); chained from scan to scan they are the odometry that the robot had.
"""

from __future__ import annotations

from dataclasses import dataclass, field
import math
from pathlib import Path

import numpy as np

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.core.geometry import Array, compose, inverse, pose
from collab_robots.mapping.scan import Scan

MAX_LOG_BYTES = 256 << 20
MAX_LINE_CHARS = 1 << 16
MAX_REPORTED = 20
NO_RETURN = 80.0  # m; SICK scanners report 81.83 m and more where they saw nothing
_TAIL = 9  # words of FLASER after its ranges


@dataclass(frozen=True)
class Reading:
    """
    One scan of a log.

    :param scan: its stamp counts from the log's start and only grows.
    :param odometry: raw pose of the robot in its odom frame.
    :param corrected: pose that the log's writer found afterwards; equals odometry in raw logs.
    :param stamp_s: the log's own stamp.
    """

    scan: Scan
    odometry: Array
    corrected: Array
    stamp_s: float


@dataclass
class Log:
    """The scans of a log, and the lines that were refused: how many, and the first few."""

    readings: list[Reading] = field(default_factory=list)
    malformed: int = 0
    errors: list[str] = field(default_factory=list)


def read_log(path: Path | str) -> Log:
    """
    Read a log.

    :raises ConfigError: if it cannot be read, is too large, or holds no scan.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_LOG_BYTES:
            raise ConfigError(f'{path}: larger than {MAX_LOG_BYTES} bytes, refused')
        lines = path.read_text(encoding='ascii', errors='replace').splitlines()
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
    log = parse_log(lines)
    if not log.readings:
        why = f'; first refused: {log.errors[0]}' if log.errors else ''
        raise ConfigError(f'{path}: no FLASER line that is a scan{why}')
    return log


def parse_log(lines: list[str]) -> Log:
    """Read the lines of a log; malformed ones are counted and told with their number."""
    log = Log()
    chain = _Odometry()
    for number, line in enumerate(lines, 1):
        try:
            if len(line) > MAX_LINE_CHARS:
                raise ValueError(f'line of {len(line)} characters')
            words = line.split()
            kind = words[0] if words else ''
            if kind == 'ODOM':
                chain.odom(_pose(words[1:4]), _number(words[7]))
            elif kind == 'FLASER':
                log.readings.append(_reading(words, chain, log.readings))
        except (ValueError, IndexError, RefusedError) as error:
            log.malformed += 1
            if len(log.errors) < MAX_REPORTED:
                log.errors.append(f'line {number}: {error}')
    return log


class _Odometry:
    """Chain of the ODOM lines, which may start again from a corrected pose."""

    def __init__(self) -> None:
        self.raw = pose(0.0, 0.0, 0.0)
        self._anchor: Array | None = None

    def odom(self, at: Array, stamp_s: float) -> None:
        if self._anchor is None:
            self.raw = at
        elif stamp_s != 0.0:  # else the pose was corrected, the robot has not moved
            self.raw = compose(self.raw, compose(inverse(self._anchor), at))
        self._anchor = at

    def at_scan(self, given: Array, corrected: Array) -> Array:
        """Return the raw odometry of a FLASER line that says ``given``."""
        same = bool(np.array_equal(given, corrected))
        return self.raw if same and self._anchor is not None else given


def _reading(words: list[str], chain: _Odometry, before: list[Reading]) -> Reading:
    count = int(words[1])
    if not 0 < count <= 8192 or len(words) != 2 + count + _TAIL:
        raise ValueError(f'FLASER with {count} ranges and {len(words)} words')
    ranges = np.array(words[2 : 2 + count], dtype=np.float32)
    ranges[ranges >= NO_RETURN] = np.nan
    tail = words[2 + count :]
    corrected, given = _pose(tail[:3]), _pose(tail[3:6])
    stamp_s = _number(tail[6])
    stamp_ns = round(stamp_s * SECOND)
    if before:  # stamps of logs jitter; their order is right
        stamp_ns = max(stamp_ns, before[-1].scan.stamp_ns + 1)
    # CARMEN: 180 rays lie 1° apart from -90° on, 181 rays close the half turn
    step = math.pi / (count - count % 2)
    scan = Scan(ranges, -math.pi / 2, step, 0.02, NO_RETURN, stamp_ns)
    return Reading(scan, chain.at_scan(given, corrected), corrected, stamp_s)


def _pose(words: list[str]) -> Array:
    if len(words) != 3:
        raise ValueError('expected x y yaw')
    return pose(*(_number(word) for word in words))


def _number(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f'{word} is no finite number')
    return value
