"""What rosbag2 is told: which topics, how well, into what."""

from __future__ import annotations

from pathlib import Path
import re

import pytest
import yaml

from collab_robots.bringup import topics
from collab_robots.bringup.recording import command, PRESETS, quality
from collab_robots.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
FILE = ROOT / 'config' / 'rosbag' / 'qos.yaml'


def recorded(words: list[str], topic: str) -> bool:
    """Tell whether rosbag2 would record a topic: it searches both expressions (topic_filter)."""
    regex, left_out = (words[words.index(word) + 1] for word in ('--regex', '--exclude-regex'))
    return bool(re.search(regex, topic)) and not re.search(left_out, topic)


@pytest.mark.parametrize(
    ('topic', 'wanted'),
    [
        ('/robot1/ledger/status', True),
        ('/hall/robot2/map', True),
        ('/robot10/map', False),
        ('/robot3/map', False),
        ('/other/robot1/map', False),
        ('/robot1/radio/tx/block', True),
        ('/robot1/radio/rx/block', False),
        ('/fleet/work/robot1', True),
        ('/markers/tasks', True),
        (topics.CLOCK, True),
        (topics.MISSION, True),
        ('/tf', True),
        ('/tf_other', False),
        ('/rosout', False),
        ('/robot1/camera/camera_info', True),
        ('/robot1/camera/image_raw', False),
        ('/robot1/camera/image_raw/compressed', False),
    ],
)
def test_all_of_these_robots_is_recorded_once_and_without_pictures(
    topic: str, wanted: bool
) -> None:
    words = command(Path('bag'), ['robot1', 'hall/robot2'], FILE)
    assert recorded(words, topic) is wanted


def test_pictures_and_other_topics_are_recorded_when_asked_for() -> None:
    words = command(Path('bag'), ['robot1'], FILE, images=True)
    assert recorded(words, '/robot1/camera/image_raw')
    words = command(Path('bag'), ['robot1'], FILE, regex='^/robot9/')
    assert recorded(words, '/robot9/odom') and not recorded(words, '/robot1/odom')


def test_the_command_line() -> None:
    words = command(Path('a bag'), ['robot1'], FILE, compression='none', use_sim_time=True)
    assert words[:7] == ['ros2', 'bag', 'record', '--storage', 'mcap', '--output', 'a bag']
    assert words[words.index('--storage-preset-profile') + 1] == 'none' in PRESETS
    assert words[-1] == '--use-sim-time'
    assert '--use-sim-time' not in command(Path('bag'), ['robot1'], FILE)


def test_overrides_are_filled_in_for_each_robot() -> None:
    found = yaml.safe_load(quality(FILE, ['robot1', 'hall/robot2']))
    for topic in (
        '/robot1/radio/tx/block',
        '/hall/robot2/tf',
        '/fleet/work/robot1',
        '/fleet/have',
    ):
        assert topic in found
    assert not any('<' in topic for topic in found)


def test_a_missing_or_malformed_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'absent\.yaml: cannot be read'):
        quality(tmp_path / 'absent.yaml', ['robot1'])
    file = tmp_path / 'broken.yaml'
    file.write_text('{')
    with pytest.raises(ConfigError, match=r'broken\.yaml'):
        quality(file, ['robot1'])
