"""
Records: what a robot signs and a block carries as its data.

A record is the canonical CBOR (RFC 8949 §4.2.3) array ``[version, fleet, issuer, seq, parents,
issued_at, calls]`` followed by the 64-byte Ed25519 signature of a domain prefix and those bytes.

One record has exactly one block: parents are repeated inside the signature, tag and nonce are
fixed. Otherwise anybody could wrap a robot's record a second time and make it look as if the
robot had signed two different blocks with one ``seq``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cbor2

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet, FLEET_ID_BYTES
from collab_robots.core.identity import PrivateKey, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify
from collab_robots.tangle.block import (
    Block,
    encode_block,
    GENESIS,
    MAX_BLOCK_BYTES,
)

RECORD_VERSION = 1
RECORD_TAG = b'collab-robots/1'
LEDGER_CALL = bytes(4)  # calls that start with it are for the ledger, not for the contract
SIGNING_DOMAIN = b'collab-robots/record/1\0'
MAX_CALLS = 32
MAX_CALL_BYTES = 8_192
MAX_CALLS_BYTES = 31_000  # of one record together: always fits into a block
MAX_SEQ = (1 << 32) - 1  # heights travel as uint32
MAX_TIME = (1 << 63) - 1  # ns; what SQLite and ROS hold

_FIELDS = 7
_BYTES, _ARRAY, _UINT = 2, 4, 0  # CBOR major types
_LEAST = (24, 1 << 8, 1 << 16, 1 << 32)  # that a head of 1, 2, 4, 8 more bytes is for


@dataclass(frozen=True, slots=True)
class Record:
    """
    A signed record.

    :param fleet: id of the fleet file, 32 bytes.
    :param issuer: Ed25519 public key, 32 bytes.
    :param seq: how many records the issuer made before this one.
    :param parents: of the block, sorted, unique; holds the issuer's previous block, or
        ``GENESIS`` if and only if this is the issuer's first.
    :param issued_at: ns since the fleet's epoch, by the issuer's clock.
    :param calls: contract calls; none = heartbeat.
    :param signature: 64 bytes.
    """

    fleet: bytes
    issuer: bytes
    seq: int
    parents: tuple[bytes, ...]
    issued_at: int
    calls: tuple[bytes, ...]
    signature: bytes

    def body(self) -> bytes:
        """Return the bytes that are signed, without the domain prefix."""
        return cbor2.dumps(
            [
                RECORD_VERSION,
                self.fleet,
                self.issuer,
                self.seq,
                self.parents,
                self.issued_at,
                self.calls,
            ],
            canonical=True,
        )


def sign_record(
    key: PrivateKey,
    fleet: bytes,
    seq: int,
    parents: Iterable[bytes],
    issued_at: int,
    calls: tuple[bytes, ...] = (),
) -> Record:
    """
    Make and sign a record.

    :param fleet: id of the fleet file, 32 bytes.
    :param parents: in any order.
    """
    unsigned = Record(fleet, key.public, seq, tuple(sorted(set(parents))), issued_at, calls, b'')
    signature = key.sign(SIGNING_DOMAIN + unsigned.body())
    return Record(fleet, key.public, seq, unsigned.parents, issued_at, calls, signature)


def encode_record(record: Record) -> bytes:
    """
    Return the block of a record, ready to be sent.

    :raises RefusedError: if the record breaks a limit of blocks.
    """
    return encode_block(record.parents, RECORD_TAG, record.body() + record.signature)


def decode_record(block: Block) -> Record:
    """
    Read the record inside a block; its fleet, issuer and signature are not checked yet.

    :raises RefusedError: VERSION for another record version; PARENTS if they are not the block's,
        byte for byte, or do not fit ``seq``; TOO_LARGE for too many or too long calls; MALFORMED
        for anything else, a foreign tag, a nonce and CBOR that is not canonical included.
    """
    if block.tag != RECORD_TAG:
        raise RefusedError(
            Refusal.MALFORMED, f'expected tag {RECORD_TAG!r}, got {block.tag!r:.80}'
        )
    if block.nonce != 0:
        raise RefusedError(Refusal.MALFORMED, f'expected nonce 0, got {block.nonce}')
    body, signature = block.data[:-SIGNATURE_BYTES], block.data[-SIGNATURE_BYTES:]
    reader = _Reader(body)
    if reader.head(_ARRAY) != _FIELDS:
        raise RefusedError(Refusal.MALFORMED, f'a record has {_FIELDS} fields')
    version = reader.head(_UINT)
    if version != RECORD_VERSION:
        raise RefusedError(
            Refusal.VERSION, f'expected record version {RECORD_VERSION}, got {version}'
        )
    record = Record(
        fleet=reader.fixed(FLEET_ID_BYTES),
        issuer=reader.fixed(PUBLIC_KEY_BYTES),
        seq=reader.head(_UINT),
        parents=reader.parents(block),
        issued_at=reader.head(_UINT),
        calls=reader.array(MAX_CALLS, MAX_CALL_BYTES),
        signature=signature,
    )
    if len(signature) != SIGNATURE_BYTES or reader.at != len(body):
        raise RefusedError(Refusal.MALFORMED, 'the record is not one CBOR array + signature')
    if record.seq > MAX_SEQ or record.issued_at > MAX_TIME:
        raise RefusedError(Refusal.MALFORMED, 'seq or issued_at is out of range')
    if b'' in record.calls:
        raise RefusedError(Refusal.MALFORMED, 'a call is empty')
    if (GENESIS in record.parents) != (record.seq == 0):
        raise RefusedError(
            Refusal.PARENTS, 'the first record of an issuer, and no other, has genesis as parent'
        )
    return record


def foreign_record(block: Block) -> Record:
    """Return the stand-in of an unsigned data block; its time is set when its parents are."""
    return Record(b'', b'', 0, block.parents, 0, (), b'')


def verify_record(record: Record, fleet: Fleet) -> int:
    """
    Check who made a record.

    :returns: the issuer's roster index.
    :raises RefusedError: FLEET, ISSUER or SIGNATURE if it is of another fleet, of a key that is
        not in the roster, or not signed by that key.
    """
    if record.fleet != fleet.id:
        raise RefusedError(
            Refusal.FLEET,
            f'record of fleet {record.fleet.hex()}; ours is {fleet.fleet!r}, {fleet.id.hex()}',
        )
    index = fleet.index_by_key.get(record.issuer)
    if index is None:
        raise RefusedError(
            Refusal.ISSUER, f'key {record.issuer.hex()} is not in fleet {fleet.fleet!r}'
        )
    if not verify(record.issuer, SIGNING_DOMAIN + record.body(), record.signature):
        raise RefusedError(
            Refusal.SIGNATURE,
            f'record {record.seq} is not signed by {fleet.robots[index].name!r}',
        )
    return index


class _Reader:
    """
    Reads the few canonical CBOR shapes a record has; the rest is refused before it is built.

    A general decoder would build whatever a peer names (tags, nesting, huge lengths) first.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        """How far it has read."""

    def head(self, major: int) -> int:
        """Read an item's head in its shortest form; return its value or length."""
        data, at = self._data, self.at
        if at >= len(data) or data[at] >> 5 != major:
            raise RefusedError(Refusal.MALFORMED, f'no CBOR item of type {major} at byte {at}')
        info = data[at] & 31
        if info < 24:
            self.at = at + 1
            return info
        end = at + 1 + (1 << (info - 24))
        if info > 27 or end > len(data):
            raise RefusedError(Refusal.MALFORMED, f'CBOR item at byte {at} has no length')
        value = int.from_bytes(data[at + 1 : end], 'big')
        if value < _LEAST[info - 24]:
            raise RefusedError(Refusal.MALFORMED, f'CBOR item at byte {at} is not canonical')
        self.at = end
        return value

    def parents(self, block: Block) -> tuple[bytes, ...]:
        """Read the array of a block's parents."""
        expected = cbor2.dumps(block.parents)
        if not self._data.startswith(expected, self.at):
            raise RefusedError(Refusal.PARENTS, "the record's parents are not its block's")
        self.at += len(expected)
        return block.parents

    def fixed(self, length: int) -> bytes:
        """Read a byte string of exactly ``length``."""
        value = self.string(length)
        if len(value) != length:
            raise RefusedError(Refusal.MALFORMED, f'expected {length} bytes, got {len(value)}')
        return value

    def string(self, limit: int) -> bytes:
        """Read a byte string of at most ``limit``."""
        length = self.head(_BYTES)
        end = self.at + length
        if end > len(self._data):
            raise RefusedError(Refusal.MALFORMED, f'byte string of {length} is cut off')
        if length > limit:
            raise RefusedError(Refusal.TOO_LARGE, f'byte string of {length}, at most {limit}')
        value = self._data[self.at : end]
        self.at = end
        return value

    def array(self, limit: int, item_limit: int) -> tuple[bytes, ...]:
        """Read an array of at most ``limit`` byte strings of at most ``item_limit``."""
        count = self.head(_ARRAY)
        if count > limit:
            raise RefusedError(Refusal.TOO_LARGE, f'array of {count}, at most {limit}')
        return tuple([self.string(item_limit) for _ in range(count)])


# The worst record with MAX_CALLS_BYTES of calls: block 14 + 8 x 32, payload 9 + tag, CBOR heads
# and fixed fields 90 + 8 x 34, call heads 32 x 3, signature.
assert (
    14 + 8 * 32 + 9 + len(RECORD_TAG) + 90 + 8 * 34 + 32 * 3 + SIGNATURE_BYTES + MAX_CALLS_BYTES
    <= MAX_BLOCK_BYTES
)
