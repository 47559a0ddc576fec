"""
Find what hangs on the walls: pictures are textured, walls, floors and furniture are plain.

A network that names a whole frame names the room. So the picture is found first, its four corners
fitted, and its perspective undone: seen from the side it is then as easy to name as from ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from collab_robots.core.geometry import Array
from collab_robots.inference.classifier import INPUT_SIDE
from collab_robots.inference.pictures import check_rgb, Rgb

MAX_PROPOSALS = 3
MAX_CORES = 5  # spots of texture looked at in a frame
MIN_SIDE = 16  # pixels; below, the network has too little to go by
EDGE = 14  # of 255, between neighbouring pixels: texture
WEAK_EDGE = 5  # of 255: the outline of a light picture on a light wall
WINDOW = 9  # pixels; a straight edge fills less than DENSITY of it, texture more
DENSITY = 0.3
MIN_TEXTURE = 0.12  # share of edge pixels inside; a plain box has only its own corners
REACH = 9  # pixels; spots of texture nearer than this are of one picture
MARGIN = 0.4  # of its size: how far a picture may go on smoothly beyond its texture
BORDER = 2  # pixels; closer to the frame's border a picture counts as cut
ON_LINE = 1.5  # pixels
STRAIGHT = 0.75  # share of a side that must be on its line; a part of a picture has no sides
MAX_ASPECT = 3.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Proposal:
    """
    A picture in a frame.

    :param corners: (4, 2) x, y in pixels: upper left, upper right, lower right, lower left.
    :param whole: whether all of it is inside the frame.
    """

    corners: Array
    whole: bool

    @property
    def centre(self) -> tuple[float, float]:
        """Where the diagonals cross, x and y: the picture's own middle at any angle."""
        a, b, c, d = self.corners
        along = np.linalg.solve(np.stack([c - a, b - d], axis=1), b - a)[0]
        x, y = a + along * (c - a)
        return float(x), float(y)

    def aspect(self, focal: float, centre: float) -> float:
        """
        Return the picture's true width by height, at whatever angle it is seen.

        Its sides are equally high on the wall, so their heights in the frame tell how far away
        each is.

        :param focal: of the level camera, in pixels.
        :param centre: column of its optical axis.
        """
        a, b, c, d = self.corners
        depth = focal / np.array([d[1] - a[1], c[1] - b[1]])  # in heights of the picture
        across = (np.array([a[0], b[0]]) - centre) / focal * depth
        return float(np.hypot(np.diff(across), np.diff(depth))[0])

    @property
    def seen_aspect(self) -> float:
        """Width by height as the frame shows it, which shrinks with the angle."""
        a, b, c, d = self.corners
        return float((b[0] - a[0]) / ((d[1] - a[1] + c[1] - b[1]) / 2))

    @property
    def area(self) -> float:
        """Pixels inside the corners."""
        x, y = self.corners.T
        return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def propose(rgb: Rgb) -> list[Proposal]:
    """
    Find pictures on plain walls.

    The camera is taken to be level, so that the sides of a picture are upright in the frame.

    :param rgb: frame (h, w, 3) uint8.
    :returns: at most :data:`MAX_PROPOSALS`, whole ones first, then by size.
    :raises RefusedError: if it is no picture.
    """
    steps = _steps(check_rgb(rgb))
    edges = steps > WEAK_EDGE
    density = ndimage.uniform_filter((steps > EDGE).astype(np.float32), WINDOW, mode='nearest')
    texture = density > DENSITY
    labels, count = ndimage.label(ndimage.maximum_filter(texture, REACH))
    cores = [core for core in ndimage.find_objects(labels, count) if _is_large(core)]
    cores.sort(key=lambda core: -_area(core))
    found = []
    for core in cores[:MAX_CORES]:
        proposal = _outline(edges, texture, core)
        if proposal is not None:
            found.append(proposal)
    found.sort(key=lambda proposal: (not proposal.whole, -proposal.area))
    return found[:MAX_PROPOSALS]


