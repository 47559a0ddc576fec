"""
Inference node: camera pictures in, detections at a map position out.

What hangs on the walls is named by a network that may be split between this robot and a teammate;
teammates are helped likewise. What it is sure of is published on ``detections`` and put on the
ledger. How each name came about is told on ``inference``. It does not track moving things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
import math
from pathlib import Path
import time
from typing import Any

from geometry_msgs.msg import Point, PoseStamped
import numpy as np
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan

from collab_robots.bringup import tables, topics
from collab_robots.bringup.tables import INFERENCE
from collab_robots.contract.calls import maps
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.clock import SteadyClock
from collab_robots.core.geometry import pose, transform
from collab_robots.core.uplink import Traffic, Uplink
from collab_robots.inference.fuser import Finding
from collab_robots.inference.labels import load_labels
from collab_robots.inference.lookout import Lookout, MAX_VIEWS, probabilities_of
from collab_robots.inference.outfit import Outfit
from collab_robots.inference.pictures import read_picture, Rgb
from collab_robots.inference.planner import ENERGY, LATENCY, Planner, THROUGHPUT
from collab_robots.inference.runtime.answer import Answer
from collab_robots.inference.runtime.course import chooser
from collab_robots.inference.runtime.messages import FrameId
from collab_robots.inference.sightings import Camera
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.diagnostics import Health, WARN
from collab_robots.nodes.health import LIMITS, sense
from collab_robots.nodes.infer_server import InferServer, MAX_GOALS, Submitted, Take
from collab_robots.nodes.inference_conversions import trace_to_msg
from collab_robots.nodes.inference_health import InferenceHealth, link_health
from collab_robots.nodes.inference_port import InferencePort, PortSettings
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.spin import run
from collab_robots.nodes.uplink import Outlets
from collab_robots_msgs.action import Infer
from collab_robots_msgs.msg import (
    Call,
    Detection,
    InferenceTrace,
    Roster,
    RosterRobot,
    TaskStatusArray,
)

SERVE_S = 0.02  # between two looks at the action
OBJECTIVES = {
    tables.LATENCY: LATENCY,
    tables.ENERGY: ENERGY,
    tables.THROUGHPUT: THROUGHPUT,
}


class InferenceNode(ManagedNode):
    """
    See the module.

    :param uplink: of the process, shared with its other nodes; None: one of its own.
    :param options: those of ``rclpy.node.Node``.
    """

    def __init__(self, uplink: Uplink | None = None, **options: Any) -> None:
        self._uplink = uplink
        super().__init__('inference', INFERENCE, **options)

    def configure(self, values: dict[str, Any]) -> None:
        """Load the network."""
        self._name: str = values['name']
        self._mount = pose(*values['camera_pose'])
        self._lidar = pose(*values['lidar_pose'])
        self._labels = load_labels()
        self._helpers = frozenset(filter(None, values['helpers']))
        self._leases: frozenset[str] = frozenset()  # who has one of the contract's, if any has
        self._fleet: frozenset[str] = frozenset()  # who counts in it; empty: no ledger told yet

        self._detections = self.tell(Detection, topics.DETECTIONS, qos.STATUS)
        self._traces = self.tell(InferenceTrace, topics.INFERENCE, qos.STATUS)
        self._calls = self.tell(Call, topics.CALL, qos.CALLS)
        self.port = self._take_part(values)
        self.at_cleanup(self.port.close)
        self._lookout = Lookout(self._submit_view)
        self._health = InferenceHealth()
        self.diagnose('inference', self._health.health)
        self.diagnose('link', self._link)
        self._server = InferServer(self, self._submit_goal)
        self.at_cleanup(self._server.close)
        steady = RosClock(clock_type=ClockType.STEADY_TIME)
        self.every(SERVE_S, self._server.poll, clock=steady)
        if values['image_transport'] == tables.COMPRESSED:
            topic, on_image = topics.IMAGE_COMPRESSED, self._on_compressed_image
            sense(self, 'camera', CompressedImage, topic, on_image, LIMITS.camera, WARN)
        else:
            sense(self, 'camera', Image, topics.IMAGE, self._on_image, LIMITS.camera, WARN)
        for kind, topic, callback, profile in (
            (CameraInfo, topics.CAMERA_INFO, self._on_camera_info, qos.SENSOR),
            (LaserScan, topics.SCAN, self._on_scan, qos.SENSOR),
            (PoseStamped, topics.POSE, self._on_pose, qos.STATUS),
            (TaskStatusArray, topics.TASKS, self._on_tasks, qos.LATCHED),
            (Roster, topics.ROSTER, self._on_roster, qos.STATUS),
        ):
            self.listen(kind, topic, callback, profile)

    def _take_part(self, values: dict[str, Any]) -> InferencePort:
        profile = Path(values['profile']) if values['profile'] else None
        clock = SteadyClock()
        outfit = Outfit.load(clock, profile, values['slow'])
        energy = outfit.energy(clock, time.sleep) if values['objective'] == tables.ENERGY else None
        objective = replace(
            OBJECTIVES[values['objective']],
            max_loss=values['max_loss'],
            deadline_s=values['deadline'] or math.inf,
        )
        settings = PortSettings(
            self._name,
            values['share'],
            values['slow'],
            MAX_VIEWS + MAX_GOALS,
        )
        choose = chooser(
            Planner(energy),
            outfit.sheet,
            outfit.engine.last,
            objective,
            waiting=lambda: self.port.requester.in_progress,
        )
        outlets = Outlets(self, self._uplink, values['uplink'])
        outlets.uplink.limit(values['send_rate'], Traffic.TENSORS)
        return InferencePort(self, outlets, settings, outfit.engine, choose, self._may_help)

    def _may_help(self, robot: str) -> bool:
        allowed = self._leases or self._helpers or self._fleet
        return not allowed or robot in allowed

    def _on_tasks(self, message: TaskStatusArray) -> None:
        self._leases = frozenset(
            task.holder
            for task in message.tasks
            if task.kind == Kind.INFER and task.state == TaskState.HELD and task.accepted
        )

    def _on_roster(self, message: Roster) -> None:
        self._fleet = frozenset(
            robot.name
            for robot in message.robots
            if robot.standing == RosterRobot.ACTIVE and robot.weight
        )

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._lookout.camera = Camera(*conversions.camera_from_msg(message), self._mount)

    def _on_scan(self, message: LaserScan) -> None:
        scan = conversions.scan_from_msg(message)
        self._lookout.add_scan(scan.stamp_ns, transform(self._lidar, scan.points()))

    def _on_pose(self, message: PoseStamped) -> None:
        stamp = conversions.stamp_from_msg(message.header.stamp)
        self._lookout.add_pose(stamp, conversions.pose_from_msg(message))

    def _on_image(self, message: Image) -> None:
        stamp = conversions.stamp_from_msg(message.header.stamp)
        self._lookout.add_frame(stamp, conversions.image_from_msg(message))

    def _on_compressed_image(self, message: CompressedImage) -> None:
        stamp = conversions.stamp_from_msg(message.header.stamp)
        self._lookout.add_frame(stamp, read_picture(message.data.tobytes()))

    def _link(self) -> Health:
        now = time.monotonic_ns()
        return link_health(self.port.requester.roster.ready(now), now)

    def _submit_view(self, view: Rgb, stamp_ns: int) -> FrameId:
        return self.port.submit(view, partial(self._on_view, stamp_ns))

    def _on_view(self, stamp_ns: int, answer: Answer) -> None:
        self._health.note(answer)
        self._traces.publish(trace_to_msg(answer, stamp_ns))
        if answer.logits is None:
            self._lookout.drop(answer.frame)
            return
        named = probabilities_of(answer.logits[0])
        for finding in self._lookout.add_answer(answer.frame, named):
            self._report(finding)

    def _submit_goal(self, picture: Rgb, top: int, take: Take) -> Submitted:
        stamp = self.get_clock().now().nanoseconds
        frame = self.port.submit(picture, partial(self._on_goal, stamp, top, take))
        return Submitted(self.port.planned, partial(self.port.cancel, frame))

    def _on_goal(self, stamp_ns: int, top: int, take: Take, answer: Answer) -> None:
        self._health.note(answer)
        trace = trace_to_msg(answer, stamp_ns)
        self._traces.publish(trace)
        result = Infer.Result(trace=trace)
        if answer.logits is None:
            result.reason = answer.refusal.reason.value if answer.refusal else answer.outcome.value
        else:
            named = probabilities_of(answer.logits[0])
            best = np.argsort(-named, kind='stable')[:top]
            result.class_ids = best.tolist()
            result.labels = [self._labels[class_id] for class_id in best]
            result.probabilities = named[best].tolist()
        take(result)

    def _report(self, finding: Finding) -> None:
        x, y = map(float, finding.position)
        self._detections.publish(
            Detection(
                header=conversions.header('map', finding.stamp_ns),
                robot=self._name,
                class_id=finding.class_id,
                label=self._labels[finding.class_id],
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
    return run(args, InferenceNode)


if __name__ == '__main__':
    raise SystemExit(main())
