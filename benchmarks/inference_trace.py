"""
A link whose rate changes every 5 s: what planning anew gains, and what not knowing costs.

The camera gives a frame every half second; a frame waits for the one before it. What counts is
the time of all frames together, each from when it is begun to its answer. The trace of rates is a
random walk on a logarithmic scale, as robots come nearer and go; it is the same for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import math
from random import Random
from typing import Any

from rich.progress import track

from benchmarks.inference_plots import Series
from benchmarks.inference_policies import BURST, DELAY_S
from benchmarks.inference_rates import ASKER, HELPER, MBIT, QUEUE, RATES
from benchmarks.inference_team import Line, Team
from benchmarks.inference_ways import OURS
from benchmarks.report import Report
from collab_robots.inference.options import LOCAL
from collab_robots.inference.planner import HelperState, Planner
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import Times

HOLD_S = 5.0  # that a rate stays
PERIOD_S = 0.5  # of the camera
STEP = 1.3  # standard deviation of the logarithm's change
ORACLE = 'oracle'


def trace(seed: int, changes: int) -> list[float]:
    """Return the rates, Mbit/s; outside their range the walk is reflected."""
    chance, low, high = Random(seed), math.log(RATES[0]), math.log(RATES[-1])
    level, result = (low + high) / 2, []
    for _ in range(changes):
        level += chance.gauss(0.0, STEP)
        level = 2 * low - level if level < low else 2 * high - level if level > high else level
        level = min(max(level, low), high)
        result.append(math.exp(level))
    return result


def measure(
    report: Report, team: Team, rates: Sequence[float], statics: Mapping[str, Line]
) -> dict[str, list[Line]]:
    """
    Let every policy live through the trace.

    :param statics: fixed policies, by name.
    :returns: what the robot said of each frame, by policy.
    """
    found = {}
    # The fixed ways first: what they use is loaded then, on both robots, for who may choose it.
    chosen = {**statics, ORACLE: {'choose': 'oracle'}, OURS: {'choose': 'ours'}}
    for name in track(chosen, 'policies', console=report.console, transient=True):
        found[name] = _live(team, rates, chosen[name])
    team.network.limit(ASKER, None)
    return found


def _live(team: Team, rates: Sequence[float], command: Line) -> list[Line]:
    """Change the rate whenever the robot says that the time has come."""
    lines: list[Line] = []
    frames = round(len(rates) * HOLD_S / PERIOD_S)
    team.network.limit(ASKER, round(rates[0] * MBIT), QUEUE)
    list(team.ask(ASKER, {'do': 'run', 'frames': 4, **command, 'rate': rates[0] * MBIT}))
    run = {'do': 'run', 'frames': frames, 'period': PERIOD_S, 'hold': HOLD_S, **command}
    for line in team.ask(ASKER, {**run, 'rate': rates[0] * MBIT}):
        if 'frame' in line:
            lines.append(line)
        elif line.get('hold', len(rates)) < len(rates):
            rate = rates[line['hold']] * MBIT
            team.network.limit(ASKER, round(rate), QUEUE)
            team.tell(ASKER, {'do': 'rate', 'rate': rate})
    return lines


def statics(own: Times, sheet: Sheet, helper: Times) -> dict[str, Line]:
    """
    Return the fixed ways to hold ours against: what our planner takes at any of the usual rates.

    :param own: what the asking robot's work takes; helper: the other's.
    """
    links = [LinkEstimate(rate * MBIT, DELAY_S, BURST) for rate in RATES]
    plans = [
        Planner().plan(own, sheet, [HelperState(HELPER, link, 0.0, helper)]) for link in links
    ]
    options = dict.fromkeys([LOCAL, *(plan.option for plan in plans)])
    return {str(option): {'choose': 'fixed', 'option': str(option)} for option in options}


def show(report: Report, rates: Sequence[float], found: Mapping[str, list[Line]]) -> None:
    """Print the total time of each policy, and keep everything."""
    totals = {name: sum(line['seconds'] for line in lines) for name, lines in found.items()}
    fixed = {name: total for name, total in totals.items() if name not in (OURS, ORACLE)}
    best = min(fixed, key=fixed.__getitem__)
    rows: list[list[Any]] = []
    for name in sorted(totals, key=totals.__getitem__):
        total = totals[name]
        rows.append([name, total, total / totals[best], total / totals[ORACLE], len(found[name])])
    columns = ('policy', 'total s', 'of the best static', 'of the oracle', 'frames')
    title = f'a rate that changes every {HOLD_S:g} s, {len(rates)} rates'
    figures = {
        'trace_mbit_s': list(rates),
        'frames': {
            name: [
                f'{line["at"]:.2f} s: {line["option"]}, {line["seconds"]:.3f} s' for line in lines
            ]
            for name, lines in found.items()
        },
        'totals_s': totals,
        'of_static': totals[OURS] / totals[best],
        'of_oracle': totals[OURS] / totals[ORACLE],
    }
    report.table('trace', title, columns, rows, figures)
    report.note('wanted of ours: at most 0.8 of the best static, at most 1.1 of the oracle')


def series(found: Mapping[str, list[Line]]) -> Series:
    """Return points (s, ms) of each policy's frames, for a figure."""
    return {
        name: [(line['at'], 1e3 * line['seconds']) for line in lines]
        for name, lines in found.items()
    }
