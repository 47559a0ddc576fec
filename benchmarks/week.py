"""
Memory and disk of one robot over simulated days: 4 robots, 1 record/s each.

The robot is real: ledger, contract, store on the disk. Its teammates only make records. With a
folder that is kept, the next call goes on where the last one ended.
"""

from __future__ import annotations

from collections.abc import Callable
import gc
from pathlib import Path
import time
from typing import Any, cast

import psutil

from benchmarks.mates import Mates
from benchmarks.workload import Workload
from collab_robots.contract.runner import Runner
from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store
from collab_robots.tangle.sync import Transport

DAY = 86_400  # s
ROBOTS = 4
PACE = LedgerConfig(min_interval=0.99, heartbeat_interval=0.99)
START = 1_000  # s
PLACES = 200  # tasks, sightings and tiles of a building
FILE = 'ledger.db'


def measure(
    days: float,
    folder: Path,
    seed: int,
    config: LedgerConfig = PACE,
    samples: int = 100,
    advance: Callable[[float], None] = lambda done: None,
) -> dict[str, Any]:
    """
    Let simulated days pass.

    :param folder: where the ledger's file is made or found.
    :param advance: told the share that is done, 0 to 1.
    :returns: the curve: per sample hours since the ledger's beginning, bytes resident, bytes on
        the disk, blocks held, final records, wall seconds.
    """
    fleet, keys = make_team(ROBOTS)
    clock = ManualClock(START * SECOND)
    store = Store(folder / FILE, fleet, fleet.robots[0].name)
    mates, workload = Mates(fleet, keys), Workload(fleet, seed, PLACES)
    runner = Runner(fleet)
    ear = cast(Transport, _Ear(mates))
    ledger = Ledger(fleet, keys[0], store, clock, ear, config, fresh=True, state=runner)
    runner.follow(ledger.order)
    newest = [entry for entry in map(ledger.dag.newest, range(ROBOTS)) if entry is not None]
    for entry in newest:
        mates.remember(entry)
    if newest:
        last = max(entry.record.issued_at for entry in newest)
        clock.advance((last - clock.now_ns()) / SECOND + 1)
    runner.update(ledger.order)
    process, began = psutil.Process(), time.perf_counter()
    seconds = round(days * DAY)
    every = max(1, seconds // samples)
    curve: list[dict[str, float]] = []
    for second in range(seconds):
        ledger.submit(workload.call(0))
        for robot in range(ROBOTS):
            if robot:
                raw = mates.say(robot, clock.now_ns(), workload.call(robot))
                ledger.receive_block(raw, fleet.robots[robot].name)
            else:
                ledger.tick()
            clock.advance(1 / ROBOTS)
        runner.update(ledger.order)
        if (second + 1) % every == 0:
            gc.collect()
            curve.append(
                {
                    'hours': (clock.now_ns() / SECOND - START) / 3600,
                    'memory': process.memory_info().rss,
                    'disk': sum(path.stat().st_size for path in folder.glob(FILE + '*')),
                    'held': len(ledger.dag.entries),
                    'final': ledger.order.final,
                    'reverted': runner.reverted,
                    'wall_s': time.perf_counter() - began,
                }
            )
            advance((second + 1) / seconds)
    status = ledger.status()
    ledger.close()
    return {
        'days': days,
        'records': status.blocks,
        'refused': {reason.value: count for reason, count in status.refused.items()},
        'alarm': status.alarm,
        'wall_s': time.perf_counter() - began,
        'curve': curve,
    }


class _Ear:
    """A transport that lets the teammates hear blocks, and nothing else."""

    def __init__(self, mates: Mates) -> None:
        self._mates = mates

    def broadcast_block(self, raw: bytes) -> None:
        self._mates.hear(raw)

    def broadcast_have(self, have: object) -> None:
        pass

    def send_request(self, target: str, request: object) -> None:
        pass

    def broadcast_chunk(self, chunk: object) -> None:
        pass
