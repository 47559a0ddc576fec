"""
Which way is fastest at which link rate, and how far our planner is from the best one measured.

Two robots in two network namespaces, DDS between them, the link of the one who asks limited by a
token bucket both ways. All policies meet the same requester, helper, messages, link and pictures;
a policy is only what chooses, and how a tensor is packed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
import statistics
from typing import Any

from rich.progress import track

from benchmarks.inference_bytes import DSC, DYNO, JPEG, OURS, RAW, Row, Way, WHOLE
from benchmarks.inference_plots import Series
from benchmarks.inference_team import Line, Team
from benchmarks.report import Report, spread
from collab_robots.inference.options import Kind, LOCAL, Option
from collab_robots.inference.profile.energy import EnergyModel

MBIT = 1_000_000
RATES = (0.5, 1, 2, 5, 10, 20, 50, 100)  # Mbit/s
ASKER, HELPER = 'robot1', 'robot2'
WARM_UP = 6  # frames of each cell that do not count: links and caches
MAX_REGRET = 1.05
STATICS = (
    (WHOLE, 'local', LOCAL),
    (JPEG, 'JPEG 75', Option(Kind.JPEG, quality=75)),
    (JPEG, 'JPEG 90', Option(Kind.JPEG, quality=90)),
    (RAW, 'raw', Option(Kind.RAW)),
)


@dataclass
class Cell:
    """
    One policy at one rate.

    :param lines: what the robot said of each frame.
    :param wire: bytes on the cable for each frame, both ways, with all headers.
    """

    policy: str
    rate: float
    lines: list[Line] = field(default_factory=list)
    wire: float = 0.0

    @property
    def milliseconds(self) -> list[float]:
        """From picture to answer, of each frame."""
        return [1e3 * line['seconds'] for line in self.lines]

    @property
    def median(self) -> float:
        """Of the milliseconds."""
        return statistics.median(self.milliseconds)

    def ways(self) -> list[Way]:
        """Return how each frame was answered."""
        return [Way(line['packing'], Option.parse(line['option'])) for line in self.lines]

    def accuracy(self, rows: Mapping[Way, Row]) -> float:
        """Return the top-1 of how the frames were answered, on all pictures."""
        return statistics.fmean(rows[way].accuracy for way in self.ways())

    def usual(self) -> str:
        """Return how most frames were answered."""
        return str(statistics.mode(str(way.option) for way in self.ways()))


def policies(rate: float) -> dict[str, Line]:
    """
    Return all policies.

    :param rate: of the link, Mbit/s: what Neurosurgeon is told.
    """
    found: dict[str, Line] = {
        name: {'choose': 'fixed', 'packing': packing, 'option': str(option)}
        for packing, name, option in STATICS
    }
    found['Neurosurgeon'] = {'choose': 'neurosurgeon', 'rate': rate * MBIT}
    found['DSC'] = {'choose': 'dsc', 'packing': DSC}
    found['DynO'] = {'choose': 'dyno', 'packing': DYNO}
    return found | {OURS: {'choose': 'ours'}}


def run_cell(team: Team, policy: str, command: Line, rate: float, frames: int) -> Cell:
    """Let the robot answer frames one after another."""
    cell = Cell(policy, rate)
    network = team.network
    list(team.ask(ASKER, {'do': 'run', 'frames': WARM_UP, **command}))
    before = network.sent(ASKER) + network.received(ASKER)
    cell.lines = list(team.ask(ASKER, {'do': 'run', 'frames': frames, **command}))
    cell.wire = (network.sent(ASKER) + network.received(ASKER) - before) / frames
    return cell


def measure(
    report: Report,
    team: Team,
    rates: Sequence[float],
    frames: int,
    statics: Sequence[Way],
    static_frames: int,
    seed: int,
) -> list[Cell]:
    """
    Measure every policy at every rate.

    :param rates: Mbit/s.
    :param statics: fixed ways that the planner's choice is held against too.
    :param seed: of the order of the policies.
    """
    chance, cells = Random(seed), []
    for rate in track(rates, 'rates', console=report.console, transient=True):
        team.network.limit(ASKER, round(rate * MBIT))
        chosen = [(name, command, frames) for name, command in policies(rate).items()]
        for way in statics:
            fixed = {'choose': 'fixed', 'packing': way.packing, 'option': str(way.option)}
            chosen.append((str(way.option), fixed, static_frames))
        for name, command, count in chance.sample(chosen, len(chosen)):
            cells.append(run_cell(team, name, command, rate, count))
    team.network.limit(ASKER, None)
    return cells


def show(
    report: Report, cells: Sequence[Cell], rows: Mapping[Way, Row], energy: EnergyModel
) -> None:
    """Print a table of all rates and policies, and one of the planner's regret; keep both."""
    table, figures = [], []
    names = list(policies(1.0))
    shown = sorted(
        (cell for cell in cells if cell.policy in names),
        key=lambda cell: (cell.rate, names.index(cell.policy)),
    )
    for cell in shown:
        found = _figures(cell, rows, energy)
        figures.append(found)
        table.append([f'{cell.rate:g}', cell.policy, cell.usual(), *list(found.values())[3:]])
    columns = ('Mbit/s', 'policy', 'mostly', 'median ms', 'p95 ms', 'B sent', 'B on wire')
    title = 'two robots in network namespaces (DDS), the asking one at 1/8 of the speed'
    report.table('rates', title, (*columns, 'top-1 %', 'mJ', 'late'), table, figures)
    report.note(f'energy: {energy.source}. Top-1: of the ways taken, on all pictures.')
    _show_regret(report, cells, rows)


