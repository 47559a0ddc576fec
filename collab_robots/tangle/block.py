"""
IOTA Stardust blocks (TIP-24) that carry a tagged data payload (TIP-23), byte for byte.

A block has no signature and no time; see :mod:`collab_robots.tangle.record` for what its data
holds. All integers are little-endian::

    u8 protocol version | u8 n | n x 32 B parents | u32 payload length | payload | u64 nonce
    payload: u32 type | u8 tag length | tag | u32 data length | data

The nonce is proof of work (TIP-12). Our own blocks carry 0: a fleet's minimum score is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
import hashlib
import struct
from typing import NamedTuple

from collab_robots.core.errors import Refusal, RefusedError

PROTOCOL_VERSION = 2
TAGGED_DATA = 5  # payload type
MAX_BLOCK_BYTES = 32_768
MAX_PARENTS = 8
MAX_TAG_BYTES = 64
ID_BYTES = 32
GENESIS = bytes(ID_BYTES)  # the parent that needs no block

_U32 = struct.Struct('<I')
_U64 = struct.Struct('<Q')


class Block(NamedTuple):
    """
    A decoded block.

    :param parents: 1 to 8 block ids, sorted, unique.
    :param tag: up to 64 bytes.
    :param data: the tagged data.
    :param nonce: proof of work, 0 to 2^64 - 1; its score is not checked.
    :param raw: the whole block.
    """

    parents: tuple[bytes, ...]
    tag: bytes
    data: bytes
    nonce: int
    raw: bytes

    @property
    def id(self) -> bytes:
        """Hash the block; see :func:`block_id`."""
        return block_id(self.raw)


def block_id(raw: bytes) -> bytes:
    """Return the id of a block: BLAKE2b-256 of all its bytes."""
    return hashlib.blake2b(raw, digest_size=ID_BYTES).digest()


def encode_block(parents: Sequence[bytes], tag: bytes, data: bytes, nonce: int = 0) -> bytes:
    """
    Write a block.

    :raises RefusedError: if it would be one that :func:`decode_block` refuses.
    """
    _check_parents(parents)
    if any(len(parent) != ID_BYTES for parent in parents):
        raise RefusedError(Refusal.PARENTS, f'a parent is {ID_BYTES} bytes')
    if len(tag) > MAX_TAG_BYTES:
        raise RefusedError(Refusal.MALFORMED, f'tag of {len(tag)} bytes, at most {MAX_TAG_BYTES}')
    payload = b''.join(
        (_U32.pack(TAGGED_DATA), bytes((len(tag),)), tag, _U32.pack(len(data)), data)
    )
    raw = b''.join(
        (
            bytes((PROTOCOL_VERSION, len(parents))),
            *parents,
            _U32.pack(len(payload)),
            payload,
            _U64.pack(nonce),
        )
    )
    _check_size(raw)
    return raw


def decode_parents(raw: bytes) -> tuple[bytes, ...]:
    """
    Read only the parents of a block, whatever its payload is.

    :raises RefusedError: TOO_LARGE, VERSION or PARENTS, as :func:`decode_block`; MALFORMED if it
        is cut off.
    """
    _check_size(raw)
    if len(raw) < 2:
        raise RefusedError(Refusal.MALFORMED, f'a block of {len(raw)} bytes is cut off')
    if raw[0] != PROTOCOL_VERSION:
        raise RefusedError(
            Refusal.VERSION, f'expected protocol version {PROTOCOL_VERSION}, got {raw[0]}'
        )
    end = 2 + ID_BYTES * raw[1]
    parents = tuple([raw[at : at + ID_BYTES] for at in range(2, end, ID_BYTES)])
    _check_parents(parents)
    if len(raw) < end:
        raise RefusedError(Refusal.MALFORMED, f'a block of {len(raw)} bytes is cut off')
    return parents


def decode_block(raw: bytes) -> Block:
    """
    Read a block.

    :raises RefusedError: TOO_LARGE above 32,768 bytes; VERSION if the protocol version is not 2;
        PARENTS if there are none, more than 8, or they are not sorted and unique; MALFORMED if it
        is cut off, has bytes to spare, or its payload is not exactly one tagged data payload.
    """
    parents = decode_parents(raw)
    end = 2 + ID_BYTES * len(parents)
    if len(raw) < end + 12:
        raise RefusedError(Refusal.MALFORMED, f'a block of {len(raw)} bytes is cut off')
    (payload_length,) = _U32.unpack_from(raw, end)
    if end + 12 + payload_length != len(raw):
        raise RefusedError(
            Refusal.MALFORMED,
            f'payload of {payload_length} bytes announced, {len(raw) - end - 12} there',
        )
    tag, data = _decode_payload(raw[end + 4 : -8])
    (nonce,) = _U64.unpack_from(raw, len(raw) - 8)
    return Block(parents, tag, data, nonce, raw)


def _decode_payload(payload: bytes) -> tuple[bytes, bytes]:
    if len(payload) < 9:
        raise RefusedError(Refusal.MALFORMED, f'payload of {len(payload)} bytes, at least 9')
    (kind,) = _U32.unpack_from(payload)
    if kind != TAGGED_DATA:
        raise RefusedError(Refusal.MALFORMED, f'expected payload type {TAGGED_DATA}, got {kind}')
    tag_length = payload[4]
    if tag_length > MAX_TAG_BYTES:
        raise RefusedError(
            Refusal.MALFORMED, f'tag of {tag_length} bytes, at most {MAX_TAG_BYTES}'
        )
    start = 9 + tag_length
    if len(payload) < start:
        raise RefusedError(Refusal.MALFORMED, 'the payload ends inside its tag')
    (data_length,) = _U32.unpack_from(payload, start - 4)
    if start + data_length != len(payload):
        raise RefusedError(
            Refusal.MALFORMED,
            f'{data_length} bytes of data announced, {len(payload) - start} there',
        )
    return payload[5 : start - 4], payload[start:]


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_BLOCK_BYTES:
        raise RefusedError(
            Refusal.TOO_LARGE, f'block of {len(raw)} bytes, at most {MAX_BLOCK_BYTES}'
        )


def _check_parents(parents: Sequence[bytes]) -> None:
    if not 1 <= len(parents) <= MAX_PARENTS:
        raise RefusedError(
            Refusal.PARENTS, f'expected 1 to {MAX_PARENTS} parents, got {len(parents)}'
        )
    if list(parents) != sorted(set(parents)):
        raise RefusedError(Refusal.PARENTS, 'parents are not sorted and unique')
