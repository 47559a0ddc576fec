"""Transforms as robots publish them: chains, times, and what is missing or old in words."""

from __future__ import annotations

import math

from geometry_msgs.msg import Quaternion, TransformStamped
import pytest
from tf2_msgs.msg import TFMessage

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError, TransformError
from collab_robots.core.geometry import compose, pose
from collab_robots.nodes import conversions, frames
from collab_robots.nodes.frames import Frames

X, Y, YAW = 1.0, 2.0, 0.5


def put(
    known: Frames, parent: str, child: str, seconds: float, *at: float, static: bool = False
) -> None:
    moved = conversions.transform_to_msg(pose(*at), parent, child, round(seconds * SECOND))
    known.add(TFMessage(transforms=[moved]), static)


def robot() -> Frames:
    """Return what slam_toolbox, odometry and the description of a robot say at 1.0 and 1.1 s."""
    known = Frames()
    put(known, 'base_link', 'base_footprint', 0, 0.1, 0.0, 0.0, static=True)
    for seconds, x in ((1.0, 3.0), (1.1, 4.0)):
        put(known, 'odom', 'base_link', seconds, x, 0.0, 0.0)
        put(known, 'slam_map', 'odom', seconds + 0.05, X, Y, math.pi / 2)
    return known


def test_a_chain_is_composed_at_the_newest_common_time() -> None:
    stamp, at = robot().find('slam_map', 'base_footprint', 2 * SECOND)
    assert stamp == 1.1 * SECOND
    assert at == pytest.approx([X, Y + 4.1, math.pi / 2])


def test_between_two_times_it_is_interpolated() -> None:
    known = robot()
    put(known, 'slam_map', 'odom', 1.35, X + 1.0, Y, math.pi / 2)
    put(known, 'odom', 'base_link', 1.2, 5.0, 0.0, 0.0)
    stamp, at = known.find('slam_map', 'base_link', 2 * SECOND)
    assert stamp == 1.2 * SECOND
    assert at == pytest.approx([X + 0.25, Y + 5.0, math.pi / 2])


def test_a_frame_lies_in_itself_at_nought_and_a_fixed_one_where_it_was_put() -> None:
    assert robot().find('odom', 'odom', 7) == (7, pytest.approx([0, 0, 0]))
    stamp, at = robot().find('base_link', 'base_footprint', 99 * SECOND)
    assert (stamp, at[0]) == (99 * SECOND, pytest.approx(0.1))


@pytest.mark.parametrize(
    ('target', 'source', 'now', 'words'),
    [
        ('slam_map', 'base', 1, 'no transform slam_map <- base: nobody says where base lies'),
        ('map', 'base_link', 1, 'no transform map <- base_link: nobody says where slam_map lies'),
        ('slam_map', 'base_link', 4.3, r'is 3\.2 s old: odom <- base_link stopped coming'),
    ],
)
def test_what_is_missing_or_old_is_named(target: str, source: str, now: float, words: str) -> None:
    with pytest.raises(TransformError, match=words):
        robot().find(target, source, round(now * SECOND))


def test_frames_that_lie_in_one_another_are_no_chain() -> None:
    known = Frames()
    put(known, 'a', 'b', 1, 0, 0, 0)
    put(known, 'b', 'a', 1, 0, 0, 0)
    with pytest.raises(TransformError, match=r'nobody says where [ab] lies'):
        known.find('map', 'a', SECOND)


def test_one_that_begins_later_is_waited_for() -> None:
    known = Frames()
    put(known, 'slam_map', 'odom', 1.2, X, Y, YAW)  # slam_toolbox dates ahead
    put(known, 'odom', 'base_link', 1.0, 0, 0, 0)
    with pytest.raises(TransformError, match='yet: slam_map <- odom begins later'):
        known.find('slam_map', 'base_link', SECOND)
    put(known, 'odom', 'base_link', 1.3, 1, 0, 0)
    put(known, 'slam_map', 'odom', 1.4, X, Y, YAW)
    _, at = known.find('slam_map', 'base_link', SECOND)
    assert at == pytest.approx(compose(pose(X, Y, YAW), pose(1, 0, 0)))


def test_late_ones_are_ignored_but_not_for_ever() -> None:
    known = Frames()
    put(known, 'odom', 'base', 100, 1, 0, 0)
    put(known, 'odom', 'base', 99, 2, 0, 0)
    put(known, 'odom', 'base', 100, 3, 0, 0)
    assert known.find('odom', 'base', 100 * SECOND)[1][0] == 1
    put(known, 'odom', 'base', 5, 4, 0, 0)  # the simulation began anew
    assert known.find('odom', 'base', 5 * SECOND)[1][0] == 4


def test_a_frame_may_get_another_parent() -> None:
    known = robot()
    put(known, 'elsewhere', 'odom', 1.2, 0, 0, 0)
    with pytest.raises(TransformError, match='nobody says where elsewhere lies'):
        known.find('slam_map', 'base_link', SECOND)


def test_names_with_a_slash_are_those_without() -> None:
    known = Frames()
    put(known, '/odom', '/base', 1, 1, 0, 0)
    assert known.find('odom', 'base', SECOND)[1][0] == 1


@pytest.mark.parametrize(
    'wrong',
    [
        TransformStamped(child_frame_id='base'),
        conversions.transform_to_msg(pose(0, 0, 0), 'odom', '', 0),
        conversions.transform_to_msg(pose(0, 0, 0), 'odom', 'odom', 0),
        conversions.transform_to_msg(pose(math.inf, 0, 0), 'odom', 'base', 0),
    ],
)
def test_garbage_is_refused(wrong: TransformStamped) -> None:
    known = Frames()
    with pytest.raises(RefusedError, match='malformed'):
        known.add(TFMessage(transforms=[wrong]))
    with pytest.raises(TransformError):
        known.find('odom', 'base', 0)


def test_heights_and_tilts_are_dropped() -> None:
    moved = conversions.transform_to_msg(pose(1, 2, 0), 'odom', 'base', 0)
    moved.transform.translation.z = 5.0
    half = math.sqrt(0.5)
    moved.transform.rotation = Quaternion(x=0.0, y=0.0, z=half, w=half)
    assert conversions.transform_from_msg(moved) == pytest.approx([1, 2, math.pi / 2])


def test_a_flood_of_frames_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, 'MAX_FRAMES', 3)
    known = Frames()
    for number in range(3):
        put(known, 'odom', f'f{number}', 1, 0, 0, 0)
    put(known, 'odom', 'f1', 2, 1, 0, 0)
    with pytest.raises(RefusedError, match='more than 3 frames on tf'):
        put(known, 'odom', 'f3', 1, 0, 0, 0)
