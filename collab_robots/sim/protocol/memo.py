"""
Pure checks of blocks, done once for all robots of a process.

What a block's bytes mean, and whether its signature holds, is the same for every robot; in a
simulated team each would work it out again. Only success is remembered: what is refused is looked
at each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
import logging
from typing import Any

from collab_robots.core.fleet import Fleet
from collab_robots.tangle import intake
from collab_robots.tangle.block import block_id, decode_block
from collab_robots.tangle.record import decode_record, Record, verify_record

_SIZE = 20_000  # blocks


@contextmanager
def replaced(owner: Any, **values: Any) -> Iterator[None]:
    """Give a module or a class other functions or constants, as long as it lasts."""
    before = {name: getattr(owner, name) for name in values}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextmanager
def remember_checks() -> Iterator[None]:
    """Let the ledgers of this process share the results of their checks, as long as it lasts."""
    issuers: dict[tuple[Record, bytes, int], int] = {}

    def verify_once(record: Record, fleet: Fleet) -> int:
        key = (record, fleet.id, fleet.epoch)
        issuer = issuers.get(key)
        if issuer is None:
            issuer = issuers[key] = verify_record(record, fleet)
        return issuer

    with replaced(
        intake,
        block_id=lru_cache(_SIZE)(block_id),
        decode_block=lru_cache(_SIZE)(decode_block),
        decode_record=lru_cache(_SIZE)(decode_record),
        verify_record=verify_once,
    ):
        yield


@contextmanager
def quiet_ledgers() -> Iterator[None]:
    """Keep ledgers from warning of liars, as long as it lasts: here some are meant to lie."""
    log = logging.getLogger('collab_robots.tangle')
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
