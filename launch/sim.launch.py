"""Start the MuJoCo simulator with its radio, and a team of robots in it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.processes import simulator
from collab_robots.bringup.tables import OPTIONS, SHARED, SIMULATOR
from collab_robots.explorer.team import find_world, Team
from collab_robots.nodes import launching

WORLD = {name: parameter for name, parameter in SIMULATOR.items() if name != 'frame_prefixes'} | {
    'world': Parameter(
        'office', 'World file, or the name of a world that comes with the project: office, store.'
    ),
    'robots': replace(SIMULATOR['robots'], default=2),
}
TEAM = {
    'fleet': Parameter(
        '',
        'Fleet file of robot1, robot2, …, whose folders are beside it; a fleet is made for this '
        'run if empty.',
    ),
    'folder': Parameter(
        '', 'New folder for the fleet that is made for this run; runs/<time> if empty.'
    ),
}
ARGUMENTS = {**WORLD, **TEAM, **SHARED, **OPTIONS}


def start(context: LaunchContext) -> list[Any]:
    """Return the robots, and the simulator, which ends all when it ends."""
    world = launching.read(context, WORLD)
    given = launching.read(context, TEAM)
    options = launching.read(context, OPTIONS)
    path = find_world(world.pop('world'))
    team = Team.simulated(
        path,
        world['robots'],
        *(Path(given[name]) if given[name] else None for name in ('fleet', 'folder')),
    )
    process = simulator(path, world, tf=options['tf'], log_level=options['log_level'])
    return [
        *launching.robots(context, team, launching.chosen(context, SHARED), simulated=True),
        launching.start(context, process),
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the simulation."""
    return launching.describe(ARGUMENTS, start)
