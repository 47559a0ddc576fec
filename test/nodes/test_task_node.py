"""A task node on real topics: it stands still unless it knows where it is and may move."""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path

from geometry_msgs.msg import PoseStamped, Twist
from harness import Harness, running
from nav_msgs.msg import OccupancyGrid
import numpy as np
import pytest
from sensor_msgs.msg import LaserScan
from std_msgs.msg import String

from collab_robots.bringup import topics
from collab_robots.contract.calls.tasks import identity_of
from collab_robots.contract.calls.words import call_name, describe, key_of
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.geometry import FREE, Grid, OCCUPIED, pose, UNKNOWN
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.task_node import TaskNode
from collab_robots_msgs.msg import Call, Refused, TaskStatus, TaskStatusArray


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


class Won:
    """What robot1 hears whose bid wins every frontier that it proposes."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._calls = harness.listen(Call, f'/robot1/{topics.CALL}')
        create = harness.probe.create_publisher
        self._tasks = create(TaskStatusArray, f'/robot1/{topics.TASKS}', qos.LATCHED)
        self._poses = create(PoseStamped, f'/robot1/{topics.POSE}', qos.STATUS)
        self._scans = create(LaserScan, f'/robot1/{topics.SCAN}', qos.SENSOR)
        maps = create(OccupancyGrid, f'/robot1/{topics.MAP}', qos.LATCHED)
        maps.publish(conversions.grid_to_msg(half_known_room(), 'map', 0))

    def live(self, scan: LaserScan) -> None:
        """Publish where it stands, what its lidar sees, and what became of its calls."""
        now = self._harness.now_ns
        self._poses.publish(conversions.pose_to_msg(pose(2.0, 3.0, 0.0), 'map', now))
        scan.header.stamp = conversions.stamp_to_msg(now)
        self._scans.publish(scan)
        said = {call_name(bytes(call.data)) for call in self._calls}
        if not said:
            return
        key = key_of(bytes(self._calls[0].data))
        kind, x, y, round_ = identity_of(key)
        task = TaskStatus(kind=int(kind), cell_x=x, cell_y=y, round=round_)
        task.key = conversions.digest_to_msg(key)
        if 'award' in said:
            task.state, task.holder, task.accepted = TaskState.HELD, 'robot1', True
        elif 'bid' in said:
            task.bidders, task.costs, task.holder = ['robot1'], [1.5], 'robot1'
        self._tasks.publish(TaskStatusArray(tasks=[task]))


@pytest.mark.parametrize(('yaw', 'drives'), [(0.0, True), (math.pi, False)])
def test_what_stands_in_the_way_is_where_the_lidar_sees_it_from_where_it_sits(
    harness: Harness, yaw: float, drives: bool
) -> None:
    harness.add(TaskNode(**harness.options('robot1', lidar_pose=[0.0, 0.0, yaw])))
    speeds = harness.listen(Twist, f'/robot1/{topics.CMD_VEL}')
    states = harness.listen(String, f'/robot1/{topics.TASK_STATE}', qos.LATCHED)
    won = Won(harness)
    scan = LaserScan(angle_max=math.radians(359), angle_increment=math.radians(1))
    scan.range_min, scan.range_max = 0.1, 8.0
    scan.ranges = [0.25 if 110 < bearing < 250 else math.inf for bearing in range(360)]
    harness.wait(lambda: won.live(scan) or (states and states[-1].data.startswith('driving')))
    then = harness.now_ns
    harness.wait(lambda: won.live(scan) or harness.now_ns > then + 3e9)
    assert (max(speed.linear.x for speed in speeds) > 0.1) == drives
