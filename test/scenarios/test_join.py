"""A robot joins a running fleet by one command, works in it, and leaves; another was off then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import json
from pathlib import Path
import subprocess
import sys
import time
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from collab_robots.contract.calls import fleet as calls
from collab_robots.contract.calls.fleet import Capability
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.processes import Children, environment, node_command
from collab_robots.nodes import qos, topics
from collab_robots.nodes.poller import Poller
from collab_robots.nodes.spin import IDLE_S
from collab_robots_msgs.msg import Call, LedgerStatus

DOMAIN = 80
NAMES = ('robot1', 'robot2', 'robot3', 'robot4')
PATIENCE = 30.0  # s


class Team:
    """Ledger nodes of a fleet as processes, and what their statuses say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fleet = make_fleet(folder, NAMES, name='test')
        self.statuses: dict[str, LedgerStatus] = {}
        self._children = Children(environment(DOMAIN))
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=DOMAIN)
        self._node = Node('probe', context=self._context)
        self._poller = Poller([self._node])
        self._calls: dict[str, Any] = {}

    def start(self, robot: str, command: list[str] | None = None) -> None:
        """Start a robot's ledger, as usual or as the command said that started the robot."""
        folder = self.folder / robot
        values = {'name': robot, 'fleet': self.folder / 'fleet.yaml', 'key': folder / 'key'}
        values = {name: str(value) for name, value in values.items()}
        command = command or node_command(
            'ledger_node',
            {**values, 'store': str(folder / 'ledger.db')},
            f'/{robot}',
            topics.direct_remappings(),
        )
        self._children.start(robot, command, folder / 'process.log')
        if robot not in self._calls:
            self._calls[robot] = self._node.create_publisher(
                Call, f'/{robot}/{topics.CALL}', qos.STATUS
            )
            self._node.create_subscription(
                LedgerStatus, f'/{robot}/{topics.LEDGER_STATUS}', self._on_status, qos.STATUS
            )
        self.wait(lambda: robot in self.statuses and self._calls[robot].get_subscription_count())

    def kill(self, robot: str) -> None:
        self._children.kill(robot)
        del self.statuses[robot]

    def say(self, robot: str, call: bytes) -> None:
        self._calls[robot].publish(Call(data=call))

    def wait(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.told()
            for child in self._children.failed():
                raise AssertionError(f'{child.name} ended: {child.tail()}')
            self._poller.poll()
            time.sleep(IDLE_S)

    def epochs(self) -> dict[str, int]:
        return {robot: status.epoch for robot, status in self.statuses.items()}

    def agreed(self) -> bytes | None:
        """Return the root of the final state, if all robots have one."""
        roots = {bytes(status.final_root) for status in self.statuses.values()}
        return roots.pop() if len(roots) == 1 else None

    def told(self) -> str:
        return '\n'.join(
            f'{robot}: epoch {status.epoch}, final {status.final}, {status.alarm}'
            for robot, status in self.statuses.items()
        )

    def command(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run ``collab-robots fleet`` as a person does."""
        done = subprocess.run(
            [sys.executable, '-m', 'collab_robots.cli', 'fleet', *words, '--json'],
            env=environment(DOMAIN),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def change(self, *words: str, code: int = 0) -> dict[str, Any]:
        return self.command(*words, '--fleet', str(self.folder / 'fleet.yaml'), code=code)

    def close(self) -> None:
        self._children.stop(5.0)
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _on_status(self, message: LedgerStatus) -> None:
        self.statuses[message.robot] = message


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
    assert (joined['done'], joined['epoch'], joined['silent']) == (True, 1, [])
    assert len(joined['voters']) >= 3
    key = team.folder / 'robot5' / 'key'
    assert key.stat().st_mode & 0o777 == 0o600 and (key.parent / 'key.unused').exists()

    again = team.change('admit', 'robot5')
    assert again['done'] and again['epoch'] == 1 and 'already' in again['words'][0]

    ledger_only = [word.replace('nodes.robot', 'nodes.ledger_node') for word in joined['start']]
    team.start('robot5', ledger_only)
    team.wait(lambda: team.epochs() == dict.fromkeys((*NAMES, 'robot5'), 1) and team.agreed())
    before = team.agreed()
    team.say('robot5', calls.set_capabilities(Capability.LIDAR))
    team.wait(lambda: team.agreed() not in (None, before))
    assert team.statuses['robot1'].heights[4] >= 1
    assert not (key.parent / 'key.unused').exists()

    team.kill('robot4')
    left = team.change('remove', 'robot5')
    assert (left['done'], left['epoch']) == (True, 2)
    assert left['silent'] == ['robot4'], left
    team.wait(lambda: 'let this robot go' in team.statuses['robot5'].alarm)
    team.start('robot4')  # was off when the roster changed
    team.wait(lambda: team.epochs() == dict.fromkeys((*NAMES, 'robot5'), 2))

    live = team.change('show')
    stored = team.command('show', '--db', str(team.folder / 'robot4' / 'ledger.db'))
    assert live['robots'] == stored['robots']
    standing = {robot['name']: robot['standing'] for robot in stored['robots']}
    assert standing == {**dict.fromkeys(NAMES, 'active'), 'robot5': 'left'}
    assert stored['epochs'] == {
        '0': 'robot1, robot2, robot3, robot4',
        '1': 'robot5 joins with weight 1',
        '2': 'robot5 leaves or is expelled',
    }
