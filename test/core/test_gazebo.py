"""What is written for Gazebo: libsdformat takes it, and it is the world that MuJoCo simulates."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes.util import find_library
import math
import os
from pathlib import Path
import re
import subprocess
import sys
from typing import Any
import xml.etree.ElementTree as ET

import mujoco
import numpy as np
from PIL import Image
import pytest
from sdf_scene import matrix, Model, numbers, scan
from test_world import room
from typer.testing import CliRunner
import yaml

from collab_robots.cli import app, BAD_INPUT, OK
from collab_robots.core.errors import ConfigError
from collab_robots.sim.gazebo.export import export, Files
from collab_robots.sim.gazebo.robot import robot_sdf
from collab_robots.sim.mjcf import HORIZONTAL_FOV, IMAGE_HEIGHT, IMAGE_WIDTH, LIDAR_HEIGHT
from collab_robots.sim.simulator import (
    ANGLE_INCREMENT,
    ANGLE_MIN,
    LIDAR_GROUPS,
    RANGE_MAX,
    RANGE_MIN,
    RANGE_NOISE,
    RAYS,
    Simulator,
)
from collab_robots.sim.world import load_world, MAX_ROBOTS, World

WORLDS = sorted((Path(__file__).parents[2] / 'worlds').glob('*.yaml'))
SEED = 7
SAME = 1e-9  # m, between the ranges of both: rounding (measured: 6e-14)
CHECK = """
import ctypes, sys
check = ctypes.CDLL('libsdformat12.so.12').cmdCheck
sys.exit(any([check(path.encode()) for path in sys.argv[1:]]))
"""
# Elements that libsdformat 12.3 takes along without knowing them. Harmonic reads all of them: the
# lidar's mask and the camera's two came into SDF 1.9 with later 12.x, gz_frame_id is gz-sensors'.
NEWER = {'gz_frame_id', 'visibility_mask', 'camera_info_topic', 'optical_frame_id'}


def names(robots: int) -> list[str]:
    return [f'robot{index + 1}' for index in range(robots)]


@pytest.fixture(
    scope='module',
    params=[
        (path, robots, prefixed)
        for path in WORLDS
        for robots in (1, 2, 8)
        for prefixed in (False, True)
    ],
    ids=lambda value: f'{value[0].stem}-{value[1]}-{"prefixed" if value[2] else "namespaced"}',
)
def case(request: pytest.FixtureRequest, tmp_path_factory: Any) -> tuple[World, Files, str]:
    """Return a world, what was written of it, and the prefix of robot1's frames."""
    path, robots, prefixed = request.param
    world = load_world(path)
    files = export(world, names(robots), tmp_path_factory.mktemp('gazebo'), SEED, prefixed)
    return world, files, 'robot1/' if prefixed else ''


@pytest.fixture(scope='module', params=WORLDS, ids=lambda path: path.stem)
def both(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Any]:
    """Return the same world with eight robots in MuJoCo and for Gazebo."""
    world = load_world(request.param)
    simulator = Simulator(world, 8, SEED, cameras=False)
    yield world, simulator, export(world, names(8), tmp_path_factory.mktemp('both'), SEED)
    simulator.close()


def building(files: Files) -> Model:
    return Model(files.models / f'{files.name}_building' / 'model.sdf')


# --- libsdformat's own check ---------------------------------------------------------------------


