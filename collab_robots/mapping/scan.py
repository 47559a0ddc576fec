"""One planar lidar scan, validated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
import math

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import Array

MIN_RAYS = 8
MAX_RAYS = 8192
FULL_TURN = 2.0 * math.pi
STEP = 0.2  # m, between the ranges of two rays: another thing begins


@dataclass(frozen=True)
class Scan:
    """
    Ranges of one turn of a planar lidar, in the sensor frame (REP-103).

    A range within the limits is a hit. ``+inf`` says that nothing is there up to ``range_max``
    (REP-117). NaN, ``-inf`` and ranges outside the limits say nothing and are dropped.

    :param ranges: (n,) float32, m.
    :param angle_min: bearing of the first ray, rad.
    :param angle_increment: bearing between two rays, rad; positive.
    :param range_min: smallest valid range, m.
    :param range_max: largest valid range, m.
    :param stamp_ns: when it was taken.
    :raises RefusedError: SCAN, if the numbers cannot be a scan or no ray says anything.
    """

    ranges: npt.NDArray[np.float32]
    angle_min: float
    angle_increment: float
    range_min: float
    range_max: float
    stamp_ns: int

    def __post_init__(self) -> None:
        ranges = np.asarray(self.ranges, dtype=np.float32)
        if ranges.ndim != 1 or not MIN_RAYS <= len(ranges) <= MAX_RAYS:
            raise _refused(f'expected {MIN_RAYS} to {MAX_RAYS} ranges, got {ranges.shape}')
        object.__setattr__(self, 'ranges', ranges)
        if not (math.isfinite(self.angle_min) and abs(self.angle_min) <= 2.0 * FULL_TURN):
            raise _refused(f'angle_min {self.angle_min} is not an angle')
        if not 0.0 < self.angle_increment * (len(ranges) - 1) <= FULL_TURN + 1e-3:
            raise _refused(
                f'angle_increment {self.angle_increment} with {len(ranges)} rays: expected '
                'a positive step and at most one turn'
            )
        if not 0.0 <= self.range_min < self.range_max < math.inf:
            raise _refused(f'range limits [{self.range_min}, {self.range_max}] are no interval')
        if not (self.is_hit.any() or self.is_clear.any()):
            raise _refused(f'none of {len(ranges)} rays has a range within the limits')

    @cached_property
    def is_hit(self) -> npt.NDArray[np.bool_]:
        """Tell which rays (n,) hit something."""
        ranges = self.ranges
        with np.errstate(invalid='ignore'):
            return np.asarray((ranges >= self.range_min) & (ranges <= self.range_max))

    @cached_property
    def is_clear(self) -> npt.NDArray[np.bool_]:
        """Tell which rays (n,) met nothing up to ``range_max``."""
        return np.asarray(np.isposinf(self.ranges))

    @cached_property
    def angles(self) -> Array:
        """Bearing of each ray (n,), rad."""
        return self.angle_min + self.angle_increment * np.arange(len(self.ranges), dtype=float)

    def solitary(self, width: float) -> npt.NDArray[np.bool_]:
        """
        Tell which rays (n,) hit something narrow that stands free before what is behind it.

        :param width: of the widest such thing, m.
        """
        ranges = np.where(self.is_hit, self.ranges, np.float32(np.inf))
        with np.errstate(invalid='ignore'):  # inf - inf: nothing and nothing is no step
            steps = np.diff(ranges, append=ranges[:1])  # of each ray to the next, around
        lasts = np.flatnonzero(np.abs(steps) > STEP)  # of a segment that runs to the next step
        result = np.zeros(len(ranges), bool)
        if len(lasts) < 2:
            return result
        firsts = (np.roll(lasts, 1) + 1) % len(ranges)
        start, end = ranges[firsts], ranges[lasts]
        turn = (lasts - firsts) % len(ranges) * self.angle_increment
        with np.errstate(invalid='ignore'):
            chord = np.sqrt((end - start) ** 2 + 4 * start * end * np.sin(turn / 2) ** 2)
            free = (steps[firsts - 1] < 0) & (steps[lasts] > 0) & (chord <= width)
        lengths = (lasts - firsts) % len(ranges) + 1
        result[(np.arange(lengths.sum()) + firsts[0]) % len(ranges)] = np.repeat(free, lengths)
        return result

    def points(
        self, max_range: float = math.inf, skip: npt.NDArray[np.bool_] | None = None
    ) -> Array:
        """
        Return where rays hit, (m, 2) in the sensor frame.

        :param max_range: of the rays to use, m.
        :param skip: rays (n,) not to use.
        """
        use = self.is_hit & (self.ranges <= max_range)
        if skip is not None:
            use &= ~skip
        ranges, angles = self.ranges[use].astype(np.float64), self.angles[use]
        return np.stack([ranges * np.cos(angles), ranges * np.sin(angles)], axis=1)


def _refused(message: str) -> RefusedError:
    return RefusedError(Refusal.SCAN, message)
