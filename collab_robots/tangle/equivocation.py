"""
Proof that a robot signed two different records with one ``seq``.

Two blocks are the whole proof: anybody who has the fleet file can check it, offline. Of two
records of one issuer neither of which is in the other's past, there are always two with one
``seq`` at or before them, because an issuer's records are numbered without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
import struct

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import block_id, decode_block, MAX_BLOCK_BYTES
from collab_robots.tangle.record import decode_record, Record, verify_record

MAGIC = b'collab-robots/equivocation/1\0'
_LENGTH = struct.Struct('<I')
MAX_PROOF_BYTES = len(MAGIC) + 2 * (_LENGTH.size + MAX_BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class Proof:
    """
    Two blocks of one issuer with one ``seq``.

    :param issuer: roster index.
    :param first: the block with the lower id, as it was sent.
    :param second: the other one.
    """

    issuer: int
    seq: int
    first: bytes
    second: bytes

    @classmethod
    def of(cls, one: bytes, other: bytes, fleet: Fleet) -> Proof:
        """
        Make a proof of two blocks.

        :raises RefusedError: EQUIVOCATION if they prove nothing; whatever refuses a block or its
            record if one of them is not a signed record of the fleet.
        """
        blocks = sorted((one, other), key=block_id)
        issuer, record = _read(blocks[0], fleet)
        other_issuer, other_record = _read(blocks[1], fleet)
        if block_id(one) == block_id(other):
            raise RefusedError(Refusal.EQUIVOCATION, 'both blocks are the same')
        if (issuer, record.seq) != (other_issuer, other_record.seq):
            raise RefusedError(
                Refusal.EQUIVOCATION,
                f'expected two records of one robot with one seq, got {record.seq} of '
                f'{fleet.robots[issuer].name!r} and {other_record.seq} of '
                f'{fleet.robots[other_issuer].name!r}',
            )
        return cls(issuer, record.seq, blocks[0], blocks[1])

    def encode(self) -> bytes:
        """Return the proof as a file holds it: magic, then each block after its length (u32)."""
        return MAGIC + b''.join(
            _LENGTH.pack(len(block)) + block for block in (self.first, self.second)
        )

    @classmethod
    def decode(cls, data: bytes, fleet: Fleet) -> Proof:
        """
        Read and check a proof.

        :raises RefusedError: MALFORMED if these are not the bytes of one; else as :meth:`of`.
        """
        if not data.startswith(MAGIC) or len(data) > MAX_PROOF_BYTES:
            raise RefusedError(Refusal.MALFORMED, 'these are not the bytes of a proof')
        blocks, at = [], len(MAGIC)
        for _ in range(2):
            if at + _LENGTH.size > len(data):
                raise RefusedError(Refusal.MALFORMED, 'the proof is cut off')
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
            blocks.append(data[at : at + length])
            at += length
        if at != len(data):
            raise RefusedError(Refusal.MALFORMED, f'expected {at} bytes, got {len(data)}')
        proof = cls.of(blocks[0], blocks[1], fleet)
        if proof.first != blocks[0]:
            raise RefusedError(Refusal.MALFORMED, 'the blocks are not in the order of their ids')
        return proof


def _read(raw: bytes, fleet: Fleet) -> tuple[int, Record]:
    record = decode_record(decode_block(raw))
    return verify_record(record, fleet), record
