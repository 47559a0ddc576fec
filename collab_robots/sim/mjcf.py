"""
The MuJoCo model of a world with robots.

A robot is a disc on two planar slides and a hinge, each with a velocity actuator: wheel contact is
not modelled, contact with walls, furniture and other robots is. Geom groups: 0 what the lidar
sees of the building, 1 what it sees of robots, 2 what only the camera sees, 3 invisible.
"""

from __future__ import annotations

import io
import math
from xml.sax.saxutils import quoteattr

from PIL import Image

from collab_robots.sim.truth import Box
from collab_robots.sim.world import Poster, ROBOT_RADIUS, World

LIDAR_HEIGHT = 0.25  # m
CAMERA_HEIGHT = 0.45  # m, on a short mast at the front
CAMERA_FORWARD = 0.17  # m ahead of the robot's middle
BODY_HEIGHT = 0.35  # m
IMAGE_WIDTH, IMAGE_HEIGHT = 320, 240
HORIZONTAL_FOV = 1.2  # rad
VERTICAL_FOV = 2.0 * math.atan(math.tan(HORIZONTAL_FOV / 2) * IMAGE_HEIGHT / IMAGE_WIDTH)
TIME_STEP = 0.01  # s
MAX_TEXTURE = 512  # pixels on the longer side
AMBIENT, DIFFUSE = 0.55, 0.35  # share of a surface's colour
SKY_COLOUR, FLOOR_COLOUR = '0.93 0.94 0.95', '0.55 0.53 0.5'
WALL_COLOUR, FURNITURE_COLOUR = '0.86 0.86 0.84', '0.62 0.55 0.47'
ROBOT_COLOURS = ('0.75 0.2 0.2', '0.2 0.35 0.75', '0.2 0.6 0.3', '0.75 0.6 0.15')
MAST_COLOUR = '0.15 0.15 0.15'
MAST_FORWARD, MAST_WIDTH = 0.12, 0.02  # m
POSTER_GLOW = 0.5  # of its own light, as a share of its colours

# Lit by ambient light alone, with posters lit from within: a picture looks the same from every
# side and distance, walls and floor stay plain, and no lamp costs time.
_HEAD = f"""<mujoco model={{name}}>
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{TIME_STEP}" integrator="implicitfast" gravity="0 0 0" cone="elliptic"/>
  <statistic extent="1" center="0 0 0"/>
  <visual>
    <headlight ambient="{AMBIENT} {AMBIENT} {AMBIENT}" diffuse="{DIFFUSE} {DIFFUSE} {DIFFUSE}"
      specular="0 0 0"/>
    <map znear="0.02" zfar="60"/>
    <quality shadowsize="0" offsamples="0"/>
    <global offwidth="1280" offheight="960"/>
  </visual>
  <default>
    <geom condim="3" friction="0.4"/>
    <default class="seen"><geom contype="0" conaffinity="0" group="2"/></default>
  </default>
  <asset>
    <texture type="skybox" builtin="flat" rgb1="{SKY_COLOUR}" width="8" height="8"/>
"""

_ROBOT = f"""    <body name="{{name}}" pos="{{x}} {{y}} 0" euler="0 0 {{yaw}}">
      <inertial pos="0 0 0.1" mass="10" diaginertia="0.2 0.2 0.2"/>
      <joint name="{{name}}_x" type="slide" axis="{{cos}} {{msin}} 0"/>
      <joint name="{{name}}_y" type="slide" axis="{{sin}} {{cos}} 0"/>
      <joint name="{{name}}_yaw" type="hinge" axis="0 0 1"/>
      <geom type="capsule" size="{ROBOT_RADIUS} 0.2" pos="0 0 0.25" group="3"/>
      <geom type="cylinder" size="{ROBOT_RADIUS} {BODY_HEIGHT / 2}" pos="0 0 {BODY_HEIGHT / 2}"
        contype="0" conaffinity="0" group="1" rgba="{{colour}} 1"/>
      <geom class="seen" type="box"
        size="{MAST_WIDTH / 2} {MAST_WIDTH / 2} {(CAMERA_HEIGHT - BODY_HEIGHT) / 2}"
        pos="{MAST_FORWARD} 0 {(CAMERA_HEIGHT + BODY_HEIGHT) / 2}" rgba="{MAST_COLOUR} 1"/>
      <camera name="{{name}}" pos="{CAMERA_FORWARD} 0 {CAMERA_HEIGHT}" xyaxes="0 -1 0 0 0 1"
        fovy="{math.degrees(VERTICAL_FOV)}"/>
    </body>
"""


