"""All checks of one robot, in the order in which causes come before what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from collab_robots.explorer.doctor.computer import (
    look_at_computer,
    look_at_environment,
    look_at_rmw,
)
from collab_robots.explorer.doctor.files import look_at_files
from collab_robots.explorer.doctor.finding import Finding, Limits
from collab_robots.explorer.doctor.heard import Heard
from collab_robots.explorer.doctor.network import is_alone, look_at_network
from collab_robots.explorer.doctor.robot import Robot

Listen = Callable[[Robot], Heard]


def examine(
    robot: Robot, limits: Limits, environment: Mapping[str, str], listen: Listen | None
) -> list[Finding]:
    """
    Look at a robot.

    :param environment: of this process.
    :param listen: hears what its network says; None: look at this computer only.
    """
    findings = [*look_at_files(robot, limits), *look_at_computer(limits)]
    broken = None if listen is None else look_at_rmw(environment)
    if broken is not None:
        findings.append(broken)
    heard = None if listen is None or broken is not None else listen(robot)
    alone = heard is None or is_alone(robot, heard)
    findings += look_at_environment(environment, robot.environment, alone)
    if heard is not None:
        findings += look_at_network(robot, heard, limits)
    return findings
