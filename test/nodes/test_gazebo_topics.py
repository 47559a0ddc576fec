"""What Gazebo and its bridges give a robot is what the simulator node gives it, name by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
import xml.etree.ElementTree as ET

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from scipy.spatial.transform import Rotation
import yaml

from collab_robots.bringup import topics
from collab_robots.nodes.sim_node import (
    IMAGE_STEPS,
    ODOM_STEPS,
    SCAN_STEPS,
    SimNode,
    TICK_S,
    TRUTH_STEPS,
)
from collab_robots.nodes.sim_robot import _static_transforms, RobotTopics
from collab_robots.sim.gazebo.export import export, RobotFiles
from collab_robots.sim.world import load_world

WORLD = Path(__file__).parents[2] / 'worlds' / 'office.yaml'
DOMAIN = 150
ROBOT = 'robot1'


@pytest.fixture(params=[False, True], ids=['namespaced', 'prefixed'])
def prefixed(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Which convention of tf; ROS 2 is up."""
    rclpy.init(args=[], domain_id=DOMAIN)
    yield request.param
    rclpy.shutdown()


@pytest.fixture
def files(prefixed: bool, tmp_path: Path) -> RobotFiles:
    return export(load_world(WORLD), [ROBOT], tmp_path, prefixed=prefixed).robots[0]


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split()]


def absolute(topic: str) -> str:
    return topic if topic.startswith('/') else f'/{ROBOT}/{topic}'


def bridged(robot: RobotFiles, direction: str) -> set[tuple[str, str]]:
    """Return the topics and types that the list names, as ROS has them."""
    return {
        (absolute(entry['ros_topic_name']), entry['ros_type_name'])
        for entry in yaml.safe_load(robot.bridge.read_text())
        if entry['direction'] == direction
    }


def of_a_robot(endpoints: Any) -> set[tuple[str, str]]:
    """Return those topics that are a robot's body, not its radio and not the simulation's."""
    return {
        (topic, kind)
        for topic, kinds in endpoints
        for kind in kinds
        if topic.startswith((f'/{ROBOT}/', '/tf')) and '/radio/' not in topic
    }


def test_the_bridges_carry_what_the_simulator_publishes_and_hears(
    prefixed: bool, files: RobotFiles
) -> None:
    values = {'world': str(WORLD), 'robots': 1, 'frame_prefixes': prefixed, 'cameras': False}
    sim = SimNode(parameter_overrides=[Parameter(key, value=v) for key, v in values.items()])
    camera = Node('camera')
    RobotTopics(camera, ROBOT, cameras=True, prefix=f'{ROBOT}/' if prefixed else '')
    name, space = sim.get_name(), sim.get_namespace()
    published = of_a_robot(sim.get_publisher_names_and_types_by_node(name, space))
    published |= of_a_robot(camera.get_publisher_names_and_types_by_node('camera', '/'))
    heard = of_a_robot(sim.get_subscriber_names_and_types_by_node(name, space))
    others = {
        (absolute(topics.IMAGE), 'sensor_msgs/msg/Image'),  # image_bridge
        ('/tf_static' if prefixed else absolute('tf_static'), 'tf2_msgs/msg/TFMessage'),
    }  # robot_state_publisher
    assert bridged(files, 'GZ_TO_ROS') | others == published
    assert bridged(files, 'ROS_TO_GZ') == heard
    sim.destroy_node()
    camera.destroy_node()


def test_frames_and_scan_are_those_of_the_simulator(prefixed: bool, files: RobotFiles) -> None:
    node = Node('body')
    body = RobotTopics(node, ROBOT, cameras=True, prefix=f'{ROBOT}/' if prefixed else '')
    model = ET.parse(files.model).getroot()
    drive = model.find(".//plugin[@name='gz::sim::systems::DiffDrive']")
    truth = model.find(".//plugin[@name='gz::sim::systems::OdometryPublisher']")
    lidar, camera = model.find(".//sensor[@name='lidar']"), model.find('.//sensor/camera')
    assert None not in (drive, truth, lidar, camera)
    assert drive.findtext('frame_id') == body.odom.header.frame_id
    assert drive.findtext('child_frame_id') == body.odom.child_frame_id
    transform = body.tf.transforms[0]
    assert drive.findtext('frame_id') == transform.header.frame_id
    assert drive.findtext('child_frame_id') == transform.child_frame_id
    assert truth.findtext('odom_frame') == body.truth.header.frame_id
    assert truth.findtext('robot_base_frame') == body.truth.child_frame_id
    assert lidar.findtext('gz_frame_id') == body.scan.header.frame_id
    assert camera.findtext('optical_frame_id') == body.image.header.frame_id
    scan = lidar.find('lidar')
    low, high = (float(scan.findtext(f'.//{end}_angle')) for end in ('min', 'max'))
    rays = int(scan.findtext('.//samples'))
    assert low == pytest.approx(body.scan.angle_min) and high == pytest.approx(body.scan.angle_max)
    assert (high - low) / (rays - 1) == pytest.approx(body.scan.angle_increment)
    assert float(scan.findtext('range/min')) == pytest.approx(body.scan.range_min)
    assert float(scan.findtext('range/max')) == pytest.approx(body.scan.range_max)
    assert int(camera.findtext('image/width')) == body.image.width == body.info.width
    assert int(camera.findtext('image/height')) == body.image.height == body.info.height
    node.destroy_node()


def test_the_description_has_the_simulators_static_frames(files: RobotFiles) -> None:
    joints = ET.parse(files.urdf).getroot().findall('joint')
    frames = _static_transforms('').transforms
    assert len(joints) == len(frames)
    for joint, frame in zip(joints, frames, strict=True):
        assert joint.find('parent').get('link') == frame.header.frame_id
        assert joint.find('child').get('link') == frame.child_frame_id
        place, turn = frame.transform.translation, frame.transform.rotation
        origin = joint.find('origin')
        assert numbers(origin.get('xyz')) == pytest.approx([place.x, place.y, place.z])
        turned = Rotation.from_euler('xyz', numbers(origin.get('rpy'))).as_quat()
        assert abs(turned @ [turn.x, turn.y, turn.z, turn.w]) == pytest.approx(1.0)


def test_rates_are_those_of_the_simulator(prefixed: bool, files: RobotFiles) -> None:
    model = ET.parse(files.model).getroot()
    rates = {
        sensor.get('name'): float(sensor.findtext('update_rate'))
        for sensor in model.iter('sensor')
    }
    for plugin in model.iter('plugin'):
        rates[plugin.get('name')] = float(plugin.findtext('odom_publish_frequency'))
    assert rates == pytest.approx(
        {
            'lidar': 1 / (SCAN_STEPS * TICK_S),
            'camera': 1 / (IMAGE_STEPS * TICK_S),
            'gz::sim::systems::DiffDrive': 1 / (ODOM_STEPS * TICK_S),
            'gz::sim::systems::OdometryPublisher': 1 / (TRUTH_STEPS * TICK_S),
        }
    )
