"""How the robots' pictures were named: each one as a line of JSON, and tables for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
import json
from pathlib import Path
import statistics
from typing import Any

from collab_robots.explorer.plots import Line, line_chart
from collab_robots.explorer.timeline import Answer, Timeline

SHOWN = 40  # pictures in the report's table; the file has all


def write_answers(answers: Sequence[Answer], path: Path) -> None:
    """Write one JSON object a line, in the order of the answers."""
    lines = [json.dumps(answer._asdict()) for answer in answers]
    path.write_text(''.join(f'{line}\n' for line in lines), 'utf-8')


def plan_rows(timeline: Timeline) -> list[dict[str, Any]]:
    """
    Return a row for each robot, plan and helper who answered: how often, and what it cost.

    Times are medians in ms, as measured and as planned. All probes beside one plan are one.
    """
    groups: dict[tuple[str, str, str, bool], list[Answer]] = {}
    for answer in timeline.answers:
        plan, probe, _ = answer.plan.partition(', probe')
        key = (answer.robot, plan + probe, answer.helper, answer.exit >= 0)
        groups.setdefault(key, []).append(answer)
    return [
        {
            'robot': robot,
            'index': timeline.robots.index(robot),
            'plan': plan,
            'helper': helper,
            'early': early,
            'count': len(group),
            'bytes': round(statistics.fmean(answer.bytes for answer in group)),
            'measured': 1000 * statistics.median(answer.seconds for answer in group),
            'predicted': 1000 * statistics.median(answer.predicted for answer in group),
            'again': sum(answer.attempts > 1 for answer in group),
            'degraded': sum(answer.lost > 0 for answer in group),
        }
        for (robot, plan, helper, early), group in sorted(groups.items())
    ]


def time_chart(timeline: Timeline, end: float) -> str:
    """Return how long each robot's pictures took, over time."""
    lines = []
    for index, robot in enumerate(timeline.robots):
        points = sorted((answer.t, 1000 * answer.seconds) for answer in timeline.answers_of(robot))
        lines.append(Line(robot, f'r{index}', points))
    return line_chart('time until the answer', lines, end, timeline.split, ' ms', dots=True)


def summary(timeline: Timeline) -> dict[str, Any]:
    """Return the figures of each robot for ``summary.json``."""
    result = {}
    for robot in timeline.robots:
        answers = timeline.answers_of(robot)
        if not answers:
            continue
        result[robot] = {
            'answers': len(answers),
            'helped': sum(bool(answer.helper) for answer in answers),
            'early': sum(answer.exit >= 0 for answer in answers),
            'median_seconds': round(statistics.median(a.seconds for a in answers), 5),
            'bytes': sum(answer.bytes for answer in answers),
            'plans': dict(Counter(answer.plan for answer in answers)),
            'events': dict(Counter(event for a in answers for event in a.events)),
        }
    return result
