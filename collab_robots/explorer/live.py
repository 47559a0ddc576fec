"""Show a run while it goes on: a picture in the terminal, or plain lines."""

from __future__ import annotations

import time
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from collab_robots.explorer.timeline import TaskCounts, Timeline

PLAIN_PERIOD = 5.0  # s of simulated time between two plain lines
REFRESH = 2  # pictures per second


class Screen(Protocol):
    """Where a run is shown."""

    def say(self, text: str) -> None:
        """Print one line."""
        ...

    def update(self, timeline: Timeline) -> None:
        """Show how things stand."""
        ...

    def close(self) -> None:
        """Stop showing."""
        ...


def _worst(timeline: Timeline) -> float:
    return min(timeline.latest_coverage().values())


def _best_counts(timeline: Timeline) -> TaskCounts | None:
    """Return the counts of the robot that knows of most finished tasks."""
    newest = [counts[-1] for counts in timeline.tasks.values() if counts]
    return max(newest, key=lambda counts: counts.done, default=None)


def split_words(timeline: Timeline) -> str:
    """Return in words where the run stands with its split; empty without one."""
    split = timeline.split
    if split is None:
        return ''
    sides = ' | '.join(', '.join(half) for half in split.halves)
    if timeline.now < split.start:
        return f'split in {split.start - timeline.now:.0f} s: {sides}'
    if timeline.now < split.end:
        return f'SPLIT for another {split.end - timeline.now:.0f} s: {sides}'
    return f'healed {timeline.now - split.end:.0f} s ago'


class PlainScreen:
    """One line every few seconds, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def update(self, timeline: Timeline) -> None:
        """Print a line if it is time."""
        if timeline.now < self._next or timeline.now == 0.0:
            return
        self._next = timeline.now - timeline.now % PLAIN_PERIOD + PLAIN_PERIOD
        counts = _best_counts(timeline)
        tasks = (
            ''
            if counts is None
            else (f'tasks {counts.open} open {counts.held} held {counts.done} done  ')
        )
        blocks = '/'.join(
            str(samples[-1].blocks if samples else '-') for samples in timeline.ledgers.values()
        )
        self.say(
            f'{timeline.now:6.1f} s  covered {_worst(timeline):5.1%}  {tasks}'
            f'blocks {blocks}  {split_words(timeline)}'.rstrip()
        )

    def close(self) -> None:
        """Nothing to end."""


class LiveScreen:
    """
    A picture that is drawn anew twice a second.

    :param duration: of the mission, s.
    """

    def __init__(self, console: Console, duration: float) -> None:
        self._console = console
        self._duration = duration
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()
        self._drawn = 0.0

    def say(self, text: str) -> None:
        """Print one line above the picture."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def update(self, timeline: Timeline) -> None:
        """Draw if it is time."""
        now = time.monotonic()
        if now - self._drawn >= 1.0 / REFRESH:
            self._drawn = now
            self._live.update(picture(timeline, self._duration), refresh=True)

    def close(self) -> None:
        """Take the picture away."""
        self._live.stop()


def picture(timeline: Timeline, duration: float) -> Panel:
    """Return everything that is worth knowing about a run at this moment."""
    counts = _best_counts(timeline)
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(f'{timeline.now:5.1f} / {duration:.0f} s'),
        ProgressBar(total=duration, completed=min(timeline.now, duration), width=30),
        Text('' if timeline.speed is None else f'{timeline.speed:.2f} x real time', 'dim'),
    )
    head.add_row(
        Text('covered'),
        ProgressBar(total=1.0, completed=_worst(timeline), width=30),
        Text(f'{_worst(timeline):.1%} (worst map)'),
    )
    if counts is not None:
        head.add_row(
            Text('tasks'),
            Text(f'{counts.open} open, {counts.held} held, {counts.done} done'),
            Text(''),
        )
    parts: list[RenderableType] = [head]
    banner = split_words(timeline)
    if banner:
        parts.append(Text(banner, 'bold red' if banner.startswith('SPLIT') else 'dim'))
    parts.append(_robots(timeline))
    for t, text in timeline.notes[-3:]:
        parts.append(Text(f'{t:6.1f} s  {text}', 'yellow'))
    return Panel(Group(*parts), title='collab-robots', title_align='left')


def _robots(timeline: Timeline) -> Table:
    table = Table(box=None, header_style='dim', pad_edge=False)
    for column in ('robot', 'covered', 'blocks', 'pend/acc', 'heights', 'state'):
        table.add_column(column, justify='left' if column in ('robot', 'state') else 'right')
    for column in timeline.robots:
        table.add_column(f'hears {column}' if column == timeline.robots[0] else column)
    hears = timeline.radio[-1] if timeline.radio else None
    coverage = timeline.latest_coverage()
    for robot in timeline.robots:
        ledger = timeline.ledgers[robot][-1] if timeline.ledgers[robot] else None
        row = [robot, f'{coverage[robot]:.0%}']
        if ledger is None:
            row += ['-', '-', '-', 'starting']
        else:
            row += [
                str(ledger.blocks),
                f'{ledger.pending}/{ledger.accepted}',
                ' '.join(map(str, ledger.heights)),
                ledger.alarm or ledger.state_root[:6],
            ]
        for other in timeline.robots:
            if hears is None or robot not in hears.robots or other not in hears.robots:
                row.append('?')
            elif robot == other:
                row.append('·')
            else:
                heard = hears.hears[hears.robots.index(robot)][hears.robots.index(other)]
                row.append('[green]●[/]' if heard else '[red]○[/]')
        table.add_row(*row)
    return table
