"""A runner whose order is pruned keeps the same size, however many records it executes."""

import hashlib
from multiprocessing import get_context
import os
from pathlib import Path

from contract_history import ADDRESSES, FLEET, KEY, PROPOSE
import pytest

from collab_robots.contract.calls import tasks
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import SECOND
from collab_robots.tangle.block import GENESIS
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.order import Order
from collab_robots.tangle.record import Record

STEP = 250  # records between two snapshots


def stream():
    """Yield entries of an endless ledger whose facts stop growing; they need no signature."""
    last = [GENESIS] * 4
    for index in range(1 << 30):
        robot, seq = index % 4, index // 4
        said = [
            tasks.bid(KEY, index),
            tasks.renew(KEY),
            b'\1\2\3\4',
            tasks.award(KEY, bytes(20), 0),
        ]
        said[2 if index % 40 else 0] = tasks.award(KEY, ADDRESSES[robot], 0)
        if index < 4:
            said.insert(0, PROPOSE)
        record = Record(
            FLEET.id,
            FLEET.robots[robot].key,
            seq,
            (last[robot],),
            index * SECOND,
            tuple(said),
            b'',
        )
        last[robot] = hashlib.blake2b(index.to_bytes(8, 'big'), digest_size=32).digest()
        seen = (seq + 1,) * 4
        yield Entry(last[robot], record, robot, robot, index + 1, seen, 0, 0, False, None)


def resident():
    """Return the resident memory of this process, bytes."""
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    return pages * os.sysconf('SC_PAGESIZE')


def execute(order, runner, entries, count, prune):
    for number in range(1, count + 1):
        entry = next(entries)
        order.insert(entry)
        order.finalise([entry])
        if number % 25 == 0:
            runner.update(order)
        if number % 100 == 0:
            runner.state_root()
            runner.final_root()
        if prune and number % STEP == 0:
            runner.state_at(order.final)
            order.prune(order.final - STEP)


def measure():
    """Return by how many bytes a process grows with and without pruning."""
    order, runner, entries = Order(), Runner(FLEET), stream()
    execute(order, runner, entries, 10 * STEP, prune=True)
    before = resident()
    execute(order, runner, entries, 12 * STEP, prune=True)
    grown = resident() - before
    assert len(runner.receipts) <= 2 * STEP and len(runner._execution.steps) == 0
    assert len(runner._execution._notes._undo) == 0
    execute(order, runner, entries, 12 * STEP, prune=False)
    return grown, resident() - before - grown


@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='needs /proc to see memory')
def test_memory_is_flat_while_records_stream_through():
    with get_context('spawn').Pool(1) as pool:  # this process has memory to spare
        grown, without = pool.apply(measure)
    assert 4 * grown < without > 8 << 20
