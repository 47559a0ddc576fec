"""
Vision node: camera pictures in, detections at a map position out.

What it is sure of is published on ``detections`` and put on the ledger. It names what hangs on
the walls; it does not track moving things.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Point, PoseStamped
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, LaserScan

from collab_robots.contract.calls import maps
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError, Refusal, RefusedError
from collab_robots.core.geometry import Array, inverse, pose, transform
from collab_robots.core.track import Track
from collab_robots.inference.classifier import Classifier
from collab_robots.inference.fuser import Finding, SightingFuser
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.sightings import Camera, glimpse
from collab_robots.nodes import conversions, qos, topics
from collab_robots.nodes.border import Border
from collab_robots.nodes.parameters import declare, Parameter, required, ROBOT
from collab_robots.nodes.spin import run
from collab_robots_msgs.msg import Call, Detection

TRACK_SAMPLES = 50
SCANS_KEPT = 10
MAX_SCAN_AGE = SECOND // 4
PARAMETERS = {
    **ROBOT,
    'camera_pose': Parameter([0.17, 0.0, 0.0], 'Camera on the robot: x (m), y (m), yaw (rad).'),
}


class VisionNode(Node):
    """See the module; options are those of ``rclpy.node.Node``."""

    def __init__(self, **options: Any) -> None:
        super().__init__('vision', **options)
        values = declare(self, PARAMETERS)
        required(values, 'name')
        if len(values['camera_pose']) != 3:
            raise ConfigError("parameter 'camera_pose': expected [x, y, yaw]")
        self._name: str = values['name']
        self._mount = pose(*values['camera_pose'])
        self._camera: Camera | None = None
        self._classifier = Classifier()
        self._fuser = SightingFuser()
        self._track = Track(TRACK_SAMPLES)
        self._scans: deque[tuple[int, Array]] = deque(maxlen=SCANS_KEPT)
        self._waiting: tuple[int, Rgb] | None = None  # the newest picture, until its pose is known

        self._detections = self.create_publisher(Detection, topics.DETECTIONS, qos.STATUS)
        self._calls = self.create_publisher(Call, topics.CALL, qos.STATUS)
        self._border = Border(self)
        for kind, topic, callback, profile in (
            (Image, topics.IMAGE, self._on_image, qos.SENSOR),
            (CameraInfo, topics.CAMERA_INFO, self._on_camera_info, qos.SENSOR),
            (LaserScan, topics.SCAN, self._on_scan, qos.SENSOR),
            (PoseStamped, topics.POSE, self._on_pose, qos.STATUS),
        ):
            self.create_subscription(kind, topic, self._border.guard(callback), profile)

    def _on_camera_info(self, message: CameraInfo) -> None:
        focal, centre = message.k[0], message.k[2]
        if not (np.isfinite(focal) and np.isfinite(centre) and focal > 1.0):
            raise RefusedError(Refusal.MALFORMED, f'a camera with focal length {focal} pixels')
        self._camera = Camera(float(focal), float(centre), self._mount)

    def _on_scan(self, message: LaserScan) -> None:
        scan = conversions.scan_from_msg(message)
        self._scans.append((scan.stamp_ns, scan.points()))

    def _on_pose(self, message: PoseStamped) -> None:
        stamp = conversions.stamp_from_msg(message.header.stamp)
        if stamp > self._track.newest_ns:
            self._track.add(stamp, conversions.pose_from_msg(message))
        self._look()

    def _on_image(self, message: Image) -> None:
        stamp = conversions.stamp_from_msg(message.header.stamp)
        self._waiting = (stamp, conversions.image_from_msg(message))
        self._look()

    def _look(self) -> None:
        if self._waiting is None or self._camera is None:
            return
        stamp, picture = self._waiting
        robot = self._track.at(stamp)
        if robot is None:
            return
        self._waiting = None
        points = self._points(stamp, robot)
        if points is None:
            return
        for seen in glimpse(picture, points, robot, stamp, self._camera):
            sighting = seen.named(self._classifier.probabilities(seen.views))
            if sighting is not None:
                self._fuser.add(sighting)
        for finding in self._fuser.news(stamp):
            self._report(finding)

    def _points(self, stamp: int, robot: Array) -> Array | None:
        """Return the nearest scan in time as the robot would have seen it at the stamp."""
        poses = [(abs(then - stamp), self._track.at(then), points) for then, points in self._scans]
        known = [
            (age, there, points)
            for age, there, points in poses
            if there is not None and age <= MAX_SCAN_AGE
        ]
        if not known:
            return None
        _, there, points = min(known, key=lambda item: item[0])
        return transform(inverse(robot), transform(there, points))

    def _report(self, finding: Finding) -> None:
        x, y = map(float, finding.position)
        self._detections.publish(
            Detection(
                header=conversions.header('map', finding.stamp_ns),
                robot=self._name,
                class_id=finding.class_id,
                label=self._classifier.labels[finding.class_id],
                confidence=finding.confidence,
                position=Point(x=x, y=y, z=0.0),
                thumbnail=finding.thumbnail,
            )
        )
        call = maps.report_sighting(
            finding.class_id, round(finding.confidence * 1000), round(x * 1000), round(y * 1000)
        )
        self._calls.publish(Call(data=call))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node alone."""
    return run(args, VisionNode)


if __name__ == '__main__':
    raise SystemExit(main())
