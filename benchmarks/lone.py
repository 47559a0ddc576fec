"""
One robot's ledger as a process of its own, without ROS: ledger, contract and store, over UDP.

It tells what the ledger part alone costs. :mod:`benchmarks.cost` starts one per robot with its
settings (JSON) as the only argument; in the end it prints one line of JSON.
"""

from __future__ import annotations

from dataclasses import astuple
import json
from pathlib import Path
import select
import socket
import sys
import time
from typing import Any

import cbor2
import psutil

from benchmarks.latency import Probe
from benchmarks.workload import Workload
from collab_robots.contract.runner import Runner
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.store import Store
from collab_robots.tangle.sync import Chunk, Have, Request

TICK_S = 0.1
TAIL_S = 3.0  # for the last records of a phase to become final
SILENT_S = 12.0  # until a team that has nothing to say is silent
MAX_DATAGRAM = 65_507
RECEIVE_BUFFER = 4 << 20
HOST = '127.0.0.1'
MESSAGES: dict[str, Any] = {
    'receive_have': Have,
    'receive_request': Request,
    'receive_chunk': Chunk,
}


class WallClock:
    """This computer's clock."""

    def now_ns(self) -> int:
        """Return ns since the epoch."""
        return time.time_ns()


class Udp:
    """
    A transport between processes of one computer.

    :param ports: of all robots, in roster order.
    """

    def __init__(self, name: str, index: int, ports: list[int]) -> None:
        self._name = name
        self._others = [(HOST, port) for at, port in enumerate(ports) if at != index]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.bind((HOST, ports[index]))
        self.socket.setblocking(False)

    def broadcast_block(self, raw: bytes) -> None:
        """Send a block to all."""
        self._send('receive_block', (raw, self._name))

    def broadcast_have(self, have: Have) -> None:
        """Send an announcement to all."""
        self._send('receive_have', astuple(have))

    def send_request(self, target: str, request: Request) -> None:
        """Send a request to all; the target answers."""
        self._send('receive_request', astuple(request))

    def broadcast_chunk(self, chunk: Chunk) -> None:
        """Send a piece of a snapshot to all."""
        self._send('receive_chunk', astuple(chunk))

    def deliver(self, ledger: Ledger) -> None:
        """Hand over everything that came."""
        while True:
            try:
                data = self.socket.recv(MAX_DATAGRAM)
            except OSError:
                return
            method, values = cbor2.loads(data)
            if method in MESSAGES:
                getattr(ledger, method)(MESSAGES[method](*map(_frozen, values)))
            else:
                ledger.receive_block(*values)

    def _send(self, method: str, values: tuple[Any, ...]) -> None:
        data = cbor2.dumps([method, values])
        for other in self._others:
            try:
                self.socket.sendto(data, other)
            except OSError:
                continue  # lost, as on a radio: that robot is not there yet, or has no room


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


class Robot:
    """
    The ledger, its contract and a loop around them, as the ledger node has.

    :param settings: see :func:`benchmarks.cost.ledger_alone`.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        fleet = Fleet.load(settings['fleet'])
        self._index = index = settings['index']
        name = fleet.robots[index].name
        self._udp = Udp(name, index, settings['ports'])
        self._store = Store(Path(settings['store']), fleet, name)
        key = PrivateKey.load(Path(settings['key']))
        self._runner = Runner(fleet)
        self.ledger = Ledger(
            fleet, key, self._store, WallClock(), self._udp, fresh=True, state=self._runner
        )
        self._runner.follow(self.ledger.order)
        self._workload = Workload(fleet, settings['seed'])
        self._tick_at = 0.0
        self.probe = Probe([self.ledger], lambda: time.time() * 1e3)
        self.probe.watches = False

    def live(self, until: float, gap: float | None = None, first: float = 0.0) -> None:
        """
        Go on until a time, s since the epoch.

        :param gap: s between two calls; None for none.
        :param first: s until the first call.
        """
        say_at = time.time() + first if gap is not None else float('inf')
        while (now := time.time()) < until:
            if now >= say_at:
                say_at += gap or 0.0
                self.ledger.submit(self._workload.call(self._index))
            if now >= self._tick_at:
                self._tick_at = max(self._tick_at + TICK_S, now)
                self.ledger.tick()
                self._runner.update(self.ledger.order)
            if self.probe.watches:
                self.probe.look()
            wait = min(say_at, self._tick_at, until) - time.time()
            if select.select([self._udp.socket], [], [], max(0.0, wait))[0]:
                self._udp.deliver(self.ledger)


def main() -> int:
    """Live through the phases, in step with the other robots; print what was measured."""
    settings = json.loads(sys.argv[1])
    process = psutil.Process()
    imports = process.memory_info().rss
    robot = Robot(settings)
    begin, robots, index = settings['begin'], len(settings['ports']), settings['index']
    steady = settings['steady']
    result: dict[str, Any] = {'memory_imports': imports}

    robot.live(begin)
    for phase, gap, first in (
        ('quiet', robots * settings['gap'], index * settings['gap']),
        ('steady', 1 / settings['rate'], index / robots / settings['rate']),
    ):
        robot.probe.watches = True
        robot.live(begin + steady, gap, first)
        begin += steady + TAIL_S
        robot.probe.watches = False
        robot.live(begin)
        result[phase] = {'accepted': robot.probe.accepted, 'final': robot.probe.final}
        robot.probe.accepted, robot.probe.final = [], []
    for phase, rate in (('idle', None), ('loaded', settings['rate'])):
        begin += SILENT_S
        robot.live(begin)
        before, status = time.process_time(), robot.ledger.status()
        robot.live(begin + steady, 1 / rate if rate else None, index / robots)
        spent = time.process_time() - before
        begin += steady
        after = robot.ledger.status()
        result[phase] = {
            'processor_share': spent / steady,
            'memory': process.memory_info().rss,
            'bytes_sent_per_s': (after.bytes_sent - status.bytes_sent) / steady,
            'own_records_per_s': (after.heights[index] - status.heights[index]) / steady,
            'final': after.final,
        }
    robot.ledger.close()
    print(json.dumps(result))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
