"""
Attestations: what robots say, in signed records, about the digest of a snapshot.

Also the canonical form of what is attested.
"""

from __future__ import annotations

from collections.abc import Sequence
import hashlib
import struct
from typing import Any

import cbor2

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet, MAX_ROBOTS
from collab_robots.tangle.block import decode_block, ID_BYTES
from collab_robots.tangle.record import decode_record, LEDGER_CALL, Record, verify_record
from collab_robots.tangle.sync import MAX_CHUNK_BYTES, MAX_CHUNK_COUNT

MAX_SNAPSHOT_BYTES = MAX_CHUNK_BYTES * MAX_CHUNK_COUNT

_CALL = struct.Struct(f'>{len(LEDGER_CALL)}sI{ID_BYTES}s')


def attestation(index: int, digest: bytes) -> bytes:
    """Return the call that attests a snapshot."""
    return _CALL.pack(LEDGER_CALL, index, digest)


def attestations(record: Record) -> list[tuple[int, bytes]]:
    """Return index and digest of the snapshots that a record attests."""
    return [
        _CALL.unpack(call)[1:]
        for call in record.calls
        if len(call) == _CALL.size and call.startswith(LEDGER_CALL)
    ]


def check_attested(digest: bytes, index: int, blocks: Sequence[bytes], fleet: Fleet) -> None:
    """
    Check that robots of more than a third of the weight attest a snapshot.

    :raises RefusedError: SNAPSHOT if they do not.
    """
    weight = sum(
        fleet.robots[issuer].weight
        for issuer in {_attester(block, (index, digest), fleet) for block in blocks}
    )
    if 3 * weight <= fleet.total_weight:
        raise refused(
            f'attested by weight {weight} of {fleet.total_weight}, more than a third is needed'
        )


def _attester(raw: bytes, what: tuple[int, bytes], fleet: Fleet) -> int:
    try:
        record = decode_record(decode_block(raw))
        issuer = verify_record(record, fleet)
    except RefusedError as error:
        raise refused(f'an attestation is not valid: {error}') from None
    if what not in attestations(record):
        raise refused('a record is no attestation of it')
    return issuer


def blocks_of(blocks: Any) -> tuple[bytes, ...]:
    if (
        type(blocks) is not list
        or len(blocks) > MAX_ROBOTS
        or not all(type(block) is bytes for block in blocks)
    ):
        raise refused('a field has the wrong form')
    return tuple(blocks)


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=ID_BYTES).digest()


def dump(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def load(data: bytes, fields: int) -> list[Any]:
    if len(data) > MAX_SNAPSHOT_BYTES:
        raise refused(f'{len(data)} bytes, at most {MAX_SNAPSHOT_BYTES}')
    try:
        value: Any = cbor2.loads(data, max_depth=6, allow_indefinite=False)
        again = dump(value)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as error:
        raise refused(f'not CBOR: {str(error)[:100]}') from None
    if type(value) is not list or len(value) != fields or again != data:
        raise refused(f'not a canonical list of {fields} fields')
    return value


def is_int(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def is_bytes(value: Any, length: int) -> bool:
    return type(value) is bytes and len(value) == length


def refused(what: str) -> RefusedError:
    return RefusedError(Refusal.SNAPSHOT, what)
