"""
A team of real ledger processes, one a robot, to start, watch, kill and measure from here.

::

    with Processes(folder, ('robot1', 'robot2'), domain=71) as team:
        team.start()
        team.say(1.0)                                   # calls per second and robot, from now on
        team.wait(lambda: min(team.heights()) > 20, 30.0)
        team.settle(10.0)                               # nothing new; all is final everywhere
        print(team.statuses['robot1']['final'], team.usage('robot1'))

A status is what ``benchmarks/driver.py`` writes of the node's status message. Give a
:class:`benchmarks.namespaces.Network` to put each robot into its own network namespace, with DDS
over UDP between them; without it they share this host.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
import json
from pathlib import Path
import sys
import time
from typing import Any, NamedTuple

import psutil

from benchmarks.driver import LOG, RATE
from benchmarks.namespaces import Network
from collab_robots.bringup.topics import direct_remappings
from collab_robots.core.errors import SimulationError
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.processes import Children, environment
from collab_robots.tangle.settings import SNAPSHOT_INTERVAL

POLL_S = 0.05  # between two looks at the logs: of files that grow the system tells nobody
SILENT_S = 0.6  # until nobody says anything any more and has reported it
GRACE_S = 5.0  # for the robots to end by themselves

Status = dict[str, Any]


class Usage(NamedTuple):
    """
    What a process has used.

    :param cpu: s of processor time since it started.
    :param memory: bytes, shared pages split among those who share them.
    """

    cpu: float
    memory: int


class Life(NamedTuple):
    """
    One life of a robot's process, by the wall clock in s since the epoch.

    :param started: when it was started.
    :param lacked: per roster index, the records that were solid anywhere when it was started.
    """

    started: float
    lacked: tuple[int, ...]


class Processes:
    """
    See the module.

    :param folder: for keys, ledgers and logs; made if missing.
    :param robots: names of the roster.
    :param domain: ROS domain that nobody else uses.
    :param network: where the robots are; None for this host.
    :param seed: of what robots say and when.
    :param status_period: s between two statuses.
    :param snapshot_interval: final records between two snapshots.
    :param module: what a robot's process runs.
    :param values: more parameters of a robot.
    """

    def __init__(
        self,
        folder: Path,
        robots: Sequence[str],
        domain: int,
        network: Network | None = None,
        seed: int = 1,
        status_period: float = 0.2,
        snapshot_interval: int = SNAPSHOT_INTERVAL,
        module: str = 'benchmarks.driver',
        values: Callable[[str], Mapping[str, object]] = lambda robot: {},
    ) -> None:
        self.robots = tuple(sorted(robots))
        self.folder = folder
        self.fleet = make_fleet(folder, self.robots, name='processes')
        self.statuses: dict[str, Status] = {}
        """The newest of each robot's present life."""
        self.records: dict[tuple[int, int], set[str]] = defaultdict(set)
        """Ids of all records that were ever solid anywhere, by issuer and seq."""
        self.lives: dict[str, list[Life]] = {robot: [] for robot in self.robots}
        self.loaded: dict[str, list[float]] = {robot: [] for robot in self.robots}
        """Per life that came so far: s until the process had loaded its ledger."""
        self.synced: dict[str, list[float]] = {robot: [] for robot in self.robots}
        """Per life that came so far: s until the robot held what it lacked when it started."""
        self._network = network
        self._seed = seed
        self._period = status_period
        self._snapshot_interval = snapshot_interval
        self._module = module
        self._values = values
        self._offsets = dict.fromkeys(self.robots, 0)
        self._waits: dict[str, Life] = {}
        env = environment(domain)
        if network is not None:
            env['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'SUBNET'
        self._children = Children(env)

    def __enter__(self) -> Processes:
        """Return it."""
        return self

    def __exit__(self, *error: object) -> None:
        """End all processes."""
        self._children.stop(GRACE_S)

    def start(self, *robots: str) -> None:
        """Start robots, or all; for the first time or again."""
        for robot in robots or self.robots:
            self.poll()
            self.statuses.pop(robot, None)
            life = Life(time.time(), self.heights())
            self.lives[robot].append(life)
            self._waits[robot] = life
            command = self._command(robot)
            if self._network is not None:
                command = self._network.command(robot, command)
            self._children.start(robot, command, self._path(robot, 'process.log'))

    def kill(self, robot: str) -> None:
        """End a robot's process as a power cut would."""
        self._children.kill(robot)
        self.poll()
        self._waits.pop(robot, None)
        self.statuses.pop(robot, None)

    def alive(self, robot: str) -> bool:
        """Tell whether a robot's process runs."""
        return self._children.alive(robot)

    def say(self, rate: float, *robots: str) -> None:
        """Let robots, or all, put so many calls per second on the ledger, within 0.2 s."""
        for robot in robots or self.robots:
            self._path(robot, RATE).write_text(f'{rate}', encoding='ascii')

    def poll(self) -> None:
        """
        Read what the robots wrote.

        :raises SimulationError: if a process ended by itself, with its last words.
        """
        for robot in self.robots:
            for line in self._lines(robot):
                if line['kind'] == 'solid':
                    self.records[line['issuer'], line['seq']].add(line['id'])
                elif line['kind'] == 'born':
                    self.loaded[robot].append(line['at'] - self.lives[robot][-1].started)
                elif line['kind'] == 'status':
                    self._note_status(robot, line)
        for child in self._children.failed():
            raise SimulationError(
                f'{child.name} ended by itself with code {child.process.returncode}:\n'
                f'{child.tail()}'
            )

    def wait(self, condition: Callable[[], object], seconds: float) -> float:
        """
        Wait until something holds.

        :returns: the seconds that it took.
        :raises SimulationError: if it does not hold in time, with what was seen last.
        """
        began = time.monotonic()
        while True:
            self.poll()
            if condition():
                return time.monotonic() - began
            if time.monotonic() - began > seconds:
                seen = '\n'.join(f'{robot}: {status}' for robot, status in self.statuses.items())
                raise SimulationError(f'did not happen within {seconds:.0f} s:\n{seen}')
            time.sleep(POLL_S)

    def watch(self, seconds: float) -> None:
        """Let time pass."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.poll()
            time.sleep(POLL_S)

    def heights(self) -> tuple[int, ...]:
        """Return per roster index one more than the highest seq that was solid anywhere."""
        result = [0] * len(self.robots)
        for issuer, seq in self.records:
            result[issuer] = max(result[issuer], seq + 1)
        return tuple(result)

    def settle(self, seconds: float) -> float:
        """
        Let nobody say anything new, and wait until all is decided.

        :returns: the seconds that it took.
        :raises SimulationError: if it takes longer.
        """
        self.say(0.0)
        began = time.monotonic()
        self.watch(SILENT_S)
        self.wait(self.decided, seconds)
        return time.monotonic() - began

    def equal(self, *robots: str) -> bool:
        """Tell whether robots, or all that run, have reported the same records and state."""
        return self._same(('blocks', 'set_digest', 'state_root'), robots)

    def agree(self, *robots: str) -> bool:
        """Tell whether robots, or all that run, hold every record that was ever seen anywhere."""
        highest = list(self.heights())
        return self.equal(*robots) and all(
            status['heights'] == highest for status in self._of(robots)
        )

    def decided(self, *robots: str) -> bool:
        """
        Tell whether robots, or all that run, agree and no call waits for its place any more.

        The last records, empty ones that certify others, are not final: nobody needs them to be.
        """
        return (
            self.agree(*robots)
            and self._same(('final', 'final_digest', 'final_root'), robots)
            and all(status['undecided'] == 0 for status in self._of(robots))
        )

    def usage(self, robot: str) -> Usage:
        """Return what a robot's process has used in its present life."""
        process = psutil.Process(self._children.pid(robot))
        times = process.cpu_times()
        return Usage(times.user + times.system, process.memory_full_info().pss)

    def store(self, robot: str) -> Path:
        """Return the path of a robot's ledger file."""
        return self._path(robot, 'ledger.db')

    def _path(self, robot: str, name: str) -> Path:
        return self.folder.resolve() / robot / name

    def _command(self, robot: str) -> list[str]:
        values = {
            'name': robot,
            'fleet': self.folder.resolve() / 'fleet.yaml',
            'key': self._path(robot, 'key'),
            'store': self.store(robot),
            'folder': self.folder.resolve() / robot,
            'seed': self._seed + 1000 * len(self.lives[robot]) + self.robots.index(robot),
            'status_period': self._period,
            **self._values(robot),
        }
        rules = [f'{topic}:={fleet}' for topic, fleet in direct_remappings()]
        return [
            *(sys.executable, '-m', self._module),
            *('--snapshot-interval', str(self._snapshot_interval)),
            *('--ros-args', '-r', f'__ns:=/{robot}'),
            *(part for rule in rules for part in ('-r', rule)),
            *(part for name, value in values.items() for part in ('-p', f'{name}:={value}')),
        ]

    def _lines(self, robot: str) -> Iterable[dict[str, Any]]:
        path = self._path(robot, LOG)
        if not path.exists():
            return
        with path.open('rb') as log:
            log.seek(self._offsets[robot])
            data = log.read()
        whole = data[: data.rfind(b'\n') + 1]
        self._offsets[robot] += len(whole)
        yield from map(json.loads, whole.splitlines())

    def _note_status(self, robot: str, status: Status) -> None:
        if status['at'] < self.lives[robot][-1].started:
            return
        self.statuses[robot] = status
        life = self._waits.get(robot)
        if life is not None and all(
            here >= there for here, there in zip(status['heights'], life.lacked, strict=True)
        ):
            self.synced[robot].append(status['at'] - life.started)
            del self._waits[robot]

    def _of(self, robots: Sequence[str]) -> list[Status]:
        running = robots or [robot for robot in self.robots if self.alive(robot)]
        return [self.statuses[robot] for robot in running if robot in self.statuses]

    def _same(self, names: Sequence[str], robots: Sequence[str]) -> bool:
        statuses = self._of(robots)
        wanted = len(robots) or sum(map(self.alive, self.robots))
        return len(statuses) == wanted and all(
            len({status[name] for status in statuses}) == 1 for name in names
        )
