"""Listens to the ledgers of running robots, and has them put calls on the ledger."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from collab_robots.bringup import topics
from collab_robots.nodes import qos
from collab_robots.nodes.poller import Poller
from collab_robots.nodes.spin import IDLE_S
from collab_robots_msgs.msg import Call, LedgerStatus

PATIENCE = 30.0  # s
AGAIN = 1.0  # s after which a robot is told again


class Probe:
    """
    A node of its own on a ROS domain.

    :param check: called all the time while it waits; raises what ends the waiting.
    """

    def __init__(self, domain: int, check: Callable[[], None] = lambda: None) -> None:
        self.statuses: dict[str, LedgerStatus] = {}
        """The newest of each robot, by its namespace."""
        self._check = check
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain)
        self.node = Node('probe', context=self._context)
        self._poller = Poller([self.node])
        self._calls: dict[str, Any] = {}

    def hear(self, robot: str) -> None:
        """Listen to a robot from now on."""
        if robot not in self._calls:
            self._calls[robot] = self.node.create_publisher(
                Call, f'/{robot}/{topics.CALL}', qos.CALLS
            )
            self.node.create_subscription(
                LedgerStatus,
                f'/{robot}/{topics.LEDGER_STATUS}',
                lambda message: self.statuses.update({robot: message}),
                qos.STATUS,
            )

    def say(self, robot: str, call: bytes) -> None:
        """Let a robot put a call on the ledger."""
        self._calls[robot].publish(Call(data=call))

    def say_until(self, robot: str, call: bytes, done: Callable[[], Any]) -> None:
        """Tell it again and again: DDS may still match a robot's process that was killed."""
        due = time.monotonic()

        def said() -> Any:
            nonlocal due
            if time.monotonic() >= due:
                due += AGAIN
                self.say(robot, call)
            return done()

        self.wait(said)

    def heard(self, robot: str) -> int:
        """Tell how many hear what :meth:`say` tells a robot."""
        return self._calls[robot].get_subscription_count()

    def wait(self, condition: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Serve the node until a condition holds."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, self.told()
            self._check()
            self._poller.poll()
            time.sleep(IDLE_S)  # the poller asks; nothing wakes it

    def told(self) -> str:
        """Return what the robots said last."""
        return '\n'.join(
            f'{robot}: epoch {status.epoch}, final {status.final}, {list(status.heights)}, '
            f'{dict(zip(status.refused, status.refused_count, strict=True))}, {status.alarm}'
            for robot, status in self.statuses.items()
        )

    def close(self) -> None:
        """Leave the network."""
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)
