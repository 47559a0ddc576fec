"""What robots say about frames, on topics: paced, and in the field a topic for each receiver."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
import re
import time
from typing import Any

from collab_robots.bringup import topics
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import ROBOT_NAME
from collab_robots.inference.runtime.messages import Reply, Work
from collab_robots.inference.runtime.peer import Message
from collab_robots.nodes import inference_conversions as conversions
from collab_robots.nodes import qos
from collab_robots.nodes.managed import ManagedNode
from collab_robots_msgs.msg import InferenceOffer, InferenceReply, TensorChunk

BURST_S = 0.05  # of the send rate, that may go out at once
MAX_WAITING = 1024  # chunks for their turn; then the oldest is lost, as on the air
MAX_RECEIVERS = 64  # with a topic of their own at a time


class InferenceRadio:
    """
    Sends and hears work, replies and offers.

    The simulated radio carries what is on a robot's one topic to all who hear it. Where DDS is the
    radio it would send each message to every robot in turn, so there each receiver has a topic.

    :param node: gives publishers and subscriptions, and counts what is refused.
    :param name: this robot.
    :param receive: gets what is for this robot, and all offers of others.
    :param send_rate: bytes/s of work that is sent at most; 0: no limit.
    """

    def __init__(
        self,
        node: ManagedNode,
        name: str,
        receive: Callable[[Message], None],
        send_rate: float,
    ) -> None:
        self._node = node
        self._name = name
        self._receive = receive
        self._rate = send_rate
        self._outgoing: deque[Work] = deque(maxlen=MAX_WAITING)
        self._credit = 0.0  # bytes
        self._paced_ns = time.monotonic_ns()
        self._publishers: dict[str, Any] = {}
        node.at_cleanup(self._close)
        self._offers = node.tell(InferenceOffer, topics.sent('offer'), qos.RADIO)
        for kind, message, callback in (
            ('work', TensorChunk, self._on_work),
            ('reply', InferenceReply, self._on_reply),
        ):
            topic = self._own(topics.heard(kind), kind, name)
            node.listen(message, topic, callback, qos.RADIO)
        heard = topics.heard('offer')
        node.listen(InferenceOffer, heard, self._on_offer, qos.RADIO)

    def send(self, message: Message) -> None:
        """Hand a message to the network; work waits for its turn."""
        if isinstance(message, Work):
            self._outgoing.append(message)
            self.send_due(time.monotonic_ns())
        elif isinstance(message, Reply):
            self._publisher('reply', InferenceReply, message.target).publish(
                conversions.reply_to_msg(message)
            )
        else:
            self._offers.publish(conversions.offer_to_msg(message))

    def send_due(self, now: int) -> None:
        """Send as much work as the rate lets pass; ``now`` in ns."""
        earned = self._rate * (now - self._paced_ns) / SECOND
        self._credit = min(self._credit + earned, self._rate * BURST_S)
        self._paced_ns = now
        while self._outgoing and (self._credit > 0 or not self._rate):
            work = self._outgoing.popleft()
            self._credit -= len(work.data)
            self._publisher('work', TensorChunk, work.target).publish(
                conversions.work_to_msg(work)
            )

    def _close(self) -> None:
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def _own(self, topic: str, kind: str, receiver: str) -> str:
        """Return a receiver's topic where DDS is the radio, else the topic itself."""
        resolve = self._node.resolve_topic_name
        if resolve(topics.sent(kind)) != resolve(topics.heard(kind)):
            return topic
        return f'{resolve(topic)}/{receiver}'

    def _publisher(self, kind: str, message: type, receiver: str) -> Any:
        topic = self._own(topics.sent(kind), kind, receiver)
        publisher = self._publishers.pop(topic, None)
        if publisher is None:
            publisher = self._node.create_publisher(message, topic, qos.RADIO)
        self._publishers[topic] = publisher  # the last used is the last to go
        if len(self._publishers) > 2 * MAX_RECEIVERS:
            self._node.destroy_publisher(self._publishers.pop(next(iter(self._publishers))))
        return publisher

    def _on_work(self, message: TensorChunk) -> None:
        if list(message.route[:1]) == [self._name]:
            _check_names(message.sender, message.robot, *message.route)
            self._receive(conversions.work_from_msg(message))

    def _on_reply(self, message: InferenceReply) -> None:
        if message.target == self._name:
            self._receive(conversions.reply_from_msg(message))

    def _on_offer(self, message: InferenceOffer) -> None:
        if message.sender != self._name:
            _check_names(message.sender)
            self._receive(conversions.offer_from_msg(message))


def _check_names(*names: str) -> None:
    """Refuse who cannot be replied to: a receiver's name is part of a topic."""
    for name in names:
        if not re.match(ROBOT_NAME, name):
            raise RefusedError(Refusal.MALFORMED, f'no name of a robot: {name!r:.40}')
