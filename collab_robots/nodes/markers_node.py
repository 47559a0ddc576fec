"""
Markers node: draws the fleet for RViz and Foxglove.

It listens to what every robot's ledger says of tasks, trust and who is heard, and publishes it as
markers in the frame ``map``. It belongs to no robot, checks nothing that it is told, and tells
robots nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
import re
from typing import Any

from geometry_msgs.msg import PoseStamped
from visualization_msgs.msg import MarkerArray

from collab_robots.bringup import topics
from collab_robots.bringup.tables import MARKERS
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet, MAX_ROBOTS, ROBOT_NAME
from collab_robots.explorer.scene import Scene
from collab_robots.nodes import conversions, qos
from collab_robots.nodes import marker_conversions as markers
from collab_robots.nodes.diagnostics import Health, OK, WARN
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.spin import run
from collab_robots_msgs.msg import Detection, LedgerStatus, RadioStatus, TaskStatusArray

LASTING = 4.0  # drawings, until what is not drawn any more vanishes by itself


class MarkersNode(ManagedNode):
    """See the module; options are those of ``rclpy.node.Node``."""

    def __init__(self, **options: Any) -> None:
        super().__init__('markers', MARKERS, **options)

    def configure(self, values: dict[str, Any]) -> None:
        """Listen to all robots."""
        robots = _robots(values)
        self._scene = scene = Scene(robots, round(values['silence'] * SECOND))
        self._lifetime = LASTING * values['marker_period']
        drawings: dict[str, Callable[[], list[Any]]] = {
            topics.MARKERS_TASKS: lambda: markers.tasks_to_msg(scene.spots(self._now_ns())),
            topics.MARKERS_TRUST: lambda: markers.trust_to_msg(scene.members(self._now_ns())),
            topics.MARKERS_LINKS: lambda: markers.links_to_msg(scene.links(self._now_ns())),
            topics.MARKERS_DETECTIONS: lambda: markers.things_to_msg(scene.things()),
        }
        self._drawings = [
            (self.tell(MarkerArray, topic, qos.STATUS), markers.Shown(), draw)
            for topic, draw in drawings.items()
        ]
        for robot in robots:
            for kind, topic, callback, profile in (
                (PoseStamped, topics.POSE, self._on_pose, qos.SENSOR),
                (LedgerStatus, topics.LEDGER_STATUS, self._on_status, qos.STATUS),
                (TaskStatusArray, topics.TASKS, self._on_tasks, qos.LATCHED),
                (Detection, topics.DETECTIONS, self._on_detection, qos.STATUS),
            ):
                self.listen(kind, f'{robot}/{topic}', partial(callback, robot), profile)
        self.listen(RadioStatus, topics.RADIO_STATUS, self._on_radio, qos.STATUS)
        self.every(values['marker_period'], self._draw)
        self.diagnose('team', self._health)

    def stop(self) -> None:
        """Take everything off the screen."""
        for publisher, shown, _ in self._drawings:
            publisher.publish(shown.clear())

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _draw(self) -> None:
        for publisher, shown, draw in self._drawings:
            publisher.publish(shown.array(draw(), self._now_ns(), self._lifetime))

    def _health(self) -> Health:
        silent = self._scene.silent(self._now_ns())
        return (
            Health(WARN, f'not heard: {", ".join(silent)}; do they run, in this ROS domain?')
            if silent
            else Health(OK, 'all robots are heard')
        )

    def _on_pose(self, robot: str, message: PoseStamped) -> None:
        self._scene.put_pose(robot, conversions.pose_from_msg(message))

    def _on_status(self, robot: str, message: LedgerStatus) -> None:
        self._scene.put_word(robot, markers.word_from_msg(message), self._now_ns())

    def _on_tasks(self, robot: str, message: TaskStatusArray) -> None:
        self._scene.put_tasks(robot, [conversions.task_from_msg(task) for task in message.tasks])

    def _on_detection(self, robot: str, message: Detection) -> None:
        self._scene.put_sighting(robot, *markers.sighting_from_msg(message))

    def _on_radio(self, message: RadioStatus) -> None:
        self._scene.put_radio(markers.hears_from_msg(message), self._now_ns())


def _robots(values: dict[str, Any]) -> list[str]:
    named = list(filter(None, values['robots']))
    if not named and values['fleet']:
        return list(Fleet.load(values['fleet']).index_by_name)
    wrong = [name for name in named if not re.match(ROBOT_NAME, name)]
    if wrong or not 0 < len(named) <= MAX_ROBOTS:
        raise ConfigError(
            "whom to draw? Set 'robots' to names such as [robot1, robot2], or 'fleet' to the "
            f'path of the fleet file; got {wrong or named}'
        )
    return named


def main(args: Sequence[str] | None = None) -> int:
    """Run the node alone."""
    return run(args, MarkersNode)


if __name__ == '__main__':
    raise SystemExit(main())
