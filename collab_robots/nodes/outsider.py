"""A ROS node beside the robots: in a context of its own, and polled by whoever made it."""

from __future__ import annotations

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from collab_robots.nodes.poller import Poller


class Outsider:
    """
    See the module.

    :param name: of the node.
    :param domain: the fleet's ROS domain.
    """

    def __init__(self, name: str, domain: int) -> None:
        self._context = Context()
        rclpy.init(
            context=self._context,
            domain_id=domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = Node(
            name, context=self._context, enable_rosout=False, start_parameter_services=False
        )
        self._poller = Poller([self.node])

    def poll(self) -> None:
        """Take what has arrived since the last poll."""
        self._poller.poll()

    def close(self) -> None:
        """Leave the network."""
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)
