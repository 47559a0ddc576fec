"""Where something was when: stamped poses, and what lies between two of them."""

from __future__ import annotations

from collections import deque

from collab_robots.core.geometry import Array, pose, wrap


class Track:
    """
    The last poses of something, oldest first.

    :param samples: how many are kept.
    """

    def __init__(self, samples: int) -> None:
        self._poses: deque[tuple[int, Array]] = deque(maxlen=samples)

    def __len__(self) -> int:
        return len(self._poses)

    @property
    def newest_ns(self) -> int:
        """Stamp of the last pose; -1 before the first."""
        return self._poses[-1][0] if self._poses else -1

    def add(self, stamp_ns: int, at: Array) -> None:
        """
        Add a pose (3,).

        :raises ValueError: if it is not newer than the last.
        """
        if stamp_ns <= self.newest_ns:
            raise ValueError(f'pose at {stamp_ns} ns is not after {self.newest_ns} ns')
        self._poses.append((stamp_ns, at))

    def at(self, stamp_ns: int) -> Array | None:
        """
        Interpolate linearly, the turn the short way round.

        :returns: the pose, or None if the stamp is not within what is kept.
        """
        after = None
        for stamp, before in reversed(self._poses):
            if stamp == stamp_ns:
                return before
            if stamp < stamp_ns:
                if after is None:
                    return None
                share = (stamp_ns - stamp) / (after[0] - stamp)
                x, y, yaw = before + share * (after[1] - before)
                yaw = before[2] + share * wrap(after[1][2] - before[2])
                return pose(x, y, wrap(yaw))
            after = (stamp, before)
        return None
