"""What a whole team brings about in the virtual network: records/s, and bytes/s of a robot."""

from __future__ import annotations

from functools import partial
import time
from typing import Any

from benchmarks.network import Network
from benchmarks.workload import Workload
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.settings import LedgerConfig

WARM_UP = 3.0  # s


class _Team:
    """A team in which every robot says something so many times a second."""

    def __init__(self, robots: int, rate: float, seconds: float, seed: int) -> None:
        fleet, keys = make_team(robots)
        self.network = Network(fleet, seed)
        self.ledgers: list[Ledger] = [
            self.network.start(key, MemoryStore(), fresh=True) for key in keys
        ]
        self._workload = Workload(fleet, seed)
        for turn in range(round(seconds * rate)):
            for robot in range(robots):
                at = (turn + robot / robots) / rate
                self.network.call_at(at, partial(self._say, robot))

    def _say(self, robot: int) -> None:
        self.ledgers[robot].submit(self._workload.call(robot))

    def records(self) -> int:
        """Return how many records there are."""
        return sum(self.ledgers[0].dag.heights())

    def final(self) -> int:
        """Return how many records are final with the robot that has fewest."""
        return min(ledger.order.final for ledger in self.ledgers)


def throughput(robots: int, seconds: float, seed: int) -> dict[str, Any]:
    """
    Let every robot issue as often as its pace allows.

    :returns: records/s issued and final, virtual time, over the second half; how many were not
        final at its end; and the processor time that a robot needs for a record.
    """
    pace = 1 / LedgerConfig().min_interval
    team = _Team(robots, pace, WARM_UP + seconds, seed)
    team.network.run(WARM_UP + seconds / 2)
    issued, final, began = team.records(), team.final(), time.process_time()
    half = team.network.run(seconds / 2)
    spent = time.process_time() - began
    made, finished = team.records() - issued, team.final() - final
    cost = spent / max(1, made * robots)
    return {
        'robots': robots,
        'issued_per_s': made / half,
        'final_per_s': finished / half,
        'open': team.records() - team.final(),
        'processor_us_per_record_and_robot': 1e6 * cost,
        'core_takes_per_s': 1 / cost,
    }


def traffic(robots: int, seconds: float, seed: int) -> dict[str, Any]:
    """
    Count what robots send, idle and at 1 call/s each.

    :returns: bytes/s of a robot, per kind of message. On a radio all hear it; what a robot hears
        is the sum of the others.
    """
    result: dict[str, Any] = {'robots': robots}
    for name, rate in (('idle', 0.0), ('one_per_s', 1.0)):
        team = _Team(robots, rate, WARM_UP + seconds, seed)
        team.network.run(WARM_UP)
        before, records = team.network.sent.copy(), team.records()
        passed = team.network.run(seconds)
        sent = team.network.sent - before
        result[name] = {
            'bytes_per_s': sum(sent.values()) / passed / robots,
            'kinds': {kind: count / passed / robots for kind, count in sent.items()},
            'records_per_s': (team.records() - records) / passed / robots,
        }
    return result
