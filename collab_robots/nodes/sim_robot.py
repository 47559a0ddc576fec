"""What the simulator publishes for one robot: its topics, and messages that are made only once."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any

from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from tf2_msgs.msg import TFMessage

from collab_robots.bringup import topics
from collab_robots.core.geometry import Array
from collab_robots.nodes import qos
from collab_robots.sim.mjcf import (
    CAMERA_FORWARD,
    CAMERA_HEIGHT,
    HORIZONTAL_FOV,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    LIDAR_HEIGHT,
)
from collab_robots.sim.radio import KINDS
from collab_robots.sim.simulator import ANGLE_INCREMENT, ANGLE_MIN, RANGE_MAX, RANGE_MIN, RAYS
from collab_robots_msgs import msg as collab

SCAN_TIME = 0.1  # s between scans
MESSAGES = {
    'block': collab.Block,
    'have': collab.Have,
    'request': collab.Request,
    'chunk': collab.Chunk,
    'tile': collab.Tile,
    'work': collab.TensorChunk,
    'reply': collab.InferenceReply,
    'offer': collab.InferenceOffer,
}


class RobotTopics:
    """
    One robot's publishers, and the messages that are filled anew each time.

    :param node: gives the publishers.
    :param name: of the robot.
    :param cameras: whether it has one.
    :param prefix: of the names of its frames. With one, all robots share ``/tf``.
    """

    def __init__(self, node: Node, name: str, cameras: bool, prefix: str = '') -> None:
        def publisher(kind: type, topic: str, profile: Any) -> Any:
            return node.create_publisher(
                kind, topic if topic.startswith('/') else f'/{name}/{topic}', profile
            )

        self.scan = LaserScan(
            angle_min=ANGLE_MIN,
            angle_max=ANGLE_MIN + (RAYS - 1) * ANGLE_INCREMENT,
            angle_increment=ANGLE_INCREMENT,
            range_min=RANGE_MIN,
            range_max=RANGE_MAX,
            scan_time=SCAN_TIME,
        )
        self.scan.header.frame_id = f'{prefix}base_scan'
        base = f'{prefix}base_footprint'
        self.odom = Odometry(child_frame_id=base)
        self.odom.header.frame_id = f'{prefix}odom'
        self.truth = Odometry(child_frame_id=base)
        self.truth.header.frame_id = 'map'
        self.tf = TFMessage(transforms=[_transform(f'{prefix}odom', base)])
        self.publish_scan = publisher(LaserScan, topics.SCAN, qos.SENSOR).publish
        self.publish_odom = publisher(Odometry, topics.ODOM, qos.SENSOR).publish
        self.publish_truth = publisher(Odometry, topics.GROUND_TRUTH, qos.SENSOR).publish
        tf, tf_static = (
            (f'/{topics.TF}', f'/{topics.TF_STATIC}') if prefix else (topics.TF, topics.TF_STATIC)
        )
        self.publish_tf = publisher(TFMessage, tf, qos.TF).publish
        publisher(TFMessage, tf_static, qos.LATCHED).publish(_static_transforms(prefix))
        self.publish_heard = {
            kind: publisher(MESSAGES[kind], topics.heard(kind), qos.RADIO).publish
            for kind in KINDS
        }
        if cameras:
            self.image = Image(
                height=IMAGE_HEIGHT, width=IMAGE_WIDTH, encoding='rgb8', step=3 * IMAGE_WIDTH
            )
            self.info = _camera_info()
            self.info.header = self.image.header
            self.image.header.frame_id = f'{prefix}camera_optical_frame'
            self.publish_image = publisher(Image, topics.IMAGE, qos.SENSOR).publish
            self.publish_info = publisher(CameraInfo, topics.CAMERA_INFO, qos.SENSOR).publish


def fill(position: Any, orientation: Any, planar: Array) -> None:
    """Write a planar pose into the position and the quaternion of a message."""
    x, y, yaw = planar.tolist()
    position.x, position.y = x, y
    orientation.z, orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)


def _transform(
    parent: str,
    child: str,
    place: Sequence[float] = (0.0, 0.0, 0.0),
    turn: Sequence[float] = (0.0, 0.0, 0.0, 1.0),
) -> TransformStamped:
    """Return a transform with its translation (x, y, z) and rotation (x, y, z, w)."""
    result = TransformStamped(child_frame_id=child)
    result.header.frame_id = parent
    result.transform.translation.x, result.transform.translation.y = place[:2]
    result.transform.translation.z = place[2]
    rotation = result.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = turn
    return result


def _static_transforms(prefix: str) -> TFMessage:
    base, link = f'{prefix}base_footprint', f'{prefix}camera_link'
    return TFMessage(
        transforms=[
            _transform(base, f'{prefix}base_scan', (0.0, 0.0, LIDAR_HEIGHT)),
            _transform(base, link, (CAMERA_FORWARD, 0.0, CAMERA_HEIGHT)),
            # optical frames look along z with x to the right (REP-103)
            _transform(link, f'{prefix}camera_optical_frame', turn=(-0.5, 0.5, -0.5, 0.5)),
        ]
    )


def _camera_info() -> CameraInfo:
    focal = IMAGE_WIDTH / 2 / math.tan(HORIZONTAL_FOV / 2)
    k = [focal, 0.0, IMAGE_WIDTH / 2, 0.0, focal, IMAGE_HEIGHT / 2, 0.0, 0.0, 1.0]
    return CameraInfo(
        height=IMAGE_HEIGHT,
        width=IMAGE_WIDTH,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=k,
        r=np.eye(3).ravel(),
        p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0],
    )