def check_sdf(models: Path, home: Path, *paths: Path) -> tuple[bool, str, set[str]]:
    """
    Return whether libsdformat finds the files valid, what it says, and elements unknown to it.

    It tells of those in its log only, which it writes into the home folder.
    """
    if find_library('sdformat12') is None:
        pytest.skip('libsdformat 12 is not installed (apt-get install libsdformat12-12)')
    done = subprocess.run(
        [sys.executable, '-c', CHECK, *map(str, paths)],
        env={**os.environ, 'SDF_PATH': str(models), 'HOME': str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    log = (home / '.sdformat' / 'sdformat.log').read_text()
    unknown = set(re.findall(r'XML Element\[(\w+)\], child of element\[\w+\], not defined', log))
    return done.returncode == 0, done.stdout + done.stderr, unknown


def test_libsdformat_finds_every_file_valid(
    case: tuple[World, Files, str], tmp_path: Path
) -> None:
    _, files, _ = case
    paths = [files.world, *files.models.glob('*/model.sdf')]
    assert len(paths) == 2 + len(files.robots)
    valid, words, unknown = check_sdf(files.models, tmp_path, *paths)
    assert valid and words.split() == ['Valid.'] * len(paths), words
    assert unknown == NEWER


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('<child>left_wheel</child>', '<child>wheel</child>', 'wheel'),
        ('attached_to="camera_link"', 'attached_to="camera"', 'camera'),
        ('name="right_wheel_joint"', 'name="left_wheel_joint"', 'Non-unique'),
        ('<mass>9.4</mass>', '<mass>-9.4</mass>', 'inertia'),
        ('</joint>', '', 'Error'),
    ],
)
def test_libsdformat_reports_a_broken_model(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = robot_sdf('robot1', 0)
    assert old in text
    path = tmp_path / 'model.sdf'
    path.write_text(text.replace(old, new))
    valid, said, _ = check_sdf(tmp_path, tmp_path, path)
    assert not valid and words in said, said


def test_libsdformat_reports_a_misspelt_element_and_a_missing_building(tmp_path: Path) -> None:
    path = tmp_path / 'model.sdf'
    path.write_text(robot_sdf('robot1', 0).replace('samples>', 'smaples>'))
    assert check_sdf(tmp_path, tmp_path, path)[2] == NEWER | {'smaples'}
    files = export(load_world(WORLDS[0]), names(1), tmp_path / 'out')
    (building_folder,) = files.models.glob('*_building')
    building_folder.rename(tmp_path / 'elsewhere')
    valid, said, _ = check_sdf(files.models, tmp_path, files.world)
    assert not valid and 'Unable to find uri' in said


def test_a_world_with_an_odd_name_and_odd_angles_is_valid(tmp_path: Path) -> None:
    crate = {'name': 'crate', 'at': (4.5, 2.5), 'size': (0.6, 0.5), 'turn': 33}
    world = World.model_validate(room(name='2 odd-rooms', furniture=[crate]))
    files = export(world, ['scout', 'mule'], tmp_path / 'with space')
    assert files.name == '2_odd-rooms'
    paths = [files.world, *files.models.glob('*/model.sdf')]
    assert check_sdf(files.models, tmp_path, *paths)[0]


# --- the same world as MuJoCo's ------------------------------------------------------------------


def mujoco_scan(simulator: Simulator, robot: int) -> np.ndarray:
    """Return what MuJoCo's rays measure, without the lidar's noise."""
    x, y, yaw = simulator.true_pose(robot)
    angles = yaw + ANGLE_MIN + ANGLE_INCREMENT * np.arange(RAYS)
    rays = np.stack([np.cos(angles), np.sin(angles), np.zeros(RAYS)], axis=1)
    hit, ranges = np.zeros(RAYS, dtype=np.int32), np.empty(RAYS)
    body = simulator.model.body(simulator.names[robot]).id
    mujoco.mj_multiRay(
        *(simulator.model, simulator.data, np.array([x, y, LIDAR_HEIGHT]), rays.ravel()),
        *(LIDAR_GROUPS, 1, body, hit, ranges, None, RAYS, RANGE_MAX),
    )
    return np.where((ranges < 0) | (ranges > RANGE_MAX), np.inf, ranges)


def test_rays_meet_the_same_things_in_both(both: tuple[World, Simulator, Files]) -> None:
    _, simulator, files = both
    walls = building(files)
    rng = np.random.default_rng(SEED)
    worst, met = 0.0, 0
    for _ in range(6):
        poses = [simulator.true_pose(index) for index in range(8)]
        models = [
            Model(file.model, (x, y, 0, 0, 0, yaw))
            for file, (x, y, yaw) in zip(files.robots, poses, strict=True)
        ]
        for index, robot in enumerate(models):
            ours = scan([walls, *models], robot)
            ours[ours > RANGE_MAX] = np.inf
            theirs = mujoco_scan(simulator, index)
            near = np.isfinite(theirs)
            assert (np.isfinite(ours) == near).all()
            worst = max(worst, float(np.abs(ours[near] - theirs[near]).max()))
            met += int(near.sum())
        drive = rng.uniform((-0.5, -1.5), (0.5, 1.5), (8, 2))
        for _ in range(200):
            for index, command in enumerate(drive):
                simulator.set_command(index, *command)
            simulator.step()
        mujoco.mj_kinematics(simulator.model, simulator.data)  # a step leaves its start's places
    print(f'{met} rays, at most {worst:.1e} m apart')
    assert met > 6 * 8 * 200 and worst < SAME


def test_a_wall_that_is_moved_would_be_noticed(
    both: tuple[World, Simulator, Files], tmp_path: Path
) -> None:
    world, _, files = both
    start_x, start_y, yaw = files.robots[0].start
    robot = Model(files.robots[0].model, (start_x, start_y, 0, 0, 0, yaw))
    path = files.models / f'{files.name}_building' / 'model.sdf'
    tree = ET.parse(path)
    for item in tree.iter('visual'):
        if item.get('name') == 'wall_4_visual':
            pose = item.find('pose')
            x, *rest = numbers(pose.text)
            pose.text = ' '.join(map(str, (x + 0.01, *rest)))
    tree.write(tmp_path / 'model.sdf')
    apart = scan([Model(tmp_path / 'model.sdf')], robot) - scan([building(files)], robot)
    assert world.wall_boxes[3].turn == pytest.approx(math.pi / 2)
    assert 0.009 < np.nanmax(np.abs(apart)) < 1.0


def test_what_one_sees_is_what_one_bumps_into(case: tuple[World, Files, str]) -> None:
    _, files, _ = case
    model = building(files)
    seen = {shape.name.removesuffix('_visual'): shape for shape in model.shapes()}
    solid = {shape.name.removesuffix('_collision'): shape for shape in model.shapes('collision')}
    assert {name for name in seen if not name.startswith('poster_')} == set(solid)
    for name, shape in solid.items():
        assert (seen[name].place == shape.place).all() and (seen[name].size == shape.size).all()


def test_posters_hang_where_mujoco_has_them(both: tuple[World, Simulator, Files]) -> None:
    world, simulator, files = both
    model, data = simulator.model, simulator.data
    shown = [shape for shape in building(files).shapes() if shape.texture]
    planes = np.flatnonzero(
        (model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE) & (model.geom_matid >= 0)
    )
    assert len(shown) == len(planes) == len(world.posters)
    folder = files.models / f'{files.name}_building'
    for poster, shape, geom in zip(world.posters, shown, planes, strict=True):
        # x to the right of the picture, y to its top, z out of the wall, in both
        assert shape.place[:3, :3] == pytest.approx(data.geom_xmat[geom].reshape(3, 3), abs=1e-9)
        assert shape.place[:3, 3] == pytest.approx(data.geom_xpos[geom], abs=1e-9)
        assert shape.kind == 'plane' and (shape.place[:3, 2] @ [*poster.normal, 0.0]) > 0.999
        assert shape.size == pytest.approx(2 * model.geom_size[geom][:2], abs=1e-9)
        _, _, texture = shape.texture.partition(f'model://{folder.name}/')
        with Image.open(folder / texture) as picture, Image.open(poster.path) as original:
            assert picture.format == 'PNG'
            assert picture.width / picture.height == pytest.approx(
                original.width / original.height, rel=0.01
            )


# --- the same robots as MuJoCo's -----------------------------------------------------------------


def test_robots_start_where_mujoco_has_them(both: tuple[World, Simulator, Files]) -> None:
    world, _, files = both
    fresh = Simulator(world, 8, SEED, cameras=False)
    assert [robot.name for robot in files.robots] == fresh.names
    for index, robot in enumerate(files.robots):
        assert robot.start.tolist() == fresh.true_pose(index).tolist()
    fresh.close()


def test_lidar_and_camera_are_those_of_mujoco(both: tuple[World, Simulator, Files]) -> None:
    world, _, files = both
    fresh = Simulator(world, 8, SEED, cameras=False)
    x, y, yaw = files.robots[2].start
    robot = Model(files.robots[2].model, (x, y, 0, 0, 0, yaw))
    sensor, place = robot.sensor('lidar')
    lidar = sensor.find('lidar')
    assert place[:3, 3] == pytest.approx([x, y, LIDAR_HEIGHT], abs=1e-9)
    assert [float(lidar.findtext(f'range/{end}')) for end in ('min', 'max')] == [
        RANGE_MIN,
        RANGE_MAX,
    ]
    assert float(lidar.findtext('noise/stddev')) == RANGE_NOISE
    assert len(robot.lidar_rays()[1]) == RAYS
    sensor, place = robot.sensor('camera')
    index = fresh.model.camera('robot3').id
    turned = fresh.data.cam_xmat[index].reshape(3, 3)  # looks along -z, x to the right
    assert place[:3, 3] == pytest.approx(fresh.data.cam_xpos[index], abs=1e-9)
    assert place[:3, 0] == pytest.approx(-turned[:, 2], abs=1e-9)
    assert place[:3, 2] == pytest.approx(turned[:, 1], abs=1e-9)
    fov = float(sensor.findtext('camera/horizontal_fov'))
    assert fov == HORIZONTAL_FOV
    upright = 2 * math.atan(math.tan(fov / 2) * IMAGE_HEIGHT / IMAGE_WIDTH)
    assert math.degrees(upright) == pytest.approx(fresh.model.cam_fovy[index])
    fresh.close()


def test_wheels_miscount_as_those_of_mujoco(both: tuple[World, Simulator, Files]) -> None:
    world, _, files = both
    fresh = Simulator(world, 8, SEED, cameras=False)
    shares = set()
    for index, file in enumerate(files.robots):
        robot = Model(file.model)
        drive = robot.xml.find("plugin[@name='gz::sim::systems::DiffDrive']")
        wheels = [robot.places[f'{side}_wheel'] for side in ('left', 'right')]
        (shape,) = (s for s in robot.shapes('collision') if s.place is wheels[0])
        radius, track = shape.size[0], math.dist(*(wheel[:3, 3] for wheel in wheels))
        assert all(wheel[2, 3] == pytest.approx(radius) for wheel in wheels)
        assert wheels[0][1, 3] > 0 and wheels[0][:3, 2] == pytest.approx([0, 1, 0])
        believed_radius = float(drive.findtext('wheel_radius'))
        believed_track = float(drive.findtext('wheel_separation'))
        # What they count of a way and of a turn, as a share of the true one.
        distance = believed_radius / radius
        turn = (believed_radius / believed_track) / (radius / track)
        assert distance == pytest.approx(fresh._robots[index].scale_d, rel=1e-9)
        assert turn == pytest.approx(fresh._robots[index].scale_a, rel=1e-9)
        shares |= {distance, turn}
    assert len(shares) == 16
    fresh.close()


def test_the_body_is_that_of_mujoco(both: tuple[World, Simulator, Files]) -> None:
    _, simulator, files = both
    robot = Model(files.robots[0].model)
    (body,) = (shape for shape in robot.shapes() if shape.name == 'body_visual')
    (solid,) = (shape for shape in robot.shapes('collision') if shape.name == 'body_collision')
    geom = next(
        index
        for index in np.flatnonzero(simulator.model.geom_group == 1)
        if simulator.model.geom_bodyid[index] == simulator.model.body('robot1').id
    )
    radius, half, _ = simulator.model.geom_size[geom]
    assert body.size[0] == solid.size[0] == pytest.approx(radius)
    assert body.place[2, 3] + body.size[1] / 2 == pytest.approx(2 * half)
    mass = sum(float(item.text) for item in robot.xml.iter('mass'))
    assert mass == pytest.approx(simulator.model.body('robot1').mass[0])


def test_every_lidar_sees_all_robots_but_its_own(tmp_path: Path) -> None:
    masks, flags = [], []
    for index in range(MAX_ROBOTS):
        path = tmp_path / f'{index}.sdf'
        path.write_text(robot_sdf(f'robot{index + 1}', index))
        robot = Model(path)
        masks.append(robot.lidar_rays()[2])
        flags.append({shape.name: shape.flags for shape in robot.shapes()})
    for here, mask in enumerate(masks):
        seen = [bool(mask & there['body_visual']) for there in flags]
        assert seen == [there != here for there in range(MAX_ROBOTS)]
        assert not any(mask & there['mast_visual'] for there in flags)


def test_the_description_has_the_frames_of_the_model(case: tuple[World, Files, str]) -> None:
    _, files, _ = case
    for robot in files.robots:
        model = Model(robot.model)
        places = {'base_footprint': np.eye(4)}
        urdf = ET.parse(robot.urdf).getroot()
        for joint in urdf.findall('joint'):
            assert joint.get('type') == 'fixed'
            origin = joint.find('origin')
            local = matrix(numbers(f'{origin.get("xyz")} {origin.get("rpy")}'))
            places[joint.find('child').get('link')] = (
                places[joint.find('parent').get('link')] @ local
            )
        assert {link.get('name') for link in urdf.findall('link')} == set(places)
        assert set(places) == {
            *('base_footprint', 'base_scan', 'camera_link', 'camera_optical_frame')
        }
        for name, place in places.items():
            assert place == pytest.approx(model.places[name], abs=1e-12)
        for name, frame in (('lidar', 'base_scan'), ('camera', 'camera_link')):
            assert model.sensor(name)[1] == pytest.approx(places[frame], abs=1e-12)


def test_frames_and_topics_follow_the_convention(case: tuple[World, Files, str]) -> None:
    _, files, prefix = case
    robot = Model(files.robots[0].model)
    drive = robot.xml.find("plugin[@name='gz::sim::systems::DiffDrive']")
    assert drive.findtext('frame_id') == f'{prefix}odom'
    assert drive.findtext('child_frame_id') == f'{prefix}base_footprint'
    assert robot.sensor('lidar')[0].findtext('gz_frame_id') == f'{prefix}base_scan'
    camera = robot.sensor('camera')[0]
    assert camera.findtext('camera/optical_frame_id') == f'{prefix}camera_optical_frame'
    assert camera.findtext('gz_frame_id') == f'{prefix}camera_optical_frame'
    bridge = yaml.safe_load(files.robots[0].bridge.read_text())
    said = {item.text for item in robot.xml.iter() if (item.text or '').startswith('/robot1/')}
    carried = {entry['gz_topic_name'] for entry in bridge}
    assert said == carried | {'/robot1/camera/image_raw'}  # pictures go by image_bridge
    (tf,) = (entry for entry in bridge if entry['gz_type_name'] == 'gz.msgs.Pose_V')
    assert tf['ros_topic_name'] == ('/tf' if prefix else 'tf')


def test_the_world_has_the_systems_that_robots_need(case: tuple[World, Files, str]) -> None:
    _, files, _ = case
    world = ET.parse(files.world).getroot().find('world')
    assert world.get('name') == files.name
    systems = {plugin.get('name').rpartition('::')[2] for plugin in world.findall('plugin')}
    assert systems == {'Physics', 'UserCommands', 'SceneBroadcaster', 'Sensors', 'Imu'}
    (clock,) = yaml.safe_load(files.clock.read_text())
    assert clock['direction'] == 'GZ_TO_ROS' and clock['ros_topic_name'] == '/clock'


# --- the command ---------------------------------------------------------------------------------


def test_the_command_writes_what_the_launch_file_uses(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    arguments = ['world', 'export', 'office', '--out', str(out), '--robots', '3', '--seed', '4']
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == OK, done.output
    assert 'GZ_SIM_RESOURCE_PATH' in done.stdout and 'robot3' in done.stdout
    export(load_world(WORLDS[0]), names(3), tmp_path / 'same', 4)
    for path in (tmp_path / 'same').rglob('*.*'):
        assert path.read_bytes() == (out / path.relative_to(tmp_path / 'same')).read_bytes()
    assert {path.name for path in out.iterdir()} == {
        *('models', 'office.sdf', 'clock.yaml', 'robot1', 'robot2', 'robot3')
    }


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['nowhere.yaml'], 'nowhere.yaml: cannot be read'),
        (['castle'], "no world 'castle' comes with the project, only office, store"),
        (['office', '--robots', '9'], '9 robots need'),
        (['office', '--tf', 'bare'], "expected namespaced or prefixed, got 'bare'"),
    ],
)
def test_the_command_refuses_in_words(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ['world', 'export', *arguments, '--out', str(tmp_path / 'a')])
    assert done.exit_code == BAD_INPUT and words in done.output.replace('\n', ' ')
    assert not (tmp_path / 'a').exists()


def test_a_folder_that_is_used_or_no_folder_is_refused(tmp_path: Path) -> None:
    world = load_world(WORLDS[0])
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(ConfigError, match='is not empty'):
        export(world, names(1), tmp_path)
    with pytest.raises(ConfigError, match='cannot be written'):
        export(world, names(1), tmp_path / 'file' / 'below')
    with pytest.raises(ConfigError, match='the same name'):
        export(world, ['robot1', 'robot1'], tmp_path / 'new')
    assert [path.name for path in tmp_path.iterdir()] == ['file']
