"""Between the messages about who is in the fleet and the views of the contract."""

from __future__ import annotations

from collections.abc import Iterable

from collab_robots.contract.calls.fleet import Capability, Change, ChangeKind
from collab_robots.contract.views.roster import (
    about,
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

    :raises RefusedError: if a standing, a change or an obstacle is none that we know.
    """
    robots: list[Robot] = []
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
        roster = Roster(int(msg.epoch), tuple(robots))
        return roster, tuple(_pending_from_msg(vote, roster) for vote in msg.votes)
    except (LookupError, ValueError) as error:
        raise RefusedError(Refusal.MALFORMED, f'roster: {error!r}') from None


def _pending_from_msg(msg: RosterVote, roster: Roster) -> PendingChange:
    numbers = map(int, (ChangeKind(msg.kind), msg.index, msg.revision, msg.weight))
    change = Change(*numbers, bytes(msg.public_key), bytes(msg.name))
    return PendingChange(
        bytes(msg.id),
        change,
        about(change, roster),
        tuple(msg.voters),
        int(msg.voted),
        int(msg.needed),
        Obstacle(msg.obstacle),
    )
