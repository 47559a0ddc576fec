"""
Check a ledger file whole: nothing in it is taken on trust but the fleet file.

Each row for itself (hash, form, signature, roster, columns), every record's place among the
others, the order and the contracts' state that they come to, and the stored snapshot against
those. What cannot be checked: when a block arrived is the robot's own word.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
import sqlite3
import time

from collab_robots.core.errors import StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.book.migrate import current, describe
from collab_robots.explorer.book.reader import Told
from collab_robots.explorer.verify_fault import Fault, WrongRecordError
from collab_robots.explorer.verify_file import check_end, check_header, check_structure, opened
from collab_robots.explorer.verify_order import Course
from collab_robots.explorer.verify_rows import checked, name_of, Values
from collab_robots.explorer.verify_tables import (
    check_meta,
    check_proofs,
    look_for_gaps,
    read_snapshot,
)
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.settings import SNAPSHOT_INTERVAL
from collab_robots.tangle.snapshot import Attested, Snapshot
from collab_robots.tangle.store_reader import COLUMNS
from collab_robots.tangle.store_rows import meta_checksum, SCHEMA

_ROWS = f'SELECT rowid, {COLUMNS} FROM blocks ORDER BY issued_at, depth, id'


@dataclass(frozen=True)
class Verified:
    """
    What was checked, and what it comes to.

    :param schema: of the file; an older one was checked as a copy of today's.
    :param begins_at: how many final records the file does not hold: a snapshot that the fleet
        attests stands for them. 0: all was checked from genesis.
    :param snapshot: index of the stored one, 0 if there is none.
    :param snapshot_recomputed: it is, byte for byte, what the records come to.
    :param unplaced: records of robots that count no more, whose past is pruned.
    :param proofs: names of robots against which a proof of equivocation is held.
    :param equivocators: names of robots that are known to have equivocated.
    :param set_digest: of all records.
    :param warning: what cannot be told, empty if all can.
    """

    file: str
    fleet: str
    fleet_id: str
    robot: str
    schema: str
    blocks: int
    foreign: int
    begins_at: int
    epoch: int
    snapshot: int
    snapshot_recomputed: bool
    unplaced: int
    proofs: tuple[str, ...]
    equivocators: tuple[str, ...]
    final: int
    tentative: int
    final_digest: str
    set_digest: str
    state_root: str
    final_root: str
    warning: str
    seconds: float


def verify(
    path: Path, fleet: Fleet, jobs: int, told: Told, interval: int = SNAPSHOT_INTERVAL
) -> Verified:
    """
    Check everything in a ledger file.

    :param fleet: the fleet file.
    :param jobs: processes.
    :param told: progress.
    :param interval: final records between two snapshots, as the robots have it.
    :raises ConfigError: if it is the ledger of another fleet.
    :raises WrongRecordError: if anything is wrong.
    :raises StoreError: if there is no ledger, or of another schema.
    """
    began = time.monotonic()
    if not path.is_file():
        raise StoreError(f'{path}: there is no ledger here')
    check_header(path)
    schema, opening = _opening(path)
    with opening as file, opened(file) as (db, noted):
        try:
            meta, stored = _begin(db, fleet, path)
            warning = check_end(db, file, noted, meta)
            blocks = _Blocks(db, fleet, stored, interval, meta['robot'])
            roster = blocks.roster
            proofs = check_proofs(db, roster)
            course = blocks.verify(jobs, told)
        except sqlite3.Error as error:
            raise StoreError(f'{path}: {error}') from None
        foreign = db.execute('SELECT count(*) FROM blocks WHERE issuer = -1').fetchone()[0]
    tangle, runner = course.tangle, course.runner
    return Verified(
        str(path),
        fleet.fleet,
        fleet.id.hex(),
        meta['robot'],
        schema,
        blocks.count,
        foreign,
        course.begins_at,
        tangle.fleet.epoch,
        stored[1].cut.index if stored else 0,
        course.is_compared,
        len(course.waiting),
        tuple(name_of(issuer, roster) for issuer in sorted(proofs)),
        tuple(name_of(issuer, roster) for issuer in sorted({*proofs, *tangle.dag.forks})),
        tangle.order.final,
        len(tangle.order.tentative),
        tangle.order.final_digest.hex(),
        tangle.dag.digest.to_bytes(ID_BYTES, 'big').hex(),
        runner.state_root().hex(),
        runner.final_root().hex(),
        warning,
        time.monotonic() - began,
    )


def _opening(path: Path) -> tuple[str, AbstractContextManager[Path]]:
    """Return the schema of a file, and how to open it: another than today's as a copy."""
    try:
        found = describe(path)
    except StoreError:
        found = {}  # damaged: said in detail later
    is_as_written = found.get('checksum', meta_checksum(found)) == meta_checksum(found)
    if found and is_as_written and found.get('schema') != SCHEMA:
        return found.get('schema', ''), current(path)
    return SCHEMA, nullcontext(path)


