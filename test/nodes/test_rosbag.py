"""config/rosbag/qos.yaml: rosbag2 takes it, and it fits what the nodes publish."""

from __future__ import annotations

from documented import ROOT, rows
import pytest
from rclpy.qos import (
    HistoryPolicy,
    qos_check_compatible,
    QoSCompatibility,
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
)
import yaml

from collab_robots.bringup import topics
from collab_robots.bringup.recording import quality
from collab_robots.nodes import qos

# as ros2bag/api/__init__.py of Jazzy reads them: interpret_dict_as_qos_profile
SHORT_KEYS = {
    'history': QoSHistoryPolicy.get_from_short_key,
    'reliability': QoSReliabilityPolicy.get_from_short_key,
    'durability': QoSDurabilityPolicy.get_from_short_key,
    'depth': int,
}


@pytest.fixture
def overrides() -> dict[str, QoSProfile]:
    read = yaml.safe_load(quality(ROOT / 'config' / 'rosbag' / 'qos.yaml', ['robot1']))
    return {
        topic: QoSProfile(**{key: SHORT_KEYS[key](value) for key, value in profile.items()})
        for topic, profile in read.items()
    }


def test_each_is_of_a_topic_that_we_publish_and_hears_it(overrides: dict[str, QoSProfile]) -> None:
    told = {f'/robot1/{row.name}': row.profile for row in rows() if row.way == 'Publishes'}
    for topic, profile in overrides.items():
        assert profile.history is HistoryPolicy.KEEP_LAST
        if topic.startswith('/fleet/'):
            teller = qos.RADIO
        else:  # with prefixed frames all robots share /tf
            teller = told['/robot1/tf' if topic == '/tf' else topic]
        assert qos_check_compatible(teller, profile)[0] != QoSCompatibility.ERROR, topic
        assert profile.depth >= teller.depth


def test_all_that_robots_say_to_one_another_is_there(overrides: dict[str, QoSProfile]) -> None:
    direct = dict(topics.direct_remappings())
    for kind in topics.KINDS:
        assert f'/robot1/{topics.sent(kind)}' in overrides
        shared = direct[topics.sent(kind)]
        assert shared in overrides or f'{shared}/robot1' in overrides
