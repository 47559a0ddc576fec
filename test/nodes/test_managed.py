"""The life cycle of nodes: nothing runs when inactive, nothing is left when cleaned up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import gc
import os
from pathlib import Path
import threading
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from harness import Harness, running
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import psutil
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String

from collab_robots.bringup import topics
from collab_robots.contract.calls import tasks as calls
from collab_robots.contract.calls.common import Kind
from collab_robots.nodes import qos
from collab_robots.nodes.inference_node import InferenceNode
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots.nodes.task_node import TaskNode
from collab_robots_msgs.msg import Call, LedgerStatus

CYCLES = 20
WARM_UP = 5  # cycles after which libraries have taken what they keep
MEMORY = 2 * 2**20  # bytes


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=45) as harness:
        yield harness


def serve(harness: Harness, kind: type, name: str, request: Any) -> Any:
    """Call a service as ``ros2 lifecycle`` and ``ros2 param`` do."""
    client = harness.probe.create_client(kind, name)
    harness.wait(client.service_is_ready)
    with client.handle:
        client.handle.send_request(request)

    def answer() -> Any:
        with client.handle:
            header, response = client.handle.take_response(kind.Response)
        return response if header is not None else None

    response = harness.wait(answer)
    harness.probe.destroy_client(client)
    return response


def change(harness: Harness, node: str, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return serve(harness, ChangeState, f'/robot1/{node}/change_state', request).success


def state(harness: Harness, node: str) -> int:
    answer = serve(harness, GetState, f'/robot1/{node}/get_state', GetState.Request())
    return answer.current_state.id


def say(harness: Harness, key: int) -> Callable[[], Any]:
    publisher = harness.probe.create_publisher(Call, f'/robot1/{topics.CALL}', qos.STATUS)
    return lambda: publisher.publish(Call(data=calls.propose(Kind.EXPLORE, key, 1, 0)))


def test_a_node_that_waits_for_its_manager_is_driven_by_services(harness: Harness) -> None:
    node = LedgerNode(**harness.ledger_options('robot1'))
    harness.nodes.append(node)
    statuses = harness.listen(LedgerStatus, f'/robot1/{topics.LEDGER_STATUS}')
    assert state(harness, 'ledger') == State.PRIMARY_STATE_UNCONFIGURED
    assert not list(harness.folder.glob('robot1/ledger.db*'))

    assert change(harness, 'ledger', Transition.TRANSITION_CONFIGURE)
    assert state(harness, 'ledger') == State.PRIMARY_STATE_INACTIVE
    then = harness.now_ns
    harness.wait(lambda: harness.now_ns > then + 3e9)
    assert not statuses

    assert change(harness, 'ledger', Transition.TRANSITION_ACTIVATE)
    harness.wait(lambda: statuses)
    speak = say(harness, 1)
    harness.wait(lambda: speak() or statuses[-1].heights[0])

    assert change(harness, 'ledger', Transition.TRANSITION_DEACTIVATE)
    count, height = len(statuses), statuses[-1].heights[0]
    then = harness.now_ns
    speak = say(harness, 2)
    harness.wait(lambda: speak() or harness.now_ns > then + 3e9)
    assert len(statuses) == count

    assert change(harness, 'ledger', Transition.TRANSITION_ACTIVATE)
    harness.wait(lambda: speak() or statuses[-1].heights[0] > height)

    assert change(harness, 'ledger', Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert state(harness, 'ledger') == State.PRIMARY_STATE_FINALIZED


def test_a_wrong_file_keeps_it_unconfigured_until_it_is_mended(harness: Harness) -> None:
    fleet = harness.folder / 'fleet.yaml'
    whole = fleet.read_text()
    node = LedgerNode(**harness.ledger_options('robot1'))
    harness.nodes.append(node)
    fleet.write_text('robots: none')
    assert not change(harness, 'ledger', Transition.TRANSITION_CONFIGURE)
    assert state(harness, 'ledger') == State.PRIMARY_STATE_UNCONFIGURED
    fleet.write_text(whole)
    assert change(harness, 'ledger', Transition.TRANSITION_CONFIGURE)


def test_latched_topics_are_not_missed_while_inactive(harness: Harness) -> None:
    node = TaskNode(**harness.options('robot1'))
    harness.nodes.append(node)
    node.trigger_configure()
    mission = harness.probe.create_publisher(String, topics.MISSION, qos.LATCHED)
    harness.matched(mission)
    mission.publish(String(data=topics.HOLD))
    then = harness.now_ns
    harness.wait(lambda: harness.now_ns > then + 1e9)
    node.trigger_activate()
    assert node._hold


def test_a_robot_that_is_deactivated_stands_still(harness: Harness) -> None:
    node = harness.add(TaskNode(**harness.options('robot1')))
    speeds = harness.listen(Twist, f'/robot1/{topics.CMD_VEL}')
    harness.wait(lambda: speeds)
    node.trigger_deactivate()
    harness.wait(lambda: speeds)
    count = len(speeds)
    then = harness.now_ns
    harness.wait(lambda: harness.now_ns > then + 2e9)
    assert len(speeds) <= count + 1
    assert speeds[-1] == Twist()


def test_parameters_are_set_before_it_is_configured_and_in_their_range(harness: Harness) -> None:
    node = MapperNode(**harness.options('robot1'))
    harness.nodes.append(node)

    def give(name: str, value: Any) -> Any:
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return serve(harness, SetParameters, '/robot1/mapper/set_parameters', request).results[0]

    assert give('map_period', 2.0).successful
    for name, value, words in (
        ('map_period', 0.0, 'range'),
        ('mapper', 'magic', "expected one of 'own', 'external', got 'magic'"),
        ('initial_pose', [1.0], 'expected a list of 3 numbers'),
        ('initial_pose', [1.0, float('nan'), 0.0], 'expected a list of 3 numbers'),
    ):
        answer = give(name, value)
        assert not answer.successful
        assert words in answer.reason
    node.begin()
    answer = give('map_period', 3.0)
    assert not answer.successful
    assert 'ros2 lifecycle set' in answer.reason
    assert node.get_parameter('map_period').value == 2.0


def test_quality_of_service_can_be_overridden(harness: Harness) -> None:
    topic = f'/robot1/{topics.MAP}'
    name = f'qos_overrides.{topic}.publisher.depth'
    harness.add(MapperNode(**harness.options('robot1', **{name: 7})))
    (info,) = harness.probe.get_publishers_info_by_topic(topic)
    assert harness.probe.count_publishers(topic) == 1
    assert info.qos_profile.durability == qos.LATCHED.durability
    assert qos.LATCHED.depth == 1  # that of others is as it was


def test_diagnostics_come_from_active_nodes_and_can_be_remapped(harness: Harness) -> None:
    options = harness.options('robot1', diagnostics_period=0.2)
    options['cli_args'] += ['-r', f'{topics.DIAGNOSTICS}:=/robot1/diagnostics']
    heard = harness.listen(DiagnosticArray, '/robot1/diagnostics')
    node = harness.add(MapperNode(**options))
    harness.wait(lambda: heard)
    node.trigger_deactivate()
    count = len(heard)
    then = harness.now_ns
    harness.wait(lambda: harness.now_ns > then + 2e9)
    assert len(heard) <= count + 1


@pytest.mark.timeout(400)
@pytest.mark.parametrize('kind', [LedgerNode, MapperNode, TaskNode, InferenceNode])
def test_twenty_cycles_leak_nothing(harness: Harness, kind: type[ManagedNode]) -> None:
    options = harness.ledger_options if kind is LedgerNode else harness.options
    node = kind(**options('robot1'))
    harness.nodes.append(node)
    process = psutil.Process(os.getpid())

    def cycle() -> None:
        node.begin()
        then = harness.now_ns
        harness.wait(lambda: harness.now_ns > then + 0.3e9)
        node.trigger_deactivate()
        node.trigger_cleanup()

    def taken() -> tuple[int, int, int, list[int]]:
        gc.collect()
        entities = [
            len(list(of))
            for of in (node.publishers, node.subscriptions, node.timers, node.services)
        ]
        return process.memory_info().rss, threading.active_count(), process.num_fds(), entities

    for _ in range(WARM_UP):
        cycle()
    memory, *rest = taken()
    for _ in range(CYCLES):
        cycle()
    memory_after, *rest_after = taken()
    assert rest_after == rest
    assert memory_after - memory < MEMORY


def test_the_nodes_of_one_robot_share_a_process_and_another_name_is_another_robot(
    harness: Harness,
) -> None:
    for robot in ('robot1', 'robot2'):
        harness.add(MapperNode(**harness.options(robot)))
    names = {f'{ns}/{name}' for name, ns in Node.get_node_names_and_namespaces(harness.probe)}
    assert {'/robot1/mapper', '/robot2/mapper'} <= names
