"""Ledger nodes of one fleet on real topics, and everything that they must refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import shutil

from harness import Harness, running
import pytest

from collab_robots.bringup import topics
from collab_robots.contract.calls import tasks as calls
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError, KeyFileError, StoreError
from collab_robots.explorer.fleets import make_fleet
from collab_robots.nodes import qos
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots_msgs.msg import Block, Call, Have, LedgerStatus, TaskStatus, TaskStatusArray


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=41) as harness:
        yield harness


def refused(statuses: list[LedgerStatus]) -> dict[str, int]:
    if not statuses:
        return {}
    return dict(zip(statuses[-1].refused, statuses[-1].refused_count, strict=True))


def test_two_robots_agree_on_a_task(harness: Harness) -> None:
    for robot in ('robot1', 'robot2'):
        harness.add(LedgerNode(**harness.ledger_options(robot)))
    tasks = {
        robot: harness.listen(TaskStatusArray, f'/{robot}/{topics.TASKS}', qos.LATCHED)
        for robot in ('robot1', 'robot2')
    }
    statuses = {
        robot: harness.listen(LedgerStatus, f'/{robot}/{topics.LEDGER_STATUS}')
        for robot in ('robot1', 'robot2')
    }
    say = {
        robot: harness.probe.create_publisher(Call, f'/{robot}/{topics.CALL}', qos.STATUS)
        for robot in ('robot1', 'robot2')
    }
    for publisher in say.values():
        harness.matched(publisher)
    address = harness.fleet.robots[1].address

    def task_at(robot: str) -> TaskStatus | None:
        return tasks[robot][-1].tasks[0] if tasks[robot] and tasks[robot][-1].tasks else None

    say['robot1'].publish(Call(data=calls.propose(1, 5, 7, 0)))
    task = harness.wait(lambda: task_at('robot2'))
    assert (task.kind, task.cell_x, task.cell_y, task.state) == (1, 5, 7, TaskStatus.OPEN)
    say['robot2'].publish(Call(data=calls.bid(bytes(task.key), 3500)))
    harness.wait(lambda: task_at('robot1') and list(task_at('robot1').bidders) == ['robot2'])
    harness.wait(lambda: harness.now_ns / 1e9 >= task.award_from)
    say['robot2'].publish(Call(data=calls.award(bytes(task.key), address, int(task.proposed_at))))
    harness.wait(lambda: task_at('robot1').holder == 'robot2' and task_at('robot1').accepted)
    say['robot2'].publish(Call(data=calls.complete(bytes(task.key))))
    harness.wait(lambda: list(task_at('robot1').completed_by) == ['robot2'])
    harness.wait(
        lambda: (
            all(statuses.values())
            and bytes(statuses['robot1'][-1].set_digest)
            == bytes(statuses['robot2'][-1].set_digest)
            and bytes(statuses['robot1'][-1].state_root)
            == bytes(statuses['robot2'][-1].state_root)
        )
    )
    assert statuses['robot1'][-1].reverted == 0


@pytest.mark.parametrize(
    ('reason', 'message'),
    [
        ('message_version', Block(version=9, sender='robot2', data=b'x')),
        ('malformed', Block(version=1, sender='robot2', data=b'')),
        ('version', Block(version=1, sender='robot2', data=b'\x07' * 100)),
        ('message_version', Have(version=0, sender='robot2')),
        ('fleet', Have(version=1, sender='robot9', fleet=[7] * 32, heights=[1])),
        ('malformed', Call(data=b'')),
    ],
)
def test_what_is_wrong_is_counted_by_name_and_the_node_goes_on(
    harness: Harness, reason: str, message: object
) -> None:
    node = harness.add(LedgerNode(**harness.ledger_options('robot1')))
    statuses = harness.listen(LedgerStatus, f'/robot1/{topics.LEDGER_STATUS}')
    topic = {
        Block: '/fleet/block',
        Have: '/fleet/have',
        Call: f'/robot1/{topics.CALL}',
    }[type(message)]
    publisher = harness.probe.create_publisher(type(message), topic, qos.STATUS)
    harness.matched(publisher)
    publisher.publish(message)
    harness.wait(lambda: refused(statuses).get(reason) == 1)
    before = len(statuses)
    harness.wait(lambda: len(statuses) > before)
    assert node.get_name() == 'ledger'


def test_a_robot_of_another_fleet_joins_nobody(
    harness: Harness, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    make_fleet(elsewhere, ('robot1', 'robot2'), name='other')
    harness.add(LedgerNode(**harness.ledger_options('robot1')))
    stranger = harness.ledger_options(
        'robot2',
        fleet=str(elsewhere / 'fleet.yaml'),
        key=str(elsewhere / 'robot2' / 'key'),
        store=str(elsewhere / 'ledger.db'),
    )
    harness.add(LedgerNode(**stranger))
    ours = harness.listen(LedgerStatus, f'/robot1/{topics.LEDGER_STATUS}')
    theirs = harness.listen(LedgerStatus, f'/robot2/{topics.LEDGER_STATUS}')
    call = harness.probe.create_publisher(Call, f'/robot2/{topics.CALL}', qos.STATUS)
    harness.matched(call)
    call.publish(Call(data=calls.propose(1, 1, 1, 0)))
    harness.wait(lambda: refused(ours).get('fleet') and refused(theirs).get('fleet'))
    assert ours[-1].peers == theirs[-1].peers == []
    assert ours[-1].heights[1] == 0


def test_no_call_of_a_burst_is_lost(harness: Harness) -> None:
    count = 100
    harness.add(LedgerNode(**harness.ledger_options('robot1')))
    tasks = harness.listen(TaskStatusArray, f'/robot1/{topics.TASKS}', qos.LATCHED)
    call = harness.probe.create_publisher(Call, f'/robot1/{topics.CALL}', qos.CALLS)
    harness.matched(call)
    for x in range(count):
        call.publish(Call(data=calls.propose(1, x, 1, 0)))
    harness.wait(lambda: tasks and len(tasks[-1].tasks) == count)


def test_a_key_is_marked_as_used_once_its_robot_has_spoken(harness: Harness) -> None:
    marker = harness.folder / 'robot1' / 'key.unused'
    harness.add(LedgerNode(**harness.ledger_options('robot1')))
    statuses = harness.listen(LedgerStatus, f'/robot1/{topics.LEDGER_STATUS}')
    harness.wait(lambda: len(statuses) > 1)
    assert marker.exists()  # nothing to say yet
    call = harness.probe.create_publisher(Call, f'/robot1/{topics.CALL}', qos.STATUS)
    harness.matched(call)
    call.publish(Call(data=calls.propose(1, 1, 1, 0)))
    harness.wait(lambda: statuses[-1].heights[0] == 1)
    assert not marker.exists()


def test_a_robot_that_lost_its_disk_is_silent_until_it_heard_all(harness: Harness) -> None:
    for robot in ('robot1', 'robot2'):
        (harness.folder / robot / 'key.unused').unlink()
    harness.add(LedgerNode(**harness.ledger_options('robot1')))
    statuses = harness.listen(LedgerStatus, f'/robot1/{topics.LEDGER_STATUS}')
    call = harness.probe.create_publisher(Call, f'/robot1/{topics.CALL}', qos.STATUS)
    harness.matched(call)
    call.publish(Call(data=calls.propose(1, 1, 1, 0)))
    until = harness.now_ns + 4 * SECOND
    harness.wait(lambda: harness.now_ns > until)
    assert statuses[-1].heights[0] == 0
    harness.add(LedgerNode(**harness.ledger_options('robot2')))  # has nothing either
    harness.wait(lambda: statuses[-1].heights[0] == 1)


def test_start_up_mistakes_are_said_in_words(harness: Harness, tmp_path: Path) -> None:
    options = harness.ledger_options
    key = tmp_path / 'robot1' / 'key'
    with pytest.raises(ConfigError, match="parameter 'key' is not set"):
        harness.add(LedgerNode(**options('robot1', key='')))
    with pytest.raises(ConfigError, match='is not the key of robot9 but of robot1'):
        harness.add(LedgerNode(**options('robot9', key=str(key))))
    with pytest.raises(ConfigError, match='is not the key of robot2'):
        harness.add(LedgerNode(**options('robot2', key=str(key))))
    with pytest.raises(ConfigError, match='tick_period'):
        harness.add(LedgerNode(**options('robot1', tick_period=99.0)))
    shutil.copy(key, tmp_path / 'open.key')
    (tmp_path / 'open.key').chmod(0o644)
    with pytest.raises(KeyFileError, match='chmod 600'):
        harness.add(LedgerNode(**options('robot1', key=str(tmp_path / 'open.key'))))
    (tmp_path / 'torn.db').write_bytes(b'SQLite format 3\x00' + b'\xff' * 5000)
    with pytest.raises(StoreError, match=r'torn\.db: damaged'):
        harness.add(LedgerNode(**options('robot1', store=str(tmp_path / 'torn.db'))))
    harness.add(LedgerNode(**options('robot1')))
    with pytest.raises(StoreError, match='another process has this ledger open'):
        harness.add(LedgerNode(**options('robot1')))
