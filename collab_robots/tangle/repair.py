"""
Save what is left of a damaged ledger file.

Nothing that was in the file is trusted because it was there: blocks are taken if their signatures
hold and their whole past is left, too. What is lost comes from the other robots when the robot
runs again; it issues nothing before it has heard all of them, because its own last records may be
among what is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
import os
from pathlib import Path

from collab_robots.core.errors import ConfigError, RefusedError, StoreError
from collab_robots.core.files import sync_folder
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.block import decode_block, GENESIS, MAX_BLOCK_BYTES
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import decode_record, foreign_record, RECORD_TAG, verify_record
from collab_robots.tangle.salvage import Pages, Values
from collab_robots.tangle.store import Store
from collab_robots.tangle.store_lock import StoreLock
from collab_robots.tangle.store_rows import row_of, snapshot_of
from collab_robots.tangle.tangle import decode, Tangle

INCOMPLETE = 'it was repaired, and what was lost may be missing'
_SUFFIXES = ('', '-wal', '-shm')


@dataclass(frozen=True)
class Chain:
    """
    What is left of one robot's records.

    :param pruned: how many the snapshot stands for.
    :param kept: how many of the others.
    :param lost: first and last seq of each gap between these and the highest seq that was seen;
        what came after that one is not known.
    """

    pruned: int
    kept: int
    lost: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Salvage:
    """
    What can be saved.

    :param robot: whose ledger it is, as the file says; empty if that is lost.
    :param bad_pages: pages that cannot be read or hold a row that is lost.
    :param rows: parents before children, with all their past.
    :param chains: by robot name.
    """

    robot: str
    bad_pages: int
    rows: tuple[Row, ...]
    proofs: dict[int, Proof]
    snapshot: tuple[int, bytes] | None
    chains: dict[str, Chain]

    @property
    def foreign(self) -> int:
        """How many of the blocks are unsigned ones."""
        return sum(row.issuer == FOREIGN for row in self.rows)


def find_damage(path: Path, fleet: Fleet) -> str:
    """
    Read a whole ledger file as its robot does.

    :returns: what is wrong with it, empty if nothing is.
    :raises ConfigError: if it is the ledger of another fleet.
    :raises StoreError: if it is not there.
    """
    try:
        store = Store.read(path)
    except StoreError as error:
        if not path.is_file():
            raise
        return str(error)
    with closing(store):
        if store.meta.get('fleet_id') != fleet.id.hex():
            raise ConfigError(
                f'{path}: is of fleet {store.meta.get("fleet")!r}, not {fleet.fleet!r}'
            )
        try:
            store.check()
            tangle = Tangle(fleet)
            tangle.begin(store)
            for _ in tangle.load(store.load()):
                pass
        except StoreError as error:
            return str(error)
    return ''


def salvage(path: Path, fleet: Fleet) -> Salvage:
    """
    Read what can be read and verified.

    :param path: of the file; it is not changed.
    """
    found = _Found(fleet)
    bad = Pages(path).rescue(found.take)
    tangle = found.begin()
    rows = found.closed(tangle)
    return Salvage(
        found.meta.get('robot', ''),
        bad,
        rows,
        found.proofs,
        found.snapshot,
        _chains(rows, found.blocks.values(), tangle),
    )


def repair(path: Path, fleet: Fleet, robot: str, saved: Salvage) -> Path:
    """
    Put a new file in the place of a damaged one.

    :param robot: whose ledger it is.
    :returns: where the damaged file is now.
    :raises StoreError: if the robot runs or the disk does not take it; nothing is changed then.
    """
    lock = StoreLock(str(path))
    new = path.with_name(f'{path.name}.repaired')
    try:
        _remove(new)
        with closing(Store(new, fleet, robot)) as store:
            for row in saved.rows:
                store.add(row)
            for proof in saved.proofs.values():
                store.add_proof(proof.issuer, proof.first, proof.second)
            store.commit()
            if saved.snapshot is not None:
                store.save_snapshot(*saved.snapshot, ())
            store.mark_incomplete(INCOMPLETE)
        old = _free_name(path)
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                os.replace(f'{path}{suffix}', f'{old}{suffix}')
        os.replace(new, path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f'{path}: cannot be repaired: {error.strerror}') from None
    finally:
        _remove(new)
        lock.release()
    return old


class _Found:
    """Rows as they come out of the pages, and which of them are good."""

    def __init__(self, fleet: Fleet) -> None:
        self.meta: dict[str, str] = {}
        self.blocks: dict[bytes, Row] = {}
        self.proofs: dict[int, Proof] = {}
        self.snapshot: tuple[int, bytes] | None = None
        self._fleet = fleet

    def take(self, values: Values) -> bool:
        """Keep a row if it is good; rows of other tables are none of ours."""
        try:
            if len(values) == 2:
                return self._take_meta(values)
            if len(values) == 3:
                return self._take_snapshot(values)
            if len(values) == 4:
                return self._take_proof(values)
            if len(values) in (7, 8):  # 7: of schema 1
                return self._take_block(values)
        except (RefusedError, ValueError, TypeError):
            return False
        return True

    def closed(self, tangle: Tangle) -> tuple[Row, ...]:
        """
        Return the blocks whose whole past is left, parents first.

        :param tangle: what they go on from.
        """
        dag = tangle.dag
        children: dict[bytes, list[Row]] = {}
        waits: dict[bytes, int] = {}
        ready: deque[Row] = deque()
        for row in self.blocks.values():
            if tangle.covers(row.issuer, row.seq) or row.id in dag.entries:
                continue
            missing = dag.missing(_parents(row))
            waits[row.id] = len(missing)
            for parent in missing:
                children.setdefault(parent, []).append(row)
            if not missing:
                ready.append(row)
        rows = []
        while ready:
            row = ready.popleft()
            try:
                entry = dag.insert(row.id, decode(row.raw), row.issuer)
            except (RefusedError, LookupError):
                continue
            rows.append(row._replace(issued_at=entry.record.issued_at, depth=entry.depth))
            for child in children.get(row.id, ()):
                waits[child.id] -= 1
                if not waits[child.id]:
                    ready.append(child)
        return tuple(sorted(rows, key=lambda row: (row.issued_at, row.depth, row.id)))

    def begin(self) -> Tangle:
        """Return what the blocks go on from: the snapshot, if it is good, or nothing."""
        if self.snapshot is not None:
            tangle, store = Tangle(self._fleet), MemoryStore()
            store.save_snapshot(*self.snapshot, ())
            try:
                tangle.begin(store)
            except StoreError:
                self.snapshot = None
            else:
                return tangle
        return Tangle(self._fleet)

    def _take_meta(self, values: Values) -> bool:
        key, value = values
        if isinstance(key, str) and isinstance(value, str):
            self.meta.setdefault(key, value)
        return True

    def _take_snapshot(self, values: Values) -> bool:
        number, data = snapshot_of(values)
        if self.snapshot is None or number > self.snapshot[0]:
            self.snapshot = number, data
        return True

    def _take_proof(self, values: Values) -> bool:
        _, first, second, _ = values
        if not isinstance(first, bytes) or not isinstance(second, bytes):
            return False
        proof = Proof.of(first, second, self._fleet)
        self.proofs[proof.issuer] = proof
        return True

    def _take_block(self, values: Values) -> bool:
        identity, raw, received_at = values[0], values[1], values[5]
        if not isinstance(raw, bytes) or len(raw) > MAX_BLOCK_BYTES:
            return False
        if identity in self.blocks:
            return True
        block = decode_block(raw)
        if block.tag == RECORD_TAG:
            record = decode_record(block)
            issuer = verify_record(record, self._fleet)
        else:
            record, issuer = foreign_record(block), FOREIGN
            if block.id != identity:  # nothing else says that its bytes are as they were
                return False
        row = Row(block.id, raw, issuer, record.seq, record.issued_at, record.issued_at, 0)
        if len(values) == 8:
            with suppress(ValueError):
                row = row._replace(received_at=row_of(values).received_at)
        elif isinstance(received_at, int):
            row = row._replace(received_at=received_at)
        self.blocks[row.id] = row
        return block.id == identity


def _parents(row: Row) -> Iterable[bytes]:
    return (parent for parent in decode_block(row.raw).parents if parent != GENESIS)


def _chains(kept: Iterable[Row], seen: Iterable[Row], tangle: Tangle) -> dict[str, Chain]:
    """Compare, per robot, what is kept with what was seen at all."""
    held: list[set[int]] = [set() for _ in tangle.pruned]
    numbers = [0] * len(held)
    highest = [pruned - 1 for pruned in tangle.pruned]
    for row in kept:
        if row.issuer != FOREIGN:
            held[row.issuer].add(row.seq)
            numbers[row.issuer] += 1
    for row in seen:
        if row.issuer != FOREIGN:
            highest[row.issuer] = max(highest[row.issuer], row.seq)
    return {
        robot.name: Chain(
            tangle.pruned[index],
            numbers[index],
            _gaps(held[index], tangle.pruned[index], highest[index]),
        )
        for index, robot in enumerate(tangle.fleet.robots)
    }


def _gaps(held: set[int], first: int, highest: int) -> tuple[tuple[int, int], ...]:
    gaps: list[tuple[int, int]] = []
    for seq in range(first, highest + 1):
        if seq not in held:
            if gaps and gaps[-1][1] == seq - 1:
                gaps[-1] = (gaps[-1][0], seq)
            else:
                gaps.append((seq, seq))
    return tuple(gaps)


def _free_name(path: Path) -> Path:
    number = 1
    while os.path.lexists(f'{path}.damaged-{number}'):
        number += 1
    return path.with_name(f'{path.name}.damaged-{number}')


def _remove(path: Path) -> None:
    """Remove a half-made new file and what belongs to it."""
    for suffix in (*_SUFFIXES, '.lock'):
        with suppress(FileNotFoundError):
            os.remove(f'{path}{suffix}')
