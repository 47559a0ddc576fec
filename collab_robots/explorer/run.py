"""One run of the demo: what a person chose, its folder, and how its processes are started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
import time

from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.core.geometry import Array
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.measures import Camera
from collab_robots.explorer.processes import node_command
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
    chosen += [('--slow', robot) for robot in options.slow]
    for option, robot in chosen:
        if robot not in names:
            raise ConfigError(f'{option}: no robot {robot!r}; there are: {", ".join(names)}')
    directory = options.out or Path('runs') / datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f'{directory}: exists and is not an empty folder; a run is never mixed')
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
    return node_command(
        'sim_node',
        {
            'world': str(options.world.resolve()),
            'robots': options.robots,
            'seed': options.seed,
            'split': ''
            if run.timeline.split is None
            else '{:g}:{:g}'.format(*options.split or ()),
            'speed': float(options.speed),
            'cameras': options.cameras,
        },
    )


def robot_command(run: Run, index: int) -> list[str]:
    """Return how a robot is started, for the first time or again."""
    robot = run.names[index]
    folder = run.folder(robot).resolve()
    return node_command(
        'robot',
        {
            'name': robot,
            'fleet': str((run.directory / 'fleet.yaml').resolve()),
            'key': str(folder / 'key'),
            'store': str(folder / 'ledger.db'),
            'initial_pose': '[{:.4f}, {:.4f}, {:.6f}]'.format(*run.starts[index]),
            'archive': True,  # the report reads the whole ledger
            'false_wall': '[{:.2f}, {:.2f}, {:.2f}, {:.2f}]'.format(
                *(run.false_wall if robot == run.options.liar else (0.0, 0.0, 0.0, 0.0))
            ),
            'pose_file': str(folder / 'pose.json'),
            'share': run.options.share,
            'slow': run.options.slow.get(robot, 1.0),
            'send_rate': INFERENCE_RATE,
            'use_sim_time': True,
        },
        namespace=f'/{robot}',
    )
