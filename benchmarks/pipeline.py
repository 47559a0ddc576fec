"""How many records one robot takes in on one core, from bytes to contract state and disk."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
import statistics
from tempfile import TemporaryDirectory
import time
from typing import Any, cast

from benchmarks.mates import Mates
from benchmarks.sampling import Sampler
from benchmarks.workload import Workload
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store
from collab_robots.tangle.sync import Transport

LIMIT = 5_000  # records/s
PACE = 1 / LIMIT  # s of virtual time between two records: a robot that catches up
BATCH = LIMIT // 10  # records between two ticks, of which there are 10/s
CONFIG = LedgerConfig(new_rate=LIMIT * 100, new_burst=LIMIT * 100)  # as if asked for
STAGES = {
    ('tangle/block.py', ''): 'decode',
    ('tangle/record.py', ''): 'decode',
    ('tangle/record.py', 'body'): 'verify',
    ('tangle/record.py', 'verify_record'): 'verify',
    ('core/identity.py', 'verify'): 'verify',
    ('tangle/solidifier.py', ''): 'insert',
    ('tangle/dag.py', ''): 'insert',
    ('tangle/tangle.py', ''): 'insert',
    ('tangle/ledger.py', ''): 'ledger',
    ('tangle/voice.py', ''): 'ledger',
    ('tangle/intake.py', ''): 'ledger',
    ('tangle/order.py', ''): 'order',
    ('tangle/finality.py', ''): 'order',
    ('tangle/quorum.py', ''): 'order',
    ('tangle/equivocation.py', ''): 'order',
    ('tangle/snapshot.py', ''): 'snapshot',
    ('tangle/checkpoints.py', ''): 'snapshot',
    ('tangle/roots.py', ''): 'snapshot',
    ('contract/state.py', ''): 'snapshot',
    ('contract/evm.py', 'dump'): 'snapshot',
    ('contract/evm.py', 'with_storage'): 'snapshot',
    ('contract/evm.py', '_rows'): 'snapshot',
    ('contract/evm.py', '_word'): 'snapshot',
    ('contract/runner.py', ''): 'execute',
    ('contract/evm.py', ''): 'execute',
    ('contract/deployment.py', ''): 'execute',
    ('contract/facts.py', ''): 'execute',
    ('contract/notes.py', ''): 'execute',
    ('contract/receipt.py', ''): 'execute',
    ('tangle/store.py', ''): 'store',
    ('tangle/store_rows.py', ''): 'store',
}
ORDER = ('decode', 'verify', 'insert', 'order', 'execute', 'store', 'snapshot', 'ledger', 'rest')


def measure(robots: int, records: int, repeats: int, seed: int) -> dict[str, Any]:
    """
    Feed one robot the records of its teammates as fast as it takes them.

    :returns: records/s of each repeat and their median, by the wall clock and by the processor's
        time; how many became final; the share of each stage by sampling, from a run of its own.
    """
    fleet, keys = make_team(robots)
    blocks = _make(fleet, keys, records, seed)
    rates, processor_rates = [], []
    final = reverted = 0
    for _ in range(repeats):
        before = time.process_time()
        seconds, final, reverted = _feed(fleet, keys[0], blocks)
        processor_rates.append(records / (time.process_time() - before))
        rates.append(records / seconds)
    sampler = Sampler(STAGES)
    _feed(fleet, keys[0], blocks, sampler)
    shares = sampler.shares()
    return {
        'robots': robots,
        'records': records,
        'bytes_per_record': statistics.mean(len(raw) for _, _, raw in blocks),
        'final': final,
        'reverted': reverted,
        'records_per_s': statistics.median(rates),
        'records_per_processor_s': statistics.median(processor_rates),
        'all_records_per_s': rates,
        'shares': {stage: shares.get(stage, 0.0) for stage in ORDER},
    }


def _make(
    fleet: Fleet, keys: list[PrivateKey], records: int, seed: int
) -> list[tuple[int, str, bytes]]:
    """Return (issue time, sender, block) of all robots but the first, in turn."""
    mates, workload = Mates(fleet, keys), Workload(fleet, seed)
    blocks = []
    for number in range(records):
        robot = 1 + number % (len(keys) - 1)
        now = 1_000 * SECOND + round(number * PACE * SECOND)
        raw = mates.say(robot, now, workload.call(robot))
        blocks.append((now, fleet.robots[robot].name, raw))
    return blocks


class Nowhere:
    """A transport that leads nowhere."""

    def __getattr__(self, name: str) -> Any:
        return lambda *message: None


def _feed(
    fleet: Fleet,
    key: PrivateKey,
    blocks: list[tuple[int, str, bytes]],
    sampler: Sampler | None = None,
) -> tuple[float, int, int]:
    """Return the seconds it took, and how many records are final and calls reverted."""
    with TemporaryDirectory() as folder:
        clock = ManualClock(blocks[0][0])
        store = Store(Path(folder, 'ledger.db'), fleet, fleet.robots[0].name)
        runner = Runner(fleet)
        ledger = Ledger(fleet, key, store, clock, cast(Transport, Nowhere()), CONFIG, state=runner)
        runner.follow(ledger.order)
        ledger.hold = True  # it only takes; what it says itself is bound by the disk's latency
        with sampler.watch() if sampler else nullcontext():
            start = time.perf_counter()
            for number, (at, sender, raw) in enumerate(blocks, start=1):
                ledger.receive_block(raw, sender)
                if number % BATCH == 0:
                    clock.advance((at - clock.now_ns()) / SECOND)
                    ledger.tick()
                    runner.update(ledger.order)
            ledger.close()
            runner.update(ledger.order)
            seconds = time.perf_counter() - start
        status = ledger.status()
        if status.blocks != len(blocks):
            raise RuntimeError(f'{status.blocks} of {len(blocks)} records taken: {status}')
        return seconds, status.final, runner.reverted
