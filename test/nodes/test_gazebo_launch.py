"""
What gazebo.launch.py starts, in which order and with what: by stand-ins for Gazebo's packages.

Neither Gazebo nor ros_gz is on PyPI or in Debian, so programs of the same names write down how
they were called. That shows the launch file's part, and nothing of what Gazebo makes of it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from ament_index_python.packages import get_packages_with_prefixes
import numpy as np
import pytest
import yaml

from collab_robots.bringup.topics import direct_remappings
from collab_robots.sim.world import load_world

pytest.importorskip('launch_ros', reason="ROS 2's launch is not installed")

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # s
STAND_IN = """#!{python}
import json, os, signal, sys
from pathlib import Path
files = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == '--params-file']
call = {{
    'program': Path(sys.argv[0]).name,
    'arguments': sys.argv[1:],
    'parameters': [Path(file).read_text() for file in files],
    'models': os.environ.get('GZ_SIM_RESOURCE_PATH', ''),
}}
with open({log!r}, 'a') as log:
    log.write(json.dumps(call) + '\\n')
if call['program'] != 'create':  # which ends when the robot is there
    signal.sigwait([signal.SIGINT, signal.SIGTERM])
"""
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
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [tuple(word.split(':=', 1)) for word in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""


def stand_ins(prefix: Path, log: Path) -> None:
    """Make a prefix with the packages that the launch file starts programs of."""
    for package, program in (
        ('collab_robots', 'robot'),
        ('robot_state_publisher', 'robot_state_publisher'),
        ('ros_gz_bridge', 'parameter_bridge'),
        ('ros_gz_image', 'image_bridge'),
        ('ros_gz_sim', 'create'),
        ('ros_gz_sim', 'gz'),
    ):
        index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / package
        path = prefix / 'lib' / package / program
        for each in (index, path):
            each.parent.mkdir(parents=True, exist_ok=True)
        index.touch()
        path.write_text(STAND_IN.format(python=sys.executable, log=str(log)))
        path.chmod(0o755)
    launch = prefix / 'share' / 'ros_gz_sim' / 'launch' / 'gz_sim.launch.py'
    launch.parent.mkdir(parents=True)
    program = str(prefix / 'lib' / 'ros_gz_sim' / 'gz')
    launch.write_text(GZ_SIM_LAUNCH.format(program=program))


def run(tmp_path: Path, calls: int, *arguments: str) -> list[dict[str, Any]]:
    """Launch until so many programs were called, then press Ctrl-C; return the calls."""
    log = tmp_path / 'calls'
    log.touch()
    stand_ins(tmp_path / 'prefix', log)
    prefixes = os.pathsep.join([str(tmp_path / 'prefix'), os.environ.get('AMENT_PREFIX_PATH', '')])
    process = subprocess.Popen(
        [sys.executable, '-c', LAUNCH, str(ROOT / 'launch' / 'gazebo.launch.py'), *arguments],
        env={**os.environ, 'AMENT_PREFIX_PATH': prefixes, 'ROS_LOG_DIR': str(tmp_path / 'log')},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while len(log.read_text().splitlines()) < calls and process.poll() is None:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)  # nothing tells that a file grew
    files = [json.loads(line) for line in log.read_text().splitlines()]
    for call in files:
        folder = call['models'].rpartition(os.pathsep)[2]
        assert (Path(folder) / 'robot1' / 'model.sdf').is_file()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert not Path(folder).exists(), 'what was written for this run stayed'
    return [json.loads(line) for line in log.read_text().splitlines()]


def parameters(call: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a call hands over in files, into which launch writes tuples."""
    result: dict[str, Any] = {}
    for text in call['parameters']:
        for value in yaml.full_load(text).values():
            result |= value['ros__parameters']
    return result


def remappings(call: dict[str, Any]) -> dict[str, str]:
    """Return the remappings of a call."""
    words = call['arguments']
    rules = [words[index + 1] for index, word in enumerate(words) if word == '-r']
    return dict(rule.split(':=', 1) for rule in rules)


@pytest.mark.parametrize('tf', ['namespaced', 'prefixed'])
def test_gazebo_one_clock_bridge_and_robots_one_by_one(tmp_path: Path, tf: str) -> None:
    robots = 3
    calls = run(
        *(tmp_path, 2 + 5 * robots, f'robots:={robots}', 'seed:=9', 'spawn_period:=0.5'),
        *('headless:=true', f'tf:={tf}', f'folder:={tmp_path / "run"}', 'share:=false'),
    )
    by: dict[str, list[dict[str, Any]]] = {}
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


def test_a_window_unless_nobody_wants_one(tmp_path: Path) -> None:
    for number, (gui, flags) in enumerate((('true', []), ('false', ['-s']))):
        folder = tmp_path / str(number)
        folder.mkdir()
        calls = run(folder, 7, 'robots:=1', 'world:=store', f'gui:={gui}', 'spawn_period:=0.0')
        (gazebo,) = (call for call in calls if call['program'] == 'gz')
        assert gazebo['arguments'][:-1] == ['-r', '-v3', *flags, '--seed', '1']
        assert gazebo['arguments'][-1].endswith('/store.sdf')


def test_without_gazebo_it_says_what_to_install(tmp_path: Path) -> None:
    if 'ros_gz_sim' in get_packages_with_prefixes():
        pytest.skip('Gazebo is installed here')
    done = subprocess.run(
        [sys.executable, '-c', LAUNCH, str(ROOT / 'launch' / 'gazebo.launch.py')],
        env={**os.environ, 'ROS_LOG_DIR': str(tmp_path / 'log')},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0 and 'ros-jazzy-ros-gz' in done.stdout + done.stderr
    assert not (tmp_path / 'runs').exists()
