"""Goals for Nav2 over real DDS: reached, aborted, refused, cancelled, replaced, unheard."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import sys
import time

from harness import Harness, running
from nav2_process import Stub
import pytest

from collab_robots.bringup.tables import NODE
from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import pose
from collab_robots.nodes import nav2
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.nav2 import Nav2
from collab_robots.tasks.remote import Outcome

pytest.importorskip('nav2_msgs', reason='nav2_msgs is not installed')
DOMAIN = 160
FAR = pose(8.0, 3.0, 0.0)  # 6 m from where the stub stands


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, DOMAIN) as harness:
        yield harness


@pytest.fixture
def stub(harness: Harness) -> Iterator[Stub]:
    stub = Stub(harness, DOMAIN)
    yield stub
    stub.end()


@pytest.fixture
def client(harness: Harness) -> Iterator[Nav2]:
    parent = harness.add(ManagedNode('tasks', NODE, **harness.options('robot1')))
    client = Nav2(parent)
    parent.every(0.02, client.poll)
    yield client
    client.pause()
    client.close()


def test_it_says_what_to_do_when_nobody_is_there(harness: Harness, client: Nav2) -> None:
    harness.wait(lambda: harness.now_ns > 1e9)
    assert client.problem == (
        'no action server /robot1/navigate_to_pose: start Nav2 in namespace /robot1'
    )
    stub = Stub(harness, DOMAIN)
    try:
        harness.wait(lambda: not client.problem)
    finally:
        stub.end()


def test_a_goal_is_reached_and_one_that_cannot_be_fails(
    harness: Harness, stub: Stub, client: Nav2
) -> None:
    stub.mode('slow')
    harness.wait(lambda: not client.problem)
    client.send(pose(3.0, 3.0, 0.0))
    harness.wait(lambda: client.left > 0.5)
    assert client.outcome is Outcome.UNDERWAY
    harness.wait(lambda: client.outcome is Outcome.REACHED)
    assert client.left < 0.6
    stub.mode('abort')
    client.send(FAR)
    assert (client.outcome, client.left) == (Outcome.UNDERWAY, 0.0)
    harness.wait(lambda: client.outcome is Outcome.FAILED)
    assert not client.problem, 'that Nav2 finds no way there does not mean that it is not there'


@pytest.mark.parametrize('accepted', [True, False])
def test_a_cancelled_goal_ends_even_if_it_was_not_accepted_yet(
    harness: Harness, stub: Stub, client: Nav2, accepted: bool
) -> None:
    stub.mode('slow')
    harness.wait(lambda: not client.problem)
    client.send(FAR)
    if accepted:
        harness.wait(lambda: client.left)
    client.cancel()
    assert client.ending
    harness.wait(lambda: not client.ending)
    harness.wait(lambda: stub.has_told('cancelled'))
    assert client.outcome is Outcome.UNDERWAY, 'it did not fail: nobody wants it any more'
    stub.mode('go')
    client.send(FAR)
    harness.wait(lambda: client.outcome is Outcome.REACHED)


def test_a_pause_lasts_until_a_goal_that_is_accepted_late_is_cancelled(
    harness: Harness, stub: Stub, client: Nav2
) -> None:
    stub.mode('late')
    harness.wait(lambda: not client.problem)
    client.send(FAR)
    harness.wait(lambda: stub.has_told('asked'))
    client.pause()
    assert not client.ending
    harness.wait(lambda: stub.has_told('cancelled'))


def test_a_pause_does_not_wait_for_one_that_has_left(
    harness: Harness, stub: Stub, client: Nav2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nav2, 'PAUSE_S', 60.0)
    stub.mode('late')
    harness.wait(lambda: not client.problem)
    client.send(FAR)
    harness.wait(lambda: stub.has_told('asked'))
    stub.process.terminate()
    stub.process.wait()
    began = time.monotonic()
    client.pause()
    assert time.monotonic() - began < nav2.PAUSE_S
    assert client.ending, 'nobody said what became of the goal'


def test_what_becomes_of_a_replaced_goal_says_nothing(
    harness: Harness, stub: Stub, client: Nav2
) -> None:
    stub.mode('slow')
    harness.wait(lambda: not client.problem)
    client.send(FAR)
    harness.wait(lambda: client.left)
    client.send(pose(2.0, 3.0, 1.0))
    harness.wait(lambda: stub.has_told('replaced'))
    assert client.outcome is not Outcome.FAILED
    harness.wait(lambda: client.outcome is Outcome.REACHED)


def test_refused_goals_mean_that_nav2_is_not_active(
    harness: Harness, stub: Stub, client: Nav2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nav2, 'RETRY_S', 3.0)
    stub.mode('refuse')
    harness.wait(lambda: not client.problem)
    client.send(FAR)
    assert harness.wait(lambda: client.problem) == (
        'Nav2 refuses goals: activate it (ros2 lifecycle get /robot1/bt_navigator)'
    )
    assert client.outcome is Outcome.FAILED
    harness.wait(lambda: not client.problem)


@pytest.mark.parametrize('killed', [True, False])
def test_one_that_hangs_or_is_killed_on_the_way_is_noticed(
    harness: Harness, stub: Stub, client: Nav2, killed: bool
) -> None:
    stub.mode('slow' if killed else 'hang')
    harness.wait(lambda: not client.problem)
    client.send(FAR)
    if killed:
        harness.wait(lambda: client.left)
        os.kill(stub.process.pid, signal.SIGKILL)
    assert 'is Nav2 still running?' in harness.wait(lambda: client.problem)
    assert client.outcome is Outcome.FAILED and not client.ending


def test_without_the_messages_it_names_the_package(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'nav2_msgs.action', None)
    with pytest.raises(ConfigError, match='apt install ros-jazzy-nav2-msgs'):
        Nav2(harness.probe)
