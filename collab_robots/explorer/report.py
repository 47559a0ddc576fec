"""Turn a run into files: the report for people, the summary for programs, the map for nav2."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timezone
import json
import os
from pathlib import Path
import platform
import sqlite3
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import collab_robots
from collab_robots.core.errors import StoreError
from collab_robots.core.versions import versions
from collab_robots.explorer import inferences
from collab_robots.explorer.ledgers import History, read_history, Sets
from collab_robots.explorer.maps import write_nav2, write_picture
from collab_robots.explorer.page import render
from collab_robots.explorer.run import Run
from collab_robots.explorer.verdict import Check, judge, judge_posters, passed
from collab_robots.inference.labels import load_labels

PACKAGES = (
    'numpy',
    'mujoco',
    'onnxruntime',
    'pyrevm',
    'small_gicp',
    'pynacl',
    'ros-jazzy-rclpy',
    'ros-jazzy-rmw-fastrtps-cpp',
)


def finish(run: Run) -> dict[str, Any]:
    """
    Judge a run that has ended and write everything into its folder.

    :returns: what ``summary.json`` holds.
    """
    histories = _histories(run)
    present = {robot: history for robot, history in histories.items() if robot not in gone(run)}
    assert run.effort is not None, 'a run is finished after it has stopped'
    checks = judge(
        run.timeline,
        run.truth,
        present,
        run.effort,
        run.wall,
        run.options.cameras,
        run.options.liar,
    )
    if run.code:
        checks.insert(0, Check('the run went through', run.ended, 'to its end', False))
    posters = judge_posters(run.timeline, run.truth, present)
    best = best_map(run)
    if best is not None:
        grid = run.timeline.maps[best]
        write_nav2(grid, run.directory)
        write_picture(grid, run.timeline.paths, run.directory / 'map.png')
    inferences.write_answers(run.timeline.answers, run.directory / 'inference.jsonl')
    summary = _summary(run, checks, histories)
    (run.directory / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n', 'utf-8')
    page = render(run, checks, posters, histories, best, summary)
    (run.directory / 'report.html').write_text(page, 'utf-8')
    return summary


def gone(run: Run) -> set[str]:
    """Return the robots that were killed and did not come back."""
    for_good = {kill.robot for kill in run.options.kills if kill.end is None}
    return for_good & set(run.timeline.killed)


def best_map(run: Run) -> str | None:
    """Return the robot that ended with the map that covers most, None if nobody has one."""
    shares = run.timeline.latest_coverage()
    return max(run.timeline.maps, key=lambda robot: shares[robot], default=None)


def _histories(run: Run) -> dict[str, History]:
    """Read the ledgers; one that cannot be read counts as empty, and is noted."""
    histories: dict[str, History] = {}
    known: Sets = {}
    for robot in run.names:
        path = run.folder(robot) / 'ledger.db'
        try:
            histories[robot] = read_history(path, run.fleet, robot, load_labels(), known)
            _seal(path)
        except StoreError as error:
            run.timeline.note(str(error))
            histories[robot] = History(robot)
    return histories


def _seal(path: Path) -> None:
    """Bring what a killed robot left beside its ledger into the one file that people copy."""
    with closing(sqlite3.connect(path)) as ledger:
        ledger.execute('PRAGMA wal_checkpoint(TRUNCATE)')


def _summary(run: Run, checks: Iterable[Check], histories: dict[str, History]) -> dict[str, Any]:
    options = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(run.options).items()
    }
    checks = list(checks)
    return {
        'passed': passed(checks),
        'ended': run.ended,
        'directory': str(run.directory),
        'written_at': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'wall_seconds': round(run.wall.seconds, 2),
        'simulated_seconds': round(run.timeline.now, 2),
        'checks': [asdict(check) for check in checks],
        'coverage': {
            robot: round(share, 4) for robot, share in run.timeline.latest_coverage().items()
        },
        'ledgers': {
            robot: {
                'blocks': len(history.rows),
                'state_root': history.state_root,
                'tasks': history.states,
                'calls': history.calls,
                'reverted': history.reverted,
                'convicted': sorted(history.convicted),
            }
            for robot, history in histories.items()
        },
        'inference': inferences.summary(run.timeline),
        'radio_bytes': (
            {kind: run.timeline.radio[-1].delivered[kind] for kind in run.timeline.radio[-1].sent}
            if run.timeline.radio
            else {}
        ),
        'notes': [{'t': round(t, 2), 'text': text} for t, text in run.timeline.notes],
        'arguments': options,
        'host': {
            'cores': os.cpu_count(),
            'machine': platform.machine(),
            'system': platform.platform(),
            'python': platform.python_version(),
        },
        'versions': {'collab_robots': collab_robots.__version__, **versions(PACKAGES)},
    }


def print_verdict(run: Run, summary: dict[str, Any], console: Console) -> None:
    """Print the checks as a table and where the report is."""
    table = Table(
        title='What the run had to show', title_justify='left', header_style='dim', box=SIMPLE_HEAD
    )
    for column in ('check', 'figure', 'limit', ''):
        table.add_column(column)
    for values in summary['checks']:
        check = Check(**values)
        style = {True: 'green', False: 'bold red', None: 'dim'}[check.ok]
        table.add_row(check.name, check.figure, check.limit, check.word, style=style)
    for t, text in run.timeline.notes:
        console.print(f'{t:6.1f} s  {text}', highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    console.print(
        f'The run ended because {run.ended}.\nReport: {run.directory / "report.html"}',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