def mjcf(world: World, robots: list[str]) -> str:
    """
    Return the model as MJCF; its textures come from :func:`assets`.

    :param robots: their names; they stand on the world's start poses in this order.
    :raises ConfigError: if the world has too few start poses.
    """
    width, depth = world.size
    parts = [_HEAD.format(name=quoteattr(world.name))]
    for index, image in enumerate(sorted({poster.image for poster in world.posters})):
        parts.append(
            f'    <texture name="t{index}" type="2d" file={quoteattr(texture(image))}/>\n'
            f'    <material name={quoteattr(image)} texture="t{index}" texuniform="false" '
            f'emission="{POSTER_GLOW}" specular="0"/>\n'
        )
    parts.append('  </asset>\n  <worldbody>\n')
    parts.append(
        f'    <geom class="seen" type="plane" pos="{width / 2} {depth / 2} 0" '
        f'size="{width / 2} {depth / 2} 1" rgba="{FLOOR_COLOUR} 1"/>\n'
    )
    parts += [_box(box, WALL_COLOUR) for box in world.wall_boxes]
    parts += [_box(box, FURNITURE_COLOUR) for box in world.furniture_boxes]
    parts += [_poster(poster) for poster in world.posters]
    for index, (name, start) in enumerate(
        zip(robots, world.start_poses(len(robots)), strict=True)
    ):
        x, y, yaw = start
        # The slides are given in the turned body frame, so that they move along world x and y.
        parts.append(
            _ROBOT.format(
                name=name,
                x=x,
                y=y,
                yaw=yaw,
                cos=math.cos(yaw),
                sin=math.sin(yaw),
                msin=-math.sin(yaw),
                colour=ROBOT_COLOURS[index % len(ROBOT_COLOURS)],
            )
        )
    parts.append('  </worldbody>\n  <actuator>\n')
    for name in robots:
        for axis, gain, limit in (('x', 2000, 60), ('y', 2000, 60), ('yaw', 50, 5)):
            parts.append(
                f'    <velocity joint="{name}_{axis}" kv="{gain}" '
                f'forcerange="-{limit} {limit}"/>\n'
            )
    parts.append('  </actuator>\n</mujoco>\n')
    return ''.join(parts)


def assets(world: World) -> dict[str, bytes]:
    """Return the textures that the model names, as PNG files in memory."""
    result = {}
    for path in {poster.path for poster in world.posters}:
        with Image.open(path) as picture:
            small = picture.convert('RGB')
        small.thumbnail((MAX_TEXTURE, MAX_TEXTURE))
        buffer = io.BytesIO()
        small.save(buffer, 'PNG', compress_level=0)
        result[texture(path.name)] = buffer.getvalue()
    return result


def texture(image: str) -> str:
    """Return the name of a poster's texture."""
    return image.rsplit('.', 1)[0] + '.png'


def _box(box: Box, colour: str) -> str:
    (x, y), (a, b), height = box.centre, box.half, box.height / 2
    return (
        f'    <geom type="box" pos="{x} {y} {height}" size="{a} {b} {height}" '
        f'euler="0 0 {box.turn}" rgba="{colour} 1"/>\n'
    )


def _poster(poster: Poster) -> str:
    x, y = poster.middle
    side_x, side_y = -poster.normal[1], poster.normal[0]  # to the right for who looks at it
    return (
        f'    <geom class="seen" type="plane" pos="{x} {y} {poster.centre}" '
        f'size="{poster.width / 2} {poster.height / 2} 1" '
        f'xyaxes="{side_x} {side_y} 0 0 0 1" material={quoteattr(poster.image)}/>\n'
    )
