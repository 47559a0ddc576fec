"""Check each row of a ledger for itself, in several processes: bytes, columns and signature."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from multiprocessing import get_context
import signal
from typing import Any

from collab_robots.core.errors import RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.verify_fault import Fault, WrongRecordError
from collab_robots.tangle.block import block_id, decode_block
from collab_robots.tangle.block_store import Row
from collab_robots.tangle.dag import FOREIGN
from collab_robots.tangle.record import decode_record, RECORD_TAG, verify_record
from collab_robots.tangle.store_rows import row_checksum

BATCH = 250  # rows that a process checks at a time
_AHEAD = 4  # batches that wait for each process

Values = tuple[Any, ...]
"""Row id, the fields of a Row, and its checksum."""
Batch = list[Values]


def check_row(values: Values, fleet: Fleet) -> Fault | None:
    """
    Look whether a row is as it was written, and its record signed by who is said to have.

    :param fleet: with all robots that ever were in it.
    """
    rowid, *fields, checksum = values
    row = Row(*fields)
    here = Fault(
        'blocks',
        str(rowid),
        'types of the columns',
        'two blobs, six integers',
        ', '.join(type(value).__name__ for value in (*row, checksum)),
        row.id.hex() if isinstance(row.id, bytes) else '',
        name_of(row.issuer, fleet),
        row.seq if isinstance(row.seq, int) else None,
    )
    if [type(value) for value in (*row, checksum)] != [bytes, bytes, *[int] * 6]:
        return here
    try:
        _check(row, checksum, fleet, here)
    except WrongRecordError as error:
        return error.fault
    return None


def _check(row: Row, checksum: int, fleet: Fleet, here: Fault) -> None:
    identity = block_id(row.raw)
    if identity != row.id:
        raise here.wrong('id', f'{identity.hex()}, the hash of its bytes', row.id.hex())
    try:
        block = decode_block(row.raw)
        said: dict[str, int] = {'issuer': FOREIGN, 'seq': 0}
        if block.tag == RECORD_TAG:
            record = decode_record(block)
            issuer = verify_record(record, fleet)
            said = {'issuer': issuer, 'seq': record.seq, 'issued_at': record.issued_at}
    except RefusedError as error:
        raise here.wrong(error.reason.value, 'a valid block', error) from None
    for name, expected in said.items():
        found = getattr(row, name)
        if found != expected:
            raise here.wrong(name, f'{expected}, as its record says', found)
    if row_checksum(row) != checksum:
        raise here.wrong('checksum', f'{row_checksum(row)}, that of its columns', checksum)


def checked(rows: Iterable[Values], fleet: Fleet, jobs: int) -> Iterator[Batch]:
    """
    Hand on rows that are right.

    :param jobs: processes, this one included.
    :raises WrongRecordError: at the first row that is not.
    """
    coming = iter(rows)
    batches = iter(lambda: list(islice(coming, BATCH)), [])
    if jobs == 1:
        for batch in batches:
            _refuse(_first_fault(batch, fleet))
            yield batch
        return
    with _pool(jobs - 1, fleet) as pool:
        ahead: deque[tuple[Batch, Future[Fault | None]]] = deque()
        for batch in batches:
            ahead.append((batch, pool.submit(_check_here, batch)))
            if len(ahead) >= _AHEAD * jobs:
                yield _done(*ahead.popleft())
        while ahead:
            yield _done(*ahead.popleft())


def _done(batch: Batch, outcome: Future[Fault | None]) -> Batch:
    try:
        _refuse(outcome.result())
    except BrokenProcessPool:
        raise StoreError('a process that checks signatures ended by itself') from None
    return batch


def _refuse(fault: Fault | None) -> None:
    if fault is not None:
        raise WrongRecordError(fault)


def _first_fault(batch: Batch, fleet: Fleet) -> Fault | None:
    return next((fault for row in batch if (fault := check_row(row, fleet))), None)


@contextmanager
def _pool(processes: int, fleet: Fleet) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context('spawn'), initializer=_begin, initargs=(fleet,)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


_FLEET: ContextVar[Fleet] = ContextVar('fleet')


def _begin(fleet: Fleet) -> None:
    """Begin a process of the pool."""
    _FLEET.set(fleet)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent


def _check_here(batch: Batch) -> Fault | None:
    return _first_fault(batch, _FLEET.get())


def name_of(issuer: object, fleet: Fleet) -> str:
    """Return the name of a robot; empty for what is no roster index."""
    if isinstance(issuer, int) and 0 <= issuer < len(fleet.robots):
        return fleet.robots[issuer].name
    return ''
