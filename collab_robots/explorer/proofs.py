"""Proofs of equivocation as files: taken out of a ledger, checked by anybody who has the fleet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
import struct
from typing import Any

from collab_robots.contract.calls.words import describe
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError, Refusal, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import block_id, decode_block
from collab_robots.tangle.equivocation import MAGIC, MAX_PROOF_BYTES, Proof
from collab_robots.tangle.record import decode_record
from collab_robots.tangle.store import Store

NOT_PROVEN = frozenset((Refusal.EQUIVOCATION, Refusal.FLEET, Refusal.ISSUER, Refusal.SIGNATURE))
"""Reasons for which two well-formed blocks prove nothing."""

_LENGTH = struct.Struct('<I')
_SINCE_2001 = 978_307_200 * SECOND  # earlier: a simulation's clock, not a date


def held_proofs(db: Path, fleet: Fleet) -> list[Proof]:
    """
    Return the proofs that a ledger file holds, also of blocks that nobody compared yet.

    :returns: at most one of each robot, in roster order.
    :raises ConfigError: if the ledger is of another fleet.
    :raises StoreError: if the file is missing or damaged.
    :raises RefusedError: if what it holds was not signed by those it names.
    """
    found: dict[int, tuple[bytes, bytes]] = {}
    at: dict[tuple[int, int], bytes] = {}
    with closing(Store.read(db)) as store:
        if store.meta.get('fleet_id') != fleet.id.hex():
            raise ConfigError(
                f'{db}: is of fleet {store.meta.get("fleet")!r}, not {fleet.fleet!r}'
            )
        found.update(store.proofs())
        for row in store.load():
            other = at.setdefault((row.issuer, row.seq), row.raw)
            if other != row.raw and row.issuer in range(len(fleet.robots)):
                found.setdefault(row.issuer, (other, row.raw))
    return [Proof.of(*found[issuer], fleet) for issuer in sorted(found)]


def write_proofs(proofs: Sequence[Proof], path: Path) -> None:
    """
    Write proofs to one file, one after the other.

    :raises ConfigError: if it cannot be written.
    """
    try:
        path.write_bytes(b''.join(proof.encode() for proof in proofs))
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from None


def read_proofs(path: Path, fleet: Fleet) -> list[Proof]:
    """
    Read and check a file of proofs; nothing but the fleet is needed.

    :raises ConfigError: if it cannot be read.
    :raises RefusedError: if it is not a file of proofs, or (``NOT_PROVEN``) if one proves nothing.
    """
    limit = len(fleet.robots) * MAX_PROOF_BYTES
    try:
        with path.open('rb') as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
    if len(data) > limit:
        raise RefusedError(Refusal.TOO_LARGE, f'{path}: at most {limit} bytes are expected')
    return [Proof.decode(piece, fleet) for piece in _pieces(data)]


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut a file into proofs; what is no proof is one piece."""
    start = 0
    while True:
        end = start + len(MAGIC)
        for _ in range(2):
            if end + _LENGTH.size <= len(data):
                end += _LENGTH.size + _LENGTH.unpack_from(data, end)[0]
        yield data[start:end]
        start = end
        if start >= len(data):
            return


def summary(proof: Proof, fleet: Fleet) -> dict[str, Any]:
    """Say what a proof proves: who, which ``seq``, and what the two records say."""
    return {
        'robot': fleet.robots[proof.issuer].name,
        'public_key': fleet.robots[proof.issuer].public_key,
        'seq': proof.seq,
        'records': [_record(raw, fleet) for raw in (proof.first, proof.second)],
    }


def _record(raw: bytes, fleet: Fleet) -> dict[str, Any]:
    record = decode_record(decode_block(raw))
    return {
        'id': block_id(raw).hex(),
        'issued_at_ns': record.issued_at,
        'parents': [parent.hex() for parent in record.parents],
        'calls': [describe(call, fleet.name_by_address) for call in record.calls],
    }


def in_words(proof: dict[str, Any]) -> str:
    """Tell the summary of a proof to people."""
    lines = [f'{proof["robot"]} signed two different records with seq {proof["seq"]}:']
    for record in proof['records']:
        lines += [
            f'  {record["id"]}',
            f'    issued at {_time(record["issued_at_ns"])}, {len(record["parents"])} parents',
            *(f'    {call}' for call in record['calls'] or ['no calls']),
        ]
    return '\n'.join(lines)


def _time(at: int) -> str:
    seconds = f'{at / SECOND:.3f} s'
    if at < _SINCE_2001:
        return seconds
    date = datetime.fromtimestamp(at // SECOND, timezone.utc)
    return f'{date:%Y-%m-%d %H:%M:%S} UTC ({seconds})'
