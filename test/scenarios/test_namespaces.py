"""Robots in network namespaces of their own, with real DDS between them, and cables to pull."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from benchmarks import namespaces
from benchmarks.namespaces import missing, Network
from benchmarks.processes import Processes

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('robot1', 'robot2', 'robot3', 'robot4')
START = 30.0  # s until all processes are up, on a busy machine
UNDERWAY = 1.5  # s until what was sent before a cut has arrived
TOGETHER = 20.0  # s until all is final everywhere; DDS itself looks for others every 3 s
SLOW = 100_000  # bit/s

pytestmark = [
    pytest.mark.skipif(missing() != '', reason=missing()),
    pytest.mark.timeout(180),
]


@contextmanager
def running(folder: Path, domain: int, **more: Any) -> Iterator[tuple[Network, Processes]]:
    with (
        Network([NAMES[:2], NAMES[2:]]) as network,
        Processes(folder, NAMES, domain, network, **more) as team,
    ):
        yield network, team


@pytest.fixture
def fleet(shared: tuple[Network, Processes]) -> Iterator[tuple[Network, Processes]]:
    """Four robots that hear one another, whatever the test before left behind."""
    yield shared
    network, _ = shared
    network.heal()
    for robot in NAMES:
        network.restore(robot)


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, Processes]]:
    with running(tmp_path_factory.mktemp('namespaces') / 'fleet', domain=71) as (network, team):
        team.start()
        team.wait(lambda: len(team.statuses) == len(NAMES), START)
        team.say(1.0)
        team.wait(lambda: all(final(team).values()), TOGETHER)
        yield network, team


def final(team: Processes) -> dict[str, int]:
    return {robot: status['final'] for robot, status in team.statuses.items()}


def own(team: Processes) -> dict[str, int]:
    """How many records each robot has issued, as it says itself."""
    return {
        robot: status['heights'][team.robots.index(robot)]
        for robot, status in team.statuses.items()
    }


def children() -> set[int]:
    """Return the processes of this one that run."""
    return {child.pid for child in psutil.Process().children()}


def settle(team: Processes) -> None:
    """All that was said becomes final on all."""
    team.settle(TOGETHER)
    assert not any(status['equivocators'] for status in team.statuses.values())


def test_nothing_stays_of_a_network_whose_owner_is_killed() -> None:
    code = (
        'import sys; from benchmarks.namespaces import Network\n'
        'network = Network([["robot1"], ["robot2"]])\n'
        'print(*(network.command(robot, [])[2] for robot in ("robot1", "robot2")), flush=True)\n'
        'sys.stdin.read()'
    )
    owner = subprocess.Popen(
        [sys.executable, '-c', code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        holders = [Path('/proc', holder.decode()) for holder in owner.stdout.readline().split()]
        assert len(holders) == 2 and all(holder.exists() for holder in holders)
        owner.kill()
    deadline = time.monotonic() + 5.0
    while any(holder.exists() for holder in holders):
        assert time.monotonic() < deadline, 'a namespace outlived its owner'
        time.sleep(0.02)  # the kernel tells only the parent, which is gone


def test_a_network_that_cannot_be_made_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    monkeypatch.setattr(namespaces, 'BURST', 'no number')
    with pytest.raises(OSError, match='tc'), Network([['robot1']]) as network:
        assert len(children()) == len(before) + 2  # the robot's and the switch's
        network.limit('robot1', SLOW)
    assert children() == before


def test_two_halves_decide_nothing_and_lose_nothing(fleet: tuple[Network, Processes]) -> None:
    network, team = fleet
    network.split()
    team.watch(UNDERWAY)
    decided, issued = final(team), own(team)
    team.watch(5.0)
    assert final(team) == decided
    assert all(count > issued[robot] for robot, count in own(team).items())
    heights = {robot: status['heights'] for robot, status in team.statuses.items()}
    for here, there in zip(NAMES[:2], NAMES[2:], strict=True):
        assert heights[here] != heights[there]
    issued = own(team)
    network.heal()
    settle(team)
    assert all(
        here >= issued[robot]
        for status in team.statuses.values()
        for robot, here in zip(team.robots, status['heights'], strict=True)
    )
    team.say(1.0)


def test_three_of_four_go_on_and_the_fourth_catches_up(fleet: tuple[Network, Processes]) -> None:
    network, team = fleet
    team.say(1.0)
    network.cut('robot4')
    team.watch(UNDERWAY)
    decided, issued = final(team), own(team)
    team.watch(4.0)
    after = final(team)
    assert after['robot4'] == decided['robot4']
    assert all(after[robot] > decided[robot] for robot in NAMES[:3])
    assert own(team)['robot4'] > issued['robot4']
    network.restore('robot4')
    settle(team)


def test_a_slow_link_holds_up_nobody(fleet: tuple[Network, Processes]) -> None:
    network, team = fleet
    network.limit('robot2', SLOW)
    try:
        team.say(2.0)
        sent, decided = network.sent('robot2'), final(team)
        team.watch(6.0)
        assert network.sent('robot2') - sent < 1.5 * 6.0 * SLOW / 8  # it was limited
        after = final(team)
        assert all(after[robot] - decided[robot] > 12 for robot in NAMES if robot != 'robot2')
        settle(team)
    finally:
        network.limit('robot2', None)


def test_late_joiners_learn_all_from_one_robot_that_has_pruned(tmp_path: Path) -> None:
    with running(tmp_path / 'fleet', domain=72, snapshot_interval=40) as (network, team):
        team.start(*NAMES[:3])
        team.wait(lambda: len(team.statuses) == 3, START)
        team.say(5.0)
        team.wait(lambda: all(s['pruned'] > 40 for s in team.statuses.values()), TOGETHER)
        settle(team)

        network.cut('robot2')
        network.cut('robot3')
        team.start('robot4')  # never ran before: it may speak at once
        team.wait(lambda: team.equal('robot1', 'robot4'), START)
        network.restore('robot2')
        network.restore('robot3')
        team.say(1.0)
        team.wait(lambda: own(team)['robot4'] > 2, TOGETHER)
        settle(team)
        spoke = own(team)['robot4']

        team.kill('robot4')
        for path in team.store('robot4').parent.glob('ledger.db*'):
            path.unlink()
        network.cut('robot2')
        network.cut('robot3')
        team.start('robot4')  # lost its disk: it learns all, and is silent until it heard all
        team.wait(lambda: team.equal('robot1', 'robot4'), START)
        team.say(1.0, 'robot4')
        team.watch(2.0)
        assert own(team)['robot4'] == spoke
        network.restore('robot2')
        network.restore('robot3')
        team.wait(lambda: own(team)['robot4'] > spoke, TOGETHER)
        settle(team)
