"""
What rviz.launch.py and record.launch.py start, by stand-ins for RViz and rosbag2.

Neither is on PyPI, so programs of the same names write down how they were called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stand_ins
from stand_ins import Call, make_prefix, parameters, remappings, ROOT
import yaml

pytestmark = pytest.mark.timeout(600)  # each starts Python twice or more


class Calls(NamedTuple):
    """
    How programs were called.

    :param by: program, its call.
    :param files: texts of the files that their arguments named.
    """

    by: dict[str, Call]
    files: dict[str, str]


def prefix_in(folder: Path) -> None:
    """Make a prefix with the packages that the launch files start programs of."""
    prefix = make_prefix(
        folder, (('collab_robots', 'markers_node'), ('rviz2', 'rviz2'), ('ros2cli', 'ros2'))
    )
    share = prefix / 'share' / 'collab_robots'
    share.mkdir()
    (share / 'config').symlink_to(ROOT / 'config')


def launched(folder: Path, count: int, name: str, *arguments: str) -> Calls:
    """Launch until so many programs were called, read the files they got, press Ctrl-C."""
    prefix_in(folder)
    with stand_ins.launched(folder, count, name, *arguments) as calls:
        named = {
            word: Path(word).read_text()
            for call in calls
            for word in call['arguments']
            if word.endswith(('.rviz', '.yaml')) and '--params-file' not in word
        }
    written = [word for word in named if word.startswith('/tmp') and 'launch_params' not in word]
    assert not any(Path(word).exists() for word in written), 'a file of this run stayed'
    return Calls({call['program']: call for call in calls}, named)


def refused(folder: Path, name: str, *arguments: str) -> str:
    """Launch what cannot be; return what it says."""
    prefix_in(folder)
    return stand_ins.refused(folder, name, *arguments)


def topics_of(calls: Calls) -> set[str]:
    """Return the topics that RViz would show."""
    words = calls.by['rviz2']['arguments']
    shown = yaml.safe_load(calls.files[words[words.index('-d') + 1]])

    def of(displays: list[dict[str, Any]]) -> set[str]:
        return {
            topic
            for one in displays
            for topic in (
                of(one['Displays']) if 'Displays' in one else {one.get('Topic', {}).get('Value')}
            )
        } - {None}

    return of(shown['Visualization Manager']['Displays'])


def test_a_fleet_without_a_common_tf_is_shown_by_what_is_in_the_map(tmp_path: Path) -> None:
    calls = launched(tmp_path, 2, 'rviz.launch.py', 'robots:=[robot1,robot2]')
    assert parameters(calls.by['markers_node'])['robots'] == ['robot1', 'robot2']
    assert {'/markers/tasks', '/robot1/map', '/robot2/path'} <= topics_of(calls)
    assert '/robot1/scan' not in topics_of(calls)
    assert '__ns' not in remappings(calls.by['rviz2'])


def test_a_fleet_with_prefixed_frames_is_shown_with_scans(tmp_path: Path) -> None:
    calls = launched(
        tmp_path, 1, 'rviz.launch.py', 'robots:=[robot1,robot2]', 'tf:=prefixed', 'markers:=false',
        'use_sim_time:=true',
    )  # fmt: skip
    assert {'/robot1/scan', '/robot2/scan'} <= topics_of(calls)
    rules = remappings(calls.by['rviz2'])
    assert '/tf' not in rules
    assert parameters(calls.by['rviz2'])['use_sim_time'] is True


def test_one_robot_is_shown_in_its_namespace(tmp_path: Path) -> None:
    calls = launched(tmp_path, 2, 'rviz.launch.py', 'namespace:=robot2')
    rules = remappings(calls.by['rviz2'])
    assert (rules['__ns'], rules['/tf'], rules['/tf_static']) == ('/robot2', 'tf', 'tf_static')
    assert {'/robot2/scan', '/robot2/map', '/markers/trust'} <= topics_of(calls)
    assert parameters(calls.by['markers_node'])['robots'] == ['robot2']


def test_a_team_is_recorded(tmp_path: Path) -> None:
    calls = launched(
        tmp_path, 1, 'record.launch.py', 'robots:=[robot1,robot2]', 'out:=bag',
        'compression:=zstd_small',
    )  # fmt: skip
    words = calls.by['ros2']['arguments']
    assert words[:6] == ['bag', 'record', '--storage', 'mcap', '--output', 'bag']
    assert words[words.index('--storage-preset-profile') + 1] == 'zstd_small'
    overrides = calls.files[words[words.index('--qos-profile-overrides-path') + 1]]
    assert '/robot2/radio/tx/block' in yaml.safe_load(overrides)


def test_any_launch_file_can_record_what_it_starts(tmp_path: Path) -> None:
    file = tmp_path / 'own.launch.py'
    file.write_text(
        'from collab_robots.nodes import launch_record, launching\n'
        'def generate_launch_description():\n'
        '    return launching.describe(launch_record.OPTION,\n'
        "        lambda context: launch_record.recording(context, ['robot1'], True))\n"
    )
    calls = launched(tmp_path, 1, str(file), 'record:=true', 'bag:=tuesday')
    words = calls.by['ros2']['arguments']
    assert words[words.index('--output') + 1] == 'tuesday' and words[-1] == '--use-sim-time'


def test_what_cannot_be_says_what_to_pass(tmp_path: Path) -> None:
    (tmp_path / 'bag').mkdir()
    for number, (name, arguments, words) in enumerate(
        (
            ('rviz.launch.py', [], 'whom to show?'),
            ('rviz.launch.py', ['namespace:=1 robot'], 'expected names of letters'),
            ('rviz.launch.py', ['namespace:=a', 'config:=absent.rviz'], 'cannot be read'),
            ('record.launch.py', [], 'whom to record?'),
            ('record.launch.py', ['robots:=[robot1]', f'out:={tmp_path / "bag"}'], 'exists'),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert words in refused(folder, name, *arguments)


@pytest.mark.parametrize('name', ['rviz.launch.py', 'record.launch.py'])
def test_every_argument_is_described(name: str) -> None:
    from launch.actions import DeclareLaunchArgument
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    description = PythonLaunchDescriptionSource(str(ROOT / 'launch' / name))
    arguments = description.try_get_launch_description_without_context().entities
    declared = [one for one in arguments if isinstance(one, DeclareLaunchArgument)]
    assert len(declared) >= 7
    assert all('.' in one.description for one in declared)  # not launch's own words for none
