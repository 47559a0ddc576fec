"""
One network namespace per robot, joined by switches: a real network whose cables can be pulled.

The host sees nothing of it, and nothing of it stays: a namespace lives as long as the process that
holds it, which ends with this one, also when that is killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
import os
from pathlib import Path
import shutil
import subprocess
import time

TOOLS = ('ip', 'nsenter', 'tc', 'unshare')
BURST = '32kbit'
QUEUE = '400ms'
PATIENCE = 5.0  # s until a namespace is there


def missing() -> str:
    """Return why there can be no such network here; empty if there can."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f'no {", ".join(absent)} (Debian: iproute2, util-linux)'
    done = subprocess.run(['unshare', '--net', 'true'], capture_output=True, check=False)
    if done.returncode:
        return 'network namespaces need root'
    return ''


class Network:
    """
    A network of robots on one or more sides; the sides are joined by one cable each.

    :param sides: names of the robots on each side.
    :raises OSError: if it cannot be made; :func:`missing` says why beforehand.
    """

    def __init__(self, sides: Sequence[Sequence[str]]) -> None:
        self._cleanup = ExitStack()
        self._robots: dict[str, tuple[int, str]] = {}  # namespace's holder, port at the switch
        try:
            self._switch = self._namespace()
            self._make(sides)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Network:
        """Return it."""
        return self

    def __exit__(self, *error: object) -> None:
        """Take it down."""
        self.close()

    def command(self, robot: str, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command on a robot's side of its cable."""
        return [*_enter(self._robots[robot][0]), *command]

    def split(self) -> None:
        """Pull the cables between the sides."""
        self._set_trunks('down')

    def heal(self) -> None:
        """Put the cables between the sides back."""
        self._set_trunks('up')

    def cut(self, robot: str) -> None:
        """Pull a robot's cable."""
        self._ip(self._switch, f'link set {self._robots[robot][1]} down')

    def restore(self, robot: str) -> None:
        """Put a robot's cable back."""
        self._ip(self._switch, f'link set {self._robots[robot][1]} up')

    def limit(self, robot: str, rate: int | None, queue: str = QUEUE) -> None:
        """
        Limit what a robot can send and receive.

        :param rate: bit/s each way; None takes the limit away.
        :param queue: how long a packet may wait; those that would wait longer are dropped.
        """
        holder, port = self._robots[robot]
        for where, link in ((holder, 'eth0'), (self._switch, port)):
            command = [*_enter(where), 'tc', 'qdisc']
            if rate is None:
                command += ['del', 'dev', link, 'root']
            else:
                shape = ['tbf', 'rate', f'{rate}bit', 'burst', BURST, 'latency', queue]
                command += ['replace', 'dev', link, 'root', *shape]
            _run(command)

    def sent(self, robot: str) -> int:
        """Return the bytes that a robot has put on its cable, with all headers."""
        return self._counter(robot, 8)

    def received(self, robot: str) -> int:
        """Return the bytes that a robot has taken from its cable, with all headers."""
        return self._counter(robot, 0)

    def close(self) -> None:
        """Take everything down; the processes inside have to end first."""
        self._cleanup.close()

    def _make(self, sides: Sequence[Sequence[str]]) -> None:
        setup = []
        for number, robots in enumerate(sides):
            side = f'side{number}'
            setup += [f'link add {side} type bridge mcast_snooping 0', f'link set {side} up']
            if number:
                near, far = f'trunk{number}', f'far{number}'
                setup += [
                    f'link add {near} type veth peer name {far}',
                    f'link set {near} master side0 up',
                    f'link set {far} master {side} up',
                ]
            for robot in robots:
                holder = self._namespace()
                address = len(self._robots) + 1
                port = f'port{address}'
                self._robots[robot] = (holder, port)
                setup += [
                    f'link add {port} type veth peer name eth0 netns {holder}',
                    f'link set {port} master {side} up',
                ]
        self._sides = len(sides)
        self._ip(self._switch, *setup)
        for address, (holder, _) in enumerate(self._robots.values(), 1):
            self._ip(
                holder,
                'link set lo up',
                f'address add 10.0.0.{address}/24 dev eth0',
                'link set eth0 up',
            )

    def _namespace(self) -> int:
        """Return the process that holds a new namespace until its standard input ends."""
        holder = subprocess.Popen(['unshare', '--net', 'cat'], stdin=subprocess.PIPE)
        self._cleanup.enter_context(holder)  # closes its standard input and waits for its end
        own, deadline = os.readlink('/proc/self/ns/net'), time.monotonic() + PATIENCE
        while os.readlink(f'/proc/{holder.pid}/ns/net') == own:
            if holder.poll() is not None or time.monotonic() > deadline:
                raise OSError('a network namespace could not be made')
            time.sleep(0.002)  # unshare tells nobody when it is done, after some ms
        return holder.pid

    def _set_trunks(self, state: str) -> None:
        trunks = [f'link set trunk{number} {state}' for number in range(1, self._sides)]
        self._ip(self._switch, *trunks)

    def _ip(self, holder: int, *lines: str) -> None:
        _run([*_enter(holder), 'ip', '-batch', '-'], '\n'.join(lines))

    def _counter(self, robot: str, column: int) -> int:
        table = Path(f'/proc/{self._robots[robot][0]}/net/dev').read_text(encoding='ascii')
        row = next(line for line in table.splitlines() if line.strip().startswith('eth0:'))
        return int(row.partition(':')[2].split()[column])


def _enter(holder: int) -> list[str]:
    return ['nsenter', '--target', str(holder), '--net']


def _run(command: Sequence[str], text: str = '') -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f'{" ".join(command)}: {done.stderr.strip()}')
