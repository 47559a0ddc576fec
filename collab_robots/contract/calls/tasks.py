"""Calls of the contract Tasks."""

from __future__ import annotations

from collections.abc import Mapping

from eth_utils.crypto import keccak

from collab_robots.contract.artifact import SELECTOR_BYTES
from collab_robots.contract.calls import common
from collab_robots.contract.calls.common import encode, Kind

NAME = '{kind:kind} ({x}, {y}) round {round}'  # of a task, from the event Proposed

CALLS: Mapping[str, str] = {
    'propose': f'propose {NAME}',
    'bid': 'bid {cost:m} on {key}',
    'award': 'award {key} to {robot}',
    'renew': 'renew {key}',
    'complete': 'complete {key}',
    'release': 'release {key}',
}
ERRORS: Mapping[str, str] = {
    'UnknownKind': 'there is no task kind {kind}',
    'NotABidder': '{robot} has not bid on {key}',
}
EVENTS: Mapping[str, str] = {
    'Proposed': '',
    'Bid': '',
    'Awarded': '',
    'Renewed': '',
    'Released': '',
    'Completed': '',
    'Superseded': '{loser} is superseded by {winner} on {key}',
}


def propose(kind: Kind, cell_x: int, cell_y: int, round_: int) -> bytes:
    """
    Encode: there is something to do at a cell.

    :param cell_x: in cells of the map grid.
    :param round_: how often this cell's task was completed before.
    :raises CallError: if a value is out of range, as for every call below.
    """
    return encode('propose', common.kind(kind), cell_x, cell_y, round_)


def bid(key: bytes, cost_mm: int) -> bytes:
    """Encode: the sender would do the task at this path cost, mm."""
    return encode('bid', common.key(key), cost_mm)


def award(key: bytes, robot: bytes) -> bytes:
    """Encode: the robot with this address (20 bytes) won the task."""
    return encode('award', common.key(key), common.robot(robot))


def renew(key: bytes) -> bytes:
    """Encode: the sender still works on the task."""
    return encode('renew', common.key(key))


def complete(key: bytes) -> bytes:
    """Encode: the sender has done the task."""
    return encode('complete', common.key(key))


def release(key: bytes) -> bytes:
    """Encode: the sender gives the task back."""
    return encode('release', common.key(key))


def task_key(kind: Kind, cell_x: int, cell_y: int, round_: int) -> bytes:
    """
    Return what names a task on every robot: Keccak-256 of its ABI-encoded identity.

    :raises CallError: if a value is out of range.
    """
    return keccak(propose(kind, cell_x, cell_y, round_)[SELECTOR_BYTES:])


def names_in(facts: Mapping[bytes, bytes]) -> dict[bytes, str]:
    """
    Return what tasks are called, by key.

    :param facts: of the contract, by id.
    """
    return {}
