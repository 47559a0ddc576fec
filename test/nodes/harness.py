"""Run nodes of a small fleet in this process, on a domain of their own, by simulated time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
import time
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from collab_robots.bringup import topics
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import CollabError
from collab_robots.explorer.fleets import make_fleet
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.poller import Poller
from collab_robots.nodes.spin import IDLE_S

PATIENCE = 20.0  # s of wall time until a test gives up


class Harness:
    """Nodes, a clock that the test moves, and what was published."""

    def __init__(self, folder: Path, robots: tuple[str, ...] = ('robot1', 'robot2')) -> None:
        self.folder = folder
        self.fleet = make_fleet(folder, robots, name='test')
        self.now_ns = 0
        self.nodes: list[Node] = []
        self._poller = Poller(self.nodes)  # the loop that robots run in
        self.probe = self.add(Node('probe'))
        self._clock = self.probe.create_publisher(Clock, topics.CLOCK, 10)

    def add(self, node: Node) -> Any:
        """Have a node served; one with a life cycle begins."""
        if isinstance(node, ManagedNode):
            try:
                node.begin()
            except CollabError:
                node.destroy_node()
                raise
        self.nodes.append(node)
        return node

    def options(self, robot: str, **values: Any) -> dict[str, Any]:
        """Node options of a robot whose radio is DDS."""
        rules = [f'{topic}:={fleet}' for topic, fleet in topics.direct_remappings()]
        parameters = {
            'name': robot,
            'fleet': str(self.folder / 'fleet.yaml'),
            'use_sim_time': True,
            **values,
        }
        return {
            'namespace': f'/{robot}',
            'cli_args': ['--ros-args', *(part for rule in rules for part in ('-r', rule))],
            'parameter_overrides': [Parameter(name, value=v) for name, v in parameters.items()],
        }

    def ledger_options(self, robot: str, **values: Any) -> dict[str, Any]:
        own = {
            'key': str(self.folder / robot / 'key'),
            'store': str(self.folder / robot / 'ledger.db'),
        }
        return self.options(robot, **{**own, **values})

    def listen(self, kind: type, topic: str, profile: Any = qos.STATUS) -> list[Any]:
        """Return a list that fills with what is published on a topic."""
        heard: list[Any] = []
        self.probe.create_subscription(kind, topic, heard.append, profile)
        return heard

    def wait(self, condition: Callable[[], Any], step: float = 0.05) -> Any:
        """Let simulated time go on at wall speed until the condition holds; return its value."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.now_ns += round(step * SECOND)
            self._clock.publish(Clock(clock=conversions.stamp_to_msg(self.now_ns)))
            until = time.monotonic() + min(step, 0.05)
            while time.monotonic() < until:
                self._poller.poll()
                time.sleep(IDLE_S)  # as spin.py does
            if value := condition():
                return value
        raise AssertionError(f'did not happen within {PATIENCE:.0f} s')

    def matched(self, publisher: Any, topic_count: int = 1) -> None:
        """Wait until a publisher has its subscribers."""
        self.wait(lambda: publisher.get_subscription_count() >= topic_count)

    def close(self) -> None:
        for node in reversed(self.nodes):
            node.destroy_node()


@contextmanager
def running(
    folder: Path, domain: int, robots: tuple[str, ...] = ('robot1', 'robot2')
) -> Iterator[Harness]:
    """Give a harness on a ROS domain."""
    rclpy.init(args=[], domain_id=domain)
    harness = Harness(folder, robots)
    try:
        yield harness
    finally:
        harness.close()
        rclpy.shutdown()
