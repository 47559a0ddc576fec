"""The simulator node on real topics: what it publishes, how often, and what its radio carries."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Float64
from tf2_msgs.msg import TFMessage

from collab_robots.bringup import topics
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.nodes import qos
from collab_robots.nodes.poller import Poller
from collab_robots.nodes.sim_node import SimNode
from collab_robots.sim.radio import KINDS
from collab_robots_msgs.msg import Block, RadioStatus, Tile

WORLD = str(Path(__file__).parents[2] / 'worlds' / 'office.yaml')
DOMAIN = 31


class Bench:
    """A simulator node that the test ticks, and a probe that keeps what it publishes."""

    def __init__(self, **parameters: Any) -> None:
        self.probe = Node('probe')
        values = {'world': WORLD, 'cameras': False, **parameters}
        self.sim = SimNode(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()])
        self._poller = Poller([self.sim, self.probe])
        self._heard: dict[str, list[Any]] = {}

    def listen(self, kind: type, topic: str, profile: Any = qos.SENSOR) -> list[Any]:
        heard = self._heard.setdefault(topic, [])
        self.probe.create_subscription(kind, topic, heard.append, profile)
        return heard

    def publisher(self, kind: type, topic: str, profile: Any) -> Any:
        return self.probe.create_publisher(kind, topic, profile)

    def connect(self, *publishers: Any) -> None:
        """Wait until all know one another, and start counting then."""
        deadline = time.monotonic() + 20.0
        while not (
            all(self.probe.count_publishers(topic) for topic in self._heard)
            and all(publisher.get_subscription_count() for publisher in publishers)
        ):
            assert time.monotonic() < deadline, 'the nodes did not find each other'
            time.sleep(0.02)  # discovery tells nobody
        self.run(0.3)
        for heard in self._heard.values():
            heard.clear()

    def run(self, seconds: float) -> None:
        """Tick until simulated time has gone on this far."""
        until = self.sim.simulator.now_ns + round(seconds * SECOND)
        deadline = time.monotonic() + 20.0 + 5 * seconds
        while self.sim.simulator.now_ns < until:
            assert time.monotonic() < deadline, 'simulated time stands still'
            self._poller.poll()
            time.sleep(0.002)  # the poller asks; nothing wakes it

    def close(self) -> None:
        self.sim.destroy_node()
        self.probe.destroy_node()


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    rclpy.init(args=[], domain_id=DOMAIN)
    yield
    rclpy.shutdown()


@pytest.fixture
def bench(ros: None) -> Iterator[Bench]:
    bench = Bench(robots=2)
    yield bench
    bench.close()


def seconds(stamp: Any) -> float:
    return stamp.sec + stamp.nanosec * 1e-9


def test_every_topic_comes_at_its_rate_in_its_frame(ros: None) -> None:
    bench = Bench(robots=2, cameras=True)
    try:
        cameras = not bench.sim.simulator.camera_problem
        clock = bench.listen(Clock, topics.CLOCK)
        status = bench.listen(RadioStatus, topics.RADIO_STATUS)
        factor = bench.listen(Float64, topics.REAL_TIME_FACTOR)
        expected = [
            (LaserScan, topics.SCAN, 10, 'base_scan'),
            (Odometry, topics.ODOM, 20, 'odom'),
            (Odometry, topics.GROUND_TRUTH, 5, 'map'),
        ]
        if cameras:
            expected += [
                (Image, topics.IMAGE, 2, 'camera_optical_frame'),
                (CameraInfo, topics.CAMERA_INFO, 2, 'camera_optical_frame'),
            ]
        heard = {
            (robot, topic): bench.listen(kind, f'/{robot}/{topic}')
            for robot in ('robot1', 'robot2')
            for kind, topic, _, _ in expected
        }
        tf = bench.listen(TFMessage, f'/robot2/{topics.TF}', qos.TF)
        bench.connect()
        bench.run(3.0)
        assert len(clock) == pytest.approx(60, abs=2)
        assert len(tf) == pytest.approx(60, abs=2)
        assert len(status) == len(factor) == 3
        for robot in ('robot1', 'robot2'):
            for _, topic, rate, frame in expected:
                messages = heard[robot, topic]
                assert len(messages) == pytest.approx(3 * rate, abs=2), topic
                assert {message.header.frame_id for message in messages} == {frame}
                stamps = [seconds(message.header.stamp) for message in messages]
                assert np.diff(stamps) == pytest.approx(1 / rate, abs=1e-6), topic
        scan = heard['robot1', topics.SCAN][-1]
        assert len(scan.ranges) == 360 and scan.angle_min == pytest.approx(-np.pi)
        assert tf[-1].transforms[0].header.frame_id == 'odom'
        assert tf[-1].transforms[0].child_frame_id == 'base_footprint'
        start = heard['robot2', topics.GROUND_TRUTH][-1].pose.pose.position
        assert (start.x, start.y) == pytest.approx(
            tuple(bench.sim.simulator.true_pose(1)[:2]), abs=0.01
        )
        if cameras:
            picture = heard['robot1', topics.IMAGE][-1]
            assert (picture.width, picture.height, picture.step) == (320, 240, 960)
            assert len(picture.data) == 320 * 240 * 3 and picture.encoding == 'rgb8'
    finally:
        bench.close()


def test_static_transforms_reach_a_late_listener(bench: Bench) -> None:
    bench.run(0.2)
    static = bench.listen(TFMessage, f'/robot1/{topics.TF_STATIC}', qos.LATCHED)
    deadline = time.monotonic() + 20.0
    while not static and time.monotonic() < deadline:
        bench.run(0.1)
    edges = {(t.header.frame_id, t.child_frame_id) for t in static[0].transforms}
    assert edges == {
        ('base_footprint', 'base_scan'),
        ('base_footprint', 'camera_link'),
        ('camera_link', 'camera_optical_frame'),
    }


def test_a_command_moves_only_its_robot_and_nan_moves_none(bench: Bench) -> None:
    odometry = bench.listen(Odometry, f'/robot1/{topics.ODOM}')
    publisher = bench.publisher(Twist, f'/robot1/{topics.CMD_VEL}', qos.STATUS)
    bench.connect(publisher)
    before = [bench.sim.simulator.true_pose(robot) for robot in (0, 1)]
    command = Twist()
    for value in (0.4, 0.4, 0.4, float('nan')):
        command.linear.x = value
        publisher.publish(command)
        bench.run(0.4)
    after = [bench.sim.simulator.true_pose(robot) for robot in (0, 1)]
    assert after[0][0] - before[0][0] == pytest.approx(0.5, abs=0.15)
    assert after[1] == pytest.approx(before[1], abs=1e-6)
    assert max(message.twist.twist.linear.x for message in odometry) == pytest.approx(
        0.4, abs=0.02
    )


def test_the_radio_carries_the_bytes_to_the_others_and_counts_them(ros: None) -> None:
    bench = Bench(robots=3, split='3:100')
    try:
        heard = {
            name: bench.listen(Block, f'/{name}/{topics.heard("block")}', qos.RADIO)
            for name in ('robot1', 'robot2', 'robot3')
        }
        tiles = bench.listen(Tile, f'/robot2/{topics.heard("tile")}', qos.RADIO)
        status = bench.listen(RadioStatus, topics.RADIO_STATUS)
        blocks = bench.publisher(Block, f'/robot1/{topics.sent("block")}', qos.RADIO)
        tile = bench.publisher(Tile, f'/robot1/{topics.sent("tile")}', qos.RADIO)
        bench.connect(blocks, tile)
        message = Block(version=1, sender='robot1', data=np.arange(200, dtype=np.uint8))
        for _ in range(10):
            blocks.publish(message)
            bench.run(0.02)
        tile.publish(Tile(version=1, sender='robot1', owner='robot1', x=-3, data=bytes(9000)))
        bench.run(0.3)
        assert heard['robot1'] == [] and len(tiles) == 1 and tiles[0].x == -3
        assert 8 <= len(heard['robot2']) <= 10  # the radio may lose one of a hundred
        assert all(block == message for block in heard['robot2'] + heard['robot3'])
        counts = bench.sim.radio.traffic['block']
        assert counts.sent == 10 * len(serialize_message(message))
        bench.run(max(0.0, 3.1 - bench.sim.simulator.now_ns / SECOND))
        before = len(heard['robot2']), len(heard['robot3'])
        for _ in range(5):
            blocks.publish(message)
            bench.run(0.02)
        bench.run(1.1)
        assert len(heard['robot2']) > before[0] and len(heard['robot3']) == before[1]
        last = status[-1]
        assert last.robots == ['robot1', 'robot2', 'robot3'] and tuple(last.kinds) == KINDS
        hears = np.array(last.hears).reshape(3, 3).astype(int)
        assert hears.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
        assert last.sent[0] == counts.sent and last.delivered[0] == counts.delivered
    finally:
        bench.close()


def test_simulated_time_never_runs_ahead_and_speed_is_kept(ros: None) -> None:
    bench = Bench(robots=1, speed=0.5)
    try:
        bench.run(0.1)
        start, simulated = time.monotonic(), bench.sim.simulator.now_ns
        bench.run(1.0)
        passed = (bench.sim.simulator.now_ns - simulated) / SECOND
        assert passed <= 0.5 * (time.monotonic() - start) + 0.12
    finally:
        bench.close()


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'world': ''}, 'world'),
        ({'world': '/nowhere/world.yaml'}, 'cannot be read'),
        ({'robots': 9}, '9 robots need'),
        ({'robots': 0}, 'robots'),
        ({'robots': 'four'}, 'robots'),
        ({'seed': -1}, 'seed'),
        ({'speed': float('nan')}, 'speed'),
        ({'split': '80:40'}, 'split'),
        ({'radio': '/nowhere/radio.yaml'}, 'cannot be read'),
    ],
)
def test_bad_parameters_are_refused_in_words(
    ros: None, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        Bench(**parameters)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_cleanly(number: int) -> None:
    process = start('-p', f'world:={WORLD}', '-p', 'cameras:=false', '-p', 'robots:=1')
    assert process.stderr is not None
    assert any('simulating 1 robots' in line for line in process.stderr)
    process.send_signal(number)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 0, error
    assert 'Traceback' not in error


def test_a_bad_file_ends_the_process_with_status_2() -> None:
    process = start('-p', 'world:=/nowhere/world.yaml')
    _, error = process.communicate(timeout=30)
    assert process.returncode == 2 and 'cannot be read' in error and 'Traceback' not in error


def start(*parameters: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        'ROS_DOMAIN_ID': str(DOMAIN),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }
    return subprocess.Popen(
        [sys.executable, '-m', 'collab_robots.nodes.sim_node', '--ros-args', *parameters],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
