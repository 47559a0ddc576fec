"""What the ledger costs a robot in real processes: processor, memory, bytes, and its latency."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
import json
from pathlib import Path
import socket
import subprocess
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

import psutil

from benchmarks.lone import HOST
from benchmarks.processes import Processes
from benchmarks.report import spread
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.processes import environment

DOMAIN = 61
PROCESSOR_LIMIT, MEMORY_LIMIT = 0.03, 80 << 20  # of the ledger part, at 1 record/s and 4 robots
START_S = 4.0  # until all processes are there
GAP_S = 2.0  # between two single records of a quiet team
SETTLE_S = 8.0


def ledger_alone(robots: int, seconds: float, rate: float, seed: int) -> dict[str, Any]:
    """
    Measure ledger, contract and store in a process per robot, joined by UDP, without ROS.

    :param seconds: of each phase: single records, load, idle, load again without probes.
    :returns: medians over the robots; latencies in ms, of all together.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        names = [f'robot{index + 1}' for index in range(robots)]
        make_fleet(folder, names, name='cost')
        settings = {
            'fleet': str(folder / 'fleet.yaml'),
            'ports': _free_ports(robots),
            'begin': time.time() + START_S,
            'steady': seconds,
            'gap': GAP_S,
            'rate': rate,
        }

        def run(index: int) -> Any:
            own = {
                'index': index,
                'seed': seed + index,
                'key': str(folder / names[index] / 'key'),
                'store': str(folder / names[index] / 'ledger.db'),
            }
            command = [sys.executable, '-m', 'benchmarks.lone', json.dumps({**settings, **own})]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f'{names[index]} failed:\n{done.stderr[-2000:]}')
            return json.loads(done.stdout)

        with ThreadPoolExecutor(robots) as pool:
            results = list(pool.map(run, range(robots)))
    return _merge(results)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _merge(results: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {
        'robots': len(results),
        'memory_imports': _most(results, 'memory_imports'),
    }
    for phase in ('quiet', 'steady'):
        merged[phase] = {
            what: spread([one for result in results for one in result[phase][what]])
            for what in ('accepted', 'final')
        }
    for phase in ('idle', 'loaded'):
        figures = [result[phase] for result in results]
        merged[phase] = {key: _most(figures, key) for key in figures[0]}
    return merged


def _most(results: list[dict[str, Any]], key: str) -> float:
    return float(max(result[key] for result in results))


def node(robots: int, seconds: float, rate: float, seed: int) -> dict[str, Any]:
    """
    Measure the whole ledger node in a process per robot, joined by DDS.

    :param seconds: idle, and the same under load.
    """
    names = [f'robot{index + 1}' for index in range(robots)]
    result: dict[str, Any] = {'robots': robots, 'bare': bare_node(seconds)}
    with (
        TemporaryDirectory() as name,
        Processes(Path(name), names, domain=DOMAIN, seed=seed) as team,
    ):
        team.start()
        team.wait(lambda: len(team.statuses) == robots, 60.0)
        team.say(rate)
        team.watch(SETTLE_S)
        team.say(0.0)
        team.wait(team.decided, 30.0)
        team.watch(SETTLE_S)
        for phase, pace in (('idle', 0.0), ('loaded', rate)):
            team.say(pace)
            team.watch(1.0)
            before = {robot: (team.usage(robot), team.statuses[robot]) for robot in names}
            times = _Times(team)
            began = time.monotonic()
            team.wait(partial(times.look, seconds), seconds + 5.0)
            passed = time.monotonic() - began
            figures = []
            for index, robot in enumerate(names):
                used, status = before[robot]
                now, then = team.usage(robot), team.statuses[robot]
                figures.append(
                    {
                        'processor_share': (now.cpu - used.cpu) / passed,
                        'memory': now.memory,
                        'bytes_sent_per_s': (then['bytes_sent'] - status['bytes_sent']) / passed,
                        'own_records_per_s': (then['heights'][index] - status['heights'][index])
                        / passed,
                    }
                )
            result[phase] = {key: _most(figures, key) for key in figures[0]}
            result[phase] |= {key: spread(times.seen[key]) for key in times.seen}
    return result


def bare_node(seconds: float) -> dict[str, float]:
    """Measure an empty ROS node in the same loop, for comparison."""
    env = environment(DOMAIN)
    process = subprocess.Popen([sys.executable, '-m', 'benchmarks.bare_node'], env=env)
    try:
        time.sleep(START_S)  # it says nothing; by then its imports are over
        watched = psutil.Process(process.pid)
        before = watched.cpu_times()
        time.sleep(seconds)  # what is measured
        after = watched.cpu_times()
        spent = after.user + after.system - before.user - before.system
        return {
            'processor_share': spent / seconds,
            'memory': float(watched.memory_full_info().pss),
        }
    finally:
        process.terminate()
        process.wait()


class _Times:
    """Collects latencies from the statuses of all robots, each once."""

    def __init__(self, team: Processes) -> None:
        self.seen: dict[str, list[float]] = {'accepted_ms': [], 'final_ms': []}
        self._team = team
        self._last: dict[str, float] = {}
        self._began = time.monotonic()

    def look(self, seconds: float) -> bool:
        for robot, status in self._team.statuses.items():
            if status['at'] != self._last.get(robot):
                self._last[robot] = status['at']
                for key, values in self.seen.items():
                    values += status[key]
        return time.monotonic() - self._began >= seconds
