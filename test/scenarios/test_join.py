"""A fleet of real processes changes: robots join, leave, get keys, are convicted and come back."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

from probe import Probe
import pytest

from collab_robots.bringup import processes
from collab_robots.cli.common import BAD_INPUT
from collab_robots.contract.calls import fleet as calls
from collab_robots.contract.calls import maps
from collab_robots.contract.calls.fleet import Capability
from collab_robots.explorer.fleets import make_fleet, make_key
from collab_robots.explorer.processes import Children, environment

DOMAINS = iter((80, 81, 83, 84))
NAMES = ('robot1', 'robot2', 'robot3', 'robot4')


class Team:
    """Ledger nodes of a fleet as processes, and what their statuses say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fleet = make_fleet(folder, NAMES, name='test')
        self._domain = next(DOMAINS)
        self._children = Children(environment(self._domain))
        self._probe = Probe(self._domain, self._check)
        self.statuses = self._probe.statuses
        self.say = self._probe.say
        self.wait = self._probe.wait

    def start(self, robot: str, command: list[str] | None = None) -> None:
        """Start a robot's ledger, as usual or with the command that the tool gave."""
        folder = self.folder / robot
        if command is None:
            command = processes.robot(robot, self.folder / 'fleet.yaml').command
        command[2] = 'collab_robots.nodes.ledger_node'  # no sensors here
        self._children.start(robot, command, folder / 'process.log')
        self._probe.hear(robot)
        self.wait(lambda: robot in self.statuses)

    def kill(self, robot: str) -> None:
        self._children.kill(robot)
        del self.statuses[robot]

    def hears(self, robot: str) -> None:
        """Wait until a robot hears what :meth:`say` tells it."""
        self.wait(lambda: self._probe.heard(robot))

    def speak(self, robot: str, capabilities: Capability) -> None:
        """Let a robot put a call on the ledger, until it is final on all that run."""
        self.wait(self.agreed)
        before = self.agreed()
        self._probe.say_until(
            robot,
            calls.set_capabilities(capabilities),
            lambda: self.agreed() not in (None, before),
        )

    def _check(self) -> None:
        for child in self._children.failed():
            raise AssertionError(f'{child.name} ended: {child.tail()}')

    def epochs(self) -> dict[str, int]:
        return {robot: status.epoch for robot, status in self.statuses.items()}

    def agreed(self) -> bytes | None:
        """Return the root of the final state, if all robots have one."""
        roots = {bytes(status.final_root) for status in self.statuses.values()}
        return roots.pop() if len(roots) == 1 else None

    def command(self, *words: str, code: int = 0) -> str:
        """Run ``collab-robots fleet`` as a person does; return what it says."""
        done = subprocess.run(
            [sys.executable, '-m', 'collab_robots.cli', 'fleet', *words],
            env=environment(self._domain),
            capture_output=True,
            text=True,
            timeout=60.0,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code == BAD_INPUT else done.stdout

    def change(self, *words: str, code: int = 0) -> dict[str, Any]:
        fleet = ('--fleet', str(self.folder / 'fleet.yaml'))
        return json.loads(self.command(*words, *fleet, '--json', code=code))

    def refused(self, *words: str) -> str:
        fleet = ('--fleet', str(self.folder / 'fleet.yaml'))
        return self.command(*words, *fleet, code=BAD_INPUT)

    def close(self) -> None:
        self._children.stop(5.0)
        self._probe.close()


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    team = Team(tmp_path)
    try:
        yield team
    finally:
        team.close()


@pytest.mark.timeout(180)
def test_a_robot_joins_works_and_leaves(team: Team) -> None:
    for robot in NAMES:
        team.start(robot)
    joined = team.change('admit', 'robot5')
    assert joined['done'] and joined['epoch'] == 1 and len(joined['asked']) >= 3
    key = team.folder / 'robot5' / 'key'
    assert key.stat().st_mode & 0o777 == 0o600 and (key.parent / 'key.unused').exists()

    again = team.change('admit', 'robot5')
    assert again['done'] and again['epoch'] == 1 and 'already' in again['words'][0]

    team.start('robot5', joined['start'])
    team.wait(lambda: team.epochs() == dict.fromkeys((*NAMES, 'robot5'), 1) and team.agreed())
    team.speak('robot5', Capability.LIDAR)
    team.wait(lambda: team.statuses['robot1'].heights[4] >= 1)
    assert not (key.parent / 'key.unused').exists()

    team.kill('robot4')
    left = team.change('remove', 'robot5')
    assert (left['done'], left['epoch']) == (True, 2)
    assert 'robot4' in left['silent']
    team.wait(lambda: 'let this robot go' in team.statuses['robot5'].alarm)
    team.start('robot4')  # was off when the roster changed
    team.wait(lambda: team.epochs() == dict.fromkeys((*NAMES, 'robot5'), 2))

    live = team.change('show')
    store = str(team.folder / 'robot4' / 'ledger.db')
    stored = json.loads(team.command('show', '--db', store, '--json'))
    assert live['robots'] == stored['robots']
    standing = {robot['name']: robot['standing'] for robot in stored['robots']}
    assert standing == {**dict.fromkeys(NAMES, 'active'), 'robot5': 'left'}
    assert stored['epochs'] == {
        '0': 'robot1, robot2, robot3, robot4',
        '1': 'robot5 joins with weight 1',
        '2': 'robot5 leaves or is expelled',
    }


@pytest.mark.timeout(180)
def test_a_robot_gets_a_new_key_and_votes_wait_for_those_who_are_off(team: Team) -> None:
    for robot in NAMES[:2]:
        team.start(robot)
    rekey = ('rekey', 'robot2', '--key-folder', str(team.folder / 'robot2_b'))
    early = team.change(*rekey, '--timeout', '10', code=1)
    assert not early['done'] and early['silent'] == ['robot3', 'robot4']
    assert early['words'][1:] == [
        'weight 2 of 3 voted: robot1, robot2',
        'did not answer: robot3, robot4',
    ]
    team.start('robot3')
    assert team.change('withdraw', 'robot2')['words'] == ['taken back by robot1, robot2']
    assert team.change('show')['votes'] == []
    team.start('robot4')
    done = team.change(*rekey)
    assert done['done'] and done['epoch'] == 1

    team.wait(lambda: 'let this robot go' in team.statuses['robot2'].alarm)
    team.kill('robot2')
    team.start('robot2', done['start'])
    team.wait(lambda: team.epochs() == dict.fromkeys(NAMES, 1))
    team.speak('robot2', Capability.CAMERA)
    assert len(team.statuses['robot1'].heights) == 5  # a new place, and the old one is silent
    team.wait(lambda: team.statuses['robot1'].heights[4] >= 1)
    assert 'robot9 is not in the fleet' in team.refused('remove', 'robot9')


@pytest.mark.timeout(180)
def test_a_robot_that_was_started_before_it_was_admitted_waits_and_then_works(team: Team) -> None:
    for robot in NAMES[:3]:
        team.start(robot)
    make_key(team.folder / 'robot5')
    team.start('robot5')
    team.wait(lambda: 'not let this robot in yet' in team.statuses['robot5'].alarm)
    assert team.change('admit', 'robot5', '--weight', '9')['done']
    running = dict.fromkeys((*NAMES[:3], 'robot5'), 1)
    team.wait(lambda: team.epochs() == running and not team.statuses['robot5'].alarm)
    team.speak('robot5', Capability.LIDAR)
    early = team.change('reweigh', 'robot1', '2')
    assert early['done'] and early['epoch'] == 2


@pytest.mark.timeout(180)
def test_a_convicted_robot_is_expelled_and_two_thirds_of_the_rest_reinstate_it(team: Team) -> None:
    for robot in NAMES:
        team.start(robot)
    free, wall = (1 << 256) - 1, 0xFFFF << 128
    lie, truth = maps.submit_sketch(0, 0, free ^ wall, wall), maps.submit_sketch(0, 0, free, 0)
    for robot in NAMES[:3]:
        team.hears(robot)
        team.say(robot, lie if robot == 'robot1' else truth)
    team.wait(lambda: team.epochs() == dict.fromkeys(NAMES, 1))
    team.wait(lambda: all(list(one.convicted) == ['robot1'] for one in team.statuses.values()))
    robots = {robot['name']: robot for robot in team.change('show')['robots']}
    assert robots['robot1']['standing'] == 'expelled'
    back = team.change('reinstate', 'robot1')
    assert back['done'] and back['epoch'] == 2 and 'robot1' not in back['asked']
    team.wait(lambda: team.epochs() == dict.fromkeys(NAMES, 2))
    assert not any(status.convicted for status in team.statuses.values())
    team.speak('robot1', Capability.CAMERA)
