"""
Spin nodes by asking each entity in turn, every few ms.

An executor builds a wait set from all entities of all nodes for each message that arrives. Asking
costs less, at the price of a few ms of delay; docs/adr/0004-poll-topics.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription

SERVICE_ROUNDS = 8  # services are asked in one of so many rounds: they are many, and seldom called
MAX_TAKEN = 50  # messages of one topic in one round, so that no topic keeps out the others


class Poller:
    """
    Serves subscriptions, timers and services; not clients, actions, or messages with their info.

    :param nodes: in the order in which they are served. One with a method ``each_round`` has it
        called in each round, for what does not come from ROS.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._round = 0

    def poll(self) -> None:
        """Call back for all that has arrived or is due."""
        self._round += 1
        for node in self._nodes:
            for subscription in node.subscriptions:
                self._take(subscription)
            for timer in node.timers:
                if timer.is_ready():
                    with timer.handle:
                        timer.handle.call_timer()
                    timer.callback()
            if not self._round % SERVICE_ROUNDS:
                for service in node.services:
                    self._serve(service)
            each_round = getattr(node, 'each_round', None)
            if each_round is not None:
                each_round()

    def _take(self, subscription: Subscription) -> None:
        handle, kind, raw = subscription.handle, subscription.msg_type, subscription.raw
        with handle:
            for _ in range(MAX_TAKEN):
                taken = handle.take_message(kind, raw)
                if taken is None:
                    break
                subscription.callback(taken[0])

    def _serve(self, service: Service) -> None:
        with service.handle:
            request, header = service.handle.service_take_request(service.srv_type.Request)
        if header is not None:
            response = service.callback(request, service.srv_type.Response())
            service.send_response(response, header)
