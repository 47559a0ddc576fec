"""Write all that Gazebo, the bridges and robot_state_publisher read, into one folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import Array
from collab_robots.sim.gazebo.bridge import clock_bridge, robot_bridge
from collab_robots.sim.gazebo.building import (
    building_sdf,
    model_name,
    TEXTURES,
    world_name,
    world_sdf,
)
from collab_robots.sim.gazebo.render import render
from collab_robots.sim.gazebo.robot import robot_sdf, robot_urdf
from collab_robots.sim.mjcf import assets
from collab_robots.sim.simulator import Drift
from collab_robots.sim.world import World


@dataclass(frozen=True)
class RobotFiles:
    """
    The files of one robot.

    :param start: its pose (3,) in the map frame at the start.
    :param model: SDF.
    :param urdf: for robot_state_publisher.
    :param bridge: list for ros_gz_bridge in the robot's namespace.
    """

    name: str
    start: Array
    model: Path
    urdf: Path
    bridge: Path


@dataclass(frozen=True)
class Files:
    """
    What :func:`export` wrote.

    :param name: of the world in Gazebo.
    :param world: SDF.
    :param models: the folder that ``GZ_SIM_RESOURCE_PATH`` has to name.
    :param clock: list for the one ros_gz_bridge of the clock.
    """

    name: str
    world: Path
    models: Path
    clock: Path
    robots: tuple[RobotFiles, ...]


def export(
    world: World, robots: Sequence[str], folder: Path, seed: int = 1, prefixed: bool = False
) -> Files:
    """
    Write a world with robots for Gazebo.

    The robots start where the MuJoCo simulator has them, and with the same seed their wheels err
    by the same share.

    :param robots: their names.
    :param folder: to write to, new or empty.
    :param prefixed: frames begin with the robot's name, and all robots share ``/tf``.
    :raises ConfigError: if the world has too few start poses or the folder cannot be written.
    """
    if len(set(robots)) < len(robots):
        raise ConfigError(f'two robots have the same name: {", ".join(robots)}')
    starts = world.start_poses(len(robots))
    streams = np.random.default_rng(seed).spawn(len(robots))
    building, models = model_name(world), folder / 'models'
    files = Files(
        world_name(world),
        folder / f'{world_name(world)}.sdf',
        models,
        folder / 'clock.yaml',
        tuple(
            RobotFiles(
                name,
                start,
                models / name / 'model.sdf',
                folder / name / 'robot.urdf',
                folder / name / 'bridge.yaml',
            )
            for name, start in zip(robots, starts, strict=True)
        ),
    )
    contents: dict[Path, str | bytes] = {
        files.world: world_sdf(world),
        files.clock: clock_bridge(),
        models / building / 'model.sdf': building_sdf(world),
        models / building / 'model.config': _config(building, f'Walls of {world.name}.'),
    }
    for name, picture in assets(world).items():
        contents[models / building / TEXTURES / name] = picture
    for index, (robot, stream) in enumerate(zip(files.robots, streams, strict=True)):
        prefix = f'{robot.name}/' if prefixed else ''
        wheels = Drift().scales(stream)
        contents |= {
            robot.model: robot_sdf(robot.name, index, wheels, prefix),
            robot.model.with_name('model.config'): _config(robot.name, 'A collab_robots robot.'),
            robot.urdf: robot_urdf(robot.name, index),
            robot.bridge: robot_bridge(robot.name, prefixed),
        }
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigError(f'{folder}: is not empty; name a new folder')
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise ConfigError(f'{folder}: cannot be written: {error.strerror}') from None
    return files


def _config(name: str, text: str) -> str:
    return render('model.config', name=name, text=text)
