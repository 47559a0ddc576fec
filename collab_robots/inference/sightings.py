"""Where the pictures in a camera frame hang, and what they show."""

from __future__ import annotations

from dataclasses import dataclass
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from collab_robots.core.geometry import Array, inverse, transform
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.proposals import Proposal, propose, rectify

MAX_RANGE = 4.0  # m; beyond, a picture has too few pixels
MIN_CONFIDENCE = 0.25  # of one look; below, the network guesses
MIN_CUT_CONFIDENCE = 0.4  # of a look at a picture that the frame's border cuts
MIN_CUT_ASPECT = 0.7  # narrower, most of the picture is outside the frame
MIN_SHARE = 0.5  # of its true width that a picture shows: seen from more than 60 degrees, less
MIN_RAYS = 3  # of the lidar on a picture
FLAT = 0.05  # m; five times the lidar's noise
FLAT_SHARE = 0.8  # of the rays on a picture hit one flat wall
MAX_THUMBNAIL_BYTES = 16384
THUMBNAIL_SIDE = 192  # pixels

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """
    A level pinhole camera on a robot.

    :param focal: focal length in pixels, ``K[0]`` of a CameraInfo.
    :param centre: column of the optical axis in pixels, ``K[2]``.
    :param mount: (3,) where it sits and looks to, in the robot's frame.
    """

    focal: float
    centre: float
    mount: Array


@dataclass(frozen=True)
class Glimpse:
    """
    One look at one picture, before the network has named it.

    :param stamp_ns: when.
    :param position: (2,) m in the map frame, on the surface that the lidar saw.
    :param distance: m from the camera.
    :param whole: whether the whole picture was in the frame; else the position is a part's.
    :param crop: the picture as if seen from ahead (h, w, 3).
    """

    stamp_ns: int
    position: Array
    distance: float
    whole: bool
    crop: Rgb

    @property
    def views(self) -> tuple[Rgb, Rgb]:
        """What the network is to name: all of it, and the middle in its true shape."""
        return self.crop, _middle(self.crop)

    def named(self, probabilities: Probabilities) -> Sighting | None:
        """
        Return the look with its name; None if the network only guesses.

        Of a picture cut by the frame's border it has to be surer: a part may show something else.

        :param probabilities: (2, 1000) of the two views.
        """
        sighting = Sighting(
            self.stamp_ns,
            self.position,
            self.distance,
            self.whole,
            self.crop,
            probabilities.mean(axis=0),
        )
        sure = sighting.confidence >= (MIN_CONFIDENCE if self.whole else MIN_CUT_CONFIDENCE)
        return sighting if sure else None


@dataclass(frozen=True)
class Sighting(Glimpse):
    """
    One look at one picture, and its name.

    :param probabilities: (1000,) what the network says.
    """

    probabilities: Probabilities

    @property
    def class_id(self) -> int:
        """The likeliest class."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The likeliest class's probability."""
        return float(self.probabilities.max())


def locate(proposal: Proposal, camera: Camera, points: Array) -> tuple[Array, float] | None:
    """
    Find where a picture's middle is: on the straight piece of wall that the lidar saw behind it.

    :param points: (m, 2) of the lidar, in the robot's frame.
    :returns: the point (2,) in the robot's frame and its distance from the camera, or None if the
        lidar saw no flat thing there (another robot stood before the picture, say).
    """
    seen = transform(inverse(camera.mount), np.asarray(points, dtype=np.float64))
    seen = seen[seen[:, 0] > 0.0]
    slopes = seen[:, 1] / seen[:, 0]  # tangent of the bearing, to the left
    left, right = (camera.centre - proposal.corners[:2, 0]) / camera.focal
    wall = seen[(slopes > right) & (slopes < left)]
    if len(wall) < MIN_RAYS:
        return None
    middle = wall.mean(axis=0)
    normal = np.linalg.svd(wall - middle)[2][1]
    off = np.abs((wall - middle) @ normal)
    along = np.array([1.0, (camera.centre - proposal.centre[0]) / camera.focal])
    if np.quantile(off, FLAT_SHARE) > FLAT or abs(normal @ along) < 1e-6:
        return None
    there = along * float(middle @ normal) / float(along @ normal)
    if there[0] <= 0.0:
        return None
    return transform(camera.mount, there[None])[0], float(np.hypot(*there))


def glimpse(
    frame: Rgb, points: Array, robot: Array, stamp_ns: int, camera: Camera
) -> list[Glimpse]:
    """
    Find and place the pictures in a camera frame.

    One seen from more than 60 degrees to its side does not count.

    :param frame: (h, w, 3) uint8.
    :param points: (m, 2) of the lidar at about the same time, in the robot's frame.
    :param robot: (3,) its pose in the map frame when the frame was taken.
    :raises RefusedError: if the frame is no picture.
    """
    glimpses = []
    for proposal in propose(frame):
        aspect = proposal.aspect(camera.focal, camera.centre)
        found = locate(proposal, camera, points)
        if found is None or found[1] > MAX_RANGE:
            continue
        enough = MIN_SHARE * aspect if proposal.whole else MIN_CUT_ASPECT
        if proposal.seen_aspect >= enough:
            point, distance = found
            position = transform(robot, point[None])[0]
            crop = rectify(frame, proposal, aspect)
            glimpses.append(Glimpse(stamp_ns, position, distance, proposal.whole, crop))
    return glimpses


def thumbnail(crop: Rgb) -> bytes:
    """Return a picture as a JPEG of at most :data:`MAX_THUMBNAIL_BYTES`."""
    image = Image.fromarray(crop)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    for quality in (85, 60, 30, 5):
        buffer = io.BytesIO()
        image.save(buffer, 'JPEG', quality=quality)
        if buffer.tell() <= MAX_THUMBNAIL_BYTES:
            break
    return buffer.getvalue()


def _middle(crop: Rgb) -> Rgb:
    """Return the largest square in the middle of a picture."""
    height, width = crop.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return crop[top : top + side, left : left + side]
