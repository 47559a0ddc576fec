"""
Robots that infer together: one process each in a network namespace, with real DDS between them.

::

    with Team({'robot1': 8.0, 'robot2': 1.0}, common) as team:
        team.network.limit('robot1', 5_000_000)
        for answer in team.ask('robot1', {'do': 'run', ...}):
            ...

The processes are ``benchmarks/inference_robot.py``; they take commands as JSON, a line each, on
standard input, and answer in the same way on standard output, ended by ``{"done": ...}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
from queue import Empty, Queue
import subprocess
import sys
from tempfile import TemporaryDirectory
from threading import Thread
import time
from typing import Any

from benchmarks.namespaces import Network
from collab_robots.core.errors import SimulationError
from collab_robots.explorer.processes import Domain, environment

START_S = 60.0  # until a process has loaded its models
STEP_S = 120.0  # between two lines of an answer
END_S = 5.0
DONE = 'done'

Line = dict[str, Any]


class Team:
    """
    See the module.

    :param robots: how many times slower than this computer each is; the first one asks.
    :param common: the other settings, see ``inference_robot.Settings``.
    :raises OSError: if there can be no such network; ``namespaces.missing`` says why.
    """

    def __init__(self, robots: Mapping[str, float], common: Line) -> None:
        self.robots = tuple(robots)
        self._slowness = robots
        self._common = {**common, 'robots': list(robots)}
        self._domain = Domain()
        self._folder = TemporaryDirectory()
        self._env = environment(self._domain.id)
        self._env['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'SUBNET'
        self._env['FASTDDS_BUILTIN_TRANSPORTS'] = 'UDPv4'  # shared memory crosses namespaces
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._lines: dict[str, Queue[Line | None]] = {}
        self.network = Network((self.robots,))

    def __enter__(self) -> Team:
        """Start all robots and wait until they are ready."""
        try:
            self.start(*self.robots)
            self.meet(self.robots[0])
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End all."""
        self.close()

    def start(self, *robots: str, wait: bool = True) -> None:
        """
        Start robots, for the first time or again.

        :param wait: until they have loaded what they need.
        :raises SimulationError: if one does not.
        """
        for robot in robots:
            command = self.network.command(
                robot, [sys.executable, '-m', 'benchmarks.inference_robot']
            )
            settings = {'name': robot, 'slowness': self._slowness[robot], **self._common}
            with self._log(robot).open('ab') as log:
                process = subprocess.Popen(
                    [*command, json.dumps(settings)],
                    env=self._env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    bufsize=1,
                )
            self._running[robot], self._lines[robot] = process, Queue()
            Thread(target=_read, args=(process, self._lines[robot]), daemon=True).start()
        for robot in robots if wait else ():
            list(self.answer(robot, START_S))

    def meet(self, robot: str) -> None:
        """
        Wait until a robot has offers of all others.

        :raises SimulationError: if one does not come.
        """
        others = [other for other in self.robots if other != robot]
        for line in self.ask(robot, {'do': 'meet', 'robots': others}):
            if line['missing']:
                raise SimulationError(f'{robot} hears nothing of {", ".join(line["missing"])}')

    def kill(self, robot: str) -> None:
        """End a robot's process as a power cut would."""
        self._running[robot].kill()
        self._running[robot].wait()

    def ask(self, robot: str, command: Line, patience: float = STEP_S) -> Iterator[Line]:
        """
        Give a command and yield what the robot answers, one line after another.

        :param patience: s between two lines.
        :raises SimulationError: if it stops answering.
        """
        self.tell(robot, command)
        yield from self.answer(robot, patience)

    def tell(self, robot: str, command: Line) -> None:
        """Give a command that has no answer, or whose answer is read later."""
        pipe = self._running[robot].stdin
        assert pipe is not None
        pipe.write(json.dumps(command) + '\n')

    def answer(self, robot: str, patience: float = STEP_S) -> Iterator[Line]:
        """
        Yield the lines of an answer; the last one, with ``done``, too if it says more.

        :raises SimulationError: if it stops before that.
        """
        while True:
            try:
                line = self._lines[robot].get(timeout=patience)
            except Empty:
                raise SimulationError(f'{robot} is silent for {patience:g} s') from None
            if line is None:
                log = self._log(robot).read_text('utf-8', 'replace').strip()
                raise SimulationError(f'{robot} ended by itself:\n{log[-2000:]}')
            if DONE in line:
                if len(line) > 1:
                    yield line
                return
            yield line

    def close(self) -> None:
        """End all processes and take the network down."""
        for process in self._running.values():
            if process.stdin is not None and not process.stdin.closed:
                try:
                    process.stdin.close()  # a robot ends when nobody can command it any more
                except BrokenPipeError:
                    pass
        deadline = time.monotonic() + END_S
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self.network.close()
        self._domain.close()
        self._folder.cleanup()

    def _log(self, robot: str) -> Path:
        return Path(self._folder.name, f'{robot}.log')


def _read(process: subprocess.Popen[str], lines: Queue[Line | None]) -> None:
    """Hand on what a process says until it ends."""
    assert process.stdout is not None
    for text in process.stdout:
        lines.put(json.loads(text))
    lines.put(None)
