"""
Two simulated robots share a map, and one of them survives a power cut.

Run by ``launch_testing``; test_running.py does that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
import unittest

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
import launch_testing
from launch_testing.actions import ReadyToTest
from launch_testing.asserts import assertExitCodes
from nav_msgs.msg import OccupancyGrid, Odometry
import numpy as np
from probe import Probe
import psutil

from collab_robots.bringup import topics
from collab_robots.nodes import qos
from collab_robots.sim.world import load_world

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('robot1', 'robot2')
PATIENCE = 90.0  # s
APART = 4.0  # m: more than this from its start a robot does not see what is there
LAUNCH = ROOT / 'launch' / 'sim.launch.py'


def generate_test_description() -> LaunchDescription:
    arguments = {
        'robots': '2',
        'cameras': 'false',
        'share': 'false',
        'respawn': 'true',
        'respawn_delay': '0.5',
        'speed': '2.0',
    }
    return LaunchDescription(
        [
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(LAUNCH)), launch_arguments=arguments.items()
            ),
            ReadyToTest(),
        ]
    )


class Maps:
    """The newest map of each robot."""

    def __init__(self, probe: Probe) -> None:
        self.by: dict[str, OccupancyGrid] = {}
        for name in NAMES:
            probe.node.create_subscription(
                OccupancyGrid,
                f'/{name}/{topics.MAP}',
                lambda message, name=name: self.by.update({name: message}),
                qos.LATCHED,
            )

    def known(self, robot: str) -> int:
        """Return how many cells a robot knows."""
        return int((np.array(self.by[robot].data) >= 0).sum()) if robot in self.by else 0

    def knows(self, robot: str, x: float, y: float) -> bool:
        """Tell whether a robot knows the cell at a place."""
        if robot not in self.by:
            return False
        info = self.by[robot].info
        column = int((x - info.origin.position.x) / info.resolution)
        row = int((y - info.origin.position.y) / info.resolution)
        if not (0 <= column < info.width and 0 <= row < info.height):
            return False
        return bool(self.by[robot].data[row * info.width + column] >= 0)


class TestSharedMap(unittest.TestCase):
    def setUp(self) -> None:
        self.probe = Probe(int(os.environ['ROS_DOMAIN_ID']))
        self.maps = Maps(self.probe)
        self.truths: dict[str, Any] = {}
        for name in NAMES:
            self.probe.hear(name)
            self.probe.node.create_subscription(
                Odometry,
                f'/{name}/{topics.GROUND_TRUTH}',
                lambda message, name=name: self.truths.update({name: message.pose.pose.position}),
                qos.SENSOR,
            )

    def tearDown(self) -> None:
        self.probe.close()

    def test_1_each_knows_where_only_the_other_has_been(self) -> None:
        starts = load_world(ROOT / 'worlds' / 'office.yaml').start_poses(2)
        self.probe.wait(lambda: len(self.truths) == len(NAMES), PATIENCE)
        for robot, start in zip(NAMES, reversed(starts), strict=True):
            there = (float(start[0]), float(start[1]))
            self.probe.wait(lambda r=robot, at=there: self.maps.knows(r, *at), PATIENCE)
            where = self.truths[robot]
            self.assertGreater(np.hypot(where.x - there[0], where.y - there[1]), APART)
        sizes = {name: self.maps.known(name) for name in NAMES}
        self.probe.wait(
            lambda: all(self.maps.known(name) > 1.1 * sizes[name] for name in NAMES), PATIENCE
        )
        self.assertTrue(all(not status.alarm for status in self.probe.statuses.values()))

    def test_2_a_robot_that_is_killed_is_started_again_and_goes_on(self) -> None:
        statuses = self.probe.statuses
        self.probe.wait(lambda: len(statuses) == 2 and statuses['robot2'].heights[1] > 2, PATIENCE)
        before = list(statuses['robot2'].heights)
        (process,) = (
            child
            for child in psutil.Process().children(recursive=True)
            if '__ns:=/robot2' in child.cmdline()
        )
        process.kill()
        self.probe.wait(lambda: not process.is_running(), PATIENCE)
        del statuses['robot2']
        self.probe.wait(lambda: 'robot2' in statuses, PATIENCE)
        self.assertGreaterEqual(statuses['robot2'].heights[1], before[1])  # it kept its own
        for name in NAMES:  # both go on, and take what the other says
            self.probe.wait(
                lambda n=name: all(
                    now > then + 1 for now, then in zip(statuses[n].heights, before, strict=True)
                ),
                PATIENCE,
            )
        self.assertFalse(any(status.equivocators for status in statuses.values()))


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    def test_all_ended_cleanly(self, proc_info: Any) -> None:
        assertExitCodes(proc_info)
