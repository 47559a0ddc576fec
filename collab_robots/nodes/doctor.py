"""
Listens to a running robot for a while, for ``collab-robots doctor``.

It publishes nothing, changes nothing and asks the robot's nodes for nothing but their state; what
it hears costs the robot as much as one more subscriber does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import time
from typing import Any

from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.task import Future
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan
from tf2_msgs.msg import TFMessage

from collab_robots.bringup import topics
from collab_robots.bringup.tables import COMPRESSED
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.explorer.doctor.heard import Frames, Heard, Said, Stream
from collab_robots.explorer.doctor.robot import Robot, ROBOT_NODES, SIM_TIME
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.outsider import Outsider
from collab_robots_msgs.msg import Have, LedgerStatus

ROUND_S = 0.02  # at most, for something to come
FIND_S = 7.0  # until somebody is found: what DDS tells of itself every 3 s may be lost
ASK_S = 0.5  # until a node is asked anew: an answer that comes before DDS knows who asked is lost
DDS = ('rmw_fastrtps', 'rmw_cyclonedds', 'rmw_connextdds')
VENDOR_BYTES = 2  # with which a participant's id begins (RTPS 9.3.1.5)

Tell = Callable[[float], None]


class Listener:
    """
    A ROS node beside a robot, until closed.

    :param robot: whom it listens to.
    :param domain: its ROS domain.
    """

    def __init__(self, robot: Robot, domain: int) -> None:
        self._robot = robot
        self._domain = domain
        self._ros = Outsider('doctor', domain)
        self._node = node = self._ros.node
        node.set_parameters([Parameter(SIM_TIME, value=bool(robot.values[SIM_TIME]))])
        self._executor = SingleThreadedExecutor(context=node.context)  # it has a client as well
        self._executor.add_node(node)
        self._rays: list[float] = []
        self._frames: Frames | None = None
        self._transforms: dict[Frames, float] = {}
        self._said: dict[str, list[Said]] = {}
        self._strangers: dict[str, set[str]] = {}
        self._answers: dict[str, Future] = {}
        self._asked: dict[str, float] = {}

        self._scan = self._sense(LaserScan, topics.SCAN, self._on_scan)
        self._odometry = self._sense(Odometry, topics.ODOM, self._on_odometry)
        self._info = self._sense(CameraInfo, topics.CAMERA_INFO, conversions.camera_from_msg)
        if robot.values['image_transport'] == COMPRESSED:
            self._image = self._sense(CompressedImage, topics.IMAGE_COMPRESSED, _take)
        else:
            self._image = self._sense(Image, topics.IMAGE, conversions.image_from_msg)
        frames = f'/{topics.TF}' if robot.values['frame_prefix'] else self._name(topics.TF)
        self._listen(TFMessage, frames, self._on_transforms, qos.TF)
        for name in sorted({robot.name, *robot.teammates}):
            take = partial(self._on_status, name)
            self._listen(LedgerStatus, self._status_of(name), take, qos.STATUS)
        joined = dict(topics.direct_remappings())[topics.heard('have')]
        for topic in (joined, self._name(topics.heard('have'))):
            self._listen(Have, topic, self._on_have, qos.RADIO)
        self._clients = {
            name: node.create_client(GetState, self._name(f'{name}/get_state'))
            for name in ROBOT_NODES
        }

    @property
    def alone(self) -> bool:
        """Tell whether nobody was found yet."""
        return not self._others()

    def poll(self) -> None:
        """Take what comes next, for a moment at most."""
        self._executor.spin_once(timeout_sec=ROUND_S)
        now = time.monotonic()
        for name, client in self._clients.items():
            waiting = self._answers.get(name)
            if waiting is not None and (waiting.done() or now < self._asked[name] + ASK_S):
                continue
            if client.service_is_ready():
                self._answers[name], self._asked[name] = client.call_async(GetState.Request()), now

    def heard(self, seconds: float) -> Heard:
        """
        Return all that came until now.

        :param seconds: how long was listened.
        """
        now = time.monotonic()
        nodes = self._others()
        for stream in (self._scan, self._odometry, self._info, self._image):
            infos = self._node.get_publishers_info_by_topic(stream.topic)
            stream.kinds = [info.topic_type for info in infos]
        here = [name for name in ROBOT_NODES if self._name(name) in nodes]
        return Heard(
            domain=self._domain,
            seconds=round(seconds, 1),
            until=now,
            nodes=frozenset(nodes),
            states={name: self._state(name) for name in here},
            scan=self._scan,
            rays=self._rays,
            image=self._image,
            camera_info=self._info,
            odometry=self._odometry,
            frames=self._frames,
            transforms=self._transforms,
            said=self._said,
            strangers={fleet: frozenset(names) for fleet, names in self._strangers.items()},
            ledgers=self._node.count_publishers(self._status_of(self._robot.name)),
            vendors=self._vendors(),
            clock=self._now() > 0,
        )

    def close(self) -> None:
        """Leave the network."""
        self._executor.shutdown()
        self._ros.close()

    def _name(self, topic: str) -> str:
        return f'{self._robot.namespace}/{topic}'

    def _status_of(self, robot: str) -> str:
        if robot == self._robot.name:
            return self._name(topics.LEDGER_STATUS)
        beside = self._robot.namespace.rpartition('/')[0]
        return f'{beside}/{robot}/{topics.LEDGER_STATUS}'

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _age(self, stamp: Any) -> float:
        return (self._now() - conversions.stamp_from_msg(stamp)) / SECOND

    def _sense(self, kind: type, topic: str, check: Callable[[Any], object]) -> Stream:
        """Note of each message of a sensor when it came, how old it was, and what is wrong."""
        package, _, name = kind.__module__.partition('.')
        stream = Stream(self._name(topic), f'{package}/{name.split(".")[0]}/{kind.__name__}')

        def take(message: Any) -> None:
            stream.arrivals.append(time.monotonic())
            stream.ages.append(self._age(message.header.stamp))
            try:
                check(message)
            except RefusedError as error:
                stream.refused = str(error)

        self._listen(kind, stream.topic, take, qos.SENSOR)
        return stream

    def _listen(
        self, kind: type, topic: str, take: Callable[[Any], None], profile: QoSProfile
    ) -> None:
        self._node.create_subscription(kind, topic, take, profile)

    def _on_scan(self, message: LaserScan) -> None:
        scan = conversions.scan_from_msg(message)
        self._rays.append(float(np.mean(scan.is_hit | scan.is_clear)))

    def _on_odometry(self, message: Odometry) -> None:
        conversions.odometry_from_msg(message)
        self._frames = (message.header.frame_id, message.child_frame_id)

    def _on_transforms(self, message: TFMessage) -> None:
        for one in message.transforms:
            frames = (one.header.frame_id, one.child_frame_id)
            age = self._age(one.header.stamp)
            self._transforms[frames] = min(age, self._transforms.get(frames, age), key=abs)

    def _on_status(self, robot: str, message: LedgerStatus) -> None:
        fleet = bytes(message.fleet).hex()
        if self._robot.fleet is not None and fleet != self._robot.fleet.id.hex():
            self._strangers.setdefault(fleet, set()).add(robot)
            return
        said = Said(
            fleet=fleet,
            age=self._age(message.header.stamp),
            waiting=message.waiting,
            pending=message.pending + message.accepted,
            final=message.final,
            peers=tuple(message.peers),
            equivocators=tuple(message.equivocators),
            alarm=message.alarm,
        )
        self._said.setdefault(robot, []).append(said)

    def _on_have(self, message: Have) -> None:
        fleet = bytes(message.fleet).hex()
        if self._robot.fleet is not None and fleet != self._robot.fleet.id.hex():
            self._strangers.setdefault(fleet, set()).add(message.sender)

    def _state(self, name: str) -> str:
        future = self._answers.get(name)
        if future is None or not future.done():
            return ''
        return str(future.result().current_state.label)

    def _others(self) -> set[str]:
        own = self._node.get_fully_qualified_name()
        names = self._node.get_node_names_and_namespaces()
        found = {f'{namespace.rstrip("/")}/{name}' for name, namespace in names}
        return {name for name in found if name != own and '/_' not in name}

    def _vendors(self) -> dict[str, str]:
        if not get_rmw_implementation_identifier().startswith(DDS):
            return {}
        return {
            robot: bytes(infos[0].endpoint_gid[:VENDOR_BYTES]).hex()
            for robot in self._said
            if (infos := self._node.get_publishers_info_by_topic(self._status_of(robot)))
        }


def listen(robot: Robot, domain: int, seconds: float, tell: Tell, find: float = FIND_S) -> Heard:
    """
    Listen to a robot.

    :param robot: whom to.
    :param domain: its ROS domain.
    :param seconds: how long, since the first node was found.
    :param tell: is told again and again how many seconds have passed since then.
    :param find: how long that node is waited for at most, s.
    """
    listener = Listener(robot, domain)
    try:
        begin, passed = time.monotonic(), 0.0
        while listener.alone and passed < find:
            listener.poll()
            tell(0.0)
            passed = time.monotonic() - begin
        if not listener.alone:
            begin, passed = time.monotonic(), 0.0
            while passed < seconds:
                listener.poll()
                tell(passed)
                passed = time.monotonic() - begin
        return listener.heard(passed)
    finally:
        listener.close()


def _take(message: Any) -> None:
    """Find nothing wrong."""
