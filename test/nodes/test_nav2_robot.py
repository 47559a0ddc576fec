"""A robot that Nav2 drives, with its ledger and its contracts: proposed, won, driven to, done."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import sys

from geometry_msgs.msg import Twist
from harness import Harness, running
from nav2_process import Stub
from nav_msgs.msg import OccupancyGrid
import numpy as np
import pytest
from std_msgs.msg import String

from collab_robots.bringup import topics
from collab_robots.contract.calls.words import describe
from collab_robots.contract.views.tasks import TaskState
from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import FREE, Grid, OCCUPIED, UNKNOWN
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.task_node import TaskNode
from collab_robots_msgs.msg import Call, TaskStatusArray

pytest.importorskip('nav2_msgs', reason='nav2_msgs is not installed')
DOMAIN = 162


def half_known_room() -> Grid:
    """Return a room of which the part beyond x = 4 m is unknown."""
    data = np.full((160, 160), UNKNOWN, np.int8)
    data[20:120, 20:80] = FREE
    data[20, 20:80] = data[119, 20:80] = data[20:120, 20] = OCCUPIED
    return Grid(data, 0.05, (0.0, 0.0))


class Robot:
    """A robot's ledger and tasks, and what they say."""

    def __init__(self, harness: Harness) -> None:
        harness.add(LedgerNode(**harness.ledger_options('robot1')))
        self.node = harness.add(TaskNode(**harness.options('robot1', navigator='nav2')))
        self._calls = harness.listen(Call, f'/robot1/{topics.CALL}')
        self._states = harness.listen(String, f'/robot1/{topics.TASK_STATE}', qos.LATCHED)
        self._tasks = harness.listen(TaskStatusArray, f'/robot1/{topics.TASKS}', qos.LATCHED)
        self._seen = 0
        create = harness.probe.create_publisher
        self.mission = create(String, topics.MISSION, qos.LATCHED)
        maps = create(OccupancyGrid, f'/robot1/{topics.MAP}', qos.LATCHED)
        maps.publish(conversions.grid_to_msg(half_known_room(), 'map', 0))

    @property
    def state(self) -> str:
        return self._states[-1].data if self._states else ''

    def says(self, words: str) -> bool:
        """Tell whether it has called the contracts with these words since the last mark."""
        return any(
            describe(bytes(call.data)).startswith(words) for call in self._calls[self._seen :]
        )

    def mark(self) -> None:
        self._seen = len(self._calls)

    def done(self) -> bool:
        return bool(self._tasks) and any(
            task.state == TaskState.DONE and list(task.completed_by) == ['robot1']
            for task in self._tasks[-1].tasks
        )


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setattr('harness.PATIENCE', 90.0)  # leases run out, auctions are held
    with running(tmp_path, DOMAIN, ('robot1',)) as harness:
        yield harness


@pytest.fixture
def stub(harness: Harness) -> Iterator[Stub]:
    stub = Stub(harness, DOMAIN)
    yield stub
    stub.end()


def test_a_task_is_proposed_won_driven_to_by_nav2_and_completed(
    harness: Harness, stub: Stub
) -> None:
    speeds = harness.listen(Twist, f'/robot1/{topics.CMD_VEL}')
    robot = Robot(harness)
    stub.mode('slow')
    harness.wait(lambda: robot.state.startswith('driving to explore'))
    assert robot.says('propose explore') and robot.says('bid') and robot.says('award')
    harness.wait(lambda: robot.done())
    assert robot.says('complete')
    assert harness.probe.count_publishers(f'/robot1/{topics.CMD_VEL}') == 0 and not speeds


def test_on_hold_nav2_is_stopped_and_goes_on_afterwards(harness: Harness, stub: Stub) -> None:
    robot = Robot(harness)
    stub.mode('slow')
    harness.wait(lambda: stub.has_told('asked'))  # the state says so before the goal is sent
    robot.mission.publish(String(data=topics.HOLD))
    harness.wait(lambda: stub.has_told('cancelled'))
    harness.wait(lambda: robot.state == 'on hold')
    robot.mission.publish(String(data=topics.RUN))
    harness.wait(lambda: robot.done())


def test_where_nav2_finds_no_way_is_given_back(harness: Harness, stub: Stub) -> None:
    robot = Robot(harness)
    stub.mode('abort')
    harness.wait(lambda: robot.says('release'))
    harness.wait(lambda: 'no way through' in robot.state)


def test_a_robot_whose_nav2_dies_gives_its_task_back_and_is_silent_until_it_is_there_again(
    harness: Harness, stub: Stub
) -> None:
    robot = Robot(harness)
    stub.mode('slow')
    harness.wait(lambda: stub.has_told('asked'))
    robot.mark()
    os.kill(stub.process.pid, signal.SIGKILL)
    stub.process.wait()
    harness.wait(lambda: 'Nav2' in robot.state)
    harness.wait(lambda: robot.says('release'))
    robot.mark()
    then = harness.now_ns
    harness.wait(lambda: harness.now_ns > then + 5e9)
    assert not any(robot.says(words) for words in ('propose', 'bid', 'award'))
    again = Stub(harness, DOMAIN)
    try:
        harness.wait(lambda: robot.done())
    finally:
        again.end()


def test_a_robot_that_is_deactivated_stops_and_takes_up_its_work_again(
    harness: Harness, stub: Stub
) -> None:
    robot = Robot(harness)
    stub.mode('slow')
    harness.wait(lambda: stub.has_told('asked'))
    robot.node.trigger_deactivate()
    harness.wait(lambda: stub.has_told('cancelled'))
    robot.node.trigger_activate()
    harness.wait(lambda: robot.done())
    robot.node.trigger_deactivate()
    robot.node.trigger_cleanup()
    robot.node.trigger_configure()
    robot.node.trigger_activate()
    robot.mark()
    harness.wait(lambda: robot.says('complete'))


def test_without_its_messages_the_node_does_not_start_and_names_the_package(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'nav2_msgs.action', None)
    with pytest.raises(ConfigError, match='apt install ros-jazzy-nav2-msgs'):
        harness.add(TaskNode(**harness.options('robot1', navigator='nav2')))
