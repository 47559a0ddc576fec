"""
A snapshot: what a robot needs to go on from a place in the final order without what led to it.

It is taken where a committed leader ends its batch, so it is the same on every robot, byte for
byte. Its *roots* are the final records that later ones may still name as parents, or that the
next leader slots depend on; of them only their place in the DAG is kept. Robots say the digest of
the bytes in a record (an *attestation*). Who comes late takes a snapshot that robots of more than
a third of the weight attest: one of them is honest.

Canonical CBOR: ``[version, fleet, index, position, final_digest, set_digest, slot, heights, roots,
state]``; a root is ``[id, issuer, seq, issued_at, depth, round, support, witness, position,
previous, seen]``. Of a robot that never equivocated ``seen`` holds a height; of one that did, the
roots of its that are in this one's past and that no other such root is after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
import struct
from typing import Any, NamedTuple, Protocol

import cbor2

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import decode_block, ID_BYTES
from collab_robots.tangle.cut import Cut, Root
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import (
    decode_record,
    LEDGER_CALL,
    MAX_SEQ,
    MAX_TIME,
    Record,
    verify_record,
)
from collab_robots.tangle.sync import MAX_CHUNK_BYTES, MAX_CHUNK_COUNT, MAX_SNAPSHOT

VERSION = 1
MAX_SNAPSHOT_BYTES = MAX_CHUNK_BYTES * MAX_CHUNK_COUNT
MAX_ROOTS = 200_000
_FIELDS = 10
_CALL = struct.Struct(f'>{len(LEDGER_CALL)}sI{ID_BYTES}s')


class State(Protocol):
    """What executes the records, as far as snapshots need it."""

    def state_at(self, position: int) -> bytes:
        """Return the state after the first ``position`` final records; equal on every robot."""
        ...

    def follow(self, order: Order) -> None:
        """Execute this order from now on."""
        ...

    def restore(self, position: int, state: bytes) -> None:
        """
        Go on from such a state; the records after it are executed anew.

        :raises RefusedError: SNAPSHOT if it is malformed; nothing has changed then.
        """
        ...


@dataclass(frozen=True)
class Snapshot:
    """A cut, and the state of the contract there."""

    cut: Cut
    state: bytes

    def encode(self, fleet: Fleet) -> bytes:
        """Return the bytes that robots attest."""
        return cbor2.dumps(
            [VERSION, fleet.id, *vars(self.cut).values(), self.state], canonical=True
        )

    @classmethod
    def decode(cls, data: bytes, fleet: Fleet) -> Snapshot:
        """
        Read a snapshot; that it is the true one only attestations say.

        :raises RefusedError: SNAPSHOT if it is of another fleet or version or not in the one form.
        """
        fields = _load(data, _FIELDS)
        version, fleet_id, *cut, state = fields
        if version != VERSION or fleet_id != fleet.id:
            raise _refused(f'of another version or fleet than ours, {fleet.fleet!r}')
        members = len(fleet.robots)
        index, position, final_digest, set_digest, slot, heights, roots = cut
        if not (
            _is_int(index, MAX_SNAPSHOT)
            and all(_is_int(value, MAX_TIME) for value in (position, slot))
            and all(_is_bytes(value, ID_BYTES) for value in (final_digest, set_digest))
            and type(state) is bytes
        ):
            raise _refused('a field has the wrong form')
        if type(heights) is not list or len(heights) != members:
            raise _refused('the heights do not fit the roster')
        if not all(_is_int(height, MAX_SEQ + 1) for height in heights):
            raise _refused('a height is out of range')
        if type(roots) is not list or len(roots) > MAX_ROOTS:
            raise _refused('the roots are no list or too many')
        known: set[bytes] = set()
        rows = tuple(_root(row, members, known) for row in roots)
        found = Cut(index, position, final_digest, set_digest, slot, tuple(heights), rows)
        return cls(found, state)


class Attested(NamedTuple):
    """
    A snapshot with its proof.

    :param body: bytes of the snapshot.
    :param blocks: records that attest it, as they were sent.
    """

    body: bytes
    blocks: tuple[bytes, ...]

    @property
    def digest(self) -> bytes:
        """What is attested, 32 bytes."""
        return hashlib.blake2b(self.body, digest_size=ID_BYTES).digest()

    def encode(self) -> bytes:
        """Return the bytes that are stored and sent."""
        return cbor2.dumps([self.body, self.blocks], canonical=True)

    @classmethod
    def decode(cls, data: bytes, fleet: Fleet) -> tuple[Attested, Snapshot]:
        """
        Read and check a snapshot that comes from elsewhere.

        :raises RefusedError: SNAPSHOT if it is malformed, or robots of a third of the weight at
            most attest it.
        """
        body, blocks = _load(data, 2)
        if (
            type(body) is not bytes
            or type(blocks) is not list
            or len(blocks) > len(fleet.robots)
            or not all(type(block) is bytes for block in blocks)
        ):
            raise _refused('a field has the wrong form')
        attested = cls(body, tuple(blocks))
        snapshot = Snapshot.decode(body, fleet)
        weight = sum(
            fleet.robots[issuer].weight
            for issuer in {attested._issuer(block, snapshot.cut.index, fleet) for block in blocks}
        )
        total = sum(robot.weight for robot in fleet.robots)
        if 3 * weight <= total:
            raise _refused(f'attested by weight {weight} of {total}, more than a third is needed')
        return attested, snapshot

    def _issuer(self, raw: bytes, index: int, fleet: Fleet) -> int:
        try:
            record = decode_record(decode_block(raw))
            issuer = verify_record(record, fleet)
        except RefusedError as error:
            raise _refused(f'an attestation is not valid: {error}') from None
        if (index, self.digest) not in attestations(record):
            raise _refused('a record is no attestation of it')
        return issuer


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


def _load(data: bytes, fields: int) -> list[Any]:
    if len(data) > MAX_SNAPSHOT_BYTES:
        raise _refused(f'{len(data)} bytes, at most {MAX_SNAPSHOT_BYTES}')
    try:
        value: Any = cbor2.loads(data, max_depth=6, allow_indefinite=False)
        again = cbor2.dumps(value, canonical=True)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as error:
        raise _refused(f'not CBOR: {str(error)[:100]}') from None
    if type(value) is not list or len(value) != fields or again != data:
        raise _refused(f'not a canonical list of {fields} fields')
    return value


def _root(row: Any, members: int, known: set[bytes]) -> Root:
    if type(row) is not list or len(row) != len(Root._fields):
        raise _refused('a root has the wrong form')
    *fields, seen = row
    root = Root._make([*fields, ()])
    if not (
        _is_bytes(root.id, ID_BYTES)
        and root.id not in known
        and type(root.issuer) is int
        and -1 <= root.issuer < members
        and _is_int(root.seq, MAX_SEQ)
        and all(
            _is_int(value, MAX_TIME)
            for value in (root.issued_at, root.depth, root.round, root.position)
        )
        and _is_int(root.support, (1 << members) - 1)
        and type(root.witness) is bool
        and (root.previous == b'' or (type(root.previous) is bytes and root.previous in known))
    ):
        raise _refused('a root has the wrong form')
    if type(seen) is not list or len(seen) != members:
        raise _refused('a root saw another roster')
    heights: list[int | tuple[bytes, ...]] = []
    for value in seen:
        if type(value) is list and all(type(one) is bytes and one in known for one in value):
            heights.append(tuple(value))
        elif _is_int(value, MAX_SEQ + 1):
            heights.append(value)
        else:
            raise _refused('a root saw what cannot be')
    known.add(root.id)
    return root._replace(seen=tuple(heights))


def _is_int(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_bytes(value: Any, length: int) -> bool:
    return type(value) is bytes and len(value) == length


def _refused(what: str) -> RefusedError:
    return RefusedError(Refusal.SNAPSHOT, what)


def pieces(data: bytes) -> Sequence[bytes]:
    """Return the bytes in pieces that fit a chunk."""
    return [data[at : at + MAX_CHUNK_BYTES] for at in range(0, len(data), MAX_CHUNK_BYTES)]
