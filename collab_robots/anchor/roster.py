"""Who may sign anchors: the robots of the fleet, as the ledger or a person says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from collab_robots.anchor.signatures import Address, unhex
from collab_robots.anchor.statement import Signers
from collab_robots.contract.deployment import Deployment
from collab_robots.core.config import load_yaml, Strict
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import ADDRESS_BYTES

NOBODY = bytes(ADDRESS_BYTES)


class Robot(NamedTuple):
    """
    One robot of a roster.

    :param address: that the fleet's own contracts see, 20 bytes.
    :param signer: of its key for anchors, 20 bytes; :data:`NOBODY` if it has not said it.
    """

    name: str
    address: bytes
    weight: int
    signer: bytes


class SignersFile(Strict):
    """Addresses of the robots' keys for anchors, by the robots' names; YAML."""

    signers: dict[str, Address]


def roster_on_ledger(deployment: Deployment, fleet: Fleet) -> tuple[Robot, ...]:
    """
    Return the members that count now, as the contract ``Fleet`` has them.

    What each says of itself it signed in a record, so nobody has to vouch for it.
    """
    weights, _ = deployment.ask('Fleet', 'weights')
    _, robots = deployment.ask('Fleet', 'roster')
    found = []
    for weight, (address, _, _, _, signer, _, _, name) in zip(weights, robots, strict=True):
        known = fleet.name_by_address.get(address) or name.rstrip(b'\0').decode('ascii', 'replace')
        if weight:
            found.append(Robot(known, address, weight, signer))
    return tuple(found)


def signed_on_ledger(
    deployment: Deployment, robots: Sequence[Robot]
) -> dict[str, tuple[int, bytes]]:
    """
    Return the newest height that each robot signed by itself, and its signature.

    Nothing has checked the signatures yet.

    :param robots: who counts.
    """
    _, entries = deployment.ask('Fleet', 'roster')
    (signed,) = deployment.ask('Fleet', 'anchorsSigned')
    by_address = {entry[0]: one for entry, one in zip(entries, signed, strict=True)}
    found = {robot.name: by_address[robot.address] for robot in robots}
    return {
        name: (height, r + s + bytes([v])) for name, (height, v, r, s) in found.items() if height
    }


def roster_in_file(path: Path, fleet: Fleet) -> tuple[Robot, ...]:
    """
    Return the members of the fleet file, with the addresses that a person wrote down.

    :raises ConfigError: if it is missing or malformed, or names robots that there are not.
    """
    signers = load_yaml(path, SignersFile).signers
    for name in signers:
        fleet.index_of(name)
    return tuple(
        Robot(
            robot.name, robot.address, robot.weight, unhex(signers.get(robot.name, NOBODY.hex()))
        )
        for robot in fleet.robots
    )


def signers_of(fleet: bytes, height: int, robots: Sequence[Robot]) -> Signers:
    """
    Return who may sign.

    Should several robots name one address, it counts once, with the greatest weight: a robot that
    names another's address gains nothing, and takes nothing from the other.

    :param fleet: id.
    :param height: of the roster.
    """
    weights: dict[bytes, int] = {}
    for robot in robots:
        if robot.signer != NOBODY:
            weights[robot.signer] = max(robot.weight, weights.get(robot.signer, 0))
    total = sum(robot.weight for robot in robots)
    return Signers(fleet, height, total, tuple(sorted(weights.items())))


def check_signers(signers: Signers, robots: Sequence[Robot]) -> None:
    """
    See to it that the signers of a roster can ever be enough.

    :raises ConfigError: if they are less than two thirds of the weight.
    """
    weight = sum(weight for _, weight in signers.weights)
    if not signers.reaches(weight):
        silent = ', '.join(robot.name for robot in robots if robot.signer == NOBODY)
        raise ConfigError(
            f'signers have weight {weight} of {signers.total}, two thirds are needed; '
            f'no address is known of {silent or "any other"}'
        )
