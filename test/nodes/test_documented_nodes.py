"""docs/nodes.md says what the nodes have on the ROS graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re

from documented import ROOT, rows, script
from harness import Harness, running
import pytest

from collab_robots.bringup import topics
from collab_robots.bringup.tables import NODES
from collab_robots.nodes import qos
from collab_robots.nodes.inference_node import InferenceNode
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots.sim.simulator import Simulator
from collab_robots.sim.world import load_world
from collab_robots_msgs.msg import TensorChunk

PAGE = ROOT / 'docs' / 'nodes.md'


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=172) as harness:
        yield harness


@pytest.mark.timeout(600)  # it starts nine nodes, one after another
def test_the_page_lists_exactly_what_the_nodes_have(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator(load_world(ROOT / 'worlds' / 'office.yaml'), 1, 1, cameras=True)
    simulator.close()
    if simulator.camera_problem:
        pytest.skip(f'the simulator has no cameras here: {simulator.camera_problem}')
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    text = PAGE.read_text(encoding='utf-8')
    assert script().page(text) == text, 'run: python scripts/document_nodes.py'


def test_every_node_has_its_page() -> None:
    text = PAGE.read_text(encoding='utf-8')
    for node in NODES:
        assert f'\n## {node}\n' in text
        assert any(row.node == node for row in rows())


def test_every_kind_between_robots_is_sent_and_heard_by_someone() -> None:
    robot = [row for row in rows() if row.node not in ('simulator', 'markers')]
    for way, name in (('Publishes', topics.sent), ('Subscribes to', topics.heard)):
        found = {row.name for row in robot if row.way == way and row.name.startswith('radio/')}
        assert found == {name(kind) for kind in topics.KINDS}


def test_who_sends_on_a_topic_and_who_hears_it_are_compatible() -> None:
    told = {row.name: row for row in rows() if row.way == 'Publishes'}
    for row in rows():
        if row.way == 'Subscribes to' and row.name in told:
            teller = told[row.name]
            assert row.kind == teller.kind
            assert row.profile.reliability >= teller.profile.reliability, row  # 1 is reliable
            assert row.profile.durability >= teller.profile.durability, row  # 1 is latched


def test_a_topic_that_is_made_late_is_as_the_page_says(harness: Harness) -> None:
    node = harness.add(InferenceNode(**harness.options('robot1')))
    work = harness.probe.create_publisher(TensorChunk, '/fleet/work/robot1', qos.RADIO)
    harness.matched(work)
    question = TensorChunk(
        version=TensorChunk.VERSION, sender='robot2', robot='robot2', option='jpeg75',
        route=['robot1'], route_end=[1], route_bits=[8], budget=10**9, chunks=1, size=1, data=[0],
    )  # fmt: skip

    def replies() -> list[object]:
        work.publish(question)
        return [one for one in node.publishers if one.topic_name == '/fleet/reply/robot2']

    (reply,) = harness.wait(replies)
    (row,) = [
        row for row in rows() if row.name == topics.sent('reply') and row.node == 'inference'
    ]
    assert row.kind.endswith(f'/{reply.msg_type.__name__}')
    assert row.profile.depth == reply.qos_profile.depth


def test_the_overrides_of_the_page_do_what_it_says(harness: Harness) -> None:
    (example,) = re.findall(
        r'```yaml\n(/robot1/mapper:.*?)```', PAGE.read_text('utf-8'), re.DOTALL
    )
    file = harness.folder / 'overrides.yaml'
    file.write_text(example)
    options = harness.options('robot1')
    options['cli_args'] += ['--params-file', str(file)]
    node = harness.add(MapperNode(**options))
    heard = {one.topic_name: one.qos_profile for one in node.subscriptions}['/robot1/scan']
    told = {one.topic_name: one.qos_profile for one in node.publishers}['/robot1/map']
    assert (heard.reliability, heard.depth) == (qos.STATUS.reliability, 1)
    assert (told.depth, told.durability) == (2, qos.LATCHED.durability)
