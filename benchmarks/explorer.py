"""
How long people wait for answers about a ledger of 100,000 blocks, and what that takes.

``python -m benchmarks.explorer`` runs the commands as people do, each in a process of its own, and
asks the server of ``ledger web`` every question that its pages ask.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
import json
import os
from pathlib import Path
import signal
import statistics
import subprocess
import sys
from tempfile import TemporaryDirectory
from threading import Event, Thread
import time
from typing import Any
import urllib.parse
import urllib.request

import psutil

from benchmarks.explorer_ledger import BLOCKS, FOLDER, make, SEED
from benchmarks.report import Report

COMMAND = (sys.executable, '-m', 'collab_robots.cli', 'ledger')
SAMPLE = 0.05  # s between two looks at how much memory processes have
MB = 1e6


class Memory:
    """Watches the most memory that a process and its children have together, while it lasts."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        """Bytes resident."""
        self._process = psutil.Process(pid)
        self._over = Event()
        self._thread = Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        """End watching."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE):
            try:
                team = [self._process, *self._process.children(recursive=True)]
                self.most = max(self.most, sum(one.memory_info().rss for one in team))
            except psutil.NoSuchProcess:
                pass


def run(arguments: Sequence[str], cache: Path) -> dict[str, float]:
    """
    Run a command.

    :param cache: where its index is kept.
    :returns: seconds by the clock and of the processors, and bytes resident at most.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, 'XDG_CACHE_HOME': str(cache)},
        stdout=subprocess.DEVNULL,
    )
    memory = Memory(process.pid)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    memory.stop()
    if process.returncode:
        raise RuntimeError(f'{" ".join(arguments)}: ended with {process.returncode}')
    return {'wall_s': wall, 'processor_s': used.ru_utime + used.ru_stime, 'memory': memory.most}


def commands(db: Path, task: str, block: str) -> dict[str, tuple[str, ...]]:
    """Return what is asked on the command line, by what to call it."""
    return {
        'status': ('status', str(db)),
        'find a robot': ('find', 'robot_02', str(db)),
        'find a word': ('find', 'explore', str(db)),
        'find a task': ('find', task, str(db)),
        'find a block': ('find', block[:10], str(db)),
        'find a time': ('find', '3600', str(db)),
        'block': ('block', block, str(db)),
        'task': ('task', task, str(db)),
        'robots': ('robots', str(db)),
        'robot': ('robot', 'robot_02', str(db)),
        'trust': ('trust', str(db)),
        'splits': ('splits', str(db)),
        'dag': ('dag', str(db)),
        'replay': ('replay', '--to', '3600', str(db)),
    }


def routes(task: str, block: str, middle: float) -> dict[str, Mapping[str, object]]:
    """Return what the pages ask of the server: route and parameters."""
    return {
        'overview': {},
        'blocks': {},
        'blocks?robot&kind': {'robot': 'robot_02', 'kind': 'award'},
        f'blocks/{block}': {},
        'dag': {},
        'dag?limit=20000': {'limit': 20_000},
        'dag?around': {'around': block},
        'robots': {},
        'robots?time': {'time': middle},
        'robots/robot_02': {},
        'tasks': {},
        'tasks?time': {'time': middle},
        f'tasks/{task}': {},
        'timeline': {},
        'trust': {},
        'models': {},
        'map': {},
        'map?time': {'time': middle},
        'splits': {},
        'find?q': {'q': 'explore'},
        'activity': {},
    }


@contextmanager
def server(db: Path, cache: Path) -> Iterator[tuple[str, Memory]]:
    """Run ``ledger web``; give its address and how much memory it has."""
    process = subprocess.Popen(
        [*COMMAND, 'web', str(db), '--port', '0'],
        env={**os.environ, 'XDG_CACHE_HOME': str(cache), 'PYTHONUNBUFFERED': '1'},
        stdout=subprocess.PIPE,
        text=True,
    )
    memory = Memory(process.pid)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0], memory
    finally:
        memory.stop()
        process.send_signal(signal.SIGINT)
        process.wait()


def ask(address: str, route: str, values: Mapping[str, object]) -> tuple[float, bytes]:
    """Ask the server; return the seconds it took, and what it said."""
    path = route.partition('?')[0]
    query = urllib.parse.urlencode(values)
    url = f'{address.rstrip("/")}/api/v1/{path}{"?" if query else ""}{query}'
    began = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        said: bytes = answer.read()
    return time.perf_counter() - began, said


def measure(report: Report, db: Path, repeats: int) -> None:
    """Measure everything."""
    with TemporaryDirectory() as folder:
        cache = Path(folder)
        first = run(('status', str(db)), cache)
        report.table(
            'first',
            'The first look: all is executed once, and an index kept',
            ('', 's', 'processor s', 'MB'),
            [('status', first['wall_s'], first['processor_s'], first['memory'] / MB)],
            first,
        )
        with server(db, cache) as (address, memory):
            overview = json.loads(ask(address, 'overview', {})[1])
            middle = (overview['first'] + overview['last']) / 2
            tasks = json.loads(ask(address, 'tasks', {})[1])
            blocks = json.loads(ask(address, 'blocks', {})[1])
            task, block = tasks['items'][0]['id'], blocks['items'][0]['id']
            _web(report, address, memory, routes(task, block, middle), repeats)
        _commands(report, commands(db, task, block), cache, repeats)
        _verify(report, db, overview['blocks'], cache, repeats)


def _web(
    report: Report,
    address: str,
    memory: Memory,
    asked: Mapping[str, Mapping[str, object]],
    repeats: int,
) -> None:
    figures: dict[str, Any] = {}
    for route, values in asked.items():
        spent, said = zip(*(ask(address, route, values) for _ in range(1 + repeats)), strict=True)
        name = route.split('/')[0] + ('/ID' if '/' in route else '')
        figures[name] = {
            'first_s': spent[0],
            'later_s': statistics.median(spent[1:]),
            'bytes': len(said[0]),
        }
    figures['memory'] = memory.most
    rows = [(name, *found.values()) for name, found in figures.items() if name != 'memory']
    title = f'The server, {memory.most / MB:.0f} MB: s until the answer is there'
    report.table('web', title, ('route', 'first', 'later', 'bytes'), rows, figures)


def _commands(
    report: Report, asked: Mapping[str, Sequence[str]], cache: Path, repeats: int
) -> None:
    figures: dict[str, Any] = {}
    for name, arguments in asked.items():
        found = [run(arguments, cache) for _ in range(repeats)]
        figures[name] = {
            key: statistics.median(one[key] for one in found) for key in ('wall_s', 'processor_s')
        }
        figures[name]['least_s'] = min(one['wall_s'] for one in found)
        figures[name]['memory'] = max(one['memory'] for one in found)
    rows = [
        (name, found['wall_s'], found['least_s'], found['processor_s'], found['memory'] / MB)
        for name, found in figures.items()
    ]
    columns = ('command', 's', 'least s', 'processor s', 'MB')
    report.table('commands', 'Later looks: whole processes', columns, rows, figures)


def _verify(report: Report, db: Path, blocks: int, cache: Path, repeats: int) -> None:
    figures: dict[str, Any] = {}
    for jobs in (1, 2):
        found = [run(('verify', str(db), '--jobs', str(jobs)), cache) for _ in range(repeats)]
        processor = statistics.median(one['processor_s'] for one in found)
        wall = statistics.median(one['wall_s'] for one in found)
        figures[f'{jobs} processes'] = {
            'wall_s': wall,
            'processor_s': processor,
            'blocks_per_s': blocks / wall,
            'blocks_per_processor_s': blocks / processor,
            'memory': max(one['memory'] for one in found),
        }
    rows = [
        (name, *list(found.values())[:-1], found['memory'] / MB) for name, found in figures.items()
    ]
    columns = ('verify', 's', 'processor s', 'blocks/s', 'blocks/processor s', 'MB')
    report.table('verify', 'Everything checked from genesis', columns, rows, figures)


def main() -> None:
    """Measure, print tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--blocks', type=int, default=BLOCKS)
    parser.add_argument('--seed', type=int, default=SEED)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--folder', type=Path, default=FOLDER, help='where ledgers are kept')
    parser.add_argument('--out', type=Path, help='JSON file')
    args = parser.parse_args()
    options = {'blocks': args.blocks, 'seed': args.seed, 'repeats': args.repeats}
    report = Report('explorer', options)
    began = time.perf_counter()
    db = make(args.folder, args.blocks, args.seed, lambda done: print(f'\r{done}', end=''))
    report.note(f'\r{args.blocks} blocks, made in {time.perf_counter() - began:.0f} s')
    measure(report, db, args.repeats)
    report.write(args.out)


if __name__ == '__main__':
    main()
