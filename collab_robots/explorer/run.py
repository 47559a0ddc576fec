"""One run of the demo: what a person chose, its folder, and how its processes are started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
import time

from collab_robots.bringup.processes import robot, simulator
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.core.geometry import Array
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.folders import new_folder
from collab_robots.explorer.measures import Camera
from collab_robots.explorer.timeline import halves, Split, Timeline
from collab_robots.explorer.verdict import Effort, Truth, Wall, WALL_MARGIN
from collab_robots.sim.lies import find_false_wall, Line
from collab_robots.sim.mjcf import CAMERA_FORWARD, HORIZONTAL_FOV
from collab_robots.sim.truth import reachable, visible_walls
from collab_robots.sim.world import load_world, ROBOT_RADIUS, World

INFERENCE_RATE = 500_000.0  # bytes/s: half of what the simulated radio carries


@dataclass(frozen=True)
class Kill:
    """Cut a robot's power at ``start`` and give it back at ``end``, s; never if None."""

    robot: str
    start: float
    end: float | None


@dataclass(frozen=True)
class Options:
    """What a person may choose about a run; the command line explains each."""

    robots: int
    seed: int
    split: tuple[float, float] | None
    world: Path
    duration: float
    speed: float = 1.0
    cameras: bool = True
    out: Path | None = None
    domain: int | None = None
    kills: tuple[Kill, ...] = ()
    liar: str | None = None
    share: bool = True
    slow: Mapping[str, float] = field(default_factory=dict)  # robot: how many times


@dataclass
class Run:
    """
    One run, prepared: its folder, fleet and world, and what is seen of it.

    :param ended: why it ended, in words that follow "because".
    :param code: 0 if it went through, 1 if something died, 130 if a person interrupted it.
    """

    options: Options
    directory: Path
    fleet: Fleet
    world: World
    starts: list[Array]
    truth: Truth
    timeline: Timeline
    ended: str = ''
    code: int = 0
    effort: Effort | None = None
    began: float = field(default_factory=time.monotonic)

    @cached_property
    def false_wall(self) -> Line:
        """The wall that a robot which lies adds to its map."""
        return find_false_wall(
            self.world.truth, reachable(self.world.truth, self.starts, ROBOT_RADIUS)
        )

    @property
    def wall(self) -> Wall:
        """How long it has taken until now and may take, all told."""
        limit = self.options.duration / min(self.options.speed, 1.0) + WALL_MARGIN
        return Wall(time.monotonic() - self.began, limit)

    @property
    def names(self) -> tuple[str, ...]:
        """The robots, in the order of the roster."""
        return self.timeline.robots

    def folder(self, robot: str) -> Path:
        """Return the folder of a robot's key, ledger and log."""
        return self.directory / robot


def prepare(options: Options) -> Run:
    """
    Check everything that can be checked and make the run's folder.

    :raises ConfigError: naming what is wrong.
    """
    world = load_world(options.world)
    starts = world.start_poses(options.robots)
    names = tuple(f'robot{index + 1}' for index in range(options.robots))
    chosen = [('--kill', kill.robot) for kill in options.kills]
    chosen += [('--liar', options.liar)] if options.liar is not None else []
    chosen += [('--slow', name) for name in options.slow]
    for option, name in chosen:
        if name not in names:
            raise ConfigError(f'{option}: no robot {name!r}; there are: {", ".join(names)}')
    directory = new_folder(options.out)
    fleet = make_fleet(directory, names, name='demo')
    free = reachable(world.truth, starts, ROBOT_RADIUS)
    camera = Camera(HORIZONTAL_FOV, CAMERA_FORWARD)
    split = None
    if options.split is not None and options.robots > 1:
        split = Split(*options.split, halves(names))
    return Run(
        options,
        directory,
        fleet,
        world,
        starts,
        Truth.of(world, free, visible_walls(world.truth, free), camera),
        Timeline(names, split),
    )


def simulator_command(run: Run) -> list[str]:
    """Return how the simulator is started."""
    options = run.options
    split = '' if run.timeline.split is None else '{:g}:{:g}'.format(*options.split or ())
    values = {
        'robots': options.robots,
        'seed': options.seed,
        'split': split,
        'speed': options.speed,
        'cameras': options.cameras,
    }
    return simulator(options.world.resolve(), values).command


def robot_command(run: Run, index: int) -> list[str]:
    """Return how a robot is started, for the first time or again."""
    name = run.names[index]
    values: dict[str, object] = {
        'initial_pose': [float(value) for value in run.starts[index]],
        'archive': True,  # the report reads the whole ledger
        'share': run.options.share,
        'slow': run.options.slow.get(name, 1.0),
        'send_rate': INFERENCE_RATE,
    }
    if name == run.options.liar:
        values['false_wall'] = list(run.false_wall)
    return robot(name, run.directory.resolve() / 'fleet.yaml', values, simulated=True).command