def rectify(rgb: Rgb, proposal: Proposal, aspect: float) -> Rgb:
    """
    Cut a picture out of its frame as if seen from ahead.

    :param aspect: its width by height; 1/3 to 3 is honoured.
    :returns: (h, w, 3) uint8, the shorter side as long as the network's input.
    """
    aspect = min(max(aspect, 1.0 / MAX_ASPECT), MAX_ASPECT)
    size = (round(INPUT_SIDE * max(aspect, 1.0)), round(INPUT_SIDE * max(1.0 / aspect, 1.0)))
    picture = Image.fromarray(rgb).transform(
        size,
        Image.Transform.PERSPECTIVE,
        _homography(size, proposal.corners),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(picture)


def _steps(rgb: Rgb) -> Rgb:
    """Return how far a pixel is from its right or lower neighbour in any colour (h, w)."""
    steps = np.zeros(rgb.shape[:2], dtype=np.uint8)
    for plane in np.ascontiguousarray(rgb.transpose(2, 0, 1)):
        for here, there, into in (
            (plane[:, :-1], plane[:, 1:], steps[:, :-1]),
            (plane[:-1], plane[1:], steps[:-1]),
        ):
            np.maximum(into, np.maximum(here, there) - np.minimum(here, there), out=into)
    return steps


def _area(core: tuple[slice, slice]) -> int:
    rows, columns = core
    return int((rows.stop - rows.start) * (columns.stop - columns.start))


def _is_large(core: tuple[slice, slice]) -> bool:
    return all(side.stop - side.start >= MIN_SIDE // 2 + REACH for side in core)


def _outline(edges: Mask, texture: Mask, core: tuple[slice, slice]) -> Proposal | None:
    """Grow a textured spot to the outline of its picture; None if it is none."""
    height, width = edges.shape
    rows, columns = core
    grow_y = int(MARGIN * (rows.stop - rows.start)) + WINDOW
    grow_x = int(MARGIN * (columns.stop - columns.start)) + WINDOW
    top, left = max(rows.start - grow_y, 0), max(columns.start - grow_x, 0)
    window = np.s_[top : min(rows.stop + grow_y, height), left : min(columns.stop + grow_x, width)]
    # What is smooth inside a picture is enclosed by its outline. What of the room touches it is
    # either thin (an edge of the wall) or reaches the window's border (the wall).
    plain, count = ndimage.label(~_close(edges[window], 3))
    around = np.concatenate([plain[0], plain[-1], plain[:, 0], plain[:, -1]])
    outside = np.isin(np.arange(count + 1), around)
    outside[0] = False
    solid, count = ndimage.label(_open(~outside[plain], 7))
    overlap = np.bincount(solid[texture[window]], minlength=count + 1)
    overlap[0] = 0
    region = solid == overlap.argmax()
    if not overlap.any() or edges[window][region].mean() < MIN_TEXTURE:
        return None
    corners = _fit_corners(region)
    if corners is None or not _has_straight_sides(region, corners):
        return None
    corners = corners + np.array([left, top])
    whole = (corners >= BORDER) & (corners <= (width - BORDER, height - BORDER))
    return Proposal(corners, bool(whole.all()))


def _close(mask: Mask, side: int) -> Mask:
    """Close gaps narrower than a square; what lies outside the mask is like its border."""
    grown = ndimage.maximum_filter(mask, side, mode='nearest')
    return np.asarray(ndimage.minimum_filter(grown, side, mode='nearest'))


def _open(mask: Mask, side: int) -> Mask:
    """Remove what is thinner than a square."""
    shrunk = ndimage.minimum_filter(mask, side, mode='nearest')
    return np.asarray(ndimage.maximum_filter(shrunk, side, mode='nearest'))


def _fit_corners(region: Mask) -> Array | None:
    """Fit upright sides, and straight upper and lower edges, to a region (h, w)."""
    columns = np.flatnonzero(region.sum(axis=0) >= MIN_SIDE // 2)
    if len(columns) < MIN_SIDE:
        return None
    # A step is noted on the pixel before it, so the outline begins one pixel later.
    x0, x1 = float(columns[0] + 1), float(columns[-1] + 1)
    x = columns.astype(np.float64) + 0.5
    upper = region.argmax(axis=0)[columns].astype(np.float64) + 1.0
    lower = region.shape[0] - region[::-1].argmax(axis=0)[columns].astype(np.float64)
    y0, y1 = _fit_line(x, upper, x0, x1)
    y3, y2 = _fit_line(x, lower, x0, x1)
    if y3 - y0 < MIN_SIDE / 2 or y2 - y1 < MIN_SIDE / 2 or max(y3 - y0, y2 - y1) < MIN_SIDE:
        return None
    return np.array([[x0, y0], [x1, y1], [x1, y2], [x0, y3]])


def _has_straight_sides(region: Mask, corners: Array) -> bool:
    """
    Tell whether a region (h, w) fills its corners: no part of a picture, nor a hidden one, does.

    One side may fail, where the picture is as light as the wall.
    """
    (x0, y0), (x1, y1), (_, y2), (_, y3) = corners
    columns = np.arange(max(int(x0) + 1, 0), min(int(x1), region.shape[1]))
    share = (columns + 0.5 - x0) / (x1 - x0)
    upper = region.argmax(axis=0)[columns] + 1.0 - (y0 + share * (y1 - y0))
    lower = region.shape[0] - region[::-1].argmax(axis=0)[columns] - (y3 + share * (y2 - y3))
    height = region.shape[0]
    at_left = np.arange(max(int(y0) + 2, 0), min(int(y3) - 1, height))
    at_right = np.arange(max(int(y1) + 2, 0), min(int(y2) - 1, height))
    left = region.argmax(axis=1)[at_left] + 1.0 - x0
    right = region.shape[1] - region[:, ::-1].argmax(axis=1)[at_right] - x1
    straight = [
        len(away) > 0 and float((np.abs(away) <= ON_LINE).mean()) >= STRAIGHT
        for away in (upper, lower, left, right)
    ]
    return sum(straight) >= 3


def _fit_line(x: Array, y: Array, *at: float) -> Array:
    """Return the heights at some x of the line through most points: two trimmed fits."""
    keep = np.ones(len(x), dtype=np.bool_)
    for _ in range(3):
        middle_x, middle_y = x[keep].mean(), y[keep].mean()
        off = x[keep] - middle_x
        slope = float(np.dot(off, y[keep] - middle_y) / max(float(np.dot(off, off)), 1e-9))
        away = np.abs(y - middle_y - slope * (x - middle_x))
        keep = away <= max(ON_LINE, float(np.median(away)))
    return np.asarray(middle_y + slope * (np.array(at) - middle_x), dtype=np.float64)


def _homography(size: tuple[int, int], corners: Array) -> list[float]:
    """Return the eight numbers that take a rectangle of a size to the corners (4, 2)."""
    width, height = map(float, size)
    rows, right = [], []
    rectangle = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    for (u, v), (x, y) in zip(rectangle, corners, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -x * u, -x * v], [0, 0, 0, u, v, 1, -y * u, -y * v]]
        right += [x, y]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(right))]
