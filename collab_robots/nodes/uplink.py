"""
Topics to teammates, within what a robot's process may send (:mod:`collab_robots.core.uplink`).

Where DDS is the radio, a message goes to each teammate's process in turn: so often it counts. What
DDS says for itself does not count, nor what goes over a TIP-25 node.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.publisher import Publisher
from rclpy.serialization import serialize_message

from collab_robots.core.clock import SECOND, SteadyClock
from collab_robots.core.uplink import Traffic, Uplink
from collab_robots.nodes import qos
from collab_robots.nodes.diagnostics import Health, OK, WARN
from collab_robots.nodes.managed import ManagedNode

SEND_S = 0.005  # between two looks at what is due
HEADER_BYTES = 174  # that a message takes beside its own: Ethernet, IP, UDP and RTPS, measured
PACKET_BYTES, PACKET_HEADER = 1_480, 34  # of each further IP packet of it, and its Ethernet and IP
COUNT_NS = SECOND  # between two looks at who listens
GUID_PREFIX = 12  # bytes of an endpoint's GUID that name its process (RTPS 8.2.4.1)


class Outlet:
    """
    A topic to teammates.

    :param node: whose.
    :param uplink: what the process may send.
    :param traffic: what kind of it this is.
    :param publisher: of the topic; it goes with the outlet.
    """

    def __init__(
        self, node: ManagedNode, uplink: Uplink, traffic: Traffic, publisher: Publisher
    ) -> None:
        self._publisher = publisher
        self._node = node
        self._uplink = uplink
        self._traffic = traffic
        self._clock = SteadyClock()
        self._receivers = 0
        self._count_at = 0
        self._open = True

    def publish(self, message: Any, about: Hashable = None) -> None:
        """
        Publish now, later or never.

        :param about: takes the place of a message about the same that waits; None: of none.
        """
        raw = serialize_message(message)

        def go() -> None:
            if self._open:
                self._publisher.publish(raw)

        size = len(raw) + HEADER_BYTES + len(raw) // PACKET_BYTES * PACKET_HEADER
        self._uplink.send(self._traffic, size * self._count(), go, about)

    def close(self) -> None:
        """Destroy the publisher, and let nothing go any more."""
        self._open = False
        self._node.destroy_publisher(self._publisher)

    def _count(self) -> int:
        """Return how many processes of others listen."""
        now = self._clock.now_ns()
        if now >= self._count_at:
            self._count_at = now + COUNT_NS
            own = self._node.get_namespace()
            self._receivers = len(
                {
                    bytes(reader.endpoint_gid[:GUID_PREFIX])
                    for reader in self._node.get_subscriptions_info_by_topic(
                        self._publisher.topic_name
                    )
                    if reader.node_namespace != own
                }
            )
        return self._receivers


class Outlets:
    """
    A node's topics to teammates.

    :param node: whose; it is being configured.
    :param uplink: of its process; None: one of its own.
    :param rate: bytes/s that the process may send; 0: no limit.
    """

    def __init__(self, node: ManagedNode, uplink: Uplink | None, rate: float) -> None:
        self.uplink = uplink or Uplink(SteadyClock())
        self._node = node
        self._lost = 0
        self.uplink.limit(rate)
        node.every(SEND_S, self.uplink.send_due, Clock(clock_type=ClockType.STEADY_TIME))

    def open(self, traffic: Traffic, kind: type, topic: str) -> Outlet:
        """Return a topic that is there until the node is cleaned up."""
        outlet = self.over(traffic, self._node.tell(kind, topic, qos.RADIO))
        self._node.at_cleanup(outlet.close)
        return outlet

    def over(self, traffic: Traffic, publisher: Publisher) -> Outlet:
        """Return a topic that is there until it is closed."""
        return Outlet(self._node, self.uplink, traffic, publisher)

    def health(self) -> Health:
        """Return what has gone so far, and whether something was lost since the last time."""
        uplink = self.uplink
        lost, self._lost = uplink.lost.total() - self._lost, uplink.lost.total()
        counts = {'sent_bytes': uplink.sent, 'waiting_bytes': uplink.waiting, 'lost': uplink.lost}
        values = {
            f'{kind.name.lower()}_{what}': count[kind]
            for kind in Traffic
            for what, count in counts.items()
        }
        if lost:
            return Health(WARN, f'{lost} messages had no room: see parameter uplink', values)
        return Health(OK, 'all fits', values)
