"""The building as Gazebo reads it: a world, and in it a model with walls, furniture, posters."""

from __future__ import annotations

from collections.abc import Iterable
import math
from typing import Any

from collab_robots.sim.gazebo.render import CAMERA_ONLY, numbers, render
from collab_robots.sim.mjcf import (
    AMBIENT,
    DIFFUSE,
    FLOOR_COLOUR,
    FURNITURE_COLOUR,
    POSTER_GLOW,
    SKY_COLOUR,
    texture,
    WALL_COLOUR,
)
from collab_robots.sim.truth import Box
from collab_robots.sim.world import Poster, World

TIME_STEP = 0.004  # s; wheels roll on a floor here, which 0.01 s is too long for
TEXTURES = 'materials/textures'  # in the model's folder


def world_name(world: World) -> str:
    """Return the world's name in Gazebo, which takes no spaces."""
    return world.name.replace(' ', '_')


def model_name(world: World) -> str:
    """Return the name of the building's model, and of its folder."""
    return f'{world_name(world)}_building'


def world_sdf(world: World) -> str:
    """Return the world: physics, systems, light, floor, and the building by its model's name."""
    width, depth = world.size
    return render(
        'world.sdf',
        world=world_name(world),
        building=model_name(world),
        step=TIME_STEP,
        width=width,
        depth=depth,
        ambient=AMBIENT,
        diffuse=DIFFUSE,
        sky=SKY_COLOUR,
        floor=FLOOR_COLOUR,
    )


def building_sdf(world: World) -> str:
    """Return the building's model; its textures lie in :data:`TEXTURES`."""
    return render(
        'building.sdf',
        building=model_name(world),
        boxes=[
            *_boxes('wall', WALL_COLOUR, world.wall_boxes),
            *_boxes('furniture', FURNITURE_COLOUR, world.furniture_boxes),
        ],
        posters=[_poster(index, poster) for index, poster in enumerate(world.posters, 1)],
        camera_only=CAMERA_ONLY,
        glow=POSTER_GLOW,
    )


def _boxes(kind: str, colour: str, boxes: Iterable[Box]) -> list[dict[str, Any]]:
    return [
        {
            'name': f'{kind}_{index}',
            'pose': numbers(*box.centre, box.height / 2, 0, 0, box.turn),
            'size': numbers(2 * box.half[0], 2 * box.half[1], box.height),
            'colour': colour,
        }
        for index, box in enumerate(boxes, 1)
    ]


def _poster(index: int, poster: Poster) -> dict[str, Any]:
    # Gazebo stretches a texture over a plane with its right along x and its top along y. The roll
    # brings y upward, the yaw brings the plane's normal, z, out of the wall.
    yaw = math.radians(poster.facing) + math.pi / 2
    return {
        'name': f'poster_{index}',
        'pose': numbers(*poster.middle, poster.centre, math.pi / 2, 0, yaw),
        'size': numbers(poster.width, poster.height),
        'texture': f'{TEXTURES}/{texture(poster.image)}',
    }
