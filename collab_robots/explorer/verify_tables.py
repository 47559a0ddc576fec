"""Check the small tables of a ledger, and which blocks it must hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
import sqlite3

from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.verify_fault import Fault, WrongRecordError
from collab_robots.explorer.verify_rows import name_of
from collab_robots.tangle.block import block_id
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.roots import ROOT_WINDOW
from collab_robots.tangle.snapshot import Attested, Snapshot
from collab_robots.tangle.store_rows import meta_checksum, proof_checksum, SCHEMA, snapshot_digest
from collab_robots.tangle.tangle import decode

_ENDING = 20  # records of a robot from the end of an epoch to the one that attests it
_KEYS = {'schema', 'fleet', 'fleet_id', 'robot', 'checksum', 'in_use', 'incomplete'}


def check_meta(db: sqlite3.Connection, fleet: Fleet, path: Path) -> dict[str, str]:
    """
    Look at what the file says of itself.

    :param path: for messages.
    :returns: it.
    :raises ConfigError: if it is the genuine ledger of another fleet.
    :raises WrongRecordError: if it is not as it was written.
    """
    rows = db.execute('SELECT key, value FROM meta').fetchall()
    for key, value in rows:
        if key not in _KEYS or not isinstance(value, str):
            one_of = f'one of {", ".join(sorted(_KEYS))}, and a text'
            raise _wrong('meta', f'{key!s:.80}', 'key and value', one_of, ascii((key, value)))
    meta = dict(rows)
    checksum = meta_checksum(meta)
    if meta.get('checksum') == checksum and meta.get('fleet_id') != fleet.id.hex():
        raise ConfigError(
            f'{path}: is the ledger of robot {meta.get("robot")!r} in fleet '
            f'{meta.get("fleet")!r} ({meta.get("fleet_id")}), not of {fleet.fleet!r} '
            f'({fleet.id.hex()}); name its fleet file with --fleet'
        )
    expected_of = {'schema': SCHEMA, 'fleet': fleet.fleet, 'fleet_id': fleet.id.hex()}
    if 'in_use' in meta:
        expected_of['in_use'] = '1'
    for key, expected in (*expected_of.items(), ('checksum', checksum)):
        if meta.get(key) != expected:
            raise _wrong('meta', key, 'value', ascii(expected), ascii(meta.get(key)))
    return meta


def check_proofs(db: sqlite3.Connection, fleet: Fleet) -> dict[int, Proof]:
    """
    Look at the proofs of equivocation.

    :param fleet: with all robots that ever were in it.
    :returns: them, by roster index.
    :raises WrongRecordError: if one is not as it was written or proves nothing.
    """
    proofs: dict[int, Proof] = {}
    for rowid, *values in db.execute('SELECT rowid, issuer, first, second, checksum FROM proofs'):
        issuer, first, second, checksum = values
        fault = Fault(
            'proofs',
            str(rowid),
            'types of the columns',
            'integer, two blobs, integer',
            ', '.join(type(value).__name__ for value in values),
            block_id(first).hex() if isinstance(first, bytes) else '',
            name_of(issuer, fleet),
        )
        if [type(value) for value in values] != [int, bytes, bytes, int]:
            raise WrongRecordError(fault)
        try:
            proof = Proof.of(first, second, fleet)
        except RefusedError as error:
            raise fault.wrong(
                'blocks', 'two records of one robot with one number', error
            ) from None
        if proof.issuer != issuer:
            raise fault.wrong('issuer', proof.issuer, issuer)
        if proof_checksum(issuer, first, second) != checksum:
            raise fault.wrong('checksum', proof_checksum(issuer, first, second), checksum)
        proofs[issuer] = proof
    return proofs


def read_snapshot(db: sqlite3.Connection, fleet: Fleet) -> tuple[Attested, Snapshot] | None:
    """
    Look at the stored snapshot and who attests it.

    :raises WrongRecordError: if it is not as it was written, or not attested.
    """
    rows = db.execute('SELECT number, data, digest FROM snapshots').fetchall()
    if not rows:
        return None
    number, data, digest = rows[0]
    fault = Fault('snapshots', f'{number!s:.80}', 'rows', 'one', str(len(rows)))
    if len(rows) > 1:
        raise WrongRecordError(fault)
    types = [type(value) for value in rows[0]]
    if types != [int, bytes, bytes]:
        found = ', '.join(one.__name__ for one in types)
        raise fault.wrong('types of the columns', 'integer, two blobs', found)
    if snapshot_digest(number, data) != digest:
        raise fault.wrong('digest', snapshot_digest(number, data).hex(), digest.hex())
    try:
        attested, snapshot = Attested.decode(data, fleet)
    except RefusedError as error:
        raise fault.wrong('data', 'a snapshot that the fleet attests', error) from None
    if snapshot.cut.index != number:
        raise fault.wrong('number', snapshot.cut.index, number)
    return attested, snapshot


def look_for_gaps(
    db: sqlite3.Connection, stored: tuple[Attested, Snapshot], interval: int, robot: str
) -> tuple[bool, Fault | None]:
    """
    Look which blocks are here of those that a snapshot stands for.

    A robot may have dropped the oldest, or never got some because it was too far behind. But who
    lacks only a few gets them from its teammates, unless it joined later or an epoch ended.

    :param interval: final records between two snapshots.
    :param robot: whose file it is.
    :returns: whether all are here; the first that is not, if no robot leaves it so.
    """
    attested, snapshot = stored
    ends = [_seqs(handover.blocks, snapshot.fleet) for handover in attested.chain(snapshot.fleet)]
    missing = held = 0
    surely: list[tuple[int, int]] = []  # issuer and seq
    oldest: list[tuple[int, int]] = []
    for issuer, height in enumerate(snapshot.cut.heights):
        question = 'SELECT seq FROM blocks WHERE issuer = ? AND seq < ?'
        mine = {seq for (seq,) in db.execute(question, (issuer, height))}
        held += len(mine)
        missing += height - len(mine)
        for first, end in _runs(seq for seq in range(height) if seq not in mine):
            if first == 0:
                oldest.append((issuer, 0))
            elif not any(0 <= ended.get(issuer, end) - end <= _ENDING for ended in ends):
                surely.append((issuer, first))
    if robot in {founder.name for founder in snapshot.fleet.founders}:
        surely += oldest
    if not held or missing > min(ROOT_WINDOW, interval // 4) or not surely:
        return not missing, None
    issuer, seq = surely[0]
    name = name_of(issuer, snapshot.fleet)
    return False, Fault('blocks', '', 'row', 'one', 'none', '', name, seq)


def _seqs(blocks: Iterable[bytes], fleet: Fleet) -> dict[int, int]:
    """Return the seq of each record that attests the end of an epoch, by who signed it."""
    records = map(decode, blocks)
    return {fleet.index_by_key[record.issuer]: record.seq for record in records}


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield runs of numbers that follow one another: the first, and one past the last."""
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        every = [number for _, number in run]
        yield every[0], every[-1] + 1


def _wrong(place: str, row: str, what: str, expected: str, found: str) -> WrongRecordError:
    return WrongRecordError(Fault(place, row, what, expected, found))
