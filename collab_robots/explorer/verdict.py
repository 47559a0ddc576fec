"""The checks of a run: each with its figure, its limit, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
import math
from typing import NamedTuple

import numpy as np

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.tasks import identity_of
from collab_robots.core.geometry import Array, Grid
from collab_robots.explorer import agreement, measures
from collab_robots.explorer.ledgers import History
from collab_robots.explorer.measures import Camera, Mask, Poster, Sighting
from collab_robots.explorer.timeline import Timeline
from collab_robots.sim.world import World

COVERAGE = 0.95
PRECISION = 0.95
RECALL = 0.90
NAMED = 0.80
HEAL_AIM = 3.0  # s
HEAL_LIMIT = 10.0  # s: slower than this is a failure, between is only worse than aimed for
WALL_MARGIN = 40.0  # s of wall time beside the mission: starting, agreeing, reporting
REAL_TIME = 0.9
MEMORY = 3 * 1024**3  # bytes
REAL_TIME_ROBOTS = 4  # up to here two cores keep up with real time


@dataclass(frozen=True)
class Check:
    """
    One row of the verdict.

    :param ok: None where the check does not apply; ``limit`` then says why.
    :param value: the figure as a number, for machines.
    """

    name: str
    figure: str
    limit: str
    ok: bool | None
    value: float | None = None

    @property
    def word(self) -> str:
        """Return ok, FAILED or – for a person."""
        return '–' if self.ok is None else 'ok' if self.ok else 'FAILED'


@dataclass(frozen=True)
class Truth:
    """
    What really is there.

    :param grid: the true map.
    :param free: mask of the free cells a robot can get to know.
    :param surface: mask of the wall cells a lidar can see.
    :param camera: of every robot.
    """

    grid: Grid
    free: Mask
    surface: Mask
    posters: tuple[Poster, ...]
    camera: Camera

    @staticmethod
    def of(world: World, free: Mask, surface: Mask, camera: Camera) -> Truth:
        """Return the truth of a simulated world."""
        posters = tuple(
            Poster(*poster.at, math.radians(poster.facing), poster.width, poster.labels)
            for poster in world.posters
        )
        return Truth(world.truth, free, surface, posters, camera)

    @cached_property
    def _centres(self) -> Array:
        return self.grid.centres(np.argwhere(self.free))

    @cached_property
    def _beside_wall(self) -> Mask:
        return measures.beside_wall(self.grid)[self.free]

    def coverage(self, mapped: Grid) -> float:
        """Return the share of the free cells that a map knows."""
        return measures.coverage(self._centres, self._beside_wall, mapped)


@dataclass(frozen=True)
class Effort:
    """
    What the mission cost.

    :param real_time: simulated seconds per second.
    :param speed: what was asked for.
    :param memory: most that all processes had together, bytes.
    """

    real_time: float
    speed: float
    memory: int


class Wall(NamedTuple):
    """How long everything took and may take, s."""

    seconds: float
    limit: float


@dataclass(frozen=True)
class PosterVerdict:
    """Whether a poster was in view, what the fleet called it, and whether that is right."""

    poster: Poster
    seen: bool
    sighting: Sighting | None
    right: bool


def judge(
    timeline: Timeline,
    truth: Truth,
    histories: Mapping[str, History],
    effort: Effort,
    wall: Wall,
    cameras: bool,
    liar: str | None = None,
) -> list[Check]:
    """
    Return all checks of a run.

    :param histories: the ledger of each robot that lived at the end.
    :param liar: a robot that was made to lie about its map.
    """
    return [
        *_map_checks(timeline, truth, tuple(robot for robot in histories if robot != liar)),
        _trust_check(histories, liar),
        *_ledger_checks(timeline, histories),
        _poster_check(judge_posters(timeline, truth, histories), cameras),
        *_effort_checks(effort, wall, len(timeline.robots)),
    ]


def _trust_check(histories: Mapping[str, History], liar: str | None) -> Check:
    wanted = frozenset(() if liar is None else (liar,))
    found = frozenset[str]().union(*(history.convicted for history in histories.values()))
    agreed = all(history.convicted == wanted for history in histories.values())
    return Check(
        'robots convicted of lying',
        ', '.join(sorted(found)) or 'none',
        liar or 'none',
        agreed,
        len(found),
    )


def _share(name: str, value: float, limit: float, note: str = '') -> Check:
    return Check(name, f'{value:.1%}{note}', f'≥ {limit:.0%}', value >= limit, value)


def _map_checks(timeline: Timeline, truth: Truth, alive: tuple[str, ...]) -> list[Check]:
    """Judge the worst of the maps that robots ended with."""
    names = ('free space covered', 'mapped walls that are true', 'true walls found')
    maps = {robot: timeline.maps[robot] for robot in alive if robot in timeline.maps}
    if len(maps) < len(alive) or not maps:
        lacking = ', '.join(robot for robot in alive if robot not in maps) or 'nobody'
        return [Check(name, f'no map from {lacking}', 'a map', False) for name in names]
    checks = []
    for name, limit, figures in (
        (names[0], COVERAGE, {r: truth.coverage(m) for r, m in maps.items()}),
        (names[1], PRECISION, {r: measures.precision(truth.grid, m) for r, m in maps.items()}),
        (
            names[2],
            RECALL,
            {r: measures.recall(truth.grid, truth.surface, m) for r, m in maps.items()},
        ),
    ):
        worst = min(figures, key=lambda robot: figures[robot])
        checks.append(_share(name, figures[worst], limit, f' ({worst}, the worst)'))
    return checks


def _ledger_checks(timeline: Timeline, histories: Mapping[str, History]) -> list[Check]:
    split = timeline.split
    files = {robot: history.rows for robot, history in histories.items()}
    fullest = max(histories.values(), key=lambda history: len(history.rows), default=History('-'))
    done = agreement.completions(fullest.acts)
    held = agreement.leases(fullest.acts)
    # What an expelled robot said last, before it knew, need not reach anybody.
    fleet = {robot: rows for robot, rows in files.items() if robot not in fullest.convicted}
    missing = agreement.missing_blocks(fleet)
    worst = max(missing, key=lambda robot: missing[robot], default='-')
    lost = missing.get(worst, 0)
    roots = {history.state_root for history in histories.values()}
    roots |= {timeline.ledgers[robot][-1].state_root for robot in files if timeline.ledgers[robot]}
    # A disputed region is looked at by one robot after the other until the dispute is over.
    once = {
        task: robots
        for task, robots in done.items()
        if identity_of(bytes.fromhex(task)).kind is not Kind.VERIFY
    }
    twice = agreement.wrongly_twice(once, held, split)
    trusted = [lease for lease in held if lease.robot not in fullest.convicted]
    lapsed = agreement.lost_leases(
        trusted,
        done,
        timeline.killed,
        timeline.now if timeline.held_at is None else timeline.held_at,
    )
    total = len({row.id for rows in fleet.values() for row in rows})
    return [
        *_split_checks(timeline, done, files),
        Check(
            'blocks lost',
            f'{lost} of {total}' + (f' ({worst}, the worst)' if lost else ''),
            '0',
            lost == 0 and total > 0,
            lost,
        ),
        Check(
            'contract state roots',
            f'{len(roots)} among {len(histories)} robots',
            '1',
            len(roots) == 1,
            len(roots),
        ),
        Check(
            'tasks wrongly done twice', f'{len(twice)} of {len(done)}', '0', not twice, len(twice)
        ),
        Check(
            'leases lost by a live robot',
            f'{len(lapsed)} of {len(held)}',
            '0',
            not lapsed,
            len(lapsed),
        ),
    ]


def _split_checks(
    timeline: Timeline,
    done: Mapping[str, Mapping[str, float]],
    files: Mapping[str, list[agreement.BlockRow]],
) -> list[Check]:
    names = ('tasks done during the split', 'seconds from heal to equal sets')
    split = timeline.split
    if split is None:
        return [Check(name, '–', 'no split in this run', None) for name in names]
    if timeline.now < split.end:
        return [Check(name, '–', 'the run ended before the split did', False) for name in names]
    first, second = agreement.completed_by_halves(done, split)
    present = {
        robot: rows
        for robot, rows in files.items()
        if not any(t <= split.end for t in timeline.killed.get(robot, ()))
    }
    seconds = agreement.heal_seconds(present, split.end)
    return [
        Check(
            names[0],
            f'{first} and {second}',
            '≥ 1 by each half',
            min(first, second) >= 1,
            min(first, second),
        ),
        Check(
            names[1],
            f'{seconds:.2f} s',
            f'≤ {HEAL_LIMIT:.0f} s, aim < {HEAL_AIM:.0f} s',
            seconds <= HEAL_LIMIT,
            seconds,
        ),
    ]


def judge_posters(
    timeline: Timeline, truth: Truth, histories: Mapping[str, History]
) -> list[PosterVerdict]:
    """Tell for each poster whether it was in view and whether the fleet named it rightly."""
    sightings = max((history.sightings for history in histories.values()), key=len, default=[])
    last = math.inf if timeline.held_at is None else timeline.held_at
    paths = [[p for p in path if p.t <= last] for path in timeline.paths.values()]
    return [
        PosterVerdict(
            poster,
            any(measures.was_seen(poster, path, truth.grid, truth.camera) for path in paths),
            measures.nearest(poster, sightings),
            measures.named_rightly(poster, sightings),
        )
        for poster in truth.posters
    ]


def _poster_check(posters: list[PosterVerdict], cameras: bool) -> Check:
    name = 'posters seen within 4 m and named rightly'
    seen = [poster for poster in posters if poster.seen]
    if not cameras:
        return Check(name, '–', 'no cameras in this run', None)
    if not seen:
        return Check(name, '0 in view', 'no poster came into view', None)
    right = sum(poster.right for poster in seen)
    share = right / len(seen)
    return Check(
        name, f'{right} of {len(seen)} ({share:.0%})', f'≥ {NAMED:.0%}', share >= NAMED, share
    )


def _effort_checks(effort: Effort, wall: Wall, robots: int) -> list[Check]:
    enforced = robots <= REAL_TIME_ROBOTS
    why = '' if enforced else f' (not enforced beyond {REAL_TIME_ROBOTS} robots)'
    slowest = REAL_TIME * min(effort.speed, 1.0)
    return [
        Check(
            'wall time',
            f'{wall.seconds:.0f} s',
            f'≤ {wall.limit:.0f} s{why}',
            wall.seconds <= wall.limit if enforced else None,
            wall.seconds,
        ),
        Check(
            'real-time factor',
            f'{effort.real_time:.2f}',
            f'≥ {slowest:.2g}{why}',
            effort.real_time >= slowest if enforced else None,
            effort.real_time,
        ),
        Check(
            'memory of all processes',
            f'{effort.memory / 1024**3:.2f} GiB',
            f'≤ {MEMORY / 1024**3:.0f} GiB',
            effort.memory <= MEMORY,
            effort.memory,
        ),
    ]


def passed(checks: list[Check]) -> bool:
    """Tell whether every check that applies holds."""
    return all(check.ok is not False for check in checks)
