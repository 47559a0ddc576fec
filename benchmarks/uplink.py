"""
How long a record takes to be accepted over a slow link, beside tiles and tensors.

Robots in network namespaces, DDS between them, each behind a link (token bucket, the same rate
each way). Every robot puts one call a second on the ledger. The link is idle but for that; or
loaded with more tiles and tensors than it carries; or the same, with a budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import json
import math
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
import time
from typing import Annotated, Any

import typer

from benchmarks.driver import LOG
from benchmarks.namespaces import missing, Network
from benchmarks.processes import Processes
from benchmarks.report import OutOption, Report, spread
from benchmarks.uplink_robot import LOAD, NOTHING

DOMAIN = 140
START_S = 60.0  # until all are there
CALM = 8.0  # s without a load, before each: DDS finds again whom it lost on a full link
WARM_UP = 3.0  # s of a load before it counts
GRACE = 5.0  # s for which it goes on after the last call: what is accepted later counts as it is
PATIENCE = 60.0  # s after that until all is final
RATE = 1.0  # calls/s of each robot
TILES = 40_000.0  # bytes/s that each robot has to say to all together, without headers
TENSORS = 120_000.0  # to one
KINDS = ('ledger', 'tiles', 'tensors')


@dataclass
class Cell:
    """
    A load.

    :param load: what each robot is told.
    """

    name: str
    load: Mapping[str, float]
    milliseconds: list[float] = field(default_factory=list)
    """From issued to accepted where it was issued."""
    seconds: float = 0.0
    wire: int = 0
    """Bytes that all robots put on their cables, with all headers."""
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes of each kind that they let go."""
    lost: Counter[str] = field(default_factory=Counter)
    """Messages of each kind that had no room."""
    heard: Counter[str] = field(default_factory=Counter)
    """Bytes of tiles and tensors that arrived, without headers."""


def cells(robots: int, link: int, shares: Sequence[float]) -> list[Cell]:
    """
    Return all loads.

    :param link: bit/s.
    :param shares: of the link, that each robot's uplink may take.
    """
    load = {'tiles': TILES / (robots - 1), 'tensors': TENSORS}
    return [
        Cell('idle', NOTHING),
        Cell('loaded, no budget', {**load, 'uplink': 0.0}),
        *(Cell(f'budget {share:.0%}', {**load, 'uplink': share * link / 8}) for share in shares),
    ]


def measure(found: Sequence[Cell], robots: int, link: int, seconds: float, seed: int) -> None:
    """
    Let a team meet all loads, in an order drawn by lot, and add what came of it to the cells.

    :param link: bit/s each way.
    :param seconds: of each.
    """
    names = [f'robot{number}' for number in range(1, robots + 1)]
    with TemporaryDirectory() as folder, Network((names,)) as network:
        team = Processes(
            Path(folder),
            names,
            DOMAIN,
            network,
            seed,
            module='benchmarks.uplink_robot',
            values=lambda robot: {'helper': names[(names.index(robot) + 1) % robots]},
        )
        with team:
            team.start()
            team.wait(lambda: len(team.statuses) == robots, START_S)
            for robot in names:
                network.limit(robot, link)
            for cell in Random(seed).sample(found, len(found)):
                _meet(team, network, cell, seconds)


def _meet(team: Processes, network: Network, cell: Cell, seconds: float) -> None:
    team.watch(CALM)
    _load(team, cell.load)
    team.say(RATE)
    team.watch(WARM_UP)
    began, wire = time.time(), _wire(team, network)
    team.watch(seconds)
    ended = time.time()
    cell.wire += _wire(team, network) - wire
    team.say(0.0)
    team.watch(GRACE)
    _load(team, NOTHING)
    team.settle(PATIENCE)
    cell.seconds += ended - began
    for robot in team.robots:
        path = team.folder / robot / LOG
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        for line in lines:
            if line['kind'] == 'status' and line['at'] >= began:
                cell.milliseconds += line['accepted_ms']
        told = [line for line in lines if line['kind'] == 'load']
        first = next(line for line in told if line['at'] >= began)
        last = [line for line in told if line['at'] <= ended][-1]
        for what in ('sent', 'lost', 'heard'):
            counter: Counter[str] = getattr(cell, what)
            counter.update(last[what])
            counter.subtract(first[what])


def _load(team: Processes, load: Mapping[str, float]) -> None:
    for robot in team.robots:
        path = team.folder / robot / LOAD
        whole = path.with_suffix('.new')
        whole.write_text(json.dumps(load), 'ascii')
        whole.replace(path)


def _wire(team: Processes, network: Network) -> int:
    return sum(map(network.sent, team.robots))


def show(report: Report, found: Sequence[Cell], robots: int, link: int) -> None:
    """Print and keep what came of it."""
    idle = spread(found[0].milliseconds)
    figures, rows = [], []
    for cell in found:
        times = spread(cell.milliseconds)
        per_robot = cell.seconds * robots

        def rate(count: int, per_robot: float = per_robot) -> float:
            return count / per_robot / 1e3

        ratio = (times['median'] or math.nan) / (idle['median'] or math.nan)
        figures.append(
            {
                'load': cell.name,
                'told': dict(cell.load),
                'accepted_ms': times,
                'of_idle': ratio,
                'wire_kb_s': rate(cell.wire),
                'sent_kb_s': {kind: rate(cell.sent[kind]) for kind in KINDS},
                'heard_kb_s': {kind: rate(count) for kind, count in cell.heard.items()},
                'lost_1_s': {kind: cell.lost[kind] / per_robot for kind in KINDS},
            }
        )
        rows.append(
            [
                cell.name,
                *(times[key] for key in ('count', 'median', 'p95', 'max')),
                ratio,
                *(rate(cell.sent[kind]) for kind in KINDS),
                rate(cell.wire),
                *(rate(cell.heard[kind]) for kind in KINDS[1:]),
                (cell.lost['tiles'] + cell.lost['tensors']) / per_robot,
            ]
        )
    columns = (
        *('load', 'calls', 'median', 'p95', 'max', '× idle', 'ledger', 'tiles', 'tensors'),
        *('cable', 'got tiles', 'tensors', 'lost/s'),
    )
    title = (
        f'{robots} robots in network namespaces (DDS), each behind {link / 1e6:g} Mbit/s: '
        f'{RATE:g} call/s each, ms to accepted; kB/s of a robot'
    )
    report.table('uplink', title, columns, rows, figures)


def main(
    robots: Annotated[int, typer.Option(min=2, max=16)] = 2,
    link: Annotated[float, typer.Option(min=0.05, help='Rate of each link, Mbit/s.')] = 1.0,
    shares: Annotated[
        list[float] | None,
        typer.Option('--share', min=0.1, help='Of the link, for the uplink; repeatable.'),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help='Of each load and seed.')] = 20.0,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    out: OutOption = None,
) -> None:
    """Measure ledger latency beside other traffic on a slow link. As root, on Linux."""
    if reason := missing():
        raise typer.BadParameter(reason)
    rate = round(1e6 * link)
    shares = shares or [0.8]
    options: dict[str, Any] = {
        **{'robots': robots, 'link_mbit_s': link, 'shares': shares},
        **{'seconds': seconds, 'seeds': seeds, 'rate_per_robot': RATE},
    }
    report = Report('uplink', options)
    found = cells(robots, rate, shares)
    for seed in range(1, seeds + 1):
        measure(found, robots, rate, seconds, seed)
    show(report, found, robots, rate)
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