def _begin(
    db: sqlite3.Connection, fleet: Fleet, path: Path
) -> tuple[dict[str, str], tuple[Attested, Snapshot] | None]:
    """Look at the file as such; return what it says of itself, and its snapshot."""
    try:
        meta = check_meta(db, fleet, path)
        stored = read_snapshot(db, fleet)
    except sqlite3.Error:
        check_structure(db, fleet)
        raise
    roster = stored[1].fleet if stored is not None else fleet
    check_structure(db, roster)
    return meta, stored


class _Blocks:
    """The blocks of a file, and what is to be looked at with them."""

    def __init__(
        self,
        db: sqlite3.Connection,
        fleet: Fleet,
        stored: tuple[Attested, Snapshot] | None,
        interval: int,
        robot: str,
    ) -> None:
        self._db, self._fleet, self._stored = db, fleet, stored
        self._interval, self._robot = interval, robot
        self.roster = stored[1].fleet if stored is not None else fleet
        (self.count,) = db.execute('SELECT count(*) FROM blocks').fetchone()

    def verify(self, jobs: int, told: Told) -> Course:
        """Check all blocks, and return what they come to."""
        whole, gap = True, None
        if self._stored is not None:
            whole, gap = look_for_gaps(self._db, self._stored, self._interval, self._robot)
        course = self._course(whole, prune=True)
        done = 0
        for batch in checked(self._rows(), self.roster, jobs):
            if gap is None:
                for _, *fields, _ in batch:
                    course.take(Row(*fields))
            done += len(batch)
            told('blocks', done, self.count)
        if gap is not None:
            raise WrongRecordError(gap)
        if course.lost() is not None:  # perhaps only from what was forgotten on the way
            course = self._course(whole, prune=False)
            for _, *fields, _ in self._rows():
                course.take(Row(*fields))
        lost = course.lost()
        if lost is not None:
            raise WrongRecordError(lost)
        course.finish()
        if whole and self._stored is not None and not course.is_compared:
            index, made = self._stored[1].cut.index, course.tangle.cut_index
            here = Fault('snapshots', str(index), '', '', '')
            raise here.wrong('number', f'at most {made}, as the records come to', index)
        return course

    def _course(self, whole: bool, prune: bool) -> Course:
        return Course(self._fleet, self._stored, whole, self._interval, prune)

    def _rows(self) -> Iterator[Values]:
        return self._db.execute(_ROWS)


def in_words(found: Verified) -> dict[str, object]:
    """Tell people what was checked."""
    checked_from = 'genesis'
    if found.begins_at:
        checked_from = (
            f'snapshot {found.snapshot}, which the fleet attests: the {found.begins_at} final '
            'records before are not here, or not all'
        )
    snapshot = f'{found.snapshot}, attested'
    if found.snapshot_recomputed:
        snapshot += ', and the same when computed again from the records'
    return {
        'file': found.file,
        'fleet': f'{found.fleet} ({found.fleet_id})',
        'robot': found.robot,
        'schema': found.schema,
        'checked_from': checked_from,
        'blocks': f'{found.blocks}, of which {found.foreign} are unsigned data',
        'final': found.final,
        'tentative': found.tentative,
        'unplaced': found.unplaced,
        'epoch': found.epoch,
        'snapshot': snapshot if found.snapshot else '-',
        'proofs_against': list(found.proofs),
        'equivocators': list(found.equivocators),
        'final_digest': found.final_digest,
        'set_digest': found.set_digest,
        'state_root': found.state_root,
        'final_root': found.final_root,
        'warning': found.warning,
        'blocks_per_s': found.blocks / found.seconds,
    }
