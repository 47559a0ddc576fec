"""
The tables of a ledger's file, and how each row shows that it is as it was written.

A block's id covers its bytes, a CRC-32 its other columns. What a peer or a liar could forge is
not checked here: these checks are against failing disks.
"""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import struct
from typing import Any
import zlib

from collab_robots.tangle.block import block_id
from collab_robots.tangle.block_store import Row

SCHEMA = '2'
TABLES = (
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)',
    'CREATE TABLE blocks (id BLOB PRIMARY KEY, raw BLOB NOT NULL, issuer INT NOT NULL, '
    'seq INT NOT NULL, issued_at INT NOT NULL, received_at INT NOT NULL, depth INT NOT NULL, '
    'checksum INT NOT NULL)',
    'CREATE INDEX blocks_by_chain ON blocks (issuer, seq)',
    'CREATE TABLE proofs (issuer INT PRIMARY KEY, first BLOB NOT NULL, second BLOB NOT NULL, '
    'checksum INT NOT NULL)',
    'CREATE TABLE snapshots (number INT PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL)',
)
_FIGURES = struct.Struct('<5q')
_NUMBER = struct.Struct('<q')


def row_checksum(row: Row) -> int:
    """Return the checksum of a block's columns; its bytes are covered by its id."""
    return zlib.crc32(row.id + _FIGURES.pack(*row[2:]))


def row_of(values: tuple[Any, ...]) -> Row:
    """
    Check the columns of a block.

    :param values: as in the table.
    :raises ValueError: if they are not as they were written.
    """
    row = Row(*values[:-1])
    try:
        if block_id(row.raw) == row.id and row_checksum(row) == values[-1]:
            return row
    except (TypeError, struct.error):
        pass
    raise ValueError(f'block {row.seq!r:.20} of robot {row.issuer!r:.20} is not as it was written')


def proof_checksum(issuer: int, first: bytes, second: bytes) -> int:
    """Return the checksum of a proof."""
    return zlib.crc32(b''.join((_NUMBER.pack(issuer), first, second)))


def proof_of(values: tuple[Any, ...]) -> tuple[int, tuple[bytes, bytes]]:
    """
    Check the columns of a proof.

    :raises ValueError: if they are not as they were written.
    """
    issuer, first, second, checksum = values
    try:
        if proof_checksum(issuer, first, second) == checksum:
            return issuer, (first, second)
    except (TypeError, struct.error):
        pass
    raise ValueError(f'the proof against robot {issuer!r:.20} is not as it was written')


def snapshot_digest(number: int, data: bytes) -> bytes:
    """Return the digest of a snapshot and its number, 32 bytes."""
    return hashlib.blake2b(_NUMBER.pack(number) + data, digest_size=32).digest()


def snapshot_of(values: tuple[Any, ...]) -> tuple[int, bytes]:
    """
    Check the columns of a snapshot.

    :raises ValueError: if they are not as they were written.
    """
    number, data, digest = values
    try:
        if snapshot_digest(number, data) == digest:
            return number, data
    except (TypeError, struct.error):
        pass
    raise ValueError(f'snapshot {number!r:.20} is not as it was written')


def meta_checksum(meta: Mapping[str, str]) -> str:
    """Return the checksum of a file's description of itself."""
    lines = [f'{key}={value}' for key, value in sorted(meta.items()) if key != 'checksum']
    return f'{zlib.crc32(chr(10).join(lines).encode()):08x}'
