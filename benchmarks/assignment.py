"""
How good the contract's assignment of tasks is, and what it takes: ``Tasks.assign`` from real bids.

It is compared with the optimum (scipy) and with the greedy auction that robots played before.
``python -m benchmarks.assignment --help`` has the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import statistics
import time
from typing import Annotated

import numpy as np
from numpy.random import Generator
import numpy.typing as npt
from rich.progress import track
from scipy.optimize import linear_sum_assignment
import typer

from benchmarks.report import OutOption, Report
from collab_robots.contract.artifact import suite
from collab_robots.contract.calls import tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.evm import Evm, PyrevmEvm, VIEW_GAS
from collab_robots.contract.pyevm import PyEvm
from collab_robots.tangle.memory import make_team

Costs = npt.NDArray[np.int64]  # (tasks, robots), mm

SIZES = (4, 8, 16, 32)
PROPOSED, AWARDED = 100, 103  # s
FLOOR = (16_000, 12_000)  # mm
LIMIT = 1.05  # of the optimum


@dataclass
class Figures:
    """
    Of all instances of one shape.

    :param ratios: what the contract's assignment costs, as a multiple of the optimum.
    :param greedy: the same of the greedy auction.
    """

    ratios: list[float]
    greedy: list[float]
    ms_pyrevm: list[float]
    ms_pyevm: list[float]
    gas: list[int]

    def summary(self) -> dict[str, float | int]:
        """Return the table's figures."""
        return {
            'ratio_median': statistics.median(self.ratios),
            'ratio_worst': max(self.ratios),
            'greedy_median': statistics.median(self.greedy),
            'greedy_worst': max(self.greedy),
            'gas_most': max(self.gas),
            'ms_pyrevm': statistics.median(self.ms_pyrevm),
            'ms_pyevm': statistics.median(self.ms_pyevm),
        }


def uniform(random: Generator, shape: tuple[int, int]) -> Costs:
    """Return costs of which none says anything about another."""
    return random.integers(500, 20_000, shape)


def plane(random: Generator, shape: tuple[int, int]) -> Costs:
    """Return distances between tasks and robots on a floor."""
    places, robots = (random.uniform((0, 0), FLOOR, (count, 2)) for count in shape)
    apart = np.hypot(*(places[:, None] - robots[None]).transpose(2, 0, 1))
    return np.asarray(apart.astype(np.int64) + 2)


INSTANCES = {'uniform': uniform, 'plane': plane}


def optimum(costs: Costs) -> int:
    """Return the lowest total cost of the most pairs there can be."""
    return int(costs[linear_sum_assignment(costs)].sum())


def greedy(costs: Costs) -> int:
    """
    Return the total cost of the auction in which the cheapest of all bids wins, then the next.

    M. G. Lagoudakis et al., "Auction-Based Multi-Robot Routing", RSS 2005.
    """
    left = costs.astype(np.float64)
    total = 0
    for _ in range(min(costs.shape)):
        best = np.unravel_index(int(np.argmin(left)), left.shape)
        total += int(costs[best])
        left[best[0], :] = left[:, best[1]] = np.inf
    return total


