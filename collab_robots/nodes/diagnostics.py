"""How a node is, on ``/diagnostics`` (REP-107), as diagnostic_updater would tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from collab_robots.bringup import topics
from collab_robots.nodes import qos

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)


@dataclass(frozen=True)
class Health:
    """
    How one thing is.

    :param level: OK, WARN, ERROR or STALE.
    :param message: in a few words, with what to do if it is not well.
    :param values: figures with their units in the names.
    """

    level: bytes
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


class Diagnostics:
    """
    Publishes how the things of a node are.

    A status is named ``<namespace>/<node>: <thing>``, so that those of several robots can share
    one topic; its hardware is the robot.

    :param node: the node it belongs to.
    :param robot: the robot's name.
    """

    def __init__(self, node: Node, robot: str) -> None:
        self._node = node
        self._robot = robot
        self._looks: dict[str, Callable[[], Health]] = {}
        self._publisher = node.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, qos.STATUS)

    def add(self, title: str, look: Callable[[], Health]) -> None:
        """Tell from now on how something is."""
        self._looks[title] = look

    def publish(self) -> None:
        """Tell how all is."""
        name = self._node.get_fully_qualified_name().lstrip('/')
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        for title, look in self._looks.items():
            health = look()
            message.status.append(
                DiagnosticStatus(
                    level=health.level,
                    name=f'{name}: {title}',
                    message=health.message,
                    hardware_id=self._robot,
                    values=[KeyValue(key=key, value=str(v)) for key, v in health.values.items()],
                )
            )
        self._publisher.publish(message)

    def close(self) -> None:
        """Say nothing more."""
        self._node.destroy_publisher(self._publisher)
