"""Tasks, in print."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Column, Table

from collab_robots.explorer.book.answers import Event, Lease, Page, Task, TaskDetails
from collab_robots.explorer.terminal.print import listed, paged, pairs, plain, state, table, when


def task_page(page: Page[Task]) -> Group:
    """Return a list of tasks."""
    made = table('task', 'state', 'by', 'proposed', '>bids', 'why')
    for task in page.items:
        made.add_row(
            plain(task.words),
            state(task.state),
            listed([task.holder] if task.holder else task.completed),
            when(task.proposed),
            str(len(task.bids)),
            plain(task.why, 'dim'),
        )
    return paged('tasks', made, page)


def task_details(task: TaskDetails) -> Group:
    """Return a task, why it stands as it does, and all that happened to it."""
    head = pairs(
        [
            ('task', plain(task.words, 'bold')),
            ('id', task.id),
            ('place', f'{_place(task)} m'),
            ('state', state(task.state).append(f': {plain(task.why)}')),
            ('holder', f'{task.holder} until {when(task.lease_until)}' if task.holder else ''),
            ('proposed', when(task.proposed)),
            ('bidding', f'open until {when(task.award_from)}'),
            ('deadline', when(task.deadline) if task.deadline else ''),
            ('priority', str(task.priority)),
            (
                'done by',
                listed(f'{robot} at {when(time)}' for robot, time in task.completed.items()),
            ),
        ]
    )
    parts: list[RenderableType] = [head, '', _reasons(task)]
    if task.leases:
        parts += ['', _leases(task.leases)]
    return Group(*parts, '', events(task.history))


def events(history: Iterable[Event]) -> Table:
    """Return what happened, one line each."""
    made = table('time', 'robot', Column('what', overflow='fold'))
    for event in history:
        words = (
            event.words if event.words.startswith(event.kind) else f'{event.kind}: {event.words}'
        )
        made.add_row(
            when(event.time),
            plain(event.robot),
            plain(words) if event.ok else plain(f'✗ {words}', 'red'),
        )
    return made


def _reasons(task: TaskDetails) -> RenderableType:
    if not task.reasons:
        return 'no robot took part'
    made = table('robot', '>bid, m', Column('why it has it or does not', overflow='fold'))
    for robot, words in task.reasons.items():
        bid = f'{task.bids[robot]:.1f}' if robot in task.bids else '-'
        made.add_row(plain(robot, 'bold' if robot == task.holder else ''), bid, plain(words))
    return made


def _leases(leases: Iterable[Lease]) -> Table:
    made = table('lease of', 'from', 'until', 'end')
    for lease in leases:
        made.add_row(plain(lease.robot), when(lease.begin), when(lease.until), plain(lease.end))
    return made


def _place(task: Task) -> str:
    return '({:.1f}, {:.1f})'.format(*task.place)
