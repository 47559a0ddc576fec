"""Robots that are started together: those of a fleet file, or of a fleet made for one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collab_robots.bringup.processes import fleet_robot, Process, robot
from collab_robots.bringup.values import Pose
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.folders import new_folder
from collab_robots.explorer.settings import default_world
from collab_robots.sim.world import load_world


@dataclass(frozen=True)
class Team:
    """
    Robots that are started together.

    :param fleet: their fleet file; each robot's folder is beside it.
    :param starts: where each starts, in the map; None: as its own parameters say.
    :param throw_away: whether the fleet is made for this run.
    """

    fleet: Path
    starts: Mapping[str, Pose | None]
    throw_away: bool = False

    @staticmethod
    def of_file(fleet: Path, robots: Iterable[str] = ()) -> Team:
        """
        Return robots of a fleet file.

        :param robots: these; all if none is named.
        :raises ConfigError: if it cannot be read.
        """
        names = tuple(robots) or tuple(member.name for member in Fleet.load(fleet).founders)
        return Team(fleet, dict.fromkeys(names))

    @staticmethod
    def for_one_run(starts: Mapping[str, Pose | None], folder: Path | None = None) -> Team:
        """
        Return robots of a new fleet; see :meth:`make`.

        :param folder: as for :func:`.new_folder`.
        """
        return Team(new_folder(folder) / 'fleet.yaml', starts, throw_away=True)

    @staticmethod
    def simulated(
        world: Path, robots: int, fleet: Path | None = None, folder: Path | None = None
    ) -> Team:
        """
        Return robots as the simulator names and places them.

        :param fleet: their fleet file; a new one if None.
        :param folder: of the run if the fleet is new.
        :raises ConfigError: if the world cannot be read or has too few places.
        """
        poses = load_world(world).start_poses(robots)
        starts: dict[str, Pose | None] = {
            f'robot{index + 1}': (float(x), float(y), float(yaw))
            for index, (x, y, yaw) in enumerate(poses)
        }
        return Team(fleet, starts) if fleet is not None else Team.for_one_run(starts, folder)

    def make(self) -> None:
        """Make the fleet, if it is one for this run: keys and fleet file."""
        if self.throw_away:
            make_fleet(self.fleet.parent, tuple(self.starts), name='one_run')

    def robots(self, values: Mapping[str, Any], **options: Any) -> list[Process]:
        """
        Return the robots' processes.

        :param values: parameters of all of them.
        :param options: for :func:`.robot`.
        :raises ConfigError: also if a robot of a fleet file is not in it or has no key here.
        """
        build = robot if self.throw_away else fleet_robot
        return [
            build(
                name,
                self.fleet,
                dict(values) if start is None else {**values, 'initial_pose': start},
                **options,
            )
            for name, start in self.starts.items()
        ]


def find_world(text: str) -> Path:
    """
    Return the file of a world.

    :param text: its path, or the name of one that comes with the project, such as office.
    :raises ConfigError: if no such world comes with the project.
    """
    if not text.isidentifier():
        return Path(text)
    worlds = default_world().parent
    known = sorted(path.stem for path in worlds.glob('*.yaml'))
    if text not in known:
        raise ConfigError(
            f'no world {text!r} comes with the project, only {", ".join(known)}; a file of your '
            f'own is named by its path, such as ./{text}.yaml'
        )
    return worlds / f'{text}.yaml'
