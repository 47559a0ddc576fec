"""Two processes that run as one robot, with one key: both stop, and all say why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import shutil
from typing import Any

from harness import Harness, running
import pytest

from collab_robots.bringup import topics
from collab_robots.contract.calls import tasks as calls
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots_msgs.msg import Call, LedgerStatus

COPY = 'copy'


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=124, robots=('robot1', 'robot2')) as harness:
        yield harness


def copied(harness: Harness) -> dict[str, Any]:
    """Options of a process that runs as robot1, too, from a copy of its folder."""
    folder = harness.folder / COPY
    own = {'key': str(folder / 'key'), 'store': str(folder / 'ledger.db')}
    return {**harness.options('robot1', **own), 'namespace': f'/{COPY}'}


def speak(harness: Harness, place: str, x: int, heard: list[LedgerStatus]) -> None:
    """Let a robot say something, and wait until it has."""
    say = harness.probe.create_publisher(Call, f'/{place}/{topics.CALL}', 10)
    harness.matched(say)
    say.publish(Call(data=calls.propose(1, x, 7, 0)))
    harness.wait(lambda: heard and heard[-1].heights[0])


def test_two_processes_with_one_key_are_told_of(harness: Harness) -> None:
    shutil.copytree(harness.folder / 'robot1', harness.folder / COPY)  # as a card is copied
    statuses = {
        place: harness.listen(LedgerStatus, f'/{place}/{topics.LEDGER_STATUS}')
        for place in ('robot1', COPY, 'robot2')
    }
    far = harness.add(LedgerNode(**{**copied(harness), 'cli_args': []}))  # hears nobody
    speak(harness, COPY, 1, statuses[COPY])
    harness.nodes.remove(far)
    far.destroy_node()
    for robot in ('robot1', 'robot2'):
        harness.add(LedgerNode(**harness.ledger_options(robot)))
    speak(harness, 'robot1', 2, statuses['robot1'])
    harness.add(LedgerNode(**copied(harness)))

    def alarms() -> dict[str, str]:
        return {place: heard[-1].alarm if heard else '' for place, heard in statuses.items()}

    harness.wait(lambda: all(alarms().values()))
    for place in ('robot1', COPY):
        assert "signed with this robot's key: another process uses it" in alarms()[place]
        assert 'give it a new key' in alarms()[place]
    assert 'robot1 signed two records' in alarms()['robot2']
    assert statuses['robot2'][-1].equivocators == ['robot1']
