"""
One robot's process of the uplink benchmark: its ledger, and tiles and tensors beside it.

The ledger node and what drives it are those of ``benchmarks/driver.py``. A third node sends tiles
to all and tensors to the next robot, through the same uplink, as fast as the file ``load`` in the
robot's folder says, and appends to ``log.jsonl`` there what has gone so far::

    {"kind": "load", "at", "sent": {kind: bytes}, "lost": {kind: messages},
     "heard": {"tiles": bytes, "tensors": bytes}}

Without that file it sends none.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
import json
import os
from pathlib import Path
import random
import time
from typing import Any

from rclpy.clock import Clock, ClockType

from benchmarks.driver import Driver, LOG, WatchedLedger
from collab_robots.bringup import topics
from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.tables import NODE
from collab_robots.core.clock import SECOND, SteadyClock
from collab_robots.core.uplink import Traffic, Uplink
from collab_robots.inference.options import Kind, Option
from collab_robots.inference.runtime.messages import FrameId, HASH_BYTES, Hop, Work
from collab_robots.inference.runtime.peer import Message
from collab_robots.nodes import qos
from collab_robots.nodes.inference_radio import InferenceRadio
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.spin import run
from collab_robots.nodes.uplink import Outlets
from collab_robots_msgs.msg import Tile

LOAD = 'load'
NOTHING = {'tiles': 0.0, 'tensors': 0.0, 'uplink': 0.0}
TABLE = {
    **NODE,
    'folder': Parameter('', "The robot's folder: its load file and its log.", required=True),
    'helper': Parameter('', 'Who gets its tensors.', required=True),
    'seed': Parameter(1, 'Of the sizes of tiles.', 0, 2**31 - 1),
}
LOOK_S = 0.01  # between two looks at what is to be said
FILE_S = 0.2  # between two looks at the file, and two lines
TILE_BYTES = (80, 930)  # of nine in ten of the Intel Research Lab, mapped
CHUNK_BYTES = 4_000
SPLIT = Option(Kind.SPLIT, 9, 8)


class Load(ManagedNode):
    """
    See the module.

    :param uplink: of the process.
    """

    def __init__(self, uplink: Uplink) -> None:
        super().__init__('load', TABLE)
        self._uplink = uplink

    def configure(self, values: dict[str, Any]) -> None:
        """Make topics."""
        self._name: str = values['name']
        self._helper: str = values['helper']
        self._random = random.Random(values['seed'])
        self._load = NOTHING
        self._file = Path(values['folder']) / LOAD
        self._log = os.open(Path(values['folder']) / LOG, os.O_WRONLY | os.O_APPEND)
        self.at_cleanup(partial(os.close, self._log))
        self._owed: Counter[str] = Counter()
        self._heard: Counter[str] = Counter()
        self._looked = time.monotonic()
        self._count = 0
        outlets = Outlets(self, self._uplink, 0.0)
        self._tiles = outlets.open(Traffic.TILES, Tile, topics.sent('tile'))
        self._radio = InferenceRadio(self, outlets, self._name, self._on_work)
        self.listen(Tile, topics.heard('tile'), self._on_tile, qos.RADIO)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.every(LOOK_S, self._look, steady)
        self.every(FILE_S, self._tell, steady)

    def _on_tile(self, message: Tile) -> None:
        if message.sender != self._name:
            self._heard['tiles'] += len(message.data)

    def _on_work(self, message: Message) -> None:
        assert isinstance(message, Work)
        self._heard['tensors'] += len(message.data)

    def _look(self) -> None:
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        for what, say in (('tiles', self._say_tile), ('tensors', self._say_chunk)):
            self._owed[what] += passed * self._load[what]
            while self._owed[what] > 0:
                self._owed[what] -= say()

    def _say_tile(self) -> int:
        """Send the next tile; return its size."""
        self._count += 1
        data = self._random.randbytes(self._random.randint(*TILE_BYTES))
        x, y = divmod(self._count % 2**16, 2**8)
        message = Tile(
            version=Tile.VERSION, sender=self._name, owner=self._name, x=x, y=y, data=data
        )
        self._tiles.publish(message, (self._name, x, y))
        return len(data)

    def _say_chunk(self) -> int:
        """Send a chunk of a tensor; return its size."""
        self._count += 1
        self._radio.send(
            Work(
                FrameId(self._name, 1, self._count),
                attempt=0,
                sender=self._name,
                model=bytes(HASH_BYTES),
                option=SPLIT,
                route=(Hop(self._helper, 33, 8),),
                budget_ns=SECOND,
                done=(),
                lost=0.0,
                chunk=0,
                chunks=1,
                size=CHUNK_BYTES,
                data=bytes(CHUNK_BYTES),
            )
        )
        return CHUNK_BYTES

    def _tell(self) -> None:
        load = json.loads(self._file.read_text('ascii')) if self._file.exists() else NOTHING
        if load != self._load:
            self._load = load
            self._uplink.limit(load['uplink'])
        sent, lost = self._uplink.sent, self._uplink.lost
        line = {
            'kind': 'load',
            'at': time.time(),
            'sent': {kind.name.lower(): sent[kind] for kind in Traffic},
            'lost': {kind.name.lower(): lost[kind] for kind in Traffic},
            'heard': dict(self._heard),
        }
        os.write(self._log, json.dumps(line).encode() + b'\n')


def main() -> int:
    """Run one robot."""
    uplink = Uplink(SteadyClock())
    nodes: list[WatchedLedger] = []

    def ledger() -> WatchedLedger:
        nodes.append(WatchedLedger(uplink=uplink))
        return nodes[0]

    return run(None, ledger, lambda: Driver(nodes[0]), lambda: Load(uplink))


if __name__ == '__main__':
    raise SystemExit(main())
