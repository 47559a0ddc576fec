"""How all stood at a moment, in print."""

from __future__ import annotations

from rich.console import Group

from collab_robots.explorer.book.answers import Answer, Overview, Page, Robot, Task, Trust
from collab_robots.explorer.terminal.print import heading
from collab_robots.explorer.terminal.print_robots import robot_rows
from collab_robots.explorer.terminal.print_show import overview
from collab_robots.explorer.terminal.print_tasks import task_page
from collab_robots.explorer.terminal.print_trust import trust


class Replay(Answer):
    """How all stood at a moment; of the tasks only those that were not over."""

    overview: Overview
    robots: tuple[Robot, ...]
    held: Page[Task]
    open: Page[Task]
    trust: Trust


def replay(answer: Replay) -> Group:
    """Return how all stood at a moment."""
    return Group(
        overview(answer.overview),
        heading('Robots'),
        robot_rows(answer.robots),
        heading('Tasks that somebody held'),
        task_page(answer.held),
        heading('Tasks that were open'),
        task_page(answer.open),
        heading('Trust'),
        trust(answer.trust, sketches=False),
    )
