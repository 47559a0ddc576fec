"""
A line of small robots that share a network: frames a second against those of the first one alone.

Every robot has the same stated share of this computer, or shares that differ. The ideal is the sum
of the shares: k robots, k times as many frames. Coding, the network and cuts that do not fit cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.inference_rates import ASKER, MBIT
from benchmarks.inference_team import Line, Team
from benchmarks.report import Report

SLOWNESS = 8.0
MIXED = (8.0, 4.0, 12.0, 16.0)
RATE = 50.0  # Mbit/s of each robot's link
FLIGHT = 2  # frames on their way for each robot
WARM_UP, TURNS = ('raw', 'jpeg75'), 9  # with all helpers in turn


def teams(sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return the teams: how many times slower each robot is; with 4, a mixed one too."""
    names = [ASKER, *(f'robot{number}' for number in range(2, len(MIXED) + 1))]
    found = {f'{size} equal': dict.fromkeys(names[:size], SLOWNESS) for size in sizes}
    mixed = {'4 different': dict(zip(names, MIXED, strict=True))}
    return found | (mixed if len(MIXED) in sizes else {})


def show(report: Report, common: Line, sizes: Sequence[int], frames: int) -> None:
    """
    Measure teams of some sizes, print it and keep it.

    :param common: settings of all robots.
    """
    rows: list[list[Any]] = []
    figures = {}
    for name, robots in teams(sizes).items():
        with report.console.status(f'a line of {name} robots'):
            figures[name] = found = _measure(robots, common, frames)
        rows.append([name, *found.values()])
    columns = ('robots', 'frames/s alone', 'in a line', 'times', 'ideal', 'of the ideal', 'who')
    title = f'a line of robots, each with 1/{SLOWNESS:g} of a core (different: {MIXED}), DDS'
    report.table('pipeline', title, columns, rows, figures)


def _measure(robots: Mapping[str, float], common: Line, frames: int) -> dict[str, Any]:
    with Team(robots, common) as team:
        for robot in team.robots:
            team.network.limit(robot, round(RATE * MBIT))
        # What all links do is learnt before the line is planned, from large and small payloads.
        for option in WARM_UP:
            turns = {'do': 'run', 'choose': 'turns', 'option': option, 'frames': TURNS}
            list(team.ask(ASKER, turns))
        alone, _ = _pace(team, {'choose': 'fixed', 'option': 'local'}, frames // 2)
        line, route = _pace(team, {'choose': 'line', 'flight': FLIGHT * len(robots)}, frames)
    speeds = [1 / slowness for slowness in robots.values()]
    ideal = sum(speeds) / speeds[0]
    return {
        'alone': alone,
        'line': line,
        'times': line / alone,
        'ideal': ideal,
        'of_ideal': line / alone / ideal,
        'route': route,
    }


def _pace(team: Team, command: Line, frames: int) -> tuple[float, str]:
    """Return frames a second from the first answer to the last, and who computed the last."""
    answers = team.ask(ASKER, {'do': 'run', 'frames': frames, **command})
    lines = [line for line in answers if 'frame' in line]
    spent = lines[-1]['at'] - lines[0]['at']
    return (len(lines) - 1) / spent, ' > '.join([lines[-1]['option'], *lines[-1]['route']])
