"""What was heard of a robot: each fault is named, with its fix; nodes/test_doctor.py listens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from doctor_findings import bad, LIMITS, only
import pytest

from collab_robots.explorer.doctor.finding import Level
from collab_robots.explorer.doctor.heard import Heard, Said, Stream
from collab_robots.explorer.doctor.network import look_at_network
from collab_robots.explorer.doctor.robot import read_robot, ROBOT_NODES
from collab_robots.explorer.fleets import make_fleet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of robot1, in a fleet of three."""
    make_fleet(tmp_path, ('robot1', 'robot2', 'robot3'), 'test')
    return tmp_path / 'robot1'


def stream(topic: str, rate: float = 10.0, age: float = 0.0) -> Stream:
    times = [index / rate for index in range(int(5 * rate))]
    return Stream(f'/robot1/{topic}', 'pkg/msg/T', ['pkg/msg/T'], times, [age] * len(times))


def said(**values: object) -> Said:
    return replace(Said('f', 0.0, 0, 0, 7, ('robot2', 'robot3'), (), ''), **values)


def well(**values: object) -> Heard:
    """Return what is heard of a healthy robot, but for some values."""
    heard = Heard(
        domain=7,
        seconds=5.0,
        until=5.0,
        nodes=frozenset(f'/robot1/{node}' for node in ROBOT_NODES),
        states=dict.fromkeys(ROBOT_NODES, 'active'),
        scan=stream('scan'),
        rays=[0.9] * 50,
        image=stream('camera/image_raw'),
        camera_info=stream('camera/camera_info'),
        odometry=stream('odom'),
        frames=('odom', 'base_link'),
        transforms={('odom', 'base_link'): 0.0, ('map', 'odom'): 0.1},
        said={name: [said()] * 9 for name in ('robot1', 'robot2', 'robot3')},
        strangers={},
        ledgers=1,
        vendors=dict.fromkeys(('robot1', 'robot2', 'robot3'), '010f'),
        clock=True,
    )
    return replace(heard, **values)


def statuses(offsets: dict[str, float], **own: object) -> dict[str, list[Said]]:
    """Return what ledgers say whose clocks are ahead by so many seconds."""
    return {
        name: [said(age=0.02 - offset, **(own if name == 'robot1' else {}))] * 9
        for name, offset in offsets.items()
    }


LEVEL = {'robot1': 0.0, 'robot2': 0.0, 'robot3': 0.0}


