"""What was heard on a robot's topics for a while, as numbers; nodes/doctor.py listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Frames = tuple[str, str]
"""Names of a transform's two frames: parent and child."""


@dataclass
class Stream:
    """
    The messages of one topic.

    :param topic: its whole name.
    :param kind: the type it should have.
    :param kinds: the types that are published there, one for each publisher.
    :param arrivals: when each message came, s by the steady clock.
    :param ages: time from its stamp to its arrival, s by ROS' clock; negative: from the future.
    :param refused: why a message could not be used, the newest one's.
    """

    topic: str
    kind: str
    kinds: list[str] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    refused: str = ''

    @property
    def age(self) -> float:
        """Return the age of the message that was nearest to now when it arrived, s."""
        return min(self.ages, key=abs)

    def rate(self, until: float) -> float:
        """
        Return messages/s since the first one, which may have waited for its publisher.

        :param until: when nobody listened any more, s by the steady clock.
        """
        if len(self.arrivals) < 2:
            return 0.0
        return (len(self.arrivals) - 1) / (until - self.arrivals[0])


@dataclass(frozen=True)
class Said:
    """
    One status of a robot's ledger.

    :param fleet: id of its fleet, hex.
    :param age: from its stamp to its arrival, s.
    :param waiting: blocks whose parents are missing.
    :param pending: blocks that are not final.
    :param final: blocks that are.
    :param peers: robots it heard from lately.
    :param equivocators: robots that are proven to have signed two records with one number.
    :param alarm: empty when all is well.
    """

    fleet: str
    age: float
    waiting: int
    pending: int
    final: int
    peers: tuple[str, ...]
    equivocators: tuple[str, ...]
    alarm: str


@dataclass(frozen=True)
class Heard:
    """
    What the network said about one robot.

    :param domain: the ROS domain.
    :param seconds: how long was listened.
    :param until: the end of that, s by the steady clock.
    :param nodes: whole names of all nodes that are seen, but the listener's.
    :param states: of the robot's nodes that are there, by name; empty: it does not answer.
    :param scan: of the lidar.
    :param rays: of each scan, the share of rays that say something.
    :param image: of the camera.
    :param camera_info: that tells what its pixels mean.
    :param odometry: of the base.
    :param frames: of the newest odometry.
    :param transforms: of each, the age that was nearest to now when it arrived, s.
    :param said: of each robot of the fleet, what its ledger said.
    :param strangers: robots of other fleets, by the fleet's id, hex.
    :param ledgers: how many processes publish this robot's ledger status.
    :param vendors: who made the DDS of each robot, hex; empty without DDS.
    :param clock: whether ROS' clock goes; it does not without ``/clock`` in simulated time.
    """

    domain: int
    seconds: float
    until: float
    nodes: frozenset[str]
    states: Mapping[str, str]
    scan: Stream
    rays: list[float]
    image: Stream
    camera_info: Stream
    odometry: Stream
    frames: Frames | None
    transforms: Mapping[Frames, float]
    said: Mapping[str, list[Said]]
    strangers: Mapping[str, frozenset[str]]
    ledgers: int
    vendors: Mapping[str, str]
    clock: bool