class Bidding:
    """
    Robots that bid on tasks in a machine with the contracts; each instance begins anew.

    :param shape: how many tasks and robots.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        count, robots = shape
        fleet, _ = make_team(robots)
        self._fleet = fleet
        self._addresses = [robot.address for robot in fleet.robots]
        self._keys = [tasks.task_key(Kind.EXPLORE, x, 0, 0) for x in range(count)]
        self._assign = suite().contracts['Tasks'].functions['assign']
        self._data = self._assign.encode(self._keys, 0, 0, AWARDED)
        self._deployment = Deployment(suite(), fleet, PyrevmEvm())
        for x in range(count):
            self._say(0, tasks.propose(Kind.EXPLORE, x, 0, 0))

    def run(self, costs: Costs, figures: Figures, slowly: bool) -> None:
        """
        Let all robots bid, and ask the contract who should do what.

        :param slowly: ask py-evm too.
        """
        mark = self._deployment.evm.mark()
        for task, robot in np.ndindex(costs.shape):
            self._say(robot, tasks.bid(self._keys[task], int(costs[task, robot])))
        total, spent = self._ask(self._deployment, costs)
        best = optimum(costs)
        figures.ratios.append(total / best)
        figures.greedy.append(greedy(costs) / best)
        figures.ms_pyrevm.append(spent)
        figures.gas.append(self._gas(self._copy(PyrevmEvm())))
        if slowly:
            figures.ms_pyevm.append(self._ask(self._copy(PyEvm()), costs)[1])
        self._deployment.evm.rollback(mark)

    def _say(self, robot: int, data: bytes) -> None:
        result = self._deployment.call(self._addresses[robot], data, PROPOSED)
        if not result.ok:
            raise RuntimeError(f'a call failed: {result}')

    def _ask(self, deployment: Deployment, costs: Costs) -> tuple[int, float]:
        """Return what the assignment costs, and the time it took, ms."""
        begin = time.process_time()
        raw = deployment.read('Tasks', self._data)
        spent = (time.process_time() - begin) * 1e3
        (given,) = self._assign.returned(raw)
        pairs = [
            (task, self._addresses.index(robot)) for task, robot in enumerate(given) if any(robot)
        ]
        if len(pairs) != min(costs.shape) or len({robot for _, robot in pairs}) != len(pairs):
            raise RuntimeError('not every task or robot that could have a partner has one')
        return int(sum(costs[pair] for pair in pairs)), spent

    def _copy(self, evm: Evm) -> Deployment:
        """Return the same contracts in another machine, where no storage was touched."""
        empty = Deployment(suite(), self._fleet, evm)
        return empty.with_storage(self._deployment.evm.dump())

    def _gas(self, deployment: Deployment) -> int:
        address = deployment.address('Tasks')
        result = deployment.evm.call(self._addresses[0], address, self._data, AWARDED, VIEW_GAS)
        return result.gas


def shapes(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return numbers of tasks and robots: squares, and twice as many of either."""
    return [shape for n in sizes for shape in ((n, n), (n, n // 2), (n // 2, n)) if min(shape) > 1]


def main(
    seed: Annotated[int, typer.Option(help='Of the costs.')] = 1,
    instances: Annotated[int, typer.Option(min=1, help='Of each kind and shape.')] = 100,
    quick: Annotated[bool, typer.Option('--quick', help='Small sizes, a few seconds.')] = False,
    out: OutOption = None,
) -> None:
    r"""
    Measure the assignment of tasks: quality, gas, time.

    \b
    Examples:
      python -m benchmarks.assignment --quick
      python -m benchmarks.assignment --seed 1
    """
    sizes = SIZES[:2] if quick else SIZES
    instances = min(instances, 3) if quick else instances
    report = Report('assignment', {'seed': seed, 'instances': instances, 'sizes': sizes})
    rows, kept = [], {}
    for shape in track(shapes(sizes), 'bidding', transient=True):
        bidding = Bidding(shape)
        for name, draw in INSTANCES.items():
            random, figures = np.random.default_rng((seed, *shape)), Figures([], [], [], [], [])
            for index in range(instances):
                bidding.run(draw(random, shape), figures, slowly=index == 0)
            label = f'{shape[0]} × {shape[1]} {name}'
            kept[label] = figures.summary()
            rows.append([label, *kept[label].values()])
    columns = ['tasks × robots', '/optimum', 'worst', 'greedy', 'worst', 'gas', 'ms', 'ms py-evm']
    report.table('assignment', 'Tasks.assign: total cost, and what it takes', columns, rows, kept)
    report.note(
        'Costs are multiples of the optimum (scipy.optimize.linear_sum_assignment), median and '
        f'worst; the limit is {LIMIT}.\nGas: nothing was touched before. Times: of the processor, '
        'medians; pyrevm, and py-evm for the first instance.'
    )
    report.write(out)


if __name__ == '__main__':
    typer.run(main)
