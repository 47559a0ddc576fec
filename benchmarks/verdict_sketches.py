"""How much honest sketches of one region differ, and how much lies do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
import math
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.baselines import vote
from benchmarks.report import Report
from benchmarks.verdict_court import Court
from benchmarks.verdict_maps import (
    displacement,
    intel,
    Mapped,
    shifted,
    Tiles,
    with_wall,
    without_walls,
)
from collab_robots.contract.calls.maps import LEAST_KNOWN
from collab_robots.mapping import sketch as sketches
from collab_robots.mapping.layer import RESOLUTION, TILE, TILE_SIDE, TileIndex
from collab_robots.mapping.sketch import differing, Sketch, sketch, TOLERATED, windows

HONEST_APART = 0.2  # m: maps that are no farther apart should not conflict
BOUNDS = (0.1, HONEST_APART, 0.3, 0.5, 1.0)  # m
TOLERATED_SHARE = 1 / 14  # of the cells that both know
LEAST_SHARED = 60 / 144  # of a window that both must know, for a share of that
WALLS = {  # length and thickness, m
    'wall of 1.2 m': (1.2, 0.05),
    'wall of 1.6 m': (1.6, 0.05),
    'wall of 2.4 m': (2.4, 0.05),
    'wall of 3.2 m': (3.2, 0.05),
    'thick wall of 1.6 m': (1.6, 0.2),
    'thick wall of 2.4 m': (2.4, 0.2),
    'block of 2.2 m × 1 m': (2.2, 1.0),
}

Pair = tuple[Sketch, Sketch]


def share(a: Sketch, b: Sketch, size: int = 12) -> float:
    """Return the largest share of the cells known to both that differs in any window."""
    cells = (a.free & b.occupied) | (a.occupied & b.free)
    known = (a.free | a.occupied) & (b.free | b.occupied)
    counts = ((cells & at, known & at) for at in windows(size))
    return max(
        (
            one.bit_count() / both.bit_count()
            for one, both in counts
            if both.bit_count() >= LEAST_SHARED * size * size
        ),
        default=0.0,
    )


@dataclass(frozen=True)
class Case:
    """Two maps of one tile, and what they are in sketches."""

    index: TileIndex
    maps: tuple[Tiles, Tiles]

    @property
    def sketches(self) -> Pair:
        """Sketch both."""
        one, other = self.maps
        return sketch(one, *self.index), sketch(other, *self.index)

    @property
    def published(self) -> bool:
        """Whether the published comparison sees a conflict."""
        one, other = (np.sign(tiles[self.index]) for tiles in self.maps)
        return not vote.complies(one, other)


def known_enough(cases: Sequence[Case]) -> list[tuple[Case, Pair]]:
    """Return the cases whose both sketches the contract would take."""
    with_pairs = [(case, case.sketches) for case in cases]
    return [(case, pair) for case, pair in with_pairs if min(s.known for s in pair) >= LEAST_KNOWN]


def pairs(name: str, robots: Sequence[Mapped]) -> dict[str, list[Case]]:
    """Return the maps of all tiles that two robots have, by how far apart they are."""
    result: dict[str, list[Case]] = {_name(name, bound): [] for bound in BOUNDS}
    for a, b in combinations(robots, 2):
        for index in sorted(a.tiles.keys() & b.tiles.keys()):
            apart = displacement(a, b, index)
            bound = next((bound for bound in BOUNDS if apart <= bound), None)
            if bound is not None:
                result[_name(name, bound)].append(Case(index, (a.tiles, b.tiles)))
    return result


def _name(name: str, bound: float) -> str:
    return f'{name}, up to {bound:g} m apart'


def intel_pairs(log: Path) -> dict[str, list[Case]]:
    """Return the maps of all tiles that two of 2, 3 and 4 robots have, who share the Intel log."""
    result: dict[str, list[Case]] = {}
    for pieces in (2, 3, 4):
        for known_poses in (True, False):
            name = 'Intel, log poses' if known_poses else 'Intel'
            for what, cases in pairs(name, intel(log, pieces, known_poses)).items():
                result.setdefault(what, []).extend(cases)
    return {what: cases for what, cases in result.items() if cases}


def lies(robots: Sequence[Mapped], count: int, rng: np.random.Generator) -> dict[str, list[Case]]:
    """Return lies beside the maps of honest robots that know the place."""
    result: dict[str, list[Case]] = {}
    pairs = [
        (a, b, index)
        for a in robots
        for b in robots
        if a is not b
        for index in sorted(a.tiles.keys() & b.tiles.keys())
        if displacement(a, b, index) <= HONEST_APART
    ]
    for name, (length, thickness) in WALLS.items():
        result[name] = []
        for _ in range(20 * count):
            a, b, index = pairs[rng.integers(len(pairs))]
            middle, turn = rng.uniform(0.0, TILE_SIDE, 2), rng.uniform(-math.pi, math.pi)
            lie = with_wall(a.tiles, index, middle, turn, length, thickness)
            new = (lie[index] > 0) & (a.tiles[index] <= 0)
            area = length * thickness / RESOLUTION**2
            if new.sum() > 0.8 * area and (b.tiles[index][new] < 0).mean() > 0.95:
                result[name].append(Case(index, (lie, b.tiles)))
            if len(result[name]) == count:
                break
    chosen = [pairs[k] for k in rng.choice(len(pairs), min(count, len(pairs)), replace=False)]
    cells = round(0.5 / RESOLUTION)
    result['walls left out'] = [
        Case(index, (without_walls(a.tiles, index), b.tiles))
        for a, b, index in chosen
        if (a.tiles[index] > 0).sum() > TILE
    ]
    for name, moved in (('moved by 0.5 m', cells), ('moved by 1 m', 2 * cells)):
        result[name] = [
            Case(index, (lie, b.tiles))
            for a, b, index in chosen
            if index in (lie := shifted(a.tiles, *rng.permutation([moved, 0])))
        ]
    return result


def measure_sketches(
    report: Report, honest: Mapping[str, list[Case]], lying: Mapping[str, list[Case]]
) -> None:
    """Print how much sketches differ, and which pairs conflict."""
    court = Court(1)
    rows = []
    for what, cases in (*honest.items(), *lying.items()):
        enough = known_enough(cases)
        if not enough:
            continue
        counts = [differing(*pair) for _, pair in enough]
        conflicts = [court.conflicting(*pair) for _, pair in enough]
        published = [case.published for case, _ in enough]
        rows.append(
            (
                what,
                len(counts),
                float(np.median(counts)),
                float(np.percentile(counts, 99)),
                max(counts),
                float(np.mean(conflicts)),
                float(np.mean(published)),
            )
        )
    columns = ('maps of one tile', 'pairs', 'median', 'p99', 'most', 'conflict', 'published')
    figures = [dict(zip(columns, row, strict=True)) for row in rows]
    title = 'Differing cells in a window of 12×12, and which share of the pairs conflicts'
    report.table('sketches', title, columns, rows, figures)


def measure_rules(
    report: Report,
    name: str,
    honest: Mapping[str, list[Case]],
    lying: Mapping[str, list[Case]],
) -> None:
    """
    Print what other rules would say of honest maps of the building and of thin walls.

    :param name: of the building.
    """
    groups = {f'honest, {bound:g} m': honest[_name(name, bound)] for bound in BOUNDS[:4]}
    groups['thin walls'] = [
        case for what, cases in lying.items() if what.startswith('wall of') for case in cases
    ]
    rows = []
    for occupied in (2, 3, 4):
        with patch.object(sketches, 'LEAST_OCCUPIED', occupied):
            pairs_of = [[pair for _, pair in known_enough(cases)] for cases in groups.values()]
        for name, rule in _rules():
            shares = [_mean([rule(*pair) for pair in found]) for found in pairs_of]
            rows.append((f'{name}, {occupied} of 16', *shares))
    columns = ('more than, in any window', *groups)
    figures = [dict(zip(columns, row, strict=True)) for row in rows]
    report.table(
        'rules', 'Which share of the pairs conflicts by other rules', columns, rows, figures
    )


def _rules() -> Iterator[tuple[str, Callable[[Sketch, Sketch], bool]]]:
    for size in (8, 12, 16):
        yield f'{TOLERATED} cells of {size}²', partial(_cells_differ, size=size)
    for size in (8, 12, 16):
        yield f'{TOLERATED_SHARE:.3f} of {size}²', partial(_share_differs, size=size)


def _cells_differ(a: Sketch, b: Sketch, size: int) -> bool:
    return differing(a, b, size) > TOLERATED


def _share_differs(a: Sketch, b: Sketch, size: int) -> bool:
    return share(a, b, size) > TOLERATED_SHARE


def _mean(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None
