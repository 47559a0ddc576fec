"""Between the messages about who is in the fleet and the views of the contract."""

from __future__ import annotations

from collections.abc import Iterable

from collab_robots.contract.calls.fleet import Capability, Change
from collab_robots.contract.views.roster import (
    Obstacle,
    PendingChange,
    Robot,
    Roster,
    Standing,
)
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.identity import address
from collab_robots.nodes import conversions
from collab_robots_msgs.msg import Roster as RosterMsg
from collab_robots_msgs.msg import RosterRobot, RosterVote

STANDINGS = {
    RosterRobot.ACTIVE: Standing.ACTIVE,
    RosterRobot.EXPELLED: Standing.EXPELLED,
    RosterRobot.LEFT: Standing.LEFT,
}


def roster_to_msg(
    robot: str, fleet: bytes, roster: Roster, pending: Iterable[PendingChange], time_ns: int
) -> RosterMsg:
    """
    Return who is in the fleet and what is being voted on.

    :param robot: whose ledger says so.
    :param fleet: id.
    """
    numbers = {standing: number for number, standing in STANDINGS.items()}
    return RosterMsg(
        header=conversions.header('map', time_ns),
        robot=robot,
        fleet=conversions.digest_to_msg(fleet),
        epoch=roster.epoch,
        robots=[
            RosterRobot(
                name=one.name,
                public_key=conversions.digest_to_msg(one.key),
                weight=one.weight,
                standing=numbers[one.standing],
                revision=one.revision,
                generation=one.generation,
                signer=one.signer,
                capabilities=int(one.capabilities),
            )
            for one in roster.robots
        ],
        votes=[
            RosterVote(
                id=conversions.digest_to_msg(item.id),
                kind=item.change.kind,
                index=item.change.robot,
                revision=item.change.revision,
                weight=item.change.weight,
                public_key=conversions.digest_to_msg(item.change.key),
                name=conversions.digest_to_msg(item.change.name),
                voters=list(item.voters),
                voted=item.weight,
                needed=item.needed,
                obstacle=int(item.obstacle),
            )
            for item in pending
        ],
    )


def roster_from_msg(msg: RosterMsg) -> tuple[Roster, tuple[PendingChange, ...]]:
    """
    Return who is in the fleet and what is being voted on.

    :raises RefusedError: if a standing or an obstacle is none that we know.
    """
    robots, pending = [], []
    try:
        for index, one in enumerate(msg.robots):
            key = bytes(one.public_key)
            robots.append(
                Robot(
                    index,
                    one.name,
                    address(key),
                    key,
                    int(one.weight),
                    STANDINGS[one.standing],
                    int(one.revision),
                    int(one.generation),
                    bytes(one.signer),
                    Capability(one.capabilities),
                )
            )
        for vote in msg.votes:
            numbers = map(int, (vote.kind, vote.index, vote.revision, vote.weight))
            pending.append(
                PendingChange(
                    bytes(vote.id),
                    Change(*numbers, bytes(vote.public_key), bytes(vote.name)),
                    tuple(vote.voters),
                    int(vote.voted),
                    int(vote.needed),
                    Obstacle(vote.obstacle),
                )
            )
    except (KeyError, ValueError) as error:
        raise RefusedError(Refusal.MALFORMED, f'roster: {error}') from None
    return Roster(int(msg.epoch), tuple(robots)), tuple(pending)
