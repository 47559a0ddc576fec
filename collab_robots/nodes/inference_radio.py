"""What robots say about frames, on topics: in the field one for each receiver."""

from __future__ import annotations

from collections.abc import Callable
import re

from collab_robots.bringup import topics
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import ROBOT_NAME
from collab_robots.core.uplink import Traffic
from collab_robots.inference.runtime.messages import Reply, Work
from collab_robots.inference.runtime.peer import Message
from collab_robots.nodes import inference_conversions as conversions
from collab_robots.nodes import qos
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.uplink import Outlet, Outlets
from collab_robots_msgs.msg import InferenceOffer, InferenceReply, TensorChunk

MAX_RECEIVERS = 64  # with a topic of their own at a time


class InferenceRadio:
    """
    Sends and hears work, replies and offers.

    The simulated radio carries what is on a robot's one topic to all who hear it. Where DDS is the
    radio it would send each message to every robot in turn, so there each receiver has a topic.

    :param node: gives publishers and subscriptions, and counts what is refused.
    :param outlets: of the node.
    :param name: this robot.
    :param receive: gets what is for this robot, and all offers of others.
    """

    def __init__(
        self,
        node: ManagedNode,
        outlets: Outlets,
        name: str,
        receive: Callable[[Message], None],
    ) -> None:
        self._node = node
        self._name = name
        self._receive = receive
        self._outlets = outlets
        self._own: dict[str, Outlet] = {}
        node.at_cleanup(self._close)
        self._offers = outlets.open(Traffic.ANSWERS, InferenceOffer, topics.sent('offer'))
        for kind, message, callback in (
            ('work', TensorChunk, self._on_work),
            ('reply', InferenceReply, self._on_reply),
        ):
            topic = self._topic(topics.heard(kind), kind, name)
            node.listen(message, topic, callback, qos.RADIO)
        heard = topics.heard('offer')
        node.listen(InferenceOffer, heard, self._on_offer, qos.RADIO)

    def send(self, message: Message) -> None:
        """Hand a message to the network."""
        if isinstance(message, Work):
            outlet = self._outlet(Traffic.TENSORS, 'work', TensorChunk, message.target)
            outlet.publish(conversions.work_to_msg(message))
        elif isinstance(message, Reply):
            outlet = self._outlet(Traffic.ANSWERS, 'reply', InferenceReply, message.target)
            outlet.publish(conversions.reply_to_msg(message))
        else:
            self._offers.publish(conversions.offer_to_msg(message))

    def _close(self) -> None:
        for outlet in self._own.values():
            outlet.close()

    def _topic(self, topic: str, kind: str, receiver: str) -> str:
        """Return a receiver's topic where DDS is the radio, else the topic itself."""
        resolve = self._node.resolve_topic_name
        if resolve(topics.sent(kind)) != resolve(topics.heard(kind)):
            return topic
        return f'{resolve(topic)}/{receiver}'

    def _outlet(self, traffic: Traffic, kind: str, message: type, receiver: str) -> Outlet:
        topic = self._topic(topics.sent(kind), kind, receiver)
        outlet = self._own.pop(topic, None)
        if outlet is None:
            publisher = self._node.create_publisher(message, topic, qos.RADIO)
            outlet = self._outlets.over(traffic, publisher)
        self._own[topic] = outlet  # the last used is the last to go
        if len(self._own) > 2 * MAX_RECEIVERS:
            self._own.pop(next(iter(self._own))).close()
        return outlet

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
