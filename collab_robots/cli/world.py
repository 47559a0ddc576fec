"""``collab-robots world …``: worlds for other simulators."""

from __future__ import annotations

from pathlib import Path
import shlex
from typing import Annotated

import typer

from collab_robots.bringup.tables import NAMESPACED, PREFIXED
from collab_robots.cli.common import plain_errors

world_app = typer.Typer(no_args_is_help=True, help='Worlds for other simulators.')


@world_app.command(
    epilog=(
        'Examples:\n\n'
        '  collab-robots world export worlds/office.yaml --out /tmp/office\n\n'
        '  collab-robots world export store --out /tmp/store --robots 8 --tf prefixed\n\n'
        'Exit codes: 0 done, 2 wrong input.'
    )
)
def export(
    world: Annotated[
        str, typer.Argument(help='World file, or the name of a world that comes with the project.')
    ],
    out: Annotated[Path, typer.Option(help='Folder to write to, new or empty.')],
    robots: Annotated[int, typer.Option(min=1, max=64, help='How many robots.')] = 2,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of the robots' wheel errors.")
    ] = 1,
    tf: Annotated[
        str,
        typer.Option(
            metavar=f'{NAMESPACED}|{PREFIXED}',
            help="Bare names of frames on each robot's tf, or names with the robot's before them "
            'on one /tf.',
        ),
    ] = NAMESPACED,
) -> None:
    """
    Write a world and its robots for Gazebo Harmonic.

    World and building with textures, each robot's model, its description for
    robot_state_publisher, and the lists for ros_gz_bridge.
    """
    with plain_errors():
        from collab_robots.core.errors import ConfigError
        from collab_robots.explorer.team import find_world
        from collab_robots.sim.gazebo.export import export as write
        from collab_robots.sim.world import load_world

        if tf not in (NAMESPACED, PREFIXED):
            raise ConfigError(f'--tf: expected {NAMESPACED} or {PREFIXED}, got {tf!r}')
        names = [f'robot{index + 1}' for index in range(robots)]
        files = write(load_world(find_world(world)), names, out, seed, tf == PREFIXED)
        typer.echo(f'{files.world}: the world {files.name}')
        for robot in files.robots:
            x, y, yaw = robot.start
            typer.echo(f'{robot.model}: {robot.name}, starts at {x:g} m, {y:g} m, {yaw:.4g} rad')
        path = shlex.quote(str(files.models.resolve()))
        typer.echo(
            f'To look at it: GZ_SIM_RESOURCE_PATH={path} gz sim {shlex.quote(str(files.world))}'
        )
