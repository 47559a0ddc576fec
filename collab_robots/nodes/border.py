"""The border of a node: what comes from outside either converts, or is refused and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from collab_robots.bringup import topics
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.nodes import qos
from collab_robots_msgs.msg import Refused

MAX_TEXT = 200
QUIET_S = 5.0


class Border:
    """
    Guards a node's callbacks.

    Every refusal is published for the ledger node, whose status shows the counts, and logged at
    most once every few seconds.

    :param node: the node it belongs to.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(Refused, topics.REFUSED, qos.STATUS)

    def close(self) -> None:
        """Publish nothing more."""
        self._node.destroy_publisher(self._publisher)

    def refuse(self, reason: Refusal, text: str) -> None:
        """Count one refusal and say why."""
        text = text[:MAX_TEXT]
        self._publisher.publish(
            Refused(node=self._node.get_name(), reason=reason.value, text=text)
        )
        self._node.get_logger().warning(
            f'refused ({reason.value}): {text}', throttle_duration_sec=QUIET_S
        )

    def guard(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return the callback, with refusals counted and messages of other versions refused."""

        def guarded(message: Any) -> None:
            try:
                expected = getattr(message, 'VERSION', None)
                if expected is not None and message.version != expected:
                    raise RefusedError(
                        Refusal.MESSAGE_VERSION,
                        f'{type(message).__name__}: expected version {expected}, '
                        f'got {message.version} from {message.sender!r:.40}',
                    )
                callback(message)
            except RefusedError as error:
                self.refuse(error.reason, str(error))

        return guarded
