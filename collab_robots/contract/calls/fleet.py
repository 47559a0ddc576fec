"""Calls of the contract Fleet: votes, and what a robot says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
import re
from typing import NamedTuple

from eth_utils.crypto import keccak

from collab_robots.contract.artifact import SELECTOR_BYTES
from collab_robots.contract.calls import common
from collab_robots.contract.calls.common import encode
from collab_robots.core.errors import CallError
from collab_robots.core.fleet import MAX_ROBOTS, ROBOT_NAME
from collab_robots.core.identity import ADDRESS_BYTES, PUBLIC_KEY_BYTES

MAX_WEIGHT = 1_000_000  # Fleet.MAX_WEIGHT
MAX_VOTES = 4  # Fleet.MAX_VOTES: how many open ones a robot may have
ID_BYTES = 32
SIGNATURE_BYTES = 65
_NAME_BYTES = 32

_CHANGE = (  # Fleet.Kind
    '{change[0]:|for nothing|to let {change[5]:text} join with weight {change[3]}'
    '|that robot {change[1]} leaves|that robot {change[1]} has another key'
    '|that robot {change[1]} has weight {change[3]}|that robot {change[1]} is reinstated}'
)

CALLS: Mapping[str, str] = {
    'vote': f'vote {_CHANGE}',
    'withdraw': 'withdraw the vote for {id}',
    'setCapabilities': 'can do {mask:robots}',
    'registerSigner': 'sign anchors as {signer_}',
    'signAnchor': 'sign the anchor of height {signed[0]}',
    'closeEpoch': 'close the epoch, convicted: {convicted:robots}',
}
ERRORS: Mapping[str, str] = {
    'BadRoster': 'a roster of {robots} robots and {weights} weights',
    'BadGenesisWeight': '{robot} cannot have weight {weight}',
    'MemberTwice': '{robot} is in the roster twice',
    'NotMember': '{robot} is not in the fleet',
    'Expelled': '{robot} is expelled',
    'NotSystem': '{sender} cannot close epochs, only the ledger can',
    'CannotApply': (  # Fleet.Obstacle
        'the change cannot be made: {obstacle:|there is no obstacle|it is malformed'
        '|there is no such weight|there is no such name|the name is taken|the key is or was in use'
        '|the fleet is full|there is no such robot|the robot has changed|it is not expelled'
        '|nobody would be left}'
    ),
    'VotedAlready': '{sender} votes for {id} already',
    'TooManyVotes': '{sender} votes for {most} other changes',
    'NoOpenVote': '{sender} has no open vote for {id}',
}
EVENTS: Mapping[str, str] = {
    'Voted': '',
    'Withdrawn': '',
    'Applied': '{id} is applied in epoch {epoch}',
    'RobotChanged': '',
    'Expulsion': '{robot} is expelled',
    'EpochBegan': 'epoch {epoch} begins',
    'CapabilitiesSet': '',
    'SignerRegistered': '',
    'AnchorSigned': '',
}


class ChangeKind(IntEnum):
    """What a vote is about; the numbers are those of the contract."""

    JOIN = 1
    LEAVE = 2
    REKEY = 3
    REWEIGH = 4
    REINSTATE = 5


class Capability(IntFlag):
    """What a robot can do."""

    DRIVE = 1
    LIDAR = 2
    CAMERA = 4
    INFERENCE = 8


class Change(NamedTuple):
    """
    A change of the roster that can be voted for; use the functions below to make one.

    :param robot: roster index.
    :param revision: how often the robot's entry has changed: a vote is about the robot as it is.
    :param key: Ed25519.
    :param name: ASCII with zeros at the end.
    """

    kind: int
    robot: int = 0
    revision: int = 0
    weight: int = 0
    key: bytes = bytes(PUBLIC_KEY_BYTES)
    name: bytes = bytes(_NAME_BYTES)


def join(name: str, key: bytes, weight: int = 1) -> Change:
    """
    Return the change: a robot joins. It gets the next index.

    :param name: as in the fleet file.
    :param key: its Ed25519 public key, 32 bytes.
    :raises CallError: if a value is out of range, as for every function below.
    """
    if not re.fullmatch(ROBOT_NAME, name):
        raise CallError(f'name: expected {ROBOT_NAME}, got {name!r:.50}')
    return Change(
        ChangeKind.JOIN,
        weight=_weight(weight),
        key=_key(key),
        name=name.encode('ascii').ljust(_NAME_BYTES, b'\0'),
    )


def leave(robot: int, revision: int) -> Change:
    """Return the change: the robot with this index leaves, for ever."""
    return Change(ChangeKind.LEAVE, *_robot(robot, revision))


def rekey(robot: int, revision: int, key: bytes) -> Change:
    """Return the change: a robot goes on with another key."""
    return Change(ChangeKind.REKEY, *_robot(robot, revision), key=_key(key))


def reweigh(robot: int, revision: int, weight: int) -> Change:
    """Return the change: a robot's votes weigh more or less."""
    return Change(ChangeKind.REWEIGH, *_robot(robot, revision), weight=_weight(weight))


def reinstate(robot: int, revision: int) -> Change:
    """Return the change: an expelled robot may speak again; what it said before stays void."""
    return Change(ChangeKind.REINSTATE, *_robot(robot, revision))


def change_id(change: Change) -> bytes:
    """Return what names a change on every robot, 32 bytes."""
    return keccak(vote(change)[SELECTOR_BYTES:])


def vote(change: Change) -> bytes:
    """Encode: the sender is for this change."""
    return encode('vote', change)


def withdraw(change: bytes) -> bytes:
    """Encode: the sender takes back its vote for the change with this id."""
    return encode('withdraw', common.fixed('id', change, ID_BYTES))


def set_capabilities(capabilities: Capability) -> bytes:
    """Encode: what the sender can do."""
    return encode('setCapabilities', int(capabilities))


def register_signer(address: bytes) -> bytes:
    """Encode: the sender signs anchors as this secp256k1 address (20 bytes); zeros for none."""
    return encode('registerSigner', common.fixed('address', address, ADDRESS_BYTES))


def sign_anchor(height: int, signature: bytes) -> bytes:
    """
    Encode: the sender signed the anchor of a height.

    :param height: 0 for none.
    :param signature: r, s and v.
    """
    common.fixed('signature', signature, SIGNATURE_BYTES)
    return encode('signAnchor', (height, signature[64], signature[:32], signature[32:64]))


def _robot(index: int, revision: int) -> tuple[int, int]:
    return common.within('robot', index, 0, MAX_ROBOTS - 1), revision


def _weight(weight: int) -> int:
    return common.within('weight', weight, 1, MAX_WEIGHT)


def _key(key: bytes) -> bytes:
    if not any(common.fixed('key', key, PUBLIC_KEY_BYTES)):
        raise CallError('the key is all zeros')
    return key
