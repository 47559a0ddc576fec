"""Start one robot, real or simulated: all its nodes in one process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription

from collab_robots.bringup.parameters import Parameter
from collab_robots.bringup.tables import OPTIONS, ROBOT
from collab_robots.explorer.team import Team
from collab_robots.nodes import launching

PARAMETERS = {
    **ROBOT,
    **{
        name: replace(
            ROBOT[name], default='', required=False, text=f'{ROBOT[name].text} Empty: {place}.'
        )
        for name, place in (
            ('key', "key in the robot's folder"),
            ('store', "ledger.db in the robot's folder"),
            ('pose_file', "pose.json in the robot's folder"),
            ('frame_prefix', 'as tf says'),
        )
    },
}
PLACE = {
    'folder': Parameter(
        '', "The robot's folder; the one of its name beside the fleet file if empty."
    ),
    'namespace': Parameter('', "Namespace of its nodes; the robot's name if empty."),
    'simulated': Parameter(
        False, "Whether a simulator's radio carries what it says; then time comes from /clock."
    ),
}
ARGUMENTS = {**PARAMETERS, **PLACE, **OPTIONS}


def start(context: LaunchContext) -> list[Any]:
    """Return the robot."""
    values = launching.chosen(context, PARAMETERS)
    place = launching.read(context, PLACE)
    place['folder'] = Path(place['folder']) if place['folder'] else None
    team = Team(Path(values.pop('fleet')), {values.pop('name'): None})
    return launching.robots(context, team, values, **place)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the robot."""
    return launching.describe(ARGUMENTS, start)
