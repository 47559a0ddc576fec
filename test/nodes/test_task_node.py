"""A task node on real topics: it stands still unless it knows where it is and may move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geometry_msgs.msg import PoseStamped, Twist
from harness import Harness, running
from nav_msgs.msg import OccupancyGrid
import numpy as np
import pytest
from std_msgs.msg import String

from collab_robots.bringup import topics
from collab_robots.contract.calls.words import describe
from collab_robots.core.geometry import FREE, Grid, OCCUPIED, pose, UNKNOWN
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.task_node import TaskNode
from collab_robots_msgs.msg import Call, Refused


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=43) as harness:
        yield harness


def half_known_room() -> Grid:
    data = np.full((128, 128), UNKNOWN, np.int8)
    data[20:100, 20:60] = FREE
    data[20, 20:60] = data[99, 20:60] = data[20:100, 20] = OCCUPIED
    return Grid(data, 0.05, (0.0, 0.0))


def test_it_proposes_frontiers_falls_silent_on_hold_and_refuses_a_broken_map(
    harness: Harness,
) -> None:
    harness.add(TaskNode(**harness.options('robot1')))
    calls = harness.listen(Call, f'/robot1/{topics.CALL}')
    speeds = harness.listen(Twist, f'/robot1/{topics.CMD_VEL}')
    states = harness.listen(String, f'/robot1/{topics.TASK_STATE}', qos.LATCHED)
    refusals = harness.listen(Refused, f'/robot1/{topics.REFUSED}')
    create = harness.probe.create_publisher
    maps = create(OccupancyGrid, f'/robot1/{topics.MAP}', qos.LATCHED)
    poses = create(PoseStamped, f'/robot1/{topics.POSE}', qos.STATUS)
    mission = create(String, topics.MISSION, qos.LATCHED)
    for publisher in (maps, poses, mission):
        harness.matched(publisher)

    def stand() -> None:
        poses.publish(conversions.pose_to_msg(pose(2.0, 3.0, 0.0), 'map', harness.now_ns))

    broken = conversions.grid_to_msg(half_known_room(), 'map', 0)
    broken.info.height = 7
    maps.publish(broken)
    assert harness.wait(lambda: refusals)[0].reason == 'malformed'
    harness.wait(lambda: stand() or (states and states[-1].data == 'waiting for a map'))
    maps.publish(conversions.grid_to_msg(half_known_room(), 'map', 0))
    harness.wait(lambda: stand() or calls)
    assert describe(bytes(calls[0].data)).startswith('propose explore')
    mission.publish(String(data=topics.HOLD))
    harness.wait(lambda: stand() or states[-1].data == 'on hold')
    said = len(calls)
    then = harness.now_ns
    harness.wait(lambda: stand() or harness.now_ns > then + 3e9)
    assert len(calls) == said
    assert all(speed.linear.x == speed.angular.z == 0.0 for speed in speeds)
