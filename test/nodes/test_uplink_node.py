"""One uplink for the nodes of a robot, on real topics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from harness import Harness, running
import pytest

from collab_robots.bringup import topics
from collab_robots.bringup.tables import NODE
from collab_robots.contract.calls import tasks as calls
from collab_robots.contract.calls.common import Kind
from collab_robots.core.clock import SteadyClock
from collab_robots.core.uplink import Traffic, Uplink
from collab_robots.nodes import qos
from collab_robots.nodes.diagnostics import WARN
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.uplink import HEADER_BYTES, Outlets
from collab_robots_msgs.msg import Call, LedgerStatus, Tile

SLOW = 1.0  # bytes/s: the first message goes, the next one in minutes


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=142) as harness:
        yield harness


class Mapper:
    """A node of robot1 with tiles to send, and what others heard of them."""

    def __init__(self, harness: Harness, uplink: Uplink, rate: float) -> None:
        self.node = harness.add(ManagedNode('tiles', NODE, **harness.options('robot1')))
        outlet = Outlets(self.node, uplink, rate).open(Traffic.TILES, Tile, topics.sent('tile'))
        self._outlet = outlet
        self._heard = harness.listen(Tile, '/fleet/tile', qos.RADIO)
        harness.wait(lambda: self.node.count_subscribers('/fleet/tile'))

    def send(self, x: int, version: int = 0) -> None:
        tile = Tile(version=1, sender='robot1', owner='robot1', x=x, y=version, data=bytes(500))
        self._outlet.publish(tile, about=x)

    def heard(self) -> list[tuple[int, int]]:
        return [(tile.x, tile.y) for tile in self._heard]


def test_the_ledger_comes_through_where_tiles_wait(harness: Harness) -> None:
    uplink = Uplink(SteadyClock())
    harness.add(LedgerNode(uplink=uplink, **harness.ledger_options('robot1', uplink=SLOW)))
    harness.add(LedgerNode(**harness.ledger_options('robot2')))
    mapper = Mapper(harness, uplink, SLOW)
    told = harness.listen(DiagnosticArray, topics.DIAGNOSTICS)
    statuses = harness.listen(LedgerStatus, f'/robot2/{topics.LEDGER_STATUS}')
    call = harness.probe.create_publisher(Call, f'/robot1/{topics.CALL}', qos.STATUS)
    harness.matched(call)
    for x in range(5):
        mapper.send(x)
    call.publish(Call(data=calls.propose(Kind.EXPLORE, 1, 1, 0)))
    harness.wait(lambda: statuses and statuses[-1].heights[0] and statuses[-1].final)
    assert len(mapper.heard()) <= 1

    def uplink_told() -> list[DiagnosticStatus]:
        return [
            status
            for message in told
            for status in message.status
            if status.name == 'robot1/ledger: uplink' and status.level == WARN
        ]

    values = {pair.key: pair.value for pair in harness.wait(uplink_told)[0].values}
    assert int(values['ledger_sent_bytes']) > 0
    assert int(values['tiles_waiting_bytes']) > 500
    assert int(values['tiles_lost']) == 4 - len(mapper.heard())


def test_what_waits_is_the_newest_and_goes_when_it_may(harness: Harness) -> None:
    uplink = Uplink(SteadyClock())
    mapper = Mapper(harness, uplink, SLOW)
    mapper.send(0)
    mapper.send(1, version=1)
    mapper.send(1, version=2)
    harness.wait(mapper.heard)
    uplink.limit(0)
    harness.wait(lambda: len(mapper.heard()) == 2)
    assert mapper.heard() == [(0, 0), (1, 2)]
    own = len(mapper.heard()) * (500 + HEADER_BYTES)
    assert own < uplink.sent[Traffic.TILES] < own + 2 * 100  # once each: one process listens


def test_nothing_goes_for_a_node_that_was_cleaned_up(harness: Harness) -> None:
    uplink = Uplink(SteadyClock())
    mapper = Mapper(harness, uplink, SLOW)
    mapper.send(0)
    mapper.send(1)
    harness.wait(mapper.heard)
    mapper.node.trigger_deactivate()
    mapper.node.trigger_cleanup()
    uplink.limit(0)
    uplink.send_due()
    then = harness.now_ns
    harness.wait(lambda: harness.now_ns > then + 1e9)
    assert mapper.heard() == [(0, 0)]


def test_who_is_of_the_same_robot_costs_nothing(harness: Harness) -> None:
    uplink = Uplink(SteadyClock())
    node = harness.add(ManagedNode('tiles', NODE, **harness.options('robot1')))
    outlet = Outlets(node, uplink, SLOW).open(Traffic.TILES, Tile, topics.sent('tile'))
    other = harness.add(ManagedNode('mapper', NODE, **harness.options('robot1')))
    heard: list[Tile] = []
    other.listen(Tile, topics.heard('tile'), heard.append, qos.RADIO)
    harness.wait(lambda: node.count_subscribers('/fleet/tile'))
    outlet.publish(Tile(version=1, sender='robot1', owner='robot1', data=bytes(500)))
    harness.wait(lambda: heard)
    assert uplink.sent[Traffic.TILES] == 0
