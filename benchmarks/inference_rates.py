"""
Which way is fastest at which link rate, and how far our planner is from the best one measured.

Two robots in two network namespaces, DDS between them, the link of the one who asks limited by a
token bucket both ways. All policies meet the same requester, helper, messages, link and pictures;
a policy is only what chooses, and how a tensor is packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
import math
from random import Random
import statistics
from typing import Any

from rich.progress import track

from benchmarks.inference_bytes import MAX_LOSS
from benchmarks.inference_plots import Series
from benchmarks.inference_team import Line, Team
from benchmarks.inference_ways import Costs, DSC, DYNO, FLOAT, floor, JPEG, OURS, Way
from benchmarks.report import Report, spread
from collab_robots.inference.options import Kind, LOCAL, NO_EXIT, Option
from collab_robots.inference.profile.energy import EnergyModel

MBIT = 1_000_000
RATES = (0.5, 1, 2, 5, 10, 20, 50, 100)  # Mbit/s
ASKER, HELPER = 'robot1', 'robot2'
WARM_UP = 6  # frames that do not count, of who plans: links; of all others, and later, two
QUEUE = '5s'  # at the limit: a raw picture, sent at once, is slow but not lost
STATICS = (
    ('local', LOCAL),
    ('JPEG 75', Option(Kind.JPEG, quality=75)),
    ('JPEG 90', Option(Kind.JPEG, quality=90)),
    ('raw', Option(Kind.RAW)),
)


@dataclass
class Cell:
    """
    One policy at one rate.

    :param rate: Mbit/s.
    :param lines: what the robot said of each frame.
    :param wire_bytes: on the cable, both ways, with all headers.
    """

    policy: str
    command: Line
    rate: float
    lines: list[Line] = field(default_factory=list)
    wire_bytes: int = 0

    @property
    def milliseconds(self) -> list[float]:
        """From picture to answer, of each frame."""
        return [1e3 * line['seconds'] for line in self.lines]

    @property
    def wire(self) -> float:
        """Bytes on the cable for each frame."""
        return self.wire_bytes / len(self.lines)

    @property
    def median(self) -> float:
        """Of the milliseconds."""
        return statistics.median(self.milliseconds)

    def ways(self) -> list[Way]:
        """Return how each frame was answered."""
        return [Way(line['packing'], Option.parse(line['option'])) for line in self.lines]

    def accuracy(self, costs: Costs) -> float:
        """Return the top-1 of how the frames were answered, on all pictures."""
        return statistics.fmean(costs[way].top1 for way in self.ways())

    def usual(self) -> str:
        """Return how most frames were answered."""
        return str(statistics.mode(str(way.option) for way in self.ways()))


def policies(rate: float) -> dict[str, Line]:
    """
    Return all policies.

    :param rate: of the link, Mbit/s: what Neurosurgeon is told.
    """
    found: dict[str, Line] = {
        name: {'choose': 'fixed', 'option': str(option)} for name, option in STATICS
    }
    found['Neurosurgeon'] = {'choose': 'neurosurgeon', 'packing': FLOAT, 'rate': rate * MBIT}
    found['DSC'] = {'choose': 'dsc', 'packing': DSC}
    found['DynO'] = {'choose': 'dyno', 'packing': DYNO}
    return found | {OURS: {'choose': 'ours'}}


def run_cell(team: Team, cell: Cell, frames: int) -> None:
    """Let the robot answer some more frames of a cell, one after another."""
    network, command = team.network, cell.command
    for robot in team.robots:
        team.tell(robot, {'do': 'packing', 'name': command.get('packing', OURS)})
    warm_up = WARM_UP if command['choose'] != 'fixed' and not cell.lines else 2
    _answers(team, {**command, 'frames': warm_up})
    before = network.sent(ASKER) + network.received(ASKER)
    cell.lines += _answers(team, {**command, 'frames': frames, 'first': len(cell.lines)})
    cell.wire_bytes += network.sent(ASKER) + network.received(ASKER) - before


def _answers(team: Team, command: Line) -> list[Line]:
    return [line for line in team.ask(ASKER, {'do': 'run', **command}) if 'frame' in line]


def statics(costs: Costs) -> list[Option]:
    """Return fixed options of ours that may be the best at some rate: few bytes, accurate."""
    least = floor(costs, MAX_LOSS)
    found: dict[int, Way] = {}
    for way, cost in sorted(costs.items(), key=lambda item: item[1].bytes):
        sent = way.packing in (OURS, JPEG) and way.option.exit == NO_EXIT
        if sent and cost.top1 >= least:
            found.setdefault(way.option.cut, way)
    shortest, result = math.inf, []
    for cut in sorted(found):  # a later cut pays only if it sends less
        if costs[found[cut]].bytes < shortest:
            shortest = costs[found[cut]].bytes
            result.append(found[cut].option)
    return result


def measure(
    report: Report,
    team: Team,
    rates: Sequence[float],
    frames: int,
    rounds: int,
    statics: Sequence[Option],
    seed: int,
) -> list[Cell]:
    """
    Measure every policy at every rate.

    Policies take turns, so that a computer that is slower for a while is so for all of them.

    :param rates: Mbit/s.
    :param frames: of each policy in each round.
    :param statics: fixed options that the planner's choice is held against too.
    :param seed: of the order of the policies.
    """
    chance, cells = Random(seed), []
    for rate in track(rates, 'rates', console=report.console, transient=True):
        team.network.limit(ASKER, round(rate * MBIT), QUEUE)
        fixed = {str(option): {'choose': 'fixed', 'option': str(option)} for option in statics}
        here = [Cell(name, command, rate) for name, command in {**fixed, **policies(rate)}.items()]
        for _ in range(rounds):
            for cell in chance.sample(here, len(here)):
                run_cell(team, cell, frames)
        cells += here
    team.network.limit(ASKER, None)
    return cells


def show(report: Report, cells: Sequence[Cell], costs: Costs, energy: EnergyModel) -> None:
    """Print a table of all rates and policies, and one of the planner's regret; keep both."""
    names = list(policies(1.0))
    figures = [_figures(cell, costs, energy) for cell in cells]
    shown = sorted(
        (found for found in figures if found['policy'] in names),
        key=lambda found: (found['rate'], names.index(found['policy'])),
    )
    table = [[f'{found["rate"]:g}', *list(found.values())[1:]] for found in shown]
    columns = ('Mbit/s', 'policy', 'mostly', 'median ms', 'p95 ms', 'B sent', 'B on wire')
    title = 'two robots in network namespaces (DDS), the asking one at 1/8 of the speed'
    report.table('rates', title, (*columns, 'top-1 %', 'mJ', 'late'), table, figures)
    report.note(f'energy: {energy.source}. Top-1: of the ways taken, on all pictures.')
    _show_regret(report, cells, costs)


def _figures(cell: Cell, costs: Costs, energy: EnergyModel) -> dict[str, Any]:
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
        'top1': 100 * cell.accuracy(costs),
        'mj': 1e3 * statistics.median(joule),
        'late': sum(line['attempts'] > 1 for line in cell.lines),
    }


def _show_regret(report: Report, cells: Sequence[Cell], costs: Costs) -> None:
    """Hold our planner against the best measured at each rate, fixed ways included."""
    least = floor(costs, MAX_LOSS)
    table, figures = [], []
    for rate in sorted({cell.rate for cell in cells}):
        here = {cell.policy: cell for cell in cells if cell.rate == rate}
        ours = here.pop(OURS)
        good = [cell for cell in here.values() if cell.accuracy(costs) >= least]
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
