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

from benchmarks.report import Report
from benchmarks.verdict_maps import Office
from benchmarks.verdict_orders import measure_orders
from benchmarks.verdict_sketches import (
    intel_pairs,
    lies,
    measure_rules,
    measure_sketches,
    pairs,
)


def main(
    seed: Annotated[int, typer.Option(help='Of everything random.')] = 1,
    robots: Annotated[int, typer.Option(help='Simulated robots that map the office.')] = 24,
    lies_each: Annotated[int, typer.Option(help='Lies of each kind.')] = 200,
    orders: Annotated[int, typer.Option(help='Random orders of a larger team.')] = 10_000,
    largest: Annotated[int, typer.Option(help='Robots of the largest team.')] = 13,
    log: Annotated[Path | None, typer.Option(help='The Intel log (intel.gfs.log).')] = None,
    quick: Annotated[bool, typer.Option(help='Small: shows that all runs.')] = False,
    out: Annotated[Path | None, typer.Option(help='The JSON file.')] = None,
) -> None:
    """Measure sketches and verdicts."""
    if quick:
        robots, lies_each, orders, largest = 3, 10, 100, 7
    options = {'seed': seed, 'robots': robots, 'lies': lies_each, 'orders': orders}
    report = Report('verdicts', {**options, 'largest': largest, 'intel': log is not None})
    office = Office()
    mapped = [office.map(1000 * seed + number) for number in range(robots)]
    honest = {**(intel_pairs(log) if log else {}), **pairs('office', mapped)}
    lying = lies(mapped, lies_each, np.random.default_rng(seed))
    measure_sketches(report, honest, lying)
    measure_rules(report, honest, lying)
    measure_orders(report, seed, orders, largest)
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
