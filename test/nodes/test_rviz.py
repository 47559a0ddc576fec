"""RViz' files: displays that RViz has, of topics that our nodes publish so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from documented import ROOT, Row, rows
import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
import yaml

from collab_robots.bringup.displays import displays

FILES = sorted((ROOT / 'config' / 'rviz').glob('*.rviz'))
# plugins_description.xml of rviz_default_plugins 14.1 (Jazzy), with the types that they take
TAKES = {
    'Grid': None,
    'Image': 'sensor_msgs/msg/Image',
    'LaserScan': 'sensor_msgs/msg/LaserScan',
    'Map': 'nav_msgs/msg/OccupancyGrid',
    'MarkerArray': 'visualization_msgs/msg/MarkerArray',
    'Path': 'nav_msgs/msg/Path',
    'Pose': 'geometry_msgs/msg/PoseStamped',
    'TF': None,
}
TOOLS = {'MoveCamera', 'Select', 'FocusCamera', 'Measure'}
PANELS = {'rviz_common/Displays', 'rviz_common/Views', 'rviz_common/Time'}
# qos_profile_property.cpp
RELIABILITY = {
    'Reliable': ReliabilityPolicy.RELIABLE,
    'Best Effort': ReliabilityPolicy.BEST_EFFORT,
}
DURABILITY = {
    'Transient Local': DurabilityPolicy.TRANSIENT_LOCAL,
    'Volatile': DurabilityPolicy.VOLATILE,
}
TOPIC = {'Depth', 'Durability Policy', 'History Policy', 'Reliability Policy', 'Value'}


def drawn(shown: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for display in shown:
        if display['Class'] == 'rviz_common/Group':
            yield from drawn(display['Displays'])
        else:
            yield display


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    file: Path = request.param
    return yaml.safe_load(displays(file, ['robot1', 'robot2'], tf=True))


def test_rviz_has_every_class(config: dict[str, Any]) -> None:
    manager = config['Visualization Manager']
    for display in drawn(manager['Displays']):
        package, _, name = display['Class'].partition('/')
        assert package == 'rviz_default_plugins'
        assert name in TAKES
        assert display['Enabled'] == display['Value']
    assert {tool['Class'].partition('/')[2] for tool in manager['Tools']} <= TOOLS
    assert {panel['Class'] for panel in config['Panels']} <= PANELS
    view = manager['Views']['Current']
    assert view['Value'] == view['Class'].partition('/')[2] + ' (rviz_default_plugins)'


def test_every_topic_is_published_with_that_type_and_compatible_qos(
    config: dict[str, Any],
) -> None:
    told: dict[str, list[Row]] = {}
    for row in rows():
        if row.way == 'Publishes':
            told.setdefault(row.name.removeprefix('/'), []).append(row)
    seen = 0
    for display in drawn(config['Visualization Manager']['Displays']):
        topic = display.get('Topic')
        if topic is None:
            continue
        seen += 1
        assert set(topic) == TOPIC
        assert topic['History Policy'] == 'Keep Last'
        name = topic['Value'].removeprefix('/robot1/').removeprefix('/robot2/').removeprefix('/')
        assert name in told, f'nobody publishes {topic["Value"]}'
        for teller in told[name]:
            assert teller.kind == TAKES[display['Class'].partition('/')[2]]
            # 1 is reliable and latched; a subscriber asks at most for what the publisher offers
            assert RELIABILITY[topic['Reliability Policy']] >= teller.profile.reliability
            assert DURABILITY[topic['Durability Policy']] >= teller.profile.durability
    assert seen >= 8


def test_all_markers_are_shown_in_both_files() -> None:
    for file in FILES:
        text = file.read_text(encoding='utf-8')
        for row in rows():
            if row.kind == TAKES['MarkerArray']:
                assert f'Value: {row.name}\n' in text
