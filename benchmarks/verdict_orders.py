"""Whom each rule expels when the maps of honest robots and liars arrive in many orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from benchmarks.baselines import vote
from benchmarks.report import Report
from benchmarks.verdict_court import Court, REGION
from benchmarks.verdict_maps import levels_of, shifted, Tiles, with_wall
from collab_robots.core.geometry import Grid
from collab_robots.mapping.layer import TILE
from collab_robots.mapping.sketch import Sketch, sketch

MAX_ALL = 7  # robots: up to here every order is tried
ON_CONTRACT = 300  # orders of larger teams that the contract executes too


@dataclass(frozen=True)
class Team:
    """
    Maps of one region by honest robots and by liars, who agree with one another.

    :param maps: of each robot; the liars are the last.
    """

    maps: Sequence[Tiles]
    liars: frozenset[int]

    @property
    def sketches(self) -> list[Sketch]:
        """What each submits."""
        return [sketch(tiles, *REGION) for tiles in self.maps]

    @property
    def witnesses(self) -> int:
        """How many honest robots suffice: f + 1, for the most f below a third."""
        return (len(self.maps) - 1) // 3 + 1


def make_teams(building: Grid, rng: np.random.Generator) -> Callable[[int, int], Team]:
    """Return what makes teams that map the most open place of a building; the lie is a block."""
    truth = levels_of(building)
    index = max(truth, key=lambda index: sketch(truth, *index).free.bit_count())
    place = {(x - index[0], y - index[1]): tile for (x, y), tile in truth.items()}
    lie = with_wall(place, REGION, np.array([1.25, 1.25]), 0.0, 2.2, 1.0)

    def team(robots: int, liars: int) -> Team:
        honest = robots - liars
        maps = [_seen(place if robot < honest else lie, rng) for robot in range(robots)]
        return Team(maps, frozenset(range(honest, robots)))

    return team


def _seen(tiles: Tiles, rng: np.random.Generator) -> Tiles:
    """Return what a robot sees of a place: one cell off at most, with noise and a blind spot."""
    off = shifted(tiles, *rng.integers(0, 2, 2))
    tile = off[REGION].copy()
    tile[rng.random(tile.shape) < 0.001] *= -1
    row, column = rng.integers(0, TILE - 16, 2)
    tile[row : row + 16, column : column + 16] = 0
    return {**off, REGION: tile}


@dataclass
class Score:
    """What a rule made of many orders: how often all was right, and what went wrong."""

    orders: int = 0
    right: int = 0
    honest_expelled: int = 0
    liars_missed: int = 0

    def add(self, found: set[int] | frozenset[int], liars: frozenset[int]) -> None:
        """Count one order."""
        self.orders += 1
        self.right += found == liars
        self.honest_expelled += bool(found - liars)
        self.liars_missed += bool(liars - found)


def verdict(order: Sequence[int], conflict: Sequence[Sequence[bool]], enough: int) -> set[int]:
    """Convict as the contract does, robots of equal weight; for orders too many to execute."""
    return {robot for robot in order if sum(conflict[robot][other] for other in order) >= enough}


def on_contract(team: Team, orders: Sequence[tuple[int, ...]]) -> Score:
    """
    Let the contract execute orders, and check it after every sketch.

    Orders that begin alike are executed once up to where they part.

    :param orders: sorted, none twice.
    """
    court, found, score = Court(len(team.maps)), team.sketches, Score()
    marks = [court.mark()]
    before: tuple[int, ...] = ()
    for order in orders:
        same = 0
        while before[same : same + 1] == order[same : same + 1]:
            same += 1
        court.rollback(marks[same])
        del marks[same:]
        for number in range(same, len(order)):
            marks.append(court.mark())
            court.submit(order[number], found[order[number]])
            _check(team, order[: number + 1], court.convicted())
        score.add(court.convicted(), team.liars)
        before = order
    return score


def _check(team: Team, mapped: Sequence[int], convicted: set[int]) -> None:
    """Nobody honest, and every liar among them once enough honest robots mapped the region."""
    liars = team.liars.intersection(mapped)
    assert convicted <= liars
    if len(mapped) - len(liars) >= team.witnesses:
        assert convicted == liars


def measure_orders(
    report: Report, building: Grid, seed: int, random_orders: int, largest: int
) -> None:
    """Print whom each rule expels, over orders in which the maps arrive."""
    rng = np.random.default_rng(seed)
    make = make_teams(building, rng)
    rows, figures = [], []
    for robots in range(4, largest + 1):
        for liars in range(1, (robots - 1) // 3 + 1):
            team = make(robots, liars)
            court, found = Court(1), team.sketches
            conflict = [[court.conflicting(a, b) for b in found] for a in found]
            grids = [np.sign(tiles[REGION]) for tiles in team.maps]
            agree = np.array([[vote.complies(a, b) for b in grids] for a in grids])
            if robots <= MAX_ALL:
                orders = list(permutations(range(robots)))
                executed = orders
            else:
                orders = [tuple(rng.permutation(robots).tolist()) for _ in range(random_orders)]
                executed = sorted(set(orders[:ON_CONTRACT]))
            real, ours, theirs = on_contract(team, executed), Score(), Score()
            for order in orders:
                ours.add(verdict(order, conflict, team.witnesses), team.liars)
                theirs.add(vote.expelled(order, agree), team.liars)
            rows.append(
                (
                    f'{robots - liars} + {liars}',
                    len(orders),
                    real.orders,
                    _percent(real.right, real.orders),
                    _percent(ours.right, ours.orders),
                    _percent(theirs.right, theirs.orders),
                    _percent(theirs.honest_expelled, theirs.orders),
                    _percent(theirs.liars_missed, theirs.orders),
                )
            )
            scores = {'contract': real, 'rule': ours, 'published': theirs}
            figures.append(
                {
                    'robots': robots,
                    'liars': liars,
                    **{name: vars(score) for name, score in scores.items()},
                }
            )
    columns = (
        'honest + liars', 'orders', 'executed', 'contract right', 'rule right',
        'published right', 'honest expelled', 'liars missed',
    )  # fmt: skip
    report.table('orders', 'Whom orders of arrival get expelled', columns, rows, figures)
    distinct = [_distinct(set(pair)) for pair in combinations(range(7), 2)]
    right = sum(distinct)
    report.note(f'Published vote, 5 + 2, distinct orders: {right} of {len(distinct)} right.')
    report.keep('published_5_2', {'right': right, 'orders': len(distinct)})


def _distinct(liars: set[int]) -> bool:
    """Tell whether the published vote is right if the liars' maps arrive at these of 7 places."""
    lies = np.array([robot in liars for robot in range(7)])
    return vote.expelled(range(7), lies[:, None] == lies) == liars


def _percent(part: int, whole: int) -> str:
    return f'{100 * part / whole:.1f} %'
