"""Fill the report's page: pick what each section shows and hand it to the template."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
import math
from typing import Any, NamedTuple

import jinja2
import numpy as np
from scipy import ndimage

from collab_robots.core.geometry import Grid
from collab_robots.explorer import agreement, inferences, measures
from collab_robots.explorer.ledgers import History
from collab_robots.explorer.maps import COLOURS, layer, onto, overlay
from collab_robots.explorer.plots import Bar, gantt, Line, line_chart, Point, sampled, steps
from collab_robots.explorer.run import Run
from collab_robots.explorer.timeline import Timeline, Waypoint
from collab_robots.explorer.verdict import Check, COVERAGE, PosterVerdict

FALSE_WALL, MISSED_WALL = (225, 29, 72), (245, 158, 11)
PATH_POINTS = 400


class Picture(NamedTuple):
    """A thumbnail of a poster: a URI, empty if nobody sent one."""

    verdict: PosterVerdict
    number: int
    thumbnail: str
    robot: str
    t: float


def render(
    run: Run,
    checks: Sequence[Check],
    posters: Sequence[PosterVerdict],
    histories: Mapping[str, History],
    best: str | None,
    summary: Mapping[str, Any],
) -> str:
    """
    Return the whole report as one HTML page that needs nothing else.

    :param best: the robot whose map is shown.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader('collab_robots.explorer'),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    timeline = run.timeline
    end = max(timeline.now, 1.0)
    return environment.get_template('report.html.j2').render(
        run=run,
        timeline=timeline,
        summary=summary,
        checks=checks,
        robots=run.names,
        colours=COLOURS,
        tiles=tiles(checks),
        charts={
            'coverage': coverage_chart(timeline, end),
            'behind': behind_chart(timeline, histories, end),
            'blocks': blocks_chart(timeline, histories, end),
            'tasks': task_chart(timeline, histories, end),
            'answers': inferences.time_chart(timeline, end),
            'traffic': traffic_chart(timeline, end),
        },
        maps=map_views(run, best) if best is not None else None,
        best=best,
        posters=[_picture(timeline, index, poster) for index, poster in enumerate(posters)],
        slow=run.options.slow,
        plans=inferences.plan_rows(timeline),
        answers=timeline.answers[-inferences.SHOWN :],
        traffic=traffic_rows(timeline),
        ledgers=ledger_rows(timeline, histories),
        calls=call_rows(histories),
    )


def tiles(checks: Sequence[Check]) -> list[Check]:
    """Return the figures for the head of the page."""
    wanted = (
        'free space covered',
        'blocks lost',
        'seconds from heal to equal sets',
        'posters seen within 4 m and named rightly',
        'real-time factor',
    )
    return [check for name in wanted for check in checks if check.name == name]


def coverage_chart(timeline: Timeline, end: float) -> str:
    """Return each robot's knowledge of the free space over time."""
    lines = [
        Line(robot, f'r{index}', [(c.t, c.share) for c in timeline.coverage if c.robot == robot])
        for index, robot in enumerate(timeline.robots)
    ]
    return line_chart('coverage', lines, end, timeline.split, '%', top=1.0, target=COVERAGE)


def blocks_chart(timeline: Timeline, histories: Mapping[str, History], end: float) -> str:
    """Return how many blocks each robot held over time."""
    lines = [
        Line(
            robot,
            f'r{index}',
            sampled(steps((row.received for row in histories[robot].rows), end), 0.5, end),
        )
        for index, robot in enumerate(timeline.robots)
    ]
    return line_chart('blocks held', lines, end, timeline.split)


def behind_chart(timeline: Timeline, histories: Mapping[str, History], end: float) -> str:
    """Return how many of the fleet's blocks each robot lacked over time."""
    issued = {row.id: row.issued for history in histories.values() for row in history.rows}
    lines = []
    for index, robot in enumerate(timeline.robots):
        received = {row.id: row.received for row in histories[robot].rows}
        changes = sorted(
            change
            for block, t in issued.items()
            for change in ((t, 1), (max(t, received.get(block, math.inf)), -1))
        )
        count, points = 0, []
        for t, change in changes:
            count += change
            points.append((t, float(max(count, 0))))
        lines.append(Line(robot, f'r{index}', sampled(points, 0.5, end)))
    return line_chart('blocks not yet received', lines, end, timeline.split)


def task_chart(timeline: Timeline, histories: Mapping[str, History], end: float) -> str:
    """Return who worked on what and when."""
    fullest = max(histories.values(), key=lambda history: len(history.rows))
    last = end if timeline.held_at is None else timeline.held_at
    bars = []
    for lease in agreement.leases(fullest.acts):
        if lease.robot not in timeline.robots:
            continue
        row = timeline.robots.index(lease.robot)
        if lease.end is not None:
            state = 'done' if lease.done else 'given back'
        else:
            state = 'ran out' if lease.lapsed(last) else 'held at the end'
        bars.append(
            Bar(
                row,
                lease.start,
                min(lease.closed, end),
                f'bar {state.replace(" ", "-")} f{row}',
                f'{fullest.tasks.get(lease.task, lease.task[:8])}: {lease.robot} from '
                f'{lease.start:.1f} s to {min(lease.closed, end):.1f} s, {state}',
            )
        )
    deaths = [
        (timeline.robots.index(robot), t)
        for robot, times in timeline.killed.items()
        for t in times
    ]
    return gantt('tasks', timeline.robots, bars, deaths, end, timeline.split)


