"""Markers as RViz wants them: ids that are stable and not twice, deletions, finite numbers."""

from __future__ import annotations

import math

from geometry_msgs.msg import PoseStamped
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from visualization_msgs.msg import Marker, MarkerArray

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.geometry import pose
from collab_robots.explorer.scene import Hearing, Link, Member, Spot, Standing, Thing
from collab_robots.nodes import conversions
from collab_robots.nodes import marker_conversions as markers

places = st.tuples(*[st.floats(-1e4, 1e4)] * 2)
robots = st.sampled_from(['robot1', 'robot2', 'robot3'])
spots = st.builds(
    Spot,
    key=st.binary(min_size=32, max_size=32),
    kind=st.sampled_from(list(markers.SHAPES)),
    place=places,
    state=st.sampled_from(TaskState),
    holders=st.dictionaries(robots, places),
    words=st.dictionaries(st.text(max_size=9), st.just(('robot1',)), min_size=1),
)
members = st.builds(
    Member,
    name=robots,
    pose=st.builds(pose, st.floats(-9, 9), st.floats(-9, 9), st.floats(-4, 4)),
    standing=st.sampled_from(Standing),
    told_by=st.integers(0, 3),
    heard=st.integers(0, 3),
    alarm=st.text(max_size=9),
)
links = st.builds(
    Link,
    robots=st.tuples(robots, robots),
    ends=st.tuples(places, places),
    hearing=st.sampled_from(Hearing),
)


def of(key: int, state: TaskState = TaskState.OPEN) -> Spot:
    return Spot(bytes([key] * 32), Kind.EXPLORE, (1.0, 2.0), state, {}, {'open': ('robot1',)})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(
    st.lists(spots, unique_by=lambda spot: spot.key, max_size=3),
    st.lists(members, unique_by=lambda member: member.name, max_size=3),
    st.lists(links, unique_by=lambda link: link.robots, max_size=3),
)
def test_rviz_would_draw_every_marker(
    spots: list[Spot], members: list[Member], links: list[Link]
) -> None:
    for made in (
        markers.tasks_to_msg(spots),
        markers.trust_to_msg(members),
        markers.links_to_msg(links),
    ):
        array = markers.Shown().array(made, 5, 1.5)
        again = deserialize_message(serialize_message(array), MarkerArray)
        names = [(marker.ns, marker.id) for marker in again.markers]
        assert len(set(names)) == len(names)  # else RViz shows an error
        for marker in again.markers:
            assert marker.header.frame_id == 'map'
            assert marker.color.a > 0
            assert (marker.lifetime.sec, marker.lifetime.nanosec) == (1, 500_000_000)
            turn = marker.pose.orientation
            assert math.hypot(turn.x, turn.y, turn.z, turn.w) == pytest.approx(1.0)
            if marker.type == Marker.LINE_LIST:
                assert len(marker.points) % 2 == 0 < len(marker.points)
            elif marker.type == Marker.TEXT_VIEW_FACING:
                assert marker.text
                assert marker.scale.z > 0
            else:
                assert min(marker.scale.x, marker.scale.y, marker.scale.z) > 0


def test_what_is_gone_is_deleted_once() -> None:
    shown = markers.Shown()
    shown.array(markers.tasks_to_msg([of(1), of(2)]), 0, 1.0)
    array = shown.array(markers.tasks_to_msg([of(2)]), 1, 1.0)
    gone = [marker for marker in array.markers if marker.action == Marker.DELETE]
    assert [(marker.ns, marker.id) for marker in gone] == [
        ('place', markers.identity(bytes([1] * 32)))
    ]
    array = shown.array(markers.tasks_to_msg([of(2)]), 2, 1.0)
    assert all(marker.action == Marker.ADD for marker in array.markers)


def test_a_link_that_breaks_is_drawn_anew_in_dashes() -> None:
    def link(hearing: Hearing) -> Link:
        return Link(('robot1', 'robot2'), ((0.0, 0.0), (2.3, 0.0)), hearing)

    shown = markers.Shown()
    (whole,) = shown.array(markers.links_to_msg([link(Hearing.BOTH)]), 0, 1.0).markers
    assert [(point.x, point.y) for point in whole.points] == [(0.0, 0.0), (2.3, 0.0)]
    gone, dashed = shown.array(markers.links_to_msg([link(Hearing.NONE)]), 0, 1.0).markers
    assert (gone.ns, gone.action) == (whole.ns, Marker.DELETE)
    assert len(dashed.points) == 2 * markers.DASHES
    assert dashed.points[0].x == 0.0
    assert dashed.points[-1].x == pytest.approx(2.3)
    assert dashed.color.r > dashed.color.g  # red


def test_ids_are_the_same_in_every_process() -> None:
    assert markers.identity('robot1') == 1_694_761_566


def test_a_name_tells_how_many_ledgers_convict() -> None:
    liar = Member('robot3', pose(0, 0, 1.5), Standing.CONVICTED, 2, 3, '')
    body, heading, name = markers.trust_to_msg([liar])
    assert name.text == 'robot3\nconvicted (2 of 3 ledgers)'
    assert body.color.r > body.color.g
    turned = conversions.pose_from_msg(PoseStamped(pose=heading.pose))
    assert turned == pytest.approx([0.0, 0.0, 1.5])


def test_who_differs_is_named_in_the_label() -> None:
    words = {'held by robot1': ('robot1', 'robot2'), 'open': ('robot3',)}
    spot = Spot(b'k' * 32, Kind.EXPLORE, (1.0, 2.0), TaskState.HELD, {}, words)
    label = next(one for one in markers.tasks_to_msg([spot]) if one.ns == 'label')
    assert label.text == 'explore\nheld by robot1 (robot1, robot2)\nopen (robot3)'


def test_words_are_only_where_somebody_is_at_work_or_ledgers_differ() -> None:
    def labels(state: TaskState, *words: str) -> int:
        said = dict.fromkeys(words, ('robot1',))
        spot = Spot(b'k' * 32, Kind.EXPLORE, (1.0, 2.0), state, {}, said)
        return sum(one.ns == 'label' for one in markers.tasks_to_msg([spot]))

    assert labels(TaskState.HELD, 'held by robot1') == 1
    assert labels(TaskState.DONE, 'done by robot1', 'held by robot2') == 1
    assert labels(TaskState.DONE, 'done by robot1') == 0
    assert labels(TaskState.OPEN, 'open', 'stale') == 0


def test_a_thing_keeps_its_id_when_seen_better() -> None:
    thing = Thing(7, 'rocket', (2, 4), {'robot1': (0.8, (1.1, 2.0))})
    box, label = markers.things_to_msg([thing])
    thing.seen['robot2'] = (0.9, (1.2, 2.1))
    again, words = markers.things_to_msg([thing])
    assert again.id == box.id == label.id
    assert (again.pose.position.x, words.text) == (1.2, 'rocket 90%\nrobot1, robot2')
