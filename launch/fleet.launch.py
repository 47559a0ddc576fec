"""Start several robots of one fleet on this machine, all with the same parameters."""

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.tables import OPTIONS, SHARED
from collab_robots.bringup.values import EXAMPLE, read_robots
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.team import Team
from collab_robots.nodes import launching

TEAM = {
    'fleet': Parameter(
        '',
        "Fleet file; each robot's folder is beside it. Empty: a fleet is made for this run.",
    ),
    'robots': Parameter(
        '',
        'Which robots, and where they start in the map (m, rad); all of the fleet file, as their '
        f'params.yaml say, if empty. Such as: {EXAMPLE}',
    ),
    'folder': Parameter(
        '',
        'New folder for the fleet that is made for this run; runs/<time> if empty.',
    ),
    'simulated': Parameter(
        False, "Whether a simulator's radio carries what they say; then time comes from /clock."
    ),
}
ARGUMENTS = {**TEAM, **SHARED, **OPTIONS}


def start(context: LaunchContext) -> list[Any]:
    """Return the robots."""
    given = launching.read(context, TEAM)
    starts = read_robots(given['robots']) if given['robots'] else {}
    fleet = Path(given['fleet'])
    if given['fleet']:
        team = Team(fleet, starts) if starts else Team.of_file(fleet)
    elif starts:
        team = Team.for_one_run(starts, Path(given['folder']) if given['folder'] else None)
    else:
        raise ConfigError(f'which robots? Give fleet:=my_fleet/fleet.yaml, or {EXAMPLE}')
    return launching.robots(
        context,
        team,
        launching.chosen(context, SHARED),
        simulated=given['simulated'],
    )


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the robots."""
    return launching.describe(ARGUMENTS, start)
