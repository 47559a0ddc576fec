"""Show a ledger, of a file on this machine or of a robot elsewhere: in the browser, or in text."""

from typing import Any

from launch import LaunchContext, LaunchDescription

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.processes import explorer
from collab_robots.bringup.tables import EXPLORER
from collab_robots.nodes import launching

VIEW = {
    'view': Parameter(
        'web', 'web: pages for a browser; top: text in a terminal.', choices=('web', 'top')
    ),
    'terminal': Parameter(
        'x-terminal-emulator -e', 'What opens the terminal for top: its command begins with this.'
    ),
}


def start(context: LaunchContext) -> list[Any]:
    """Return the explorer, which ends all when it ends."""
    view = launching.read(context, VIEW)
    process = explorer(launching.chosen(context, EXPLORER), view['view'])
    prefix = {'prefix': view['terminal']} if view['view'] == 'top' else {}
    return [launching.start(context, process, **prefix)]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the explorer."""
    return launching.describe(EXPLORER | VIEW, start)
