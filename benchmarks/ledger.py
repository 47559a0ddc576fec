"""
What the ledger does: records/s, latency, bytes, processor, memory, and one robot's pipeline.

The limits printed beside the figures are what the project set itself, or lower bounds of theory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from rich.progress import Progress
import typer

from benchmarks import cost, latency, pipeline, team, week
from benchmarks.report import OutOption, Report
from collab_robots.tangle.memory import Weather
from collab_robots.tangle.settings import SNAPSHOT_INTERVAL

MIB = 1 << 20
WEATHER = Weather()


class Part(str, Enum):
    """A part of the benchmark."""

    PIPELINE = 'pipeline'
    LATENCY = 'latency'
    THROUGHPUT = 'throughput'
    TRAFFIC = 'traffic'
    ALONE = 'alone'
    NODE = 'node'
    WEEK = 'week'


USUAL_PARTS = [part for part in Part if part is not Part.WEEK]


class Bench:
    """
    Runs the parts.

    :param robots: sizes of the teams.
    :param quick: small sizes: shows that it works, measures little.
    """

    def __init__(
        self,
        report: Report,
        robots: list[int],
        quick: bool,
        seed: int,
        days: float,
        folder: Path,
        interval: int,
    ) -> None:
        self._report = report
        self._robots = robots
        self._quick = quick
        self._seed = seed
        self._days = days
        self._folder = folder
        self._interval = interval

    def run(self, part: Part) -> None:
        """Run one part: print its table, keep its figures."""
        getattr(self, part.value)()

    def pipeline(self) -> None:
        """Measure one robot on one core."""
        records, repeats = (600, 1) if self._quick else (20_000, 5)
        with self._step('pipeline'):
            figures = pipeline.measure(4, records, repeats, self._seed)
        rows: list[list[Any]] = [
            ['records/s, wall clock', figures['records_per_s'], f'>= {pipeline.LIMIT:,}'],
            ['records/s of processor time', figures['records_per_processor_s'], None],
            *(
                [f'  share of {stage}, %', 100 * share, None]
                for stage, share in figures['shares'].items()
            ),
        ]
        title = f'One robot takes {records:,} records of 3 teammates (median of {repeats})'
        self._report.table('pipeline', title, ('', 'measured', 'limit'), rows, figures)

    def latency(self) -> None:
        """Measure in message delays, and in ms of the virtual network."""
        delays = list(self._each('delays', self._delays))
        least = ' and '.join(map(str, latency.LIMITS.values()))
        self._latency_table(
            f'Latency in message delays, lock-step network; in theory at least {least}',
            'delays',
            delays,
        )
        shortest, longest = (1e3 * one for one in WEATHER.delay)
        self._latency_table(
            f'Latency in ms, virtual network of {shortest:g} to {longest:g} ms delay, '
            '1 call/s a robot',
            'ms',
            list(self._each('ms', self._ms)),
        )

    def _delays(self, robots: int) -> dict[str, Any]:
        records = max(4, (32 if self._quick else 192) // robots)
        return latency.in_delays(robots, records, self._seed)

    def _ms(self, robots: int) -> dict[str, Any]:
        seconds = self._seconds(robots, 16.0)
        ours = latency.in_ms(robots, seconds, 1.0, self._seed, WEATHER)
        return {**ours, **latency.models_in_ms(robots, seconds, 1.0, self._seed, WEATHER)}

    def _seconds(self, robots: int, most: float) -> float:
        """Return for how long to simulate: the work grows faster than with the team's square."""
        return most / 4 if self._quick else max(2.0, most * min(1.0, 8 / robots))

    def throughput(self) -> None:
        """Measure records/s of a team at full pace."""
        figures = list(
            self._each(
                'records/s', lambda n: team.throughput(n, self._seconds(n, 8.0), self._seed)
            )
        )
        rows = [
            [
                one['robots'],
                one['issued_per_s'],
                one['final_per_s'],
                one['processor_us_per_record_and_robot'],
                one['core_takes_per_s'],
                100 * one['issued_per_s'] / one['core_takes_per_s'],
            ]
            for one in figures
        ]
        columns = ('robots', 'issued/s', 'final/s', 'µs a record', 'a core takes/s', 'core used %')
        title = 'Records/s of a team, every robot at full pace, without contract and disk'
        self._report.table('throughput', title, columns, rows, figures)

    def traffic(self) -> None:
        """Count the bytes/s of a robot."""
        figures = list(
            self._each('bytes/s', lambda n: team.traffic(n, self._seconds(n, 16.0), self._seed))
        )
        rows = [
            [
                one['robots'],
                one['idle']['bytes_per_s'],
                one['one_per_s']['bytes_per_s'],
                one['one_per_s']['records_per_s'],
                *(
                    one['one_per_s']['kinds'].get(kind, 0.0)
                    for kind in ('block', 'have', 'request')
                ),
            ]
            for one in figures
        ]
        columns = (
            'robots',
            'idle B/s',
            '1 call/s: B/s',
            'records/s',
            'blocks',
            'haves',
            'requests',
        )
        self._report.table('traffic', 'What a robot sends', columns, rows, figures)

    def alone(self) -> None:
        """Measure the ledger part in real processes."""
        seconds = 2.0 if self._quick else 20.0
        with self._step('4 processes, ledger alone'):
            figures = cost.ledger_alone(4, seconds, 1.0, self._seed)
        title = '4 processes, ledger + contract + store over UDP, 1 call/s each (the worst robot)'
        self._report.table('alone', title, _COST, _cost_rows(figures, True), figures)

    def node(self) -> None:
        """Measure the whole node in real processes."""
        seconds = 4.0 if self._quick else 20.0
        with self._step('4 processes, ledger node'):
            figures = cost.node(4, seconds, 1.0, self._seed)
        title = '4 processes, whole ledger node over DDS, 1 call/s each (the worst robot)'
        self._report.table('node', title, _COST, _cost_rows(figures, False), figures)

    def week(self) -> None:
        """Follow memory and disk over days."""
        with Progress(console=self._report.console, transient=True) as progress:
            task = progress.add_task(f'{self._days:g} simulated days', total=1.0)
            figures = week.measure(
                self._days,
                self._folder,
                self._seed,
                replace(week.PACE, snapshot_interval=self._interval),
                advance=lambda done: progress.update(task, completed=done),
            )
        curve = figures['curve']
        rows = [
            [one['hours'], one['memory'] / MIB, one['disk'] / MIB, one['held'], one['final']]
            for one in curve[:: max(1, len(curve) // 14)]
        ]
        title = (
            f'One of 4 robots over {self._days:g} simulated days, 1 record/s each, '
            f'a snapshot every {self._interval:,} records'
        )
        columns = ('hours', 'memory MiB', 'disk MiB', 'blocks held', 'final')
        self._report.table('week', title, columns, rows, figures)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        with self._report.console.status(name):
            yield

    def _each(self, name: str, measure: Callable[[int], Any]) -> Iterator[Any]:
        for robots in self._robots:
            with self._step(f'{name}: {robots} robots'):
                yield measure(robots)

    def _latency_table(self, title: str, part: str, figures: list[dict[str, Any]]) -> None:
        rows = [
            [
                f'{one["robots"]} {load}',
                *(found[what][key] for what in ('accepted', 'final') for key in _SPREAD),
                found['final']['count'],
                found['not_final'],
            ]
            for one in figures
            for load, found in one.items()
            if isinstance(found, dict)
        ]
        columns = ('robots', *(f'{what} {key}' for what in latency.LIMITS for key in _SPREAD))
        self._report.table(part, title, (*columns, 'records', 'open'), rows, figures)


_SPREAD = ('median', 'p95')
_COST = ('', 'idle', '1 call/s', 'limit')


def _cost_rows(figures: dict[str, Any], limited: bool) -> list[list[Any]]:
    idle, loaded = figures['idle'], figures['loaded']
    rows: list[list[Any]] = [
        [
            'processor, % of a core',
            100 * idle['processor_share'],
            100 * loaded['processor_share'],
            f'< {100 * cost.PROCESSOR_LIMIT:g}' if limited else None,
        ],
        [
            'memory, MiB',
            idle['memory'] / MIB,
            loaded['memory'] / MIB,
            f'< {cost.MEMORY_LIMIT / MIB:g}' if limited else None,
        ],
        ['sent, B/s', idle['bytes_sent_per_s'], loaded['bytes_sent_per_s'], None],
        ['own records/s', idle['own_records_per_s'], loaded['own_records_per_s'], None],
    ]
    times: dict[str, Any]
    if limited:
        rows.insert(2, ['  Python and libraries', figures['memory_imports'] / MIB, None, None])
        times = {load: figures[load] for load in ('quiet', 'steady')}
    else:
        bare = figures['bare']
        rows.insert(1, ['  an empty node', 100 * bare['processor_share'], None, None])
        rows.insert(3, ['  an empty node', bare['memory'] / MIB, None, None])
        times = {'steady': {what: loaded[f'{what}_ms'] for what in ('accepted', 'final')}}
    for load, latencies in times.items():
        for what in ('accepted', 'final'):
            median, tail = (latencies[what][key] for key in _SPREAD)
            rows.append([f'{load}: {what}, ms: median, p95', median, tail, None])
    return rows


def main(
    parts: Annotated[
        list[Part] | None, typer.Option('--part', help='What to run; repeatable. Not week.')
    ] = None,
    robots: Annotated[
        list[int] | None, typer.Option(min=4, max=64, help='Team size; repeatable.')
    ] = None,
    seed: Annotated[int, typer.Option(help='Of calls, delays and ticks.')] = 1,
    days: Annotated[float, typer.Option(min=0.001, help='Simulated days of --part week.')] = 7.0,
    folder: Annotated[
        Path | None, typer.Option(help='Where --part week keeps its ledger, to go on later.')
    ] = None,
    interval: Annotated[
        int, typer.Option('--snapshot-interval', min=10, help='Final records; of --part week.')
    ] = SNAPSHOT_INTERVAL,
    quick: Annotated[
        bool, typer.Option('--quick', help='Small sizes, about half a minute.')
    ] = False,
    out: OutOption = None,
) -> None:
    r"""
    Measure the ledger: pipeline, latency, records/s, bytes/s, processor and memory.

    \b
    Examples:
      python -m benchmarks.ledger --quick
      python -m benchmarks.ledger
      python -m benchmarks.ledger --part latency --robots 4 --robots 16
      python -m benchmarks.ledger --part week --days 1 --folder runs/week
    """
    sizes = robots or ([4] if quick else [4, 8, 16, 32])
    chosen = parts or USUAL_PARTS
    options = {'parts': [part.value for part in chosen], 'robots': sizes, 'seed': seed}
    report = Report(
        'ledger', {**options, 'quick': quick, 'days': days, 'snapshot_interval': interval}
    )
    with TemporaryDirectory() as temporary:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        length = 0.001 if quick else days
        bench = Bench(report, sizes, quick, seed, length, folder or Path(temporary), interval)
        for part in chosen:
            bench.run(part)
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
