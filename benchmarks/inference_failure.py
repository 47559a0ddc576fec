"""
Helpers that are killed, and chunks that are lost: what it costs the frames of a robot.

One robot has a camera with 5 frames a second, three help. Every 10 s one of the three is killed in
turn, with ``kill -9``, and started again 5 s later. The robot with the camera is not: while it is
dead there are no frames.
"""

from __future__ import annotations

from collections.abc import Sequence
import statistics
from typing import Any

from benchmarks.inference_rates import ASKER, MBIT
from benchmarks.inference_team import Line, Team
from benchmarks.inference_ways import OURS
from benchmarks.report import Report, spread

ROBOTS = {ASKER: 8.0, 'robot2': 1.0, 'robot3': 1.0, 'robot4': 1.0}
RATE = 20.0  # Mbit/s of each robot's link
PERIOD_S = 0.2
DOWN_S = 5.0
KILL_S = 2 * DOWN_S
LOSS = 0.3
WARM_UP = 25  # frames: links, and stages that are loaded
MAX_TAIL, MAX_OVERHEAD, MAX_DROP = 2.0, 0.03, 0.02


def show(report: Report, common: Line, seconds: float) -> None:
    """
    Measure all of it, print it and keep it.

    :param common: settings of all robots.
    :param seconds: how long helpers are killed; the other runs take a quarter of that.
    """
    with Team(ROBOTS, common) as team, report.console.status('failures'):
        for robot in team.robots:
            team.network.limit(robot, round(RATE * MBIT))
        frames = round(seconds / 4 / PERIOD_S)
        calm = _frames(team, frames)
        overhead = _overhead(team, frames)
        for robot in team.robots:
            team.tell(robot, {'do': 'loss', 'share': LOSS})
        lossy = _frames(team, frames)
        for robot in team.robots:
            team.tell(robot, {'do': 'loss', 'share': 0.0})
        killed = _kill(team, seconds)
    median = statistics.median(_times(calm))
    rows: list[list[Any]] = []
    figures: dict[str, Any] = {}
    for name, lines, wanted in (
        ('undisturbed', calm, len(calm)),
        (f'a helper killed every {KILL_S:g} s', killed, round(seconds / PERIOD_S)),
        (f'{LOSS:.0%} of all messages lost', lossy, len(lossy)),
    ):
        found = _row(lines, wanted, median)
        figures[name] = {**found, 'frames': list(lines)}
        rows.append([name, *found.values()])
    columns = ('', 'frames', 'lost', 'median ms', 'p99 ms', 'p99/median', 'again', 'filled')
    title = f'1 + 3 robots, 5 frames/s, {RATE:g} Mbit/s; p99 against the undisturbed median'
    report.table('failure', title, (*columns, 'top-1 %'), rows, figures)
    report.keep('failure_overhead', overhead)
    report.note(
        f'fault tolerance without faults: {100 * overhead["overhead"]:.1f} % of the median '
        f'latency (wanted: {100 * MAX_OVERHEAD:g} at most)'
    )
    report.note(
        f'wanted: 0 lost, p99 at most {MAX_TAIL:g} x the median; with loss at most '
        f'{100 * MAX_DROP:g} points of top-1'
    )


def _frames(team: Team, frames: int) -> list[Line]:
    run = {'do': 'run', 'choose': OURS, 'period': PERIOD_S}
    list(team.ask(ASKER, {**run, 'frames': WARM_UP}))
    return [line for line in team.ask(ASKER, {**run, 'frames': frames}) if 'frame' in line]


def _overhead(team: Team, frames: int) -> dict[str, float]:
    """Let a requester that trusts everybody and the usual one take turns."""
    times: dict[str, list[float]] = {'blind': [], 'usual': []}
    for name in ('blind', 'usual') * 2:
        team.tell(ASKER, {'do': 'trust', 'name': name})
        team.meet(ASKER)
        times[name] += _times(_frames(team, frames // 2))
    team.tell(ASKER, {'do': 'trust', 'name': 'no audits'})
    team.meet(ASKER)
    found = {f'{name}_ms': statistics.median(spent) for name, spent in times.items()}
    return {**found, 'overhead': found['usual_ms'] / found['blind_ms'] - 1}


def _kill(team: Team, seconds: float) -> list[Line]:
    """Kill the helpers in turn while frames come."""
    frames = round(seconds / PERIOD_S)
    run = {'do': 'run', 'choose': OURS, 'period': PERIOD_S, 'flight': 16, 'frames': frames}
    list(team.ask(ASKER, {**run, 'frames': WARM_UP}))
    lines, helpers = [], team.robots[1:]
    for line in team.ask(ASKER, {**run, 'hold': DOWN_S}):
        if 'frame' in line:
            lines.append(line)
        elif 'hold' in line:  # the robot's clock tells when
            kill, is_over = divmod(line['hold'], 2)
            victim = helpers[kill % len(helpers)]
            if not is_over:
                team.kill(victim)
            elif kill:
                team.start(victim, wait=False)
    return lines


def _times(lines: Sequence[Line]) -> list[float]:
    return [1e3 * line['seconds'] for line in lines]


def _row(lines: Sequence[Line], wanted: int, median: float) -> dict[str, Any]:
    ordered = sorted(_times(lines))
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {
        'frames': wanted,
        'lost': wanted - len(lines),
        'median_ms': spread(ordered)['median'],
        'p99_ms': p99,
        'of_median': p99 / median,
        'again': sum(line['attempts'] > 1 for line in lines),
        'filled': sum(line['lost'] > 0 for line in lines),
        'top1': 100 * statistics.fmean(line['right'] for line in lines),
    }