def _figures(cell: Cell, rows: Mapping[Way, Row], energy: EnergyModel) -> dict[str, Any]:
    found = spread(cell.milliseconds)
    joule = [
        line['busy_s'] * energy.cpu_w + line['bytes'] * energy.radio_j_per_byte
        for line in cell.lines
    ]
    return {
        'rate': cell.rate,
        'policy': cell.policy,
        'mostly': cell.usual(),
        'median_ms': found['median'],
        'p95_ms': found['p95'],
        'bytes': statistics.fmean(line['bytes'] for line in cell.lines),
        'wire': cell.wire,
        'top1': 100 * cell.accuracy(rows),
        'mj': 1e3 * statistics.median(joule),
        'late': sum(line['attempts'] > 1 for line in cell.lines),
    }


def _show_regret(report: Report, cells: Sequence[Cell], rows: Mapping[Way, Row]) -> None:
    """Hold our planner against the best measured at each rate, fixed ways included."""
    floor = rows[Way(WHOLE, LOCAL)].accuracy - 0.01
    table, figures = [], []
    for rate in sorted({cell.rate for cell in cells}):
        here = {cell.policy: cell for cell in cells if cell.rate == rate}
        ours = here.pop(OURS)
        good = [cell for cell in here.values() if cell.accuracy(rows) >= floor]
        others = [cell for cell in good if cell.policy in policies(rate)]
        best, rival = (min(group, key=lambda cell: cell.median) for group in (good, others))
        found = {
            'rate': rate,
            'ours_ms': ours.median,
            'rival': rival.policy,
            'rival_ms': rival.median,
            'of_rival': ours.median / rival.median,
            'best': f'{best.policy}: {best.usual()}',
            'best_ms': best.median,
            'regret': ours.median / best.median - 1,
        }
        figures.append(found)
        table.append([f'{rate:g}', *list(found.values())[1:]])
    columns = ('Mbit/s', 'ours ms', 'best other policy', 'ms', 'ours/other', 'best measured', 'ms')
    title = 'ours against the best other policy (wanted: 1.05 at most) and the best way (0.05)'
    report.table('regret', title, (*columns, 'regret'), table, figures)


def series(cells: Sequence[Cell]) -> Series:
    """Return points (Mbit/s, median ms) of each policy, for a figure."""
    return {
        name: [(cell.rate, cell.median) for cell in cells if cell.policy == name]
        for name in policies(1.0)
    }
