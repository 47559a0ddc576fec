"""Calls of the contract Tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eth_utils.crypto import keccak

from collab_robots.contract.artifact import CODEC
from collab_robots.contract.calls import common
from collab_robots.contract.calls.common import encode, KEY_BYTES, Kind
from collab_robots.core.errors import CallError

CELL = 1.0  # m; the edge of the cells that name tasks
REGION = 3.2  # m; the edge of the regions that are verified: a map tile
MAX_BATCH = 32  # Tasks.MAX_BATCH
SALT_BYTES = 32

CALLS: Mapping[str, str] = {
    'propose': 'propose {kind:kind} ({x}, {y}) round {round}',
    'bid': 'bid {cost:m} on {key:task}',
    'bidSealed': 'make a sealed bid on {key:task}',
    'reveal': 'reveal a bid of {cost:m} on {key:task}',
    'award': 'award {key:task} to {robot}',
    'awardBatch': 'award {batch:count} tasks',
    'renew': 'renew {key:task}',
    'release': 'release {key:task}',
    'reassign': 'pass {key:task} on to {robot}',
    'complete': 'complete {key:task}',
}
ERRORS: Mapping[str, str] = {
    'UnknownKind': 'there is no task kind {kind}',
    'NoSuchRegion': 'there is no region ({x}, {y}) round {round} to verify',
    'DeadlineOver': 'the deadline {deadline} s is not in the future',
    'UnknownTask': 'it neither proposed nor bid on {key:task}',
    'NotABidder': '{robot} has not bid on {key:task}',
    'LeaseRuns': 'it awarded {key:task} to {robot} itself, until {until} s',
    'TooEarly': '{key:task} is not to be awarded before {from} s',
    'ToItself': 'it would pass {key:task} on to itself',
    'NoCommitment': 'it has no sealed bid on {key:task}',
    'WrongReveal': 'what it reveals for {key:task} is not what it sealed',
    'BadBatch': '{count} tasks in one call, at least 1 and at most {most}',
    'NotAscending': '{key:task} is not in ascending order',
}
EVENTS: Mapping[str, str] = {
    'Proposed': '',
    'Bid': '',
    'BidSealed': '',
    'Revealed': '',
    'Awarded': '',
    'Renewed': '',
    'Released': '',
    'Completed': '',
    'Superseded': '{loser} is superseded by {winner} on {key:task}',
}


class Terms(NamedTuple):
    """
    What a task asks for; the terms of several proposals join.

    :param priority: 0 to 255; the highest is assigned first.
    :param deadline: s; 0 for none. The earliest counts.
    :param capabilities: bits, as in ``Fleet.setCapabilities``; all are needed.
    :param sealed_bids: if any proposal says so.
    """

    priority: int = 0
    deadline: int = 0
    capabilities: int = 0
    sealed_bids: bool = False


class Identity(NamedTuple):
    """
    What a key says.

    :param x: of a cell of the map grid; to verify: of a region.
    :param y: likewise.
    :param round: how often this task was done or missed before.
    """

    kind: Kind
    x: int
    y: int
    round: int


NO_TERMS = Terms()


def propose(kind: Kind, cell_x: int, cell_y: int, round_: int, terms: Terms = NO_TERMS) -> bytes:
    """
    Encode: there is something to do at a cell.

    :param round_: how often this cell's task was done or missed before.
    :raises CallError: if a value is out of range, as for every call below.
    """
    return encode('propose', common.kind(kind), cell_x, cell_y, round_, terms)


def bid(key: bytes, cost_mm: int) -> bytes:
    """Encode: the sender would do the task at this path cost, mm."""
    return encode('bid', _known(key), cost_mm)


def bid_sealed(key: bytes, commitment: bytes) -> bytes:
    """Encode: the sender would do the task, at a cost that :func:`commitment_of` seals."""
    return encode('bidSealed', _known(key), common.digest(commitment))


def reveal(key: bytes, cost_mm: int, salt: bytes) -> bytes:
    """Encode: what the sender had sealed."""
    return encode('reveal', common.key(key), cost_mm, common.fixed('salt', salt, SALT_BYTES))


def award(key: bytes, robot: bytes, proposed_at: int) -> bytes:
    """
    Encode: the robot with this address (20 bytes) won the task.

    :param proposed_at: when the sender saw it proposed first (to verify: disputed), s.
    """
    return encode('award', common.key(key), common.robot(robot), proposed_at)


def award_batch(awards: Sequence[tuple[bytes, bytes, int]]) -> bytes:
    """Encode: several awards at once, 1 to MAX_BATCH of (key, robot, proposed_at)."""
    common.batch('awards', awards, MAX_BATCH)
    return encode('awardBatch', [(common.key(k), common.robot(r), at) for k, r, at in awards])


def renew(key: bytes) -> bytes:
    """Encode: the sender still works on the task."""
    return encode('renew', common.key(key))


def release(key: bytes) -> bytes:
    """Encode: the sender gives the task back, or takes its bid back."""
    return encode('release', common.key(key))


def reassign(key: bytes, robot: bytes) -> bytes:
    """Encode: the sender passes its lease on to another bidder."""
    return encode('reassign', common.key(key), common.robot(robot))


def complete(key: bytes) -> bytes:
    """Encode: the sender has done the task."""
    return encode('complete', common.key(key))


def commitment_of(key: bytes, robot: bytes, cost_mm: int, salt: bytes) -> bytes:
    """
    Return what seals a bid, 32 bytes.

    :param robot: address of who bids.
    :param salt: 32 random bytes, to be kept until the bid is revealed.
    """
    common.fixed('salt', salt, SALT_BYTES)
    values = (common.key(key), common.robot(robot), cost_mm, salt)
    return keccak(CODEC.encode(('bytes32', 'address', 'uint32', 'bytes32'), values))


def task_key(kind: Kind, x: int, y: int, round_: int) -> bytes:
    """
    Return what names a task on every robot: its identity, 32 bits each, as Tasks.taskKey does.

    :raises CallError: if a value is out of range.
    """
    fields = (
        common.within('kind', kind, 1, max(Kind)).to_bytes(4, 'big'),
        common.within('x', x, -(1 << 31), (1 << 31) - 1).to_bytes(4, 'big', signed=True),
        common.within('y', y, -(1 << 31), (1 << 31) - 1).to_bytes(4, 'big', signed=True),
        common.within('round', round_, 0, (1 << 32) - 1).to_bytes(4, 'big'),
    )
    return b''.join(fields).rjust(KEY_BYTES, b'\0')


def identity_of(key: bytes) -> Identity:
    """
    Return what a key says.

    :raises CallError: if it is none.
    """
    number = int.from_bytes(common.key(key), 'big')
    kind = common.kind(number >> 96)
    return Identity(Kind(kind), _signed(number >> 64), _signed(number >> 32), number & _LOW)


def task_words(key: bytes) -> str:
    """Name a task for people, whatever the bytes are."""
    try:
        kind, x, y, round_ = identity_of(key)
    except CallError:
        return f'0x{key[:4].hex()}'
    return f'{kind.name.lower()} ({x}, {y}) round {round_}'


_LOW = (1 << 32) - 1


def _signed(number: int) -> int:
    return ((number & _LOW) ^ (1 << 31)) - (1 << 31)


def _known(key: bytes) -> bytes:
    """Return a key that is one."""
    identity_of(key)
    return key