@pytest.mark.parametrize(
    ('values', 'check', 'level', 'message', 'fix'),
    [
        ({'nodes': frozenset()}, 'discovery', 'fail', 'domain 7 within 5 s', 'ROS_DOMAIN_ID'),
        ({'clock': False}, 'clock', 'fail', 'nothing is published on /clock', 'use_sim_time'),
        ({'strangers': {'ab' * 32: frozenset({'mule'})}}, 'domain', 'fail', 'mule of', 'another'),
        (
            {'strangers': {'ab' * 32: frozenset({'robot2'})}},
            'domain',
            'fail',
            'robot2 of another fleet (abab',
            'bring it the same fleet.yaml',
        ),
        ({'ledgers': 2}, 'domain', 'fail', '2 processes are robot1', 'stop the one'),
        (
            {'vendors': {'robot1': '010f', 'robot2': '0110'}},
            'rmw',
            'warn',
            'robot1 speaks Fast DDS, robot2 speaks Cyclone DDS',
            'RMW_IMPLEMENTATION',
        ),
        (
            {'states': {'ledger': 'active', 'mapper': 'active', 'tasks': 'active'}},
            'nodes',
            'fail',
            '/robot1/inference does not run',
            'log',
        ),
        (
            {'states': {**dict.fromkeys(ROBOT_NODES, 'active'), 'tasks': 'unconfigured'}},
            'nodes',
            'fail',
            '/robot1/tasks is unconfigured',
            'set /robot1/tasks configure; ros2 lifecycle set /robot1/tasks activate',
        ),
        (
            {'states': {**dict.fromkeys(ROBOT_NODES, 'active'), 'tasks': ''}},
            'nodes',
            'fail',
            'does not answer',
            'start it again',
        ),
        (
            {'states': {}, 'said': {}},
            'nodes',
            'fail',
            'no node of robot1 runs in /robot1',
            'robot.launch.py',
        ),
        ({'rays': [0.04] * 50}, 'lidar', 'warn', '4% of the rays', 'lens'),
        ({'rays': [0.9] * 20}, 'lidar', 'warn', '30 of 50 scans cannot be used', 'lens'),
        ({'scan': stream('scan', age=9.0)}, 'lidar', 'warn', '9.0 s old', 'use_sim_time'),
        ({'scan': stream('scan', age=-9.0)}, 'lidar', 'warn', '9.0 s in the future', 'chrony'),
        (
            {'scan': replace(stream('scan'), kinds=['sensor_msgs/msg/PointCloud2'])},
            'lidar',
            'fail',
            'has the type sensor_msgs/msg/PointCloud2, not pkg/msg/T',
            'remap',
        ),
        ({'scan': Stream('/robot1/scan', 'T')}, 'lidar', 'fail', 'nothing publishes', 'driver'),
        ({'image': Stream('/robot1/i', 'T')}, 'camera', 'warn', 'names nothing', 'if it has a'),
        (
            {'image': replace(stream('i'), refused='image: 7 channels')},
            'camera',
            'fail',
            '7 channels',
            'rgb8',
        ),
        (
            {'camera_info': Stream('/robot1/info', 'T')},
            'camera',
            'warn',
            '/robot1/info is not published',
            'calibrate',
        ),
        (
            {'camera_info': replace(stream('i'), refused='focal length 0')},
            'camera',
            'warn',
            'focal length 0',
            'calibrate',
        ),
        (
            {'odometry': replace(stream('odom'), refused='expected a finite pose')},
            'odometry',
            'fail',
            'finite pose',
            'restart',
        ),
        (
            {'transforms': {('map', 'odom'): 0.0}},
            'tf',
            'warn',
            'no transform from odom',
            'publish',
        ),
        (
            {'transforms': {('odom', 'base_link'): 0.0}},
            'tf',
            'warn',
            'no transform from map to odom',
            'what makes the map',
        ),
        (
            {'transforms': {('odom', 'base_link'): 8.0, ('map', 'odom'): 0.0}},
            'tf',
            'warn',
            'is 8.0 s old',
            'restart',
        ),
        (
            {'said': statuses(LEVEL, peers=('robot2',))},
            'peers',
            'warn',
            'does not hear robot3',
            'robot.launch.py, which joins',
        ),
        (
            {'said': {'robot1': [said(peers=())] * 9}},
            'peers',
            'fail',
            'hears nobody of robot2, robot3',
            'the same ROS_DOMAIN_ID (7)',
        ),
        (
            {'said': statuses({**LEVEL, 'robot3': 10.0})},
            'clock',
            'fail',
            'the clock of robot3 is 10.0 s ahead of that of the others',
            'chronyc makestep',
        ),
        (
            {'said': statuses({**LEVEL, 'robot1': -10.0})},
            'clock',
            'fail',
            'the clock of robot1 is 10.0 s behind that of the others',
            'chrony',
        ),
        (
            {'said': statuses({'robot1': 0.0, 'robot2': -1.5})},
            'clock',
            'warn',
            'the clock of robot2 is 1.5 s behind that of robot1',
            'chrony',
        ),
        ({'said': statuses(LEVEL, pending=3)}, 'finality', 'warn', '3 blocks are not', '2/3'),
        ({'said': statuses(LEVEL, waiting=3)}, 'lag', 'warn', '3 blocks wait', 'bring the robot'),
        (
            {'said': statuses(LEVEL, equivocators=('robot2',))},
            'alarm',
            'warn',
            'robot2 signed two records',
            'fleet rekey',
        ),
    ],
)
def test_what_is_heard(
    folder: Path, values: dict, check: str, level: str, message: str, fix: str
) -> None:
    robot, _ = read_robot(folder)
    only(
        bad(look_at_network(robot, well(**values), LIMITS)),
        check,
        Level(level),
        message,
        fix,
    )


def test_nothing_is_wrong_with_what_is_heard_of_a_healthy_robot(folder: Path) -> None:
    robot, _ = read_robot(folder)
    assert bad(look_at_network(robot, well(), LIMITS)) == []


def test_alarms_are_passed_on(folder: Path) -> None:
    robot, _ = read_robot(folder)
    own = statuses(LEVEL, alarm='the disk is full', equivocators=('robot1',))
    first, second = bad(look_at_network(robot, well(said=own), LIMITS))
    only([first], 'alarm', Level.FAIL, 'the disk is full', 'ledger summary')
    only([second], 'alarm', Level.FAIL, 'with the key of robot1', 'never run two robots')


@pytest.mark.parametrize(
    ('needs', 'message'),
    [('navigator: nav2', 'map to odom'), ('mapper: external', 'slam_map to odom')],
)
def test_a_robot_that_needs_transforms_fails_without(
    folder: Path, needs: str, message: str
) -> None:
    (folder / 'params.yaml').write_text(f'/**: {{ros__parameters: {{{needs}}}}}')
    robot, _ = read_robot(folder)
    heard = well(transforms={('odom', 'base_link'): 0.0})
    found = bad(look_at_network(robot, heard, LIMITS))
    only(found, 'tf', Level.FAIL, f'no transform from {message}', 'publish')