def traffic_chart(timeline: Timeline, end: float) -> str:
    """Return the rate delivered by the radio over time, one line per kind of message."""
    kinds = list(timeline.radio[-1].delivered) if timeline.radio else []
    lines = []
    for index, kind in enumerate(kinds):
        points: list[Point] = []
        for before, after in zip(timeline.radio, timeline.radio[1:], strict=False):
            seconds = after.t - before.t
            if seconds > 0:
                rate = (after.delivered[kind] - before.delivered.get(kind, 0)) / seconds / 1000
                points.append((after.t, rate))
        lines.append(Line(kind, f'k{index}', points))
    return line_chart('radio traffic', lines, end, timeline.split, ' kB/s')


def traffic_rows(timeline: Timeline) -> list[dict[str, Any]]:
    """Return per kind of message what was sent, delivered and lost."""
    if not timeline.radio:
        return []
    last = timeline.radio[-1]
    most = max([1, *last.delivered.values()])
    return [
        {
            'kind': kind,
            'index': index,
            'sent': last.sent[kind],
            'delivered': last.delivered.get(kind, 0),
            'lost': last.lost.get(kind, 0),
            'share': last.delivered.get(kind, 0) / most,
        }
        for index, kind in enumerate(last.sent)
    ]


def ledger_rows(timeline: Timeline, histories: Mapping[str, History]) -> list[dict[str, Any]]:
    """Return one row per robot: its file, and its own last word."""
    missing = agreement.missing_blocks({r: h.rows for r, h in histories.items()})
    rows = []
    for robot in timeline.robots:
        history = histories[robot]
        per_issuer = Counter(row.issuer for row in history.rows)
        rows.append(
            {
                'robot': robot,
                'blocks': len(history.rows),
                'missing': missing[robot],
                'heights': [per_issuer[index] for index in range(len(timeline.robots))],
                'root': history.state_root,
                'word': timeline.ledgers[robot][-1] if timeline.ledgers[robot] else None,
            }
        )
    return rows


def call_rows(histories: Mapping[str, History]) -> list[tuple[str, int, int]]:
    """Return how often each contract call was executed and how often reverted."""
    fullest = max(histories.values(), key=lambda history: len(history.rows))
    return [
        (name, count, fullest.reverted.get(name, 0))
        for name, count in sorted(fullest.calls.items())
    ]


def map_views(run: Run, best: str) -> dict[str, Any]:
    """Return truth and map as picture layers on one frame, and the ways the robots went."""
    truth = run.truth.grid
    mapped = onto(truth, run.timeline.maps[best])
    reach = int(measures.NEAR / truth.resolution + 1e-6)
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    true_walls = truth.data >= measures.OCCUPIED_FROM
    walls = mapped.data >= measures.OCCUPIED_FROM
    wrong = walls & ~ndimage.binary_dilation(true_walls, disc)
    missed = run.truth.surface & ~ndimage.binary_dilation(walls, disc)
    height, width = truth.data.shape
    return {
        'width': width,
        'height': height,
        'truth': layer(truth),
        'mapped': layer(mapped),
        'errors': overlay([(missed, MISSED_WALL), (wrong, FALSE_WALL)]),
        'wrong': int(wrong.sum()),
        'missed': int(missed.sum()),
        'paths': [_polyline(truth, run.timeline.paths[robot]) for robot in run.names],
        'starts': [_pixel(truth, float(start[0]), float(start[1])) for start in run.starts],
        'posters': [_pixel(truth, poster.x, poster.y) for poster in run.truth.posters],
    }


def _pixel(grid: Grid, x: float, y: float) -> tuple[float, float]:
    column = (x - grid.origin[0]) / grid.resolution
    return round(column, 1), round(grid.data.shape[0] - (y - grid.origin[1]) / grid.resolution, 1)


def _polyline(grid: Grid, path: Sequence[Waypoint]) -> str:
    step = len(path) // PATH_POINTS + 1
    return ' '.join('{},{}'.format(*_pixel(grid, p.x, p.y)) for p in [*path[::step], *path[-1:]])


def _picture(timeline: Timeline, index: int, verdict: PosterVerdict) -> Picture:
    """Find the surest picture that somebody took near a poster, rather one with its final name."""
    poster, sighting = verdict.poster, verdict.sighting
    near = [
        seen
        for seen in timeline.seen
        if (seen.x - poster.x) ** 2 + (seen.y - poster.y) ** 2 <= measures.NAMED_WITHIN**2
    ]
    name = sighting.label if sighting is not None else ''
    best = max(
        near, key=lambda s: (bool(s.thumbnail), s.label == name, s.confidence), default=None
    )
    if best is None:
        return Picture(verdict, index + 1, '', '', 0.0)
    encoded = base64.b64encode(best.thumbnail).decode('ascii')
    uri = f'data:image/jpeg;base64,{encoded}' if encoded else ''
    return Picture(verdict, index + 1, uri, best.robot, best.t)
