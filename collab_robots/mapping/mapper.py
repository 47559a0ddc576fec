"""
A robot's pose and its own map from odometry and scans.

Every scan is matched against the robot's own layer, starting from odometry, so that the error
stays that of the map and does not grow with the way driven inside what is mapped. It knows its
start pose and does not close loops: around a loop of unmapped corridor the error of the map grows.
"""

from __future__ import annotations

from collections import Counter, deque
import math
from typing import Annotated

import numpy as np
from pydantic import Field

from collab_robots.core.clock import SECOND
from collab_robots.core.config import Strict
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import Array, compose, inverse, pose, transform
from collab_robots.core.track import Track
from collab_robots.mapping.layer import Layer
from collab_robots.mapping.matcher import ScanMatcher
from collab_robots.mapping.scan import Scan
from collab_robots.mapping.surveyor import Surveyor

TARGET_BLOCK = 0.5  # m; scans are matched to what is mapped in blocks around their points
Positive = Annotated[float, Field(gt=0.0)]


class MapperConfig(Strict):
    """Parameters of the mapper, with their units."""

    lidar: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Pose of the lidar in base_footprint: x (m), y (m), yaw (rad)."""
    max_range: Annotated[float, Field(gt=0.5, le=100.0)] = 8.0
    """Longer ranges are not used, m."""
    integrate_distance: Positive = 0.15
    """A scan goes into the map when the robot moved this far since the last that did, m …"""
    integrate_turn: Positive = 0.3
    """… or turned this far, rad …"""
    integrate_period: Positive = 1.0
    """… or this time has passed, s."""
    shift_floor: Positive = 0.04
    """How far (m) odometry may be off between two scans that match …"""
    turn_floor: Positive = 0.04
    """… and how far in rad …"""
    slip: Annotated[float, Field(ge=0.0, le=1.0)] = 0.2
    """… beside this share of the motion between them, which is metres plus radians."""
    blind_motion: Positive = 2.0
    """A scan that matches nothing goes into the map only after this motion, m plus rad."""
    teammate_width: Annotated[float, Field(ge=0.0, le=2.0)] = 0.5
    """What stands free and is no wider may be a teammate: it is mapped but not matched, m."""
    odometry_samples: Annotated[int, Field(ge=2, le=10_000)] = 100
    """So many odometry samples are kept."""
    waiting_scans: Annotated[int, Field(ge=1, le=100)] = 4
    """So many scans may wait for odometry; older ones are dropped."""


class Mapper(Surveyor):
    """
    Track one robot and map around it.

    :param initial_pose: of the odom frame in the map: where base_footprint was when odometry was
        zero. So a mapper that starts late, or again, is off only by what odometry has drifted.
    """

    def __init__(self, initial_pose: Array, config: MapperConfig | None = None) -> None:
        self.config = config or MapperConfig()
        self.layer = Layer(self.config.max_range)
        super().__init__(self.layer)
        self.map_to_odom = _finite(initial_pose, 'initial pose')
        """Pose of the odom frame in the map frame (REP-105)."""
        self.pose = self.map_to_odom
        """Of base_footprint in the map, at ``stamp_ns``."""
        self.stamp_ns = -1
        """Of the last scan that was used; -1 before the first."""
        self.counts: Counter[str] = Counter()
        """Scans: matched, fallback (odometry alone), integrated, late, early, dropped …"""
        self._lidar = pose(*self.config.lidar)
        self._lidar_inverse = inverse(self._lidar)
        self._matcher = ScanMatcher()
        self._odometry = Track(self.config.odometry_samples)
        self._waiting: deque[Scan] = deque()
        self._travelled = 0.0  # m plus rad since the last match
        self._odom_at_scan: Array | None = None
        self._target_is_old = True
        self._integrated: tuple[int, Array] | None = None  # stamp and pose of the last

    def add_odometry(self, stamp_ns: int, odom: Array) -> Array | None:
        """
        Take one odometry sample.

        :param odom: pose of base_footprint in the odom frame.
        :returns: the newest pose in the map if scans had waited for this sample.
        :raises RefusedError: MALFORMED if it is not finite, TIME if it is not newer than the last.
        """
        odom = _finite(odom, 'odometry')
        if not self._odometry:
            self.pose = compose(self.map_to_odom, odom)
        elif stamp_ns <= self._odometry.newest_ns:
            raise RefusedError(
                Refusal.TIME,
                f'odometry at {stamp_ns} ns is not after {self._odometry.newest_ns} ns',
            )
        self._odometry.add(stamp_ns, odom)
        newest = None
        while self._waiting and self._waiting[0].stamp_ns <= stamp_ns:
            newest = self._process(self._waiting.popleft())
        return newest

    def add_scan(self, scan: Scan) -> Array | None:
        """
        Take one scan.

        :returns: the pose of base_footprint in the map at the scan's stamp; nothing if the scan
            waits for odometry or is too old for it.
        """
        last = self._waiting[-1].stamp_ns if self._waiting else self.stamp_ns
        if scan.stamp_ns <= last:
            self.counts['late'] += 1
            return None
        if self._waiting or scan.stamp_ns > self._odometry.newest_ns:
            self._waiting.append(scan)
            self.counts['waited'] += 1
            if len(self._waiting) > self.config.waiting_scans:
                self._waiting.popleft()
                self.counts['dropped'] += 1
            return None
        return self._process(scan)

    def _process(self, scan: Scan) -> Array | None:
        odom = self._odometry.at(scan.stamp_ns)
        if odom is None:
            self.counts['late'] += 1
            return None
        if self._odom_at_scan is not None:
            moved = compose(inverse(self._odom_at_scan), odom)
            self._travelled += math.hypot(moved[0], moved[1]) + abs(moved[2])
        self._odom_at_scan = odom
        guess = compose(self.map_to_odom, odom)
        self.pose = self._matched(scan, guess)
        self.map_to_odom = compose(self.pose, inverse(odom))
        self.stamp_ns = scan.stamp_ns
        if self._is_due(scan.stamp_ns):
            self._integrate(scan)
        return self.pose

    def _matched(self, scan: Scan, guess: Array) -> Array:
        if self._integrated is None:
            return guess
        config = self.config
        # A teammate that drives alongside stays, seen from here, where it was: matched against
        # its own traces it would hold the pose back.
        points = scan.points(config.max_range, skip=scan.solitary(config.teammate_width))
        sensor = compose(guess, self._lidar)
        shift = config.shift_floor + config.slip * self._travelled
        turn = config.turn_floor + config.slip * self._travelled
        if self._target_is_old:
            block = max(TARGET_BLOCK, shift + turn * config.max_range)
            surface = self.layer.surface(sensor, config.max_range)
            self._matcher.set_target(_near(surface, transform(sensor, points), block))
            self._target_is_old = False
        match = self._matcher.match(points, sensor, shift, turn)
        if match is None:
            self.counts['fallback'] += 1
            return guess
        self.counts['matched'] += 1
        self._travelled = 0.0
        return compose(match.pose, self._lidar_inverse)

    def _is_due(self, stamp_ns: int) -> bool:
        if self._integrated is None:
            return True
        if 0.0 < self._travelled < self.config.blind_motion:
            return False  # not matched: it would blur the map
        then, there = self._integrated
        moved = compose(inverse(there), self.pose)
        return (
            math.hypot(moved[0], moved[1]) >= self.config.integrate_distance
            or abs(moved[2]) >= self.config.integrate_turn
            or stamp_ns - then >= self.config.integrate_period * SECOND
        )

    def _integrate(self, scan: Scan) -> None:
        sensor = compose(self.pose, self._lidar)
        self.layer.integrate(scan, sensor)
        self._target_is_old = True
        self._integrated = (scan.stamp_ns, self.pose)
        self.counts['integrated'] += 1


def _near(surface: Array, points: Array, block: float) -> Array:
    """Return the surface points (m, 2) in the blocks (m) of the points (n, 2) and around them."""
    low = surface.min(axis=0, initial=np.inf) - 2 * block
    cells = np.floor((surface - low) / block).astype(np.int64)
    size = cells.max(axis=0, initial=0) + 3
    hits = np.floor((points - low) / block).astype(np.int64)
    hits = hits[np.all((hits >= 1) & (hits < size - 1), axis=1)]
    mask = np.zeros(size, bool)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            mask[hits[:, 0] + dx, hits[:, 1] + dy] = True
    near: Array = surface[mask[cells[:, 0], cells[:, 1]]]
    return near


def _finite(value: Array, what: str) -> Array:
    array = np.asarray(value, dtype=np.float64)
    if array.shape != (3,) or not np.all(np.isfinite(array)) or np.abs(array).max() > 1e6:
        raise RefusedError(Refusal.MALFORMED, f'{what}: expected x, y, yaw, got {array!r:.80}')
    return array
