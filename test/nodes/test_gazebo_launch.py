"""
What gazebo.launch.py starts, in which order and with what: by stand-ins for Gazebo's packages.

Neither Gazebo nor ros_gz is on PyPI or in Debian.
"""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import get_packages_with_prefixes
import numpy as np
import pytest
from stand_ins import Call, launched, make_prefix, parameters, refused, remappings, ROOT

from collab_robots.bringup.topics import direct_remappings
from collab_robots.sim.world import load_world

GZ_SIM_LAUNCH = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, Shutdown
from launch.substitutions import LaunchConfiguration

def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument('gz_args'),
        DeclareLaunchArgument('on_exit_shutdown'),
        ExecuteProcess(cmd=[{program!r}, LaunchConfiguration('gz_args')], shell=True,
                       on_exit=Shutdown()),
    ])
"""


def run(folder: Path, count: int, *arguments: str) -> list[Call]:
    """Launch until so many programs were called; return the calls."""
    prefix = make_prefix(
        folder,
        (
            ('collab_robots', 'robot'),
            ('robot_state_publisher', 'robot_state_publisher'),
            ('ros_gz_bridge', 'parameter_bridge'),
            ('ros_gz_image', 'image_bridge'),
            ('ros_gz_sim', 'create'),
            ('ros_gz_sim', 'gz'),
        ),
    )
    launch = prefix / 'share' / 'ros_gz_sim' / 'launch' / 'gz_sim.launch.py'
    launch.parent.mkdir(parents=True)
    program = str(prefix / 'lib' / 'ros_gz_sim' / 'gz')
    launch.write_text(GZ_SIM_LAUNCH.format(program=program))
    with launched(folder, count, 'gazebo.launch.py', *arguments) as calls:
        (models,) = {Path(call['models'].rpartition(os.pathsep)[2]) for call in calls}
        assert (models / 'robot1' / 'model.sdf').is_file()
    assert not models.parent.exists(), 'what was written for this run stayed'
    return calls


@pytest.mark.parametrize('tf', ['namespaced', 'prefixed'])
def test_gazebo_one_clock_bridge_and_robots_one_by_one(tmp_path: Path, tf: str) -> None:
    robots = 3
    calls = run(
        *(tmp_path, 2 + 5 * robots, f'robots:={robots}', 'seed:=9', 'spawn_period:=0.5'),
        *('headless:=true', f'tf:={tf}', f'folder:={tmp_path / "run"}', 'share:=false'),
    )
    by: dict[str, list[Call]] = {}
    for call in calls:
        by.setdefault(call['program'], []).append(call)
    (gazebo,) = by['gz']
    *flags, world = gazebo['arguments']
    assert flags == ['-r', '-v3', '-s', '--headless-rendering', '--seed', '9']
    assert world.endswith('/office.sdf')
    clock, *bridges = sorted(by['parameter_bridge'], key=lambda call: '__ns' in remappings(call))
    assert remappings(clock) == {} and parameters(clock) == {
        'config_file': world.replace('office.sdf', 'clock.yaml'),
        'qos_overrides./clock.publisher.reliability': 'best_effort',
    }
    order = [call['arguments'][3] for call in by['create']]
    assert order == ['robot1', 'robot2', 'robot3']
    starts = load_world(ROOT / 'worlds' / 'office.yaml').start_poses(robots)
    for index, name in enumerate(order):
        words = by['create'][index]['arguments']
        assert words[:4] == ['-world', 'office', '-name', name] and words[4] == '-file'
        place = [float(words[words.index(flag) + 1]) for flag in ('-x', '-y', '-Y')]
        assert place == starts[index].tolist()
        own = {
            program: next(call for call in called if remappings(call).get('__ns') == f'/{name}')
            for program, called in by.items()
            if program not in ('gz', 'parameter_bridge')
        }
        (bridge,) = (call for call in bridges if remappings(call)['__ns'] == f'/{name}')
        assert parameters(bridge)['config_file'].endswith(f'/{name}/bridge.yaml')
        assert own['image_bridge']['arguments'][0] == f'/{name}/camera/image_raw'
        state = parameters(own['robot_state_publisher'])
        assert f'<robot name="{name}">' in state['robot_description'] and state['use_sim_time']
        shared = remappings(own['robot_state_publisher'])
        if tf == 'namespaced':
            assert shared['/tf_static'] == 'tf_static' and state['frame_prefix'] == ''
        else:
            assert '/tf_static' not in shared and state['frame_prefix'] == f'{name}/'
        robot = parameters(own['robot'])
        assert robot['use_sim_time'] is True and robot['share'] is False
        assert np.allclose(robot['initial_pose'], starts[index])
        assert dict(direct_remappings()).items() <= remappings(own['robot']).items()
    assert len(by['robot']) == len(bridges) == robots


@pytest.mark.parametrize(('gui', 'flags'), [('true', []), ('false', ['-s'])])
def test_a_window_unless_nobody_wants_one(tmp_path: Path, gui: str, flags: list[str]) -> None:
    calls = run(tmp_path, 7, 'robots:=1', 'world:=store', f'gui:={gui}', 'spawn_period:=0.0')
    (gazebo,) = (call for call in calls if call['program'] == 'gz')
    assert gazebo['arguments'][:-1] == ['-r', '-v3', *flags, '--seed', '1']
    assert gazebo['arguments'][-1].endswith('/store.sdf')


def test_without_gazebo_it_says_what_to_install(tmp_path: Path) -> None:
    if 'ros_gz_sim' in get_packages_with_prefixes():
        pytest.skip('Gazebo is installed here')
    assert 'ros-jazzy-ros-gz' in refused(tmp_path, 'gazebo.launch.py')
    assert not (tmp_path / 'runs').exists()
