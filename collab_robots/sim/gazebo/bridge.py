"""What ros_gz_bridge carries between Gazebo and ROS 2, as the lists that it reads."""

from __future__ import annotations

import yaml

from collab_robots.bringup import topics

_TO_ROS = (
    (topics.SCAN, 'sensor_msgs/msg/LaserScan', 'gz.msgs.LaserScan'),
    (topics.ODOM, 'nav_msgs/msg/Odometry', 'gz.msgs.Odometry'),
    (topics.GROUND_TRUTH, 'nav_msgs/msg/Odometry', 'gz.msgs.Odometry'),
    (topics.TF, 'tf2_msgs/msg/TFMessage', 'gz.msgs.Pose_V'),
    (topics.CAMERA_INFO, 'sensor_msgs/msg/CameraInfo', 'gz.msgs.CameraInfo'),
)
_TO_GAZEBO = ((topics.CMD_VEL, 'geometry_msgs/msg/Twist', 'gz.msgs.Twist'),)


def robot_bridge(name: str, prefixed: bool = False) -> str:
    """
    Return the list for one robot, for a bridge in its namespace. Pictures go by image_bridge.

    :param prefixed: all robots share ``/tf``, and their frames begin with their names.
    """
    return yaml.safe_dump(
        [
            _entry(
                f'/{topic}' if prefixed and topic == topics.TF else topic,
                f'/{name}/{topic}',
                kinds,
                direction,
            )
            for direction, table in (('GZ_TO_ROS', _TO_ROS), ('ROS_TO_GZ', _TO_GAZEBO))
            for topic, *kinds in table
        ],
        sort_keys=False,
    )


def clock_bridge() -> str:
    """Return the list for the one bridge of the simulated time; it goes one way only."""
    kinds = ['rosgraph_msgs/msg/Clock', 'gz.msgs.Clock']
    return yaml.safe_dump(
        [_entry(topics.CLOCK, topics.CLOCK, kinds, 'GZ_TO_ROS')], sort_keys=False
    )


def _entry(ros_topic: str, gz_topic: str, kinds: list[str], direction: str) -> dict[str, str]:
    ros_kind, gz_kind = kinds
    return {
        'ros_topic_name': ros_topic,
        'gz_topic_name': gz_topic,
        'ros_type_name': ros_kind,
        'gz_type_name': gz_kind,
        'direction': direction,
    }
