"""
Puts a vote to the robots of a running fleet, and hears what they say of the fleet.

It takes no part in the ledger: it publishes on the robots' call topics, as their own nodes do, so
it can do what whoever may publish there can.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
import time

from rclpy.publisher import Publisher

from collab_robots.bringup import topics
from collab_robots.contract.ballot import Answer, Ballot
from collab_robots.core.errors import RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.nodes import qos
from collab_robots.nodes.outsider import Outsider
from collab_robots.nodes.roster_conversions import roster_from_msg
from collab_robots.nodes.spin import IDLE_S
from collab_robots_msgs.msg import Call, Roster

LATE_S = 3.0  # s for those that have not answered when it is decided; they do twice a second

Tell = Callable[[str], None]


class FleetControl:
    """
    A ROS node that asks robots, until closed.

    :param fleet: as its fleet file has it.
    :param domain: the fleet's ROS domain.
    :param take: called with each robot's answers as they come.
    """

    def __init__(self, fleet: Fleet, domain: int, take: Callable[[str, Answer], None]) -> None:
        self._fleet = fleet
        self._take = take
        self._calls: dict[str, Publisher] = {}
        self.strangers: set[str] = set()
        """Robots with a name of ours that are of another fleet, or say what is malformed."""
        self._ros = Outsider('fleet_control', domain)
        for robot in fleet.founders:
            self.hear(robot.name)

    def close(self) -> None:
        """Leave the network."""
        self._ros.close()

    def hear(self, robot: str) -> None:
        """Listen to a robot from now on."""
        if robot not in self._calls:
            self._calls[robot] = self._ros.node.create_publisher(
                Call, f'/{robot}/{topics.CALL}', qos.CALLS
            )
            self._ros.node.create_subscription(
                Roster, f'/{robot}/{topics.ROSTER}', partial(self._on_roster, robot), qos.STATUS
            )

    def send(self, robot: str, call: bytes) -> bool:
        """Give a robot a contract call to put on the ledger; tell whether it listens."""
        publisher = self._calls[robot]
        if not publisher.get_subscription_count():
            return False
        publisher.publish(Call(data=call))
        return True

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Take answers until something holds; tell whether it does in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._ros.poll()
            time.sleep(IDLE_S)  # the poller asks; nothing wakes it
        return True

    def _on_roster(self, robot: str, message: Roster) -> None:
        try:
            roster, pending = roster_from_msg(message)
        except RefusedError:
            self.strangers.add(robot)
            return
        if bytes(message.fleet) != self._fleet.id:
            self.strangers.add(robot)
            return
        for one in roster.active:
            self.hear(one.name)
        self._take(robot, Answer(roster, pending))


def put_to_vote(ballot: Ballot, fleet: Fleet, domain: int, seconds: float, tell: Tell) -> set[str]:
    """
    Ask all robots that answer for their vote, until it is decided or the time is over.

    :param ballot: says afterwards how it stands.
    :param tell: is told in words how it goes.
    :returns: robots that answered for another fleet.
    :raises ConfigError: if the wish cannot come true.
    """
    with closing(FleetControl(fleet, domain, ballot.take)) as control:

        def look() -> bool:
            for robot, call in ballot.calls():
                if control.send(robot, call):
                    ballot.note_asked(robot, call)
            tell('; '.join(ballot.explain()) or 'done')
            return ballot.is_done

        if control.wait(look, seconds):
            control.wait(lambda: not ballot.silent, LATE_S)
        return control.strangers
