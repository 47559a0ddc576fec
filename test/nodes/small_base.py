"""What stands for a robot's base in tests: a lidar, a camera and wheels, with faults on demand."""

from __future__ import annotations

from collections.abc import Callable
import math
import time

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState, CameraInfo, Image, LaserScan
from tf2_msgs.msg import TFMessage

from collab_robots.bringup import topics
from collab_robots.core.clock import SECOND
from collab_robots.core.geometry import pose
from collab_robots.nodes import conversions, qos

RAYS = 90
WALL = 2.0  # m, all around


class Base:
    """
    Stands in a round room and publishes what is due whenever it is polled.

    :param node: publishes.
    :param robot: whose base it is.
    :param now: the clock of its stamps, ns.
    """

    def __init__(self, node: Node, robot: str, now: Callable[[], int] = time.time_ns) -> None:
        self._now = now

        def publisher(kind: type, topic: str, profile: object = qos.SENSOR) -> object:
            return node.create_publisher(kind, f'/{robot}/{topic}', profile)

        self.mend()
        self._says = {
            name: publisher(kind, topic)
            for name, kind, topic in (
                ('scan', LaserScan, topics.SCAN),
                ('odometry', Odometry, topics.ODOM),
                ('image', Image, topics.IMAGE),
                ('camera_info', CameraInfo, topics.CAMERA_INFO),
                ('battery', BatteryState, topics.BATTERY),
            )
        }
        self._says['tf'] = publisher(TFMessage, topics.TF, qos.TF)
        self.clock = node.create_publisher(Clock, '/robot2_clock', 10)
        self._next = dict.fromkeys([*self._says, 'clock'], 0.0)

    def mend(self) -> None:
        """Have no fault."""
        self.rates = {
            'scan': 10.0,
            'odometry': 20.0,
            'image': 5.0,
            'camera_info': 5.0,
            'tf': 20.0,
            'battery': 2.0,
            'clock': 50.0,
        }
        """How often each comes, Hz; 0: never."""
        self.ranges = [[WALL] * RAYS]
        """Those of the next scans, in turn."""
        self.tf_age = 0.0
        """How old transforms are, s."""
        self.ahead = 0.0
        """By how much the clock of robot2 is ahead, s."""
        self.charge = 0.8
        """Of the battery."""

    def poll(self) -> None:
        """Publish what is due."""
        now = self._now()
        for name, rate in self.rates.items():
            if rate and time.monotonic() >= self._next[name]:
                self._next[name] = time.monotonic() + 1.0 / rate
                self._publish(name, now)

    def _publish(self, name: str, now: int) -> None:
        if name == 'clock':
            time_2 = now + round(self.ahead * SECOND)
            self.clock.publish(Clock(clock=conversions.stamp_to_msg(time_2)))
            return
        self._says[name].publish(getattr(self, f'_{name}')(now))

    def _scan(self, now: int) -> LaserScan:
        self.ranges.append(ranges := self.ranges.pop(0))
        return LaserScan(
            header=conversions.header('laser', now),
            angle_max=2 * math.pi * (1 - 1 / RAYS),
            angle_increment=2 * math.pi / RAYS,
            range_min=0.1,
            range_max=10.0,
            ranges=ranges,
        )

    def _odometry(self, now: int) -> Odometry:
        message = Odometry(header=conversions.header('odom', now), child_frame_id='base_link')
        message.pose.pose.orientation.w = 1.0
        return message

    def _tf(self, now: int) -> TFMessage:
        stamp = now - round(self.tf_age * SECOND)
        still = pose(0.0, 0.0, 0.0)
        return TFMessage(
            transforms=[conversions.transform_to_msg(still, 'odom', 'base_link', stamp)]
        )

    def _image(self, now: int) -> Image:
        return Image(
            header=conversions.header('camera', now),
            height=8,
            width=8,
            encoding='rgb8',
            step=24,
            data=bytes(192),
        )

    def _camera_info(self, now: int) -> CameraInfo:
        k = [8.0, 0.0, 4.0, 0.0, 8.0, 4.0, 0.0, 0.0, 1.0]
        return CameraInfo(header=conversions.header('camera', now), height=8, width=8, k=k)

    def _battery(self, now: int) -> BatteryState:
        return BatteryState(percentage=self.charge, voltage=12.0)
