"""
One robot's ledger process: the real ledger node, something to say, and a log of what happens.

It puts calls on ``ledger/call`` as often as the file ``rate`` in the robot's folder says (calls
per second, 0 for none), and appends to ``log.jsonl`` there, one object a line:

- ``{"kind": "born", "at"}``: the ledger has been loaded.
- ``{"kind": "solid", "at", "issuer", "seq", "id"}``: a record became solid; an own one, before
  anybody else has it.
- ``{"kind": "status", "at", ...}``: the node's status message; ``undecided``, the records with
  calls that are not final; and the own records with calls that became accepted and final since the
  last one, as ms since they were issued.

``at`` is seconds since the epoch.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
import json
import os
from pathlib import Path
import random
import time
from typing import Any

from rclpy.node import Node

from collab_robots.bringup import topics
from collab_robots.bringup.parameters import Parameter
from collab_robots.contract.calls import maps
from collab_robots.core.clock import SECOND
from collab_robots.nodes import qos
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.parameters import declare, read
from collab_robots.nodes.spin import run
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.record import LEDGER_CALL
from collab_robots.tangle.settings import LedgerConfig, SNAPSHOT_INTERVAL
from collab_robots_msgs.msg import Call, LedgerStatus

LOG, RATE = 'log.jsonl', 'rate'
PARAMETERS = {
    'folder': Parameter('', "The robot's folder: its rate file and its log.", required=True),
    'seed': Parameter(1, 'Seed of what is said and when.', 0, 2**31 - 1),
}
LOOK_S = 0.02  # between two looks at what is due and what was accepted
RATE_S = 0.2  # between two looks at the rate file
JITTER = (0.5, 1.5)  # gaps between calls, in mean gaps
TILES = 16  # a side of the square of map tiles that calls are about


class WatchedLedger(LedgerNode):
    """The ledger node, which tells when its ledger is there."""

    on_join: Callable[[Ledger], None]

    def _join(self) -> None:
        super()._join()
        self.on_join(self._ledger)


class Driver(Node):
    """See the module."""

    def __init__(self, ledger_node: WatchedLedger) -> None:
        super().__init__('driver', start_parameter_services=False, enable_rosout=False)
        declare(self, PARAMETERS)
        values = read(self, PARAMETERS)
        folder = Path(values['folder'])
        self._rate_file = folder / RATE
        self._log = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._random = random.Random(values['seed'])
        self._rate = 0.0
        self._next = 0.0
        self._ledger: Ledger | None = None
        self._waiting: dict[bytes, int] = {}  # own records that are not accepted: issued at, ns
        self._times: dict[str, list[float]] = {'accepted_ms': [], 'final_ms': []}
        ledger_node.on_join = self._join
        self._calls = self.create_publisher(Call, topics.CALL, qos.CALLS)
        self.create_subscription(LedgerStatus, topics.LEDGER_STATUS, self._status, qos.STATUS)
        self.create_timer(LOOK_S, self._look)
        self.create_timer(RATE_S, self._read_rate)

    def _join(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._write('born')
        ledger.on_solid(self._solid)
        ledger.on_final(self._final)

    def _write(self, kind: str, **values: Any) -> None:
        line = json.dumps({'kind': kind, 'at': time.time(), **values})
        os.write(self._log, line.encode() + b'\n')  # in one piece, also when it is killed now

    def _solid(self, entry: Entry) -> None:
        record = entry.record
        self._write('solid', issuer=entry.issuer, seq=record.seq, id=entry.id.hex())
        if entry.issuer == self._ledger.index and _has_calls(entry):
            self._waiting[entry.id] = record.issued_at

    def _final(self, entry: Entry) -> None:
        if entry.issuer == self._ledger.index and _has_calls(entry):
            self._note('final_ms', entry.record.issued_at)

    def _read_rate(self) -> None:
        try:
            rate = float(self._rate_file.read_text(encoding='ascii') or 0)
        except FileNotFoundError:
            rate = 0.0
        if rate != self._rate:
            self._rate = rate
            self._next = time.monotonic() + self._random.random() / max(rate, 1e-9)

    def _look(self) -> None:
        now = time.monotonic()
        while self._rate and now >= self._next and self._ledger is not None:
            self._next += self._random.uniform(*JITTER) / self._rate
            x, y = self._random.choices(range(TILES), k=2)
            call = maps.submit_tiles([(x, y, self._random.randbytes(32))])
            self._calls.publish(Call(data=call))
        for identity in [key for key in self._waiting if self._ledger.is_accepted(key)]:
            self._note('accepted_ms', self._waiting.pop(identity))

    def _note(self, what: str, issued_at: int) -> None:
        self._times[what].append(round((time.time_ns() - issued_at) * 1000 / SECOND, 1))

    def _status(self, message: LedgerStatus) -> None:
        times, self._times = self._times, {'accepted_ms': [], 'final_ms': []}
        self._write(
            'status',
            **{name: getattr(message, name) for name in NUMBERS},
            **{name: bytes(getattr(message, name)).hex() for name in DIGESTS},
            heights=list(message.heights),
            peers=list(message.peers),
            equivocators=list(message.equivocators),
            refused=dict(zip(message.refused, map(int, message.refused_count), strict=True)),
            undecided=sum(map(_has_calls, self._ledger.order.tentative)),
            **times,
        )

    def destroy_node(self) -> None:
        """Close the log too."""
        os.close(self._log)
        super().destroy_node()


NUMBERS = (
    *('blocks', 'waiting', 'pending', 'accepted', 'final', 'pruned', 'snapshot', 'reverted'),
    *('bytes_sent', 'bytes_received', 'alarm'),
)
DIGESTS = ('set_digest', 'state_root', 'final_digest', 'final_root')


def _has_calls(entry: Entry) -> bool:
    """Tell whether a record has calls for the contract; what it tells the ledger is none."""
    return any(not call.startswith(LEDGER_CALL) for call in entry.record.calls)


def main() -> int:
    """Run one robot's ledger and its driver."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('--snapshot-interval', type=int, default=SNAPSHOT_INTERVAL)
    config = LedgerConfig(snapshot_interval=parser.parse_known_args()[0].snapshot_interval)
    nodes: list[WatchedLedger] = []

    def ledger() -> WatchedLedger:
        nodes.append(WatchedLedger(config))
        return nodes[0]

    return run(None, ledger, lambda: Driver(nodes[0]))


if __name__ == '__main__':
    raise SystemExit(main())
