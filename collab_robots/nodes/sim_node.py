"""
The simulated building and radio as a ROS node: one process for all robots.

Publishes in each robot's namespace what a robot's base publishes (``scan``, ``odom``, ``tf``,
camera), obeys ``cmd_vel``, and carries ``radio/tx/<kind>`` to the other robots'
``radio/rx/<kind>`` as bytes that it never looks into.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
import functools
import math
import time
from typing import Any

from geometry_msgs.msg import Twist
from rclpy.clock import Clock as SteadyClock
from rclpy.clock import ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64

from collab_robots.bringup import topics
from collab_robots.bringup.tables import SIMULATOR
from collab_robots.core.clock import SECOND
from collab_robots.core.config import load_yaml
from collab_robots.core.errors import RefusedError
from collab_robots.nodes import qos
from collab_robots.nodes.parameters import declare, read
from collab_robots.nodes.sim_robot import fill, MESSAGES, RobotTopics
from collab_robots.nodes.spin import run
from collab_robots.sim.radio import KINDS, Radio, RadioConfig
from collab_robots.sim.simulator import Simulator
from collab_robots.sim.world import load_world
from collab_robots_msgs.msg import RadioStatus

SCAN_STEPS, ODOM_STEPS, CLOCK_STEPS = 10, 5, 5  # of 10 ms: 10, 20 and 20 Hz
IMAGE_STEPS, TRUTH_STEPS, STATUS_STEPS = 50, 20, 100  # 2, 5 and 1 Hz
TICK_S = 0.01
MAX_STEPS = 3  # in one tick at speed 1, so that messages are served between
LOOK_S = 0.002  # how often to look whether a tick is due
MAX_LAG_S = 0.2  # what is later than this is not caught up: simulated time stretches


class SimNode(Node):
    """
    Keeps simulated time level with real time × ``speed``, never ahead.

    When the machine is too slow it leaves out no physics: simulated time stretches, and
    ``/sim/real_time_factor`` tells by how much.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            'simulator', start_parameter_services=False, enable_rosout=False, **arguments
        )
        declare(self, SIMULATOR)
        values = read(self, SIMULATOR)
        world = load_world(values['world'])
        count: int = values['robots']
        self.simulator = Simulator(world, count, values['seed'], cameras=values['cameras'])
        names = self.simulator.names
        config = load_yaml(values['radio'], RadioConfig) if values['radio'] else RadioConfig()
        self.radio = Radio(world, config.with_split(values['split'], names), names, values['seed'])
        if values['cameras'] and self.simulator.image(0) is None:
            self.get_logger().warning(
                f'no cameras: {self.simulator.camera_problem}; going on without'
            )
        cameras = not self.simulator.camera_problem
        prefixed: bool = values['frame_prefixes']
        self._clock_publisher = self.create_publisher(Clock, topics.CLOCK, qos.SENSOR)
        self._status = self.create_publisher(RadioStatus, topics.RADIO_STATUS, qos.STATUS)
        self._factor = self.create_publisher(Float64, topics.REAL_TIME_FACTOR, qos.STATUS)
        self._robots = [
            RobotTopics(self, name, cameras, f'{name}/' if prefixed else '') for name in names
        ]
        for index, name in enumerate(names):
            self.create_subscription(
                Twist,
                f'/{name}/{topics.CMD_VEL}',
                functools.partial(self._drive, index),
                qos.STATUS,
            )
            for kind in KINDS:
                self.create_subscription(
                    MESSAGES[kind],
                    f'/{name}/{topics.sent(kind)}',
                    functools.partial(self._offer, index, kind),
                    qos.RADIO,
                    raw=True,
                )
        self._speed: float = values['speed']
        self._schedule = self._jobs(count, cameras)
        self._steps = 0
        self._origin = time.monotonic()  # real time at which simulated time was 0, as it were
        self._reported = (self._origin, 0)
        self._publish_clock()
        steady = SteadyClock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(LOOK_S, self._tick, clock=steady)
        self.get_logger().info(f'simulating {len(self._robots)} robots')

    def _jobs(self, count: int, cameras: bool) -> list[list[Callable[[], None]]]:
        """Return for each 10 ms of a second what is to do: the robots take turns."""
        result: list[list[Callable[[], None]]] = [[] for _ in range(STATUS_STEPS)]

        def every(steps: int, share: float, job: Callable[[], None]) -> None:
            for at in range(int(share * steps), STATUS_STEPS, steps):
                result[at].append(job)

        every(CLOCK_STEPS, 0.0, self._publish_clock)
        for index, robot in enumerate(self._robots):
            share = index / count
            every(ODOM_STEPS, share, functools.partial(self._publish_odometry, index, robot))
            every(SCAN_STEPS, share, functools.partial(self._publish_scan, index, robot))
            every(TRUTH_STEPS, share, functools.partial(self._publish_truth, index, robot))
            if cameras:
                every(IMAGE_STEPS, share, functools.partial(self._publish_image, index, robot))
        every(TRUTH_STEPS, 0.0, self._move_radio)
        every(STATUS_STEPS, 0.0, self._publish_status)
        return result

    def _tick(self) -> None:
        """Go on to the present, deliver what the radio carried."""
        behind = (time.monotonic() - self._origin) * self._speed - self._steps * TICK_S
        if behind > MAX_LAG_S * self._speed:
            self._origin += behind / self._speed - MAX_LAG_S
        for _ in range(min(int(behind / TICK_S), math.ceil(MAX_STEPS * self._speed))):
            self.simulator.step()
            self._steps += 1
            for job in self._schedule[self._steps % STATUS_STEPS]:
                job()
        for receiver, kind, payload in self.radio.due(self.simulator.now_ns):
            self._robots[receiver].publish_heard[kind](payload)

    def _drive(self, index: int, message: Twist) -> None:
        try:
            self.simulator.set_command(index, message.linear.x, message.angular.z)
        except RefusedError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)

    def _offer(self, index: int, kind: str, payload: bytes) -> None:
        self.radio.offer(self.simulator.now_ns, index, kind, payload)

    def _stamp(self, stamp: Any) -> None:
        stamp.sec, stamp.nanosec = divmod(self.simulator.now_ns, SECOND)

    def _publish_clock(self) -> None:
        message = Clock()
        self._stamp(message.clock)
        self._clock_publisher.publish(message)

    def _publish_odometry(self, index: int, robot: RobotTopics) -> None:
        planar, velocity = self.simulator.odometry(index)
        odom, transform = robot.odom, robot.tf.transforms[0]
        self._stamp(odom.header.stamp)
        fill(odom.pose.pose.position, odom.pose.pose.orientation, planar)
        odom.twist.twist.linear.x, odom.twist.twist.angular.z = velocity
        transform.header.stamp = odom.header.stamp
        fill(transform.transform.translation, transform.transform.rotation, planar)
        robot.publish_odom(odom)
        robot.publish_tf(robot.tf)

    def _publish_truth(self, index: int, robot: RobotTopics) -> None:
        self._stamp(robot.truth.header.stamp)
        where = robot.truth.pose.pose
        fill(where.position, where.orientation, self.simulator.true_pose(index))
        robot.publish_truth(robot.truth)

    def _publish_scan(self, index: int, robot: RobotTopics) -> None:
        self._stamp(robot.scan.header.stamp)
        robot.scan.ranges = array('f', self.simulator.scan(index).tobytes())
        robot.publish_scan(robot.scan)

    def _publish_image(self, index: int, robot: RobotTopics) -> None:
        picture = self.simulator.image(index)
        if picture is None:
            return
        self._stamp(robot.image.header.stamp)
        robot.image.data = array('B', picture.tobytes())
        robot.publish_image(robot.image)
        robot.publish_info(robot.info)

    def _move_radio(self) -> None:
        self.radio.move([self.simulator.true_pose(index) for index in range(len(self._robots))])

    def _publish_status(self) -> None:
        now = time.monotonic()
        factor = (self._steps - self._reported[1]) * TICK_S / max(now - self._reported[0], 1e-9)
        self._reported = (now, self._steps)
        self._factor.publish(Float64(data=factor))
        if self._steps % (10 * STATUS_STEPS) == 0:
            self.get_logger().info(
                f'{self._steps * TICK_S:.0f} s simulated, real-time factor {factor:.2f}'
            )
        traffic = [self.radio.traffic[kind] for kind in KINDS]
        message = RadioStatus(
            robots=self.simulator.names,
            hears=self.radio.hears(self.simulator.now_ns).ravel().tolist(),
            kinds=KINDS,
            sent=[count.sent for count in traffic],
            delivered=[count.delivered for count in traffic],
            lost=[count.lost for count in traffic],
        )
        self._stamp(message.header.stamp)
        self._status.publish(message)

    def destroy_node(self) -> None:
        """Free the renderer too."""
        self.simulator.close()
        super().destroy_node()


def main(args: Sequence[str] | None = None) -> int:
    """
    Run the simulator until Ctrl-C or SIGTERM.

    :returns: the exit status: 0, or 2 if a parameter or a file is wrong (said on standard error).
    """
    return run(args, SimNode)


if __name__ == '__main__':
    raise SystemExit(main())
