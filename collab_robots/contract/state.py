"""
The state after a final record as bytes: the same on every robot, and enough to go on from.

Canonical CBOR: ``[version, fleet, code, storage, ids, heads, leases]``. Storage and ids are lists
with one byte string a contract, in the order of deployment: rows of slot and value, and the ids of
all its facts, each in ascending order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
import hashlib
from typing import Any

import cbor2

from collab_robots.contract.artifact import suite
from collab_robots.contract.calls.common import KEY_BYTES
from collab_robots.contract.deployment import FactId
from collab_robots.contract.deployment import ID_BYTES as FACT_ID_BYTES
from collab_robots.contract.evm import ROW_BYTES, SLOT_BYTES
from collab_robots.contract.notes import Head, Lease, LEASE_S, LeaseKey
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import ADDRESS_BYTES
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.record import MAX_SEQ, MAX_TIME

STATE_VERSION = 2
MAX_STATE_BYTES = 64 << 20

_FIELDS = 7
_DEPTH = 3


@dataclass(frozen=True)
class State:
    """
    What a runner goes on from.

    :param storages: of the contracts, as :meth:`.evm.Evm.dump` returns them.
    :param ids: of all facts.
    :param heads: by roster index.
    """

    storages: Sequence[bytes]
    ids: Collection[FactId]
    heads: Sequence[Head]
    leases: dict[LeaseKey, Lease]


def encode_state(state: State, fleet: Fleet) -> bytes:
    """Return the bytes of a state."""
    heads = [[head.length, head.last, head.void] for head in state.heads]
    leases = [[*key, *lease] for key, lease in sorted(state.leases.items())]
    ids: dict[str, list[bytes]] = {name: [] for name in suite().contracts}
    for contract, identity in sorted(state.ids):
        ids[contract].append(identity)
    packed = [b''.join(items) for items in ids.values()]
    head = [STATE_VERSION, fleet.id, _code()]
    return cbor2.dumps([*head, list(state.storages), packed, heads, leases], canonical=True)


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
    *head, storages, ids, heads, leases = fields
    if head != [STATE_VERSION, fleet.id, _code()]:
        raise _refused(f'of another version, fleet or contracts than ours, {fleet.fleet!r}')
    if any(type(field) is not list for field in (storages, ids, heads, leases)):
        raise _refused('storage, ids, heads or leases are missing')
    if not len(fleet.founders) <= len(heads) <= len(fleet.robots):  # who joins has none yet
        raise _refused(f'{len(heads)} chains of {len(fleet.robots)} robots')
    for storage in _packed('storage', storages, ROW_BYTES):
        _check_storage(storage)
    facts = [
        (contract, packed[start : start + FACT_ID_BYTES])
        for contract, packed in zip(
            suite().contracts, _packed('ids', ids, FACT_ID_BYTES), strict=True
        )
        for start in range(0, len(packed), FACT_ID_BYTES)
    ]
    state = State(
        storages,
        facts,
        [_head(row) for row in heads],
        dict(map(_lease, leases)),
    )
    if len(facts) > sum(map(len, storages)) // ROW_BYTES:
        raise _refused(f'{len(facts)} facts, more than storage')
    if len(set(facts)) != len(facts) or encode_state(state, fleet) != data:
        raise _refused('not canonical, or its ids or leases are not in order')
    return state


def _packed(what: str, strings: Sequence[Any], size: int) -> Iterator[bytes]:
    """Yield byte strings, one a contract, that hold items of one size."""
    if len(strings) != len(suite().contracts):
        raise _refused(f'{what} of {len(strings)} contracts, we have {len(suite().contracts)}')
    for string in strings:
        if type(string) is not bytes or len(string) % size:
            raise _refused(f'{what}: no whole items of {size} bytes')
        yield string


def _check_storage(storage: bytes) -> None:
    before = b''
    for start in range(0, len(storage), ROW_BYTES):
        slot = storage[start : start + SLOT_BYTES]
        if slot <= before or not any(storage[start + SLOT_BYTES : start + ROW_BYTES]):
            raise _refused(f'row {start // ROW_BYTES} of storage is empty or out of order')
        before = slot


def _head(row: Any) -> Head:
    match row:
        case [int(length), bytes(last), bool(void)] if 0 <= length <= MAX_SEQ + 1 and len(
            last
        ) == (ID_BYTES if length else 0):
            return Head(int(length), last, void)
    raise _refused(f'not a chain: {row!r:.100}')


def _lease(row: Any) -> tuple[LeaseKey, Lease]:
    match row:
        case [bytes(key), bytes(robot), bytes(record), int(until)] if (
            len(key) == KEY_BYTES
            and len(record) == ID_BYTES
            and len(robot) == ADDRESS_BYTES
            and 0 <= until <= MAX_TIME + LEASE_S * SECOND
        ):
            return (key, robot), Lease(record, int(until))
    raise _refused(f'not a lease: {row!r:.100}')


def _code() -> bytes:
    codes = [contract.bytecode for contract in suite().contracts.values()]
    return hashlib.blake2b(cbor2.dumps(codes), digest_size=32).digest()


def _refused(why: str) -> RefusedError:
    return RefusedError(Refusal.SNAPSHOT, f'state of the contracts: {why}')
