"""Find where a scan fits on the surfaces already mapped."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from scipy.ndimage import gaussian_filter
import small_gicp

from collab_robots.core.geometry import Array, compose, inverse, pose, transform, wrap

LEVEL = 0.04  # m between the three copies of the target, see ScanMatcher
NEIGHBOURS = 9  # a point, its copies above and below, and those of the next cell on either side
MIN_TARGET = 30  # points
MIN_SOURCE = 20  # points
MIN_INLIERS = 0.3  # of the points; the others may see what is not mapped yet, or teammates
POINT_ERROR = 0.05  # m; pessimistic, as errors of neighbouring points are alike
PLANAR = (3, 4, 2)  # x, y and yaw among small_gicp's rx, ry, rz, x, y, z
SURE_SHIFT = 0.2  # m; a guess that may be farther off is searched around first
SURE_TURN = 0.12  # rad, likewise
CELL = 0.05  # m, of the search
TURN = math.radians(1.0)  # of the search


@dataclass(frozen=True)
class Match:
    """
    A pose that fits.

    :param pose: of the scan's frame in the target's frame.
    :param inliers: share of the scan's points that lie on the target.
    """

    pose: Array
    inliers: float


class ScanMatcher:
    """
    Point-to-plane ICP of a scan against the points of a map (Chen & Medioni 1991).

    The registration is small_gicp (Koide 2024, https://joss.theoj.org/papers/10.21105/joss.06948):
    maintained, MIT, C++ with wheels for x86-64 and arm64 up to Python 3.12, a match in about a
    millisecond on one core.

    It is 3-D. The target is therefore put down three times, at z = -h, 0 and h, so that walls are
    vertical planes whose normals lie in the plane of the scan; by symmetry the normals at z = 0
    have no z part. The scan lies at z = 0 and finds those. Then z, roll and pitch have neither
    residual nor gradient, the damped (Levenberg-Marquardt) steps leave them at 0, and three
    degrees of freedom remain.

    :param max_distance: m; a scan point farther than this from every surface does not count.
    """

    def __init__(self, max_distance: float = 0.15) -> None:
        self._max_distance = max_distance
        self._points: Array = np.empty((0, 2))
        self._cloud: small_gicp.PointCloud | None = None
        self._tree: small_gicp.KdTree | None = None

    @property
    def ready(self) -> bool:
        """Tell whether there is a target to match against."""
        return self._cloud is not None

    def set_target(self, points: Array) -> None:
        """Match against these points (m, 2) from now on; too few of them are no target."""
        self._points = points
        if len(points) < MIN_TARGET:
            self._cloud = self._tree = None
            return
        levels = [np.column_stack([points, np.full(len(points), z)]) for z in (-LEVEL, 0.0, LEVEL)]
        self._cloud = small_gicp.PointCloud(np.concatenate(levels))
        self._tree = small_gicp.KdTree(self._cloud)
        small_gicp.estimate_normals(self._cloud, self._tree, NEIGHBOURS)

    def match(self, points: Array, guess: Array, shift: float, turn: float) -> Match | None:
        """
        Find the pose of a scan near a guess.

        :param points: (n, 2) in the scan's frame.
        :param guess: pose of that frame in the target's frame.
        :param shift: how far (m) the guess may be off.
        :param turn: how far (rad) the guess may be off.
        :returns: nothing if no pose within these bounds fits well enough.
        """
        if self._cloud is None or len(points) < MIN_SOURCE:
            return None
        start = guess
        if shift > SURE_SHIFT or turn > SURE_TURN:
            start = self._search(points, guess, shift, turn)
        found, information, inliers = self._align(points, start)
        if not (np.all(np.isfinite(found)) and np.all(np.isfinite(information))):
            return None
        found = _fused(found, information, guess, shift, turn)
        off = compose(inverse(guess), found)
        if math.hypot(off[0], off[1]) > shift or abs(off[2]) > turn:
            return None
        if inliers < MIN_INLIERS:
            return None
        return Match(found, inliers)

    def _align(self, points: Array, start: Array) -> tuple[Array, Array, float]:
        source = small_gicp.PointCloud(np.column_stack([points, np.zeros(len(points))]))
        result = small_gicp.align(
            self._cloud,
            source,
            self._tree,
            init_T_target_source=_matrix(start),
            registration_type='PLANE_ICP',
            max_correspondence_distance=self._max_distance,
            max_iterations=30,
            rotation_epsilon=1e-4,
            translation_epsilon=1e-4,
        )
        t = result.T_target_source
        found = pose(t[0, 3], t[1, 3], math.atan2(t[1, 0], t[0, 0]))
        information = result.H[np.ix_(PLANAR, PLANAR)] / POINT_ERROR**2
        return found, information, result.num_inliers / len(points)

    def _search(self, points: Array, guess: Array, shift: float, turn: float) -> Array:
        """Try all poses in the bounds on a coarse grid (Olson 2009, correlative matching)."""
        points = points[:: max(1, len(points) // 120)]
        turns = np.arange(-math.ceil(turn / TURN), math.ceil(turn / TURN) + 1) * TURN
        steps = math.ceil(shift / CELL)
        margin = float(np.abs(points).max()) * 1.5 + shift + 4 * CELL
        low = guess[:2] - margin
        side = math.ceil(2 * margin / CELL)
        cells = np.floor((self._points - low) / CELL).astype(np.int64)
        cells = cells[np.all((cells >= 0) & (cells < side), axis=1)]
        field = np.zeros((side, side), np.float32)
        field[cells[:, 1], cells[:, 0]] = 1.0
        field = np.minimum(gaussian_filter(field, 1.0), np.float32(0.25))
        offsets = np.arange(-steps, steps + 1)
        grid_x, grid_y = (grid.ravel() for grid in np.meshgrid(offsets, offsets))
        far = np.hypot(grid_x, grid_y) * CELL / shift  # 1 at the bound
        moves = grid_y * side + grid_x  # (k,)
        best, best_score = guess, -math.inf
        for angle in turns:
            placed = transform(pose(guess[0], guess[1], wrap(guess[2] + angle)), points)
            cells = np.floor((placed - low) / CELL).astype(np.int64)
            flat = cells[:, 1] * side + cells[:, 0]
            scores = field.ravel()[flat[None, :] + moves[:, None]].mean(axis=1)
            scores = scores * (1.0 - 0.1 * far**2 - 0.1 * (angle / turn) ** 2)
            k = int(scores.argmax())
            if scores[k] > best_score:
                best_score = float(scores[k])
                best = pose(
                    guess[0] + grid_x[k] * CELL, guess[1] + grid_y[k] * CELL, guess[2] + angle
                )
        return best


def _fused(found: Array, information: Array, guess: Array, shift: float, turn: float) -> Array:
    """
    Weigh what the scan says with what odometry says.

    In a bare corridor the scan says nothing about the way along it: there odometry decides.

    :param information: of the found pose, (3, 3) over x, y, yaw in its own frame.
    """
    prior = np.diag([4.0 / shift**2, 4.0 / shift**2, 4.0 / turn**2])  # the bounds are 2 sigma
    off = compose(inverse(found), guess)
    return compose(found, np.linalg.solve(information + prior, prior @ off))


def _matrix(a: Array) -> Array:
    cos, sin = math.cos(a[2]), math.sin(a[2])
    result = np.eye(4)
    result[:2, :2] = [[cos, -sin], [sin, cos]]
    result[:2, 3] = a[:2]
    return result
