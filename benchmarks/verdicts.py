"""
Who is convicted for lying about a region: our contract, and the published vote on the same maps.

Two questions. *Sketches*: how much do honest sketches of one region differ, and how much do lies?
*Orders*: with honest robots and colluders that agree with one another, and their maps arriving in
all orders, or in many, whom does each rule expel?
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.report import OutOption, Report
from benchmarks.verdict_maps import Building
from benchmarks.verdict_orders import measure_orders
from benchmarks.verdict_sketches import (
    intel_pairs,
    lies,
    measure_rules,
    measure_sketches,
    pairs,
)
from collab_robots.sim.world import load_world


def main(
    seed: Annotated[int, typer.Option(help='Of everything random.')] = 1,
    robots: Annotated[int, typer.Option(help='Simulated robots that map the world.')] = 24,
    world: Annotated[Path, typer.Option(help='What they map.')] = Path('worlds/office.yaml'),
    lies_each: Annotated[int, typer.Option(help='Lies of each kind.')] = 200,
    orders: Annotated[int, typer.Option(help='Random orders of a larger team.')] = 10_000,
    largest: Annotated[int, typer.Option(help='Robots of the largest team.')] = 13,
    log: Annotated[Path | None, typer.Option(help='The Intel log (intel.gfs.log).')] = None,
    quick: Annotated[bool, typer.Option(help='Small: shows that all runs.')] = False,
    out: OutOption = None,
) -> None:
    """Measure sketches and verdicts."""
    if quick:
        robots, lies_each, orders, largest = 3, 10, 100, 7
    building = load_world(world)
    options = {'seed': seed, 'world': building.name, 'robots': robots, 'lies': lies_each}
    options['orders'] = orders
    report = Report('verdicts', {**options, 'largest': largest, 'intel': log is not None})
    place = Building(building)
    mapped = [place.map(1000 * seed + number) for number in range(robots)]
    honest = {**(intel_pairs(log) if log else {}), **pairs(building.name, mapped)}
    lying = lies(mapped, lies_each, np.random.default_rng(seed))
    measure_sketches(report, honest, lying)
    measure_rules(report, building.name, honest, lying)
    measure_orders(report, building.truth, seed, orders, largest)
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
