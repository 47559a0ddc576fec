"""
Where one frame lies in another, from ``tf`` and ``tf_static``; tf2_ros has no wheel.

Planar: heights and tilts are dropped. Goes from a frame up to its ancestors only, which is where
a robot's base lies in its map.
"""

from __future__ import annotations

from dataclasses import dataclass

from tf2_msgs.msg import TFMessage

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError, TransformError
from collab_robots.core.geometry import Array, compose, pose
from collab_robots.core.track import Track
from collab_robots.nodes import conversions

MAX_FRAMES = 1000
MAX_AGE = SECOND
KEPT = 200  # transforms of one frame: 4 s at 50 Hz
BEGAN_ANEW = 10 * SECOND  # so much older than the last: time began anew


@dataclass
class _Link:
    """Where a frame lies in its parent: a track, or a pose that holds for ever."""

    parent: str
    at: Track | Array

    @property
    def moves(self) -> bool:
        return isinstance(self.at, Track)


class Frames:
    """The newest transforms, and what was shortly before."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}  # by child

    def add(self, message: TFMessage, static: bool = False) -> None:
        """
        Take what was published.

        :param static: it holds for ever.
        :raises RefusedError: MALFORMED if a number is not finite or a frame has no name, FLOOD if
            there are too many frames.
        """
        for moved in message.transforms:
            parent, child = moved.header.frame_id.lstrip('/'), moved.child_frame_id.lstrip('/')
            at = conversions.transform_from_msg(moved)
            if not parent or not child or parent == child:
                raise RefusedError(
                    Refusal.MALFORMED, f'transform from {parent!r:.40} to {child!r:.40}'
                )
            if child not in self._links and len(self._links) >= MAX_FRAMES:
                raise RefusedError(Refusal.FLOOD, f'more than {MAX_FRAMES} frames on tf')
            stamp = conversions.stamp_from_msg(moved.header.stamp)
            self._links[child] = _Link(parent, at if static else self._track(child, parent, stamp))
            if not static and stamp > self._links[child].at.newest_ns:
                self._links[child].at.add(stamp, at)

    def _track(self, child: str, parent: str, stamp: int) -> Track:
        """Return the track that a transform goes on with."""
        link = self._links.get(child)
        goes_on = link is not None and link.parent == parent and link.moves
        if goes_on and stamp > link.at.newest_ns - BEGAN_ANEW:
            return link.at
        return Track(KEPT)

    def find(self, target: str, source: str, now_ns: int) -> tuple[int, Array]:
        """
        Return where ``source`` lies in ``target``, at the newest time of which all is known.

        :returns: that time (ns) and the pose (3,).
        :raises TransformError: saying what is missing, or how old it is.
        """
        chain, frame = dict[str, _Link](), source
        while frame != target:
            link = self._links.get(frame)
            if link is None or frame in chain:
                raise TransformError(
                    f'no transform {target} <- {source}: nobody says where {frame} lies'
                )
            chain[frame] = link
            frame = link.parent
        moving = {link.at.newest_ns: frame for frame, link in chain.items() if link.moves}
        stamp = min(moving, default=now_ns)
        if now_ns - stamp > MAX_AGE:
            frame = moving[stamp]
            raise TransformError(
                f'transform {target} <- {source} is {(now_ns - stamp) / SECOND:.1f} s old: '
                f'{chain[frame].parent} <- {frame} stopped coming'
            )
        result = pose(0.0, 0.0, 0.0)
        for frame, link in chain.items():
            at = link.at.at(stamp) if link.moves else link.at
            if at is None:
                raise TransformError(
                    f'no transform {target} <- {source} yet: {link.parent} <- {frame} begins later'
                )
            result = compose(at, result)
        return stamp, result
