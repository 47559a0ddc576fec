"""What a robot makes of its camera: frames in, pictures to be named out, then findings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import Array, inverse, transform
from collab_robots.core.track import Track
from collab_robots.inference.fuser import Finding, SightingFuser
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.proposals import MAX_PROPOSALS
from collab_robots.inference.runtime.messages import FrameId
from collab_robots.inference.sightings import Camera, Glimpse, glimpse, Probabilities

TRACK_SAMPLES = 50
SCANS_KEPT = 10
MAX_SCAN_AGE = SECOND // 4
WAIT_VIEWS = 6  # being named: from then on frames wait, and of those only the newest is kept
MAX_VIEWS = WAIT_VIEWS - 1 + 2 * MAX_PROPOSALS


@dataclass
class _Unnamed:
    """A picture whose views are being named."""

    glimpse: Glimpse
    wanted: tuple[FrameId, ...]
    answers: dict[FrameId, Probabilities] = field(default_factory=dict)


class Lookout:
    """
    Joins frames with poses and scans, hands out what is to be named, and fuses the names.

    Names come later and in any order; a frame that comes while too many are being named replaces
    the one that waits.

    :param submit: takes a picture (h, w, 3) that is to be named, and the frame's stamp (ns); it
        returns what the answer will be called, which comes afterwards. At most
        :data:`MAX_VIEWS` wait for answers.
    """

    def __init__(self, submit: Callable[[Rgb, int], FrameId]) -> None:
        self.camera: Camera | None = None
        self._submit = submit
        self._fuser = SightingFuser()
        self._track = Track(TRACK_SAMPLES)
        self._scans: deque[tuple[int, Array]] = deque(maxlen=SCANS_KEPT)
        self._waiting: tuple[int, Rgb] | None = None  # the newest frame, until its pose is known
        self._unnamed: dict[FrameId, _Unnamed] = {}  # by every view

    def add_scan(self, stamp_ns: int, points: Array) -> None:
        """Keep what the lidar saw: (m, 2) in the robot's frame."""
        self._scans.append((stamp_ns, points))

    def add_pose(self, stamp_ns: int, at: Array) -> None:
        """
        Keep where the robot was, (3,) in the map frame, and look at a frame that waits for it.

        :raises RefusedError: if that frame is no picture.
        """
        if stamp_ns > self._track.newest_ns:
            self._track.add(stamp_ns, at)
        self._look()

    def add_frame(self, stamp_ns: int, frame: Rgb) -> None:
        """
        Take a camera frame (h, w, 3).

        :raises RefusedError: if it is no picture.
        """
        self._waiting = (stamp_ns, frame)
        self._look()

    def add_answer(self, view: FrameId, probabilities: Probabilities) -> list[Finding]:
        """
        Take the name of a view.

        :param probabilities: (classes,).
        :returns: what the team should hear now.
        """
        unnamed = self._unnamed.pop(view, None)
        if unnamed is None:
            return []
        unnamed.answers[view] = probabilities
        if len(unnamed.answers) < len(unnamed.wanted):
            return []
        found = unnamed.glimpse.named(np.stack([unnamed.answers[v] for v in unnamed.wanted]))
        if found is not None:
            self._fuser.add(found)
        return self._fuser.news(unnamed.glimpse.stamp_ns)

    def drop(self, view: FrameId) -> None:
        """Forget the picture of a view that nobody can name."""
        unnamed = self._unnamed.get(view)
        for other in unnamed.wanted if unnamed is not None else ():
            self._unnamed.pop(other, None)

    def _look(self) -> None:
        if self._waiting is None or self.camera is None or len(self._unnamed) >= WAIT_VIEWS:
            return
        stamp, frame = self._waiting
        robot = self._track.at(stamp)
        if robot is None:
            return
        self._waiting = None
        points = self._points(stamp, robot)
        if points is None:
            return
        for seen in glimpse(frame, points, robot, stamp, self.camera):
            unnamed = _Unnamed(seen, tuple(self._submit(view, stamp) for view in seen.views))
            self._unnamed.update(dict.fromkeys(unnamed.wanted, unnamed))

    def _points(self, stamp: int, robot: Array) -> Array | None:
        """Return the nearest scan in time as the robot would have seen it at the stamp."""
        poses = [(abs(then - stamp), self._track.at(then), points) for then, points in self._scans]
        known = [
            (age, there, points)
            for age, there, points in poses
            if there is not None and age <= MAX_SCAN_AGE
        ]
        if not known:
            return None
        _, there, points = min(known, key=lambda item: item[0])
        return transform(inverse(robot), transform(there, points))


def probabilities_of(logits: npt.NDArray[np.float32]) -> Probabilities:
    """Return the probability of each class: softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)
