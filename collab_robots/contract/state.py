"""
The state after a final record as bytes: the same on every robot, and enough to go on from.

Canonical CBOR: ``[version, fleet, code, storage, heads, leases]``; rows are in ascending order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
from typing import Any

import cbor2

from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import KEY_BYTES
from collab_robots.contract.evm import ROW_BYTES, SLOT_BYTES
from collab_robots.contract.notes import Head, Lease, LEASE_S, LeaseKey
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.record import MAX_SEQ, MAX_TIME

STATE_VERSION = 1
MAX_STATE_BYTES = 64 << 20

_FIELDS = 6
_DEPTH = 3


@dataclass(frozen=True)
class State:
    """
    What a runner goes on from.

    :param storage: of the contract, as :meth:`.evm.Evm.dump` returns it.
    :param heads: by roster index.
    """

    storage: bytes
    heads: Sequence[Head]
    leases: dict[LeaseKey, Lease]


def encode_state(state: State, fleet: Fleet) -> bytes:
    """Return the bytes of a state."""
    heads = [[head.length, head.last, head.void] for head in state.heads]
    leases = [[*key, *lease] for key, lease in sorted(state.leases.items())]
    head = [STATE_VERSION, fleet.id, _code()]
    return cbor2.dumps([*head, state.storage, heads, leases], canonical=True)


def decode_state(data: bytes, fleet: Fleet) -> State:
    """
    Read a state that comes from elsewhere.

    :raises RefusedError: SNAPSHOT if it is of another fleet, version or contract, too large, or
        not in the one form that a state has. Whether it is the true one only its digest says.
    """
    if len(data) > MAX_STATE_BYTES:
        raise _refused(f'{len(data)} bytes, at most {MAX_STATE_BYTES}')
    try:
        fields: Any = cbor2.loads(data, max_depth=_DEPTH, allow_indefinite=False)
    except cbor2.CBORError as error:
        raise _refused(f'not CBOR: {str(error)[:100]}') from None
    if type(fields) is not list or len(fields) != _FIELDS:
        raise _refused(f'expected {_FIELDS} fields')
    *head, storage, heads, leases = fields
    if head != [STATE_VERSION, fleet.id, _code()]:
        raise _refused(f'of another version, fleet or contract than ours, {fleet.fleet!r}')
    if type(storage) is not bytes or type(heads) is not list or type(leases) is not list:
        raise _refused('storage, heads or leases are missing')
    _check_storage(storage)
    if len(heads) != len(fleet.robots):
        raise _refused(f'{len(heads)} chains of {len(fleet.robots)} robots')
    state = State(
        storage,
        [_head(row) for row in heads],
        dict(_lease(row, len(fleet.robots)) for row in leases),
    )
    if encode_state(state, fleet) != data:
        raise _refused('not canonical, or its leases are not in order')
    return state


def _check_storage(storage: bytes) -> None:
    if len(storage) % ROW_BYTES:
        raise _refused(f'{len(storage)} bytes of storage are no whole rows')
    before = b''
    for at in range(0, len(storage), ROW_BYTES):
        slot, value = storage[at : at + SLOT_BYTES], storage[at + SLOT_BYTES : at + ROW_BYTES]
        if slot <= before or not any(value):
            raise _refused(f'row {at // ROW_BYTES} of storage is empty or out of order')
        before = slot


def _head(row: Any) -> Head:
    match row:
        case [int(length), bytes(last), bool(void)] if 0 <= length <= MAX_SEQ + 1 and len(
            last
        ) == (ID_BYTES if length else 0):
            return Head(int(length), last, void)
    raise _refused(f'not a chain: {row!r:.100}')


def _lease(row: Any, members: int) -> tuple[LeaseKey, Lease]:
    match row:
        case [bytes(key), int(robot), bytes(record), int(until)] if (
            len(key) == KEY_BYTES
            and len(record) == ID_BYTES
            and 0 <= robot < members
            and 0 <= until <= MAX_TIME + LEASE_S * SECOND
        ):
            return (key, int(robot)), Lease(record, int(until))
    raise _refused(f'not a lease: {row!r:.100}')


def _code() -> bytes:
    return hashlib.blake2b(artifact().bytecode, digest_size=32).digest()


def _refused(why: str) -> RefusedError:
    return RefusedError(Refusal.SNAPSHOT, f'state of the contract: {why}')
