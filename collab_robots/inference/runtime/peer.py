"""A robot of a team: it has its own frames computed, and computes for others."""

from __future__ import annotations

from typing import NamedTuple

from collab_robots.inference.runtime.helper import Helper
from collab_robots.inference.runtime.messages import Offer, Reply, Work
from collab_robots.inference.runtime.requester import Requester

Message = Work | Reply | Offer


class Peer(NamedTuple):
    """
    Both ends of one robot, and which message goes to which.

    :param name: the robot.
    :param requester: None if it has no frames of its own.
    :param helper: None if it helps nobody.
    """

    name: str
    requester: Requester | None
    helper: Helper | None

    def receive(self, message: Message, now: int) -> None:
        """Take a message of another robot; one for somebody else is left alone. ``now`` in ns."""
        if isinstance(message, Offer):
            if self.requester is not None:
                self.requester.on_offer(message, now)
        elif message.target != self.name:
            return
        elif isinstance(message, Work):
            if self.helper is not None:
                self.helper.on_work(message, now)
        elif message.frame.robot != self.name:
            if self.helper is not None:
                self.helper.on_reply(message, now)
        elif self.requester is not None:
            self.requester.on_reply(message, now)

    def tick(self, now: int) -> None:
        """Do what is due, every few ms and when a worker is done; ``now`` in ns."""
        if self.requester is not None:
            self.requester.tick(now)
        if self.helper is not None:
            self.helper.tick(now)

    def offers(self) -> list[Offer]:
        """Return what to announce about once a second."""
        return self.helper.offers() if self.helper is not None else []
