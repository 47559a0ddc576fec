"""The definition of a team's processes, and what a person may write about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
import json
import math
from pathlib import Path
import re
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
import yaml

from collab_robots.bringup.processes import (
    explorer,
    fleet_robot,
    in_yaml,
    node,
    robot,
    simulator,
)
from collab_robots.bringup.tables import NODES, OPTIONS, PERSONAL, ROBOT, SHARED, SIMULATOR
from collab_robots.bringup.topics import direct_remappings
from collab_robots.bringup.values import check_namespace, read_robots, read_values
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.team import find_world, Team

FLEET = Path('site/fleet.yaml')
WORLD = Path(__file__).parents[2] / 'worlds' / 'office.yaml'
NAMES = st.from_regex(r'[a-z][a-z0-9_]{0,31}', fullmatch=True)
POSES = st.tuples(*[st.floats(-1e6, 1e6)] * 3)


@given(st.dictionaries(NAMES, POSES, min_size=1, max_size=5))
def test_robots_are_read_as_nav2_writes_them(robots: dict[str, tuple[float, ...]]) -> None:
    text = '; '.join(
        f'{name}={{x: {x!r}, y: {y!r}, yaw: {yaw!r}}}' for name, (x, y, yaw) in robots.items()
    )
    assert read_robots(text) == robots


def test_a_pose_may_be_short() -> None:
    assert read_robots(' robot1 = {x: 1} ;robot2={yaw: 1e-1, y: -2};') == {
        'robot1': (1.0, 0.0, 0.0),
        'robot2': (0.0, -2.0, 0.1),
    }


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'names no robot'),
        ('robot1', "cannot read 'robot1'"),
        ('robot1={x: 1', 'cannot read'),
        ('robot1={x: 1} robot2={}', 'cannot read'),
        ('Robot1={}', "'Robot1' is no name of a robot"),
        ('a={}; a={}', 'a is there twice'),
        ('a={z: 1}', 'expected x and y in m and yaw in rad'),
        ('a={x: one}', 'expected x and y'),
        ('a={x: .nan}', 'expected x and y'),
        ('a={x: true}', 'expected x and y'),
        ('a={x}', 'expected x and y'),
        ('a={x: [}', 'expected x and y'),
    ],
)
def test_wrong_robots_are_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match='robots: ') as error:
        read_robots(text)
    assert words in str(error.value)


def default_text(value: Any) -> str:
    return value if isinstance(value, str) else in_yaml(value)


@pytest.mark.parametrize('table', [*NODES.values(), ROBOT, OPTIONS], ids=[*NODES, 'robot', 'how'])
def test_every_default_reads_back(table: Mapping[str, Any]) -> None:
    texts = {name: default_text(each.default) for name, each in table.items() if not each.required}
    assert read_values(table, texts) == {name: table[name].default for name in texts}


def test_values_get_the_type_of_their_parameter() -> None:
    texts = {
        'slow': '2',
        'max_loss': '1e-3',
        'initial_pose': '[1, 2, 1e-1]',
        'share': 'False',
        'rest_port': '8080',
        'helpers': '[robot1]',
        'store': '1',
    }
    assert read_values(ROBOT, texts) == {
        'slow': 2.0,
        'max_loss': 0.001,
        'initial_pose': [1.0, 2.0, 0.1],
        'share': False,
        'rest_port': 8080,
        'helpers': ['robot1'],
        'store': '1',
    }


@pytest.mark.parametrize(
    ('name', 'text', 'words'),
    [
        ('sped', '1', "is it 'speed'?"),
        ('robots', '0', 'from 1 to 64'),
        ('robots', '1.5', 'a whole number'),
        ('speed', 'fast', "a number from 0.01 to 100, got 'fast'"),
        ('speed', '.inf', 'a number'),
        ('speed', '[', 'a number'),
        ('cameras', '1', 'true or false'),
    ],
)
def test_wrong_values_are_refused_in_words(name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_values(SIMULATOR, {name: text})


@pytest.mark.parametrize('namespace', ['robot1', '/robot1', 'hall/robot1', '_a/B2'])
def test_namespaces(namespace: str) -> None:
    check_namespace(namespace)
    process = robot('robot1', FLEET, namespace=namespace)
    assert process.namespace == '/' + namespace.lstrip('/')
    assert ('/diagnostics', f'{process.namespace}/diagnostics') in process.remappings


@pytest.mark.parametrize('namespace', ['1robot', 'a//b', 'a/', 'a b', '//a', 'a-b', '~a', 'ä'])
def test_wrong_namespaces_are_refused_in_words(namespace: str) -> None:
    with pytest.raises(ConfigError, match='expected names of letters'):
        robot('robot1', FLEET, namespace=namespace)


def test_a_robot_s_paths_are_in_its_folder_unless_they_are_chosen() -> None:
    process = robot('robot1', FLEET, {'store': '/data/ledger.db', 'slow': 2})
    assert process.parameters == {
        'name': 'robot1',
        'fleet': 'site/fleet.yaml',
        'key': 'site/robot1/key',
        'store': '/data/ledger.db',
        'pose_file': 'site/robot1/pose.json',
        'slow': 2.0,
        'use_sim_time': False,
    }


def test_dds_is_the_radio_unless_a_simulator_has_one() -> None:
    real = robot('robot1', FLEET, use_sim_time=True)
    assert set(direct_remappings()) <= set(real.remappings)
    assert real.parameters['use_sim_time'] is True
    simulated = robot('robot1', FLEET, simulated=True)
    assert not set(direct_remappings()) & set(simulated.remappings)
    assert simulated.parameters['use_sim_time'] is True


def test_tf_has_two_conventions() -> None:
    assert 'frame_prefix' not in robot('robot1', FLEET).parameters
    prefixed = robot('robot1', FLEET, tf='prefixed')
    assert prefixed.parameters['frame_prefix'] == 'robot1/'
    assert {('tf', '/tf'), ('tf_static', '/tf_static')} <= set(prefixed.remappings)
    assert simulator(WORLD, tf='prefixed').parameters['frame_prefixes'] is True
    with pytest.raises(ConfigError, match="'namespaced', 'prefixed'"):
        robot('robot1', FLEET, tf='both')


def test_a_command_says_all_and_parameters_come_after_files() -> None:
    process = node(
        'robot',
        namespace='/robot1',
        parameters={'text': "it's", 'list': ['a', 'b'], 'yes': True, 'split': '40:80', 'x': 1.0},
        files=(Path('a.yaml'),),
        remappings=(('tf', '/tf'),),
        log_level='debug',
    )
    assert process.executable == 'robot'
    assert process.command == [
        *(sys.executable, '-m', 'collab_robots.nodes.robot', '--ros-args'),
        *('-r', '__ns:=/robot1', '-r', 'tf:=/tf', '--params-file', 'a.yaml'),
        *('-p', "text:='it''s'", '-p', 'list:=["a", "b"]', '-p', 'yes:=true'),
        *('-p', "split:='40:80'", '-p', 'x:=1.0', '--log-level', 'debug'),
    ]


@given(st.text(max_size=50).filter(str.isprintable))
def test_texts_survive_yaml(text: str) -> None:
    assert yaml.safe_load(in_yaml(text)) == text


def test_a_program_that_is_no_node_gets_no_ros_arguments() -> None:
    process = explorer({'ledger': 'a/ledger.db', 'port': 0, 'token_file': 'token'})
    assert process.command[3:] == [
        *('ledger', 'web', 'a/ledger.db', '--port', '0', '--token-file', 'token'),
    ]
    assert explorer({}, 'top').command[3:] == ['ledger', 'top']


def test_a_fleet_s_robot_needs_its_files(tmp_path: Path) -> None:
    make_fleet(tmp_path, ('robot1', 'robot2'), name='test')
    file = tmp_path / 'fleet.yaml'
    own = tmp_path / 'robot1' / 'params.yaml'
    assert fleet_robot('robot1', file).files == ()
    own.write_text('/**:\n  ros__parameters:\n    initial_pose: [1.0, 2.0, 0.0]\n')
    given_file = tmp_path / 'site.yaml'
    with pytest.raises(ConfigError, match='there is no such parameter file'):
        fleet_robot('robot1', file, files=[given_file])
    given_file.touch()
    assert fleet_robot('robot1', file, files=[given_file]).files == (own, given_file)
    (tmp_path / 'robot2' / 'key').unlink()
    with pytest.raises(ConfigError, match='the key of robot2 is not here'):
        fleet_robot('robot2', file)
    with pytest.raises(ConfigError, match="robot 'robot9' is not in fleet 'test'; it has: robot1"):
        fleet_robot('robot9', file)
    with pytest.raises(ConfigError, match='cannot be read'):
        fleet_robot('robot1', tmp_path / 'nowhere.yaml')


def test_robots_start_where_they_are_told(tmp_path: Path) -> None:
    make_fleet(tmp_path, ('robot1', 'robot2'), name='test')
    file = tmp_path / 'fleet.yaml'
    team = Team.of_file(file)
    assert list(team.starts) == ['robot1', 'robot2']
    assert all('initial_pose' not in each.parameters for each in team.robots({}))
    (placed,) = Team(file, {'robot2': (1.0, 2.0, 0.5)}).robots({'share': False})
    assert placed.parameters['initial_pose'] == [1.0, 2.0, 0.5]
    assert placed.parameters['share'] is False


def test_a_simulation_makes_its_fleet_and_only_when_told(tmp_path: Path) -> None:
    folder = tmp_path / 'run'
    team = Team.simulated(find_world('office'), 2, folder=folder)
    planned = team.robots({}, simulated=True)
    assert not folder.exists()
    team.make()
    assert [Path(each.parameters['key']).is_file() for each in planned] == [True, True]
    poses = [each.parameters['initial_pose'] for each in planned]
    assert poses[0] != poses[1] and all(math.isfinite(value) for pose in poses for value in pose)
    with pytest.raises(ConfigError, match='a run is never mixed'):
        Team.simulated(WORLD, 2, folder=folder)
    again = Team.simulated(WORLD, 2, fleet=folder / 'fleet.yaml')
    again.make()  # nothing: it is there
    assert [each.name for each in again.robots({})] == ['robot1', 'robot2']


def test_what_robots_share_is_the_rest_of_what_a_robot_takes() -> None:
    assert set(SHARED) == set(ROBOT) - PERSONAL and set(ROBOT) >= PERSONAL
    assert not set(ROBOT) & (set(OPTIONS) | set(SIMULATOR))  # one --set serves both


def test_a_plan_can_be_written_as_json() -> None:
    process = robot('robot1', FLEET, {'false_wall': (0, 1, 2, 3)})
    assert json.loads(in_yaml(process.parameters['false_wall'])) == [0.0, 1.0, 2.0, 3.0]
    assert replace(process, name='other').command == process.command
