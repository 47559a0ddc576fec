"""Remember where the odom frame lies in the map, so that a crash does not lose the robot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from collab_robots.core.config import read_json
from collab_robots.core.geometry import Array

MAX_BYTES = 4096
MAX_JUMP = 2.0  # m; odometry that is farther away has started anew


def save(path: Path, map_to_odom: Array, odom: Array) -> None:
    """
    Write the pose of the odom frame in the map, whole or not at all.

    :param odom: pose of base_footprint in the odom frame now, to tell later whether it went on.
    :raises OSError: if it cannot be written.
    """
    text = json.dumps({'map_to_odom': map_to_odom.tolist(), 'odom': odom.tolist()})
    draft = path.with_suffix('.new')
    draft.write_text(text, encoding='ascii')
    os.replace(draft, path)


def resume(path: Path, odom: Array) -> Array | None:
    """
    Return the pose of the odom frame in the map as it was saved.

    :param odom: the first odometry after the start.
    :returns: the pose, or None if there is none, or it is damaged, or odometry began anew since.
    """
    try:
        with path.open('rb') as file:
            saved = read_json(file.read(MAX_BYTES))
        then = np.array(saved['odom'], dtype=np.float64)
        pose = np.array(saved['map_to_odom'], dtype=np.float64)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if then.shape != (3,) or pose.shape != (3,) or not np.isfinite([*then, *pose]).all():
        return None
    return pose if np.hypot(*(odom[:2] - then[:2])) <= MAX_JUMP else None
