"""Start the MuJoCo simulator with its radio, and a team of robots in it."""

from typing import Any

from launch import LaunchContext, LaunchDescription

from collab_robots.bringup.processes import simulator
from collab_robots.bringup.tables import OPTIONS, SHARED, SIMULATOR
from collab_robots.nodes import launching

WORLD = {
    name: parameter
    for name, parameter in SIMULATOR.items()
    if name not in ('frame_prefixes', *launching.SIMULATION)
}
ARGUMENTS = {**launching.SIMULATION, **WORLD, **SHARED, **OPTIONS}


def start(context: LaunchContext) -> list[Any]:
    """Return the robots, and the simulator, which ends all when it ends."""
    path, team = launching.simulation(context)
    options = launching.read(context, OPTIONS)
    process = simulator(
        path,
        {**launching.read(context, WORLD), 'robots': len(team.starts)},
        tf=options['tf'],
        log_level=options['log_level'],
    )
    return [
        *launching.robots(context, team, launching.chosen(context, SHARED), simulated=True),
        launching.start(context, process),
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the simulation."""
    return launching.describe(ARGUMENTS, start)
