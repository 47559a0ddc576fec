"""One robot as Gazebo and RViz read it: the MuJoCo robot, but on two wheels."""

from __future__ import annotations

from itertools import combinations
import math
from typing import Any

from collab_robots.bringup import topics
from collab_robots.sim.gazebo.render import CAMERA_ONLY, numbers, render
from collab_robots.sim.mjcf import (
    BODY_HEIGHT,
    CAMERA_FORWARD,
    CAMERA_HEIGHT,
    HORIZONTAL_FOV,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    LIDAR_HEIGHT,
    MAST_COLOUR,
    MAST_FORWARD,
    MAST_WIDTH,
    ROBOT_COLOURS,
)
from collab_robots.sim.simulator import (
    ANGLE_INCREMENT,
    ANGLE_MIN,
    MAX_ACCELERATION,
    MAX_SPEED,
    MAX_TURN,
    MAX_TURN_ACCELERATION,
    RANGE_MAX,
    RANGE_MIN,
    RANGE_NOISE,
    RAYS,
)
from collab_robots.sim.world import ROBOT_RADIUS

SCAN_RATE, ODOM_RATE, IMAGE_RATE, TRUTH_RATE = 10, 20, 2, 5  # Hz, as nodes/sim_node.py
CLEARANCE = 0.03  # m between body and floor
WHEEL_RADIUS, WHEEL_WIDTH, WHEEL_SEPARATION = 0.05, 0.03, 0.28  # m
MASS, WHEEL_MASS = 9.4, 0.3  # kg; together the MuJoCo robot's 10
CASTER_FORWARD = 0.13  # m
CLIP_NEAR, CLIP_FAR = 0.02, 60.0  # m

_ALL = 0x0FFFFFFF  # bits that Gazebo leaves to visibility flags
# Four of eight bits, other ones for each robot: a lidar that looks for all bits but its own
# robot's sees every other robot, because no four contain another four.
_SEEN_AS = [sum(1 << bit for bit in four) for four in combinations(range(4, 12), 4)]


def frames() -> list[dict[str, str]]:
    """Return the robot's fixed frames: name, parent, place (m) and turn (rad) in the parent."""
    quarter = math.pi / 2
    return [
        _frame('base_scan', 'base_footprint', (0, 0, LIDAR_HEIGHT)),
        _frame('camera_link', 'base_footprint', (CAMERA_FORWARD, 0, CAMERA_HEIGHT)),
        # optical frames look along z with x to the right (REP-103)
        _frame('camera_optical_frame', 'camera_link', turn=(-quarter, 0, -quarter)),
    ]


def robot_sdf(
    name: str, index: int, wheels: tuple[float, float] = (1.0, 1.0), prefix: str = ''
) -> str:
    """
    Return the model of one robot.

    Its lidar and camera publish, and its wheels obey, in ``/<name>/``.

    :param index: which robot of the team, from 0; no two of a team have the same.
    :param wheels: by which factors they miscount the distance and the turn.
    :param prefix: of the names of its frames, such as ``robot1/``.
    """
    distance, turn = wheels
    return render(
        'robot.sdf',
        **_looks(name, index),
        prefix=prefix,
        seen_as=_SEEN_AS[index],
        camera_only=CAMERA_ONLY,
        mass=MASS,
        mast={
            'forward': MAST_FORWARD,
            'width': MAST_WIDTH,
            'middle': (CAMERA_HEIGHT + BODY_HEIGHT) / 2,
            'length': CAMERA_HEIGHT - BODY_HEIGHT,
            'colour': MAST_COLOUR,
        },
        caster={'forward': CASTER_FORWARD, 'radius': CLEARANCE / 2},
        quarter=math.pi / 2,
        wheel={
            'radius': WHEEL_RADIUS,
            'width': WHEEL_WIDTH,
            'separation': WHEEL_SEPARATION,
            'mass': WHEEL_MASS,
            'along': WHEEL_MASS * WHEEL_RADIUS**2 / 2,
            'across': WHEEL_MASS * (3 * WHEEL_RADIUS**2 + WHEEL_WIDTH**2) / 12,
        },
        believed={
            'radius': WHEEL_RADIUS * distance,
            'separation': WHEEL_SEPARATION * distance / turn,
        },
        limit={
            'speed': MAX_SPEED,
            'turn': MAX_TURN,
            'acceleration': MAX_ACCELERATION,
            'turn_acceleration': MAX_TURN_ACCELERATION,
        },
        lidar={
            'rays': RAYS,
            'angle_min': ANGLE_MIN,
            'angle_max': ANGLE_MIN + (RAYS - 1) * ANGLE_INCREMENT,
            'range_min': RANGE_MIN,
            'range_max': RANGE_MAX,
            'noise': RANGE_NOISE,
            'sees': _ALL & ~CAMERA_ONLY & ~_SEEN_AS[index],
        },
        camera={
            'fov': HORIZONTAL_FOV,
            'width': IMAGE_WIDTH,
            'height': IMAGE_HEIGHT,
            'near': CLIP_NEAR,
            'far': CLIP_FAR,
        },
        rate={
            'scan': SCAN_RATE,
            'odom': ODOM_RATE,
            'image': IMAGE_RATE,
            'ground_truth': TRUTH_RATE,
        },
        topic={
            'scan': f'/{name}/{topics.SCAN}',
            'odom': f'/{name}/{topics.ODOM}',
            'tf': f'/{name}/{topics.TF}',
            'image': f'/{name}/{topics.IMAGE}',
            'camera_info': f'/{name}/{topics.CAMERA_INFO}',
            'cmd_vel': f'/{name}/{topics.CMD_VEL}',
            'ground_truth': f'/{name}/{topics.GROUND_TRUTH}',
        },
    )


def robot_urdf(name: str, index: int) -> str:
    """Return what robot_state_publisher and RViz need: the fixed frames and how it looks."""
    return render('robot.urdf', **_looks(name, index))


def _looks(name: str, index: int) -> dict[str, Any]:
    return {
        'name': name,
        'frames': frames(),
        'colour': ROBOT_COLOURS[index % len(ROBOT_COLOURS)],
        'body': {
            'radius': ROBOT_RADIUS,
            'middle': (BODY_HEIGHT + CLEARANCE) / 2,
            'length': BODY_HEIGHT - CLEARANCE,
        },
    }


def _frame(
    name: str,
    parent: str,
    place: tuple[float, float, float] = (0, 0, 0),
    turn: tuple[float, float, float] = (0, 0, 0),
) -> dict[str, str]:
    return {'name': name, 'parent': parent, 'xyz': numbers(*place), 'rpy': numbers(*turn)}
