"""
Watch a fleet without taking part: fills a timeline from the topics.

It is polled a few times a second and takes what has arrived since; no executor runs, so watching
eight robots stays cheap. It does not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64, String

from collab_robots.bringup import topics
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.core.geometry import Array, Grid
from collab_robots.explorer.run import Run
from collab_robots.explorer.timeline import (
    Answer,
    Coverage,
    LedgerSample,
    RadioSample,
    Seen,
    STATES,
    TaskCounts,
    Timeline,
    Waypoint,
)
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.outsider import Outsider
from collab_robots_msgs.msg import (
    Detection,
    InferenceTrace,
    LedgerStatus,
    RadioStatus,
    TaskStatus,
    TaskStatusArray,
)


class Observer:
    """
    A ROS node that writes what the fleet says into a timeline.

    :param timeline: grows with every poll.
    :param cover: tells the share of the reachable free space that a map knows.
    :param domain: the fleet's ROS domain.
    """

    def __init__(self, timeline: Timeline, cover: Callable[[Grid], float], domain: int) -> None:
        self._timeline = timeline
        self._cover = cover
        self._ros = Outsider('observer', domain)
        self._node = self._ros.node
        self._mission = self._node.create_publisher(String, topics.MISSION, qos.LATCHED)
        newest = qos.SENSOR
        self._watch(Clock, topics.CLOCK, newest, self._on_clock)
        self._watch(Float64, topics.REAL_TIME_FACTOR, newest, self._on_speed)
        self._watch(RadioStatus, topics.RADIO_STATUS, newest, self._on_radio)
        for robot in timeline.robots:
            self._watch_robot(robot)

    @staticmethod
    def of(run: Run, domain: int) -> Observer:
        """Return an observer that writes into a run's timeline."""
        return Observer(run.timeline, run.truth.coverage, domain)

    def _watch_robot(self, robot: str) -> None:
        for kind, topic, profile, take in (
            (LedgerStatus, topics.LEDGER_STATUS, qos.STATUS, self._on_ledger),
            (TaskStatusArray, topics.TASKS, qos.LATCHED, self._on_tasks),
            (OccupancyGrid, topics.MAP, qos.LATCHED, self._on_map),
            (PoseStamped, topics.POSE, qos.SENSOR, self._on_pose),
            (Odometry, topics.GROUND_TRUTH, qos.SENSOR, self._on_truth),
            (Detection, topics.DETECTIONS, qos.STATUS, self._on_detection),
            (InferenceTrace, topics.INFERENCE, qos.STATUS, self._on_answer),
        ):
            self._watch(kind, f'/{robot}/{topic}', profile, partial(take, robot))

    def _watch(
        self, kind: type, topic: str, profile: QoSProfile, take: Callable[[Any], None]
    ) -> None:
        def callback(message: Any) -> None:
            try:
                take(message)
            except RefusedError as error:
                self._timeline.note(f'{topic}: {error}')

        self._node.create_subscription(kind, topic, callback, profile)

    def say(self, word: str) -> None:
        """Publish a mission word: run or hold."""
        self._mission.publish(String(data=word))

    def ready(self) -> bool:
        """Tell whether every robot's ledger has come up."""
        return all(
            self._node.count_publishers(f'/{robot}/{topics.LEDGER_STATUS}')
            for robot in self._timeline.robots
        )

    def poll(self) -> None:
        """Take what has arrived since the last poll."""
        self._ros.poll()

    def close(self) -> None:
        """Leave the network."""
        self._ros.close()

    def _on_clock(self, message: Clock) -> None:
        self._timeline.now = max(self._timeline.now, _seconds(message.clock))

    def _on_speed(self, message: Float64) -> None:
        self._timeline.speed = float(message.data)

    def _on_radio(self, message: RadioStatus) -> None:
        robots = tuple(message.robots)
        n = len(robots)
        if len(message.hears) != n * n:
            return  # another version's: nothing to show
        bits = tuple(bool(bit) for bit in message.hears)
        self._timeline.radio.append(
            RadioSample(
                _seconds(message.header.stamp),
                robots,
                tuple(bits[row * n : (row + 1) * n] for row in range(n)),
                *(
                    {k: int(v) for k, v in zip(message.kinds, values, strict=False)}
                    for values in (message.sent, message.delivered, message.lost)
                ),
            )
        )

    def _on_ledger(self, robot: str, message: LedgerStatus) -> None:
        self._timeline.ledgers[robot].append(
            LedgerSample(
                _seconds(message.header.stamp),
                message.blocks,
                message.waiting,
                message.pending,
                message.accepted,
                tuple(int(height) for height in message.heights),
                bytes(message.set_digest).hex(),
                bytes(message.state_root).hex(),
                message.reverted,
                tuple(message.peers),
                {k: int(v) for k, v in zip(message.refused, message.refused_count, strict=False)},
                message.bytes_sent,
                message.bytes_received,
                message.alarm,
            )
        )

    def _on_tasks(self, robot: str, message: TaskStatusArray) -> None:
        counts = [0] * len(STATES)
        for task in message.tasks:
            counts[min(task.state, len(STATES) - 1)] += 1
        holders = sorted({task.holder for task in message.tasks if task.state == TaskStatus.HELD})
        self._timeline.tasks[robot].append(
            TaskCounts(_seconds(message.header.stamp), *counts, tuple(holders))
        )

    def _on_map(self, robot: str, message: OccupancyGrid) -> None:
        grid = conversions.grid_from_msg(message)
        self._timeline.maps[robot] = grid
        self._timeline.coverage.append(
            Coverage(_seconds(message.header.stamp), robot, self._cover(grid))
        )

    def _on_pose(self, robot: str, message: PoseStamped) -> None:
        pose = conversions.pose_from_msg(message)
        self._timeline.believed[robot].append(_waypoint(message, pose))

    def _on_truth(self, robot: str, message: Odometry) -> None:
        _, pose = conversions.odometry_from_msg(message)
        self._timeline.paths[robot].append(_waypoint(message, pose))

    def _on_detection(self, robot: str, message: Detection) -> None:
        self._timeline.seen.append(
            Seen(
                _seconds(message.header.stamp),
                robot,
                message.class_id,
                message.label,
                float(message.confidence),
                message.position.x,
                message.position.y,
                bytes(message.thumbnail),
            )
        )

    def _on_answer(self, robot: str, message: InferenceTrace) -> None:
        self._timeline.answers.append(
            Answer(
                _seconds(message.header.stamp),
                robot,
                message.seq,
                message.plan,
                message.planned,
                message.predicted,
                message.helper,
                message.exit,
                message.bytes,
                message.seconds,
                message.attempts,
                message.lost,
                tuple(message.events),
            )
        )


def _waypoint(message: Any, pose: Array) -> Waypoint:
    return Waypoint(_seconds(message.header.stamp), *map(float, pose))


def _seconds(stamp: Any) -> float:
    return conversions.stamp_from_msg(stamp) / SECOND
