"""Three robots in processes of their own that hear nobody; two of them use the third's server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time
from typing import Any
import urllib.error
import urllib.request

import pytest
import rclpy
from rclpy.node import Node

from collab_robots.bringup import topics
from collab_robots.contract.calls import tasks as calls
from collab_robots.explorer.fleets import make_fleet
from collab_robots.nodes import qos
from collab_robots_msgs.msg import Call

DOMAINS = {'robot1': 52, 'robot2': 53, 'robot3': 54}
SERVER = 'robot3'
PATIENCE = 40.0  # s


class Team:
    """The processes, and a voice in robot1's domain."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_fleet(folder, tuple(DOMAINS), name='apart')
        self._token = folder / 'token'
        self._token.write_text('let-me-in')
        self._token.chmod(0o600)
        self._ports = {robot: free_port() for robot in DOMAINS}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        rclpy.init(args=[], domain_id=DOMAINS['robot1'])
        self._voice = Node('voice')
        self._calls = self._voice.create_publisher(Call, f'/robot1/{topics.CALL}', qos.STATUS)

    def start(self, robot: str) -> None:
        own = self._folder / robot
        values = {
            'name': robot,
            'fleet': self._folder / 'fleet.yaml',
            'key': own / 'key',
            'store': own / 'ledger.db',
            'rest_port': self._ports[robot],
            'rest_token_file': self._token,
        }
        if robot != SERVER:
            values['transport'] = 'hornet'
            values['hornet_url'] = f'http://127.0.0.1:{self._ports[SERVER]}'
            values['hornet_token_file'] = self._token
        parameters = [part for key, value in values.items() for part in ('-p', f'{key}:={value}')]
        command = [sys.executable, '-m', 'collab_robots.nodes.ledger_node', '--ros-args']
        environment = {
            **os.environ,
            'ROS_DOMAIN_ID': str(DOMAINS[robot]),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        }
        self._processes[robot] = subprocess.Popen(
            [*command, '-r', f'__ns:=/{robot}', *parameters], env=environment
        )

    def kill(self, robot: str) -> None:
        process = self._processes.pop(robot)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def info(self, robot: str) -> Any:
        """Return what a robot's own server says; None while it cannot be reached."""
        url = f'http://127.0.0.1:{self._ports[robot]}/api/core/v2/info'
        with suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(url, timeout=5) as reply:
                return json.load(reply)
        return None

    def final(self, robot: str) -> int:
        info = self.info(robot)
        return info['status']['confirmedMilestone']['index'] if info else -1

    def say(self, call: bytes) -> None:
        self.wait(lambda: self._calls.get_subscription_count() == 1)
        self._calls.publish(Call(data=call))

    def wait(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.1)  # the robots are asked over HTTP: nothing wakes us
        raise AssertionError(f'did not happen within {PATIENCE:g} s')

    def close(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            assert process.wait(20) == 0
        self._voice.destroy_node()
        rclpy.shutdown()


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    team = Team(tmp_path)
    yield team
    team.close()


def test_what_one_says_becomes_final_on_all_also_after_the_server_was_killed(team: Team) -> None:
    for robot in DOMAINS:
        team.start(robot)
    team.wait(lambda: all(team.info(robot) for robot in DOMAINS))
    team.say(calls.propose(1, 5, 7, 0))
    team.wait(lambda: all(team.final(robot) >= 1 for robot in DOMAINS))

    team.kill(SERVER)
    team.say(calls.propose(1, 6, 7, 0))
    before = team.final('robot2')
    time.sleep(1.5)  # it would be final in less if the server were there
    assert team.final('robot2') == before
    team.start(SERVER)
    team.wait(lambda: all(team.final(robot) > before for robot in DOMAINS))
    assert all(team.info(robot)['status']['isHealthy'] for robot in DOMAINS)
