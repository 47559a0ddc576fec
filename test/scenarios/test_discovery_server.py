"""The network profile ``fastdds``: robots find one another through the server, and only so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from benchmarks.namespaces import missing, Network
from benchmarks.processes import Processes
from collab_robots.explorer import robot_files
from collab_robots.explorer.doctor.robot import ENVIRONMENT_FILE
from collab_robots.explorer.robot_files import LAPTOP_FILE

ROBOTS = ('robot1', 'robot2')
BASE = '10.0.0.1'  # the first of the network
DOMAIN = 122
START = 30.0  # s until all processes are up, on a busy machine
ALONE = 4.0  # s in which robots that share a link have found one another by multicast
FOUND = 30.0  # s until they have found one another through the server; usually 2
SERVER = shutil.which('fast-discovery-server', path=f'{sys.prefix}/bin:{os.environ["PATH"]}')
LOOK = """
import time, rclpy
rclpy.init()
node = rclpy.create_node('laptop', start_parameter_services=False)
wanted, until = {'/robot1/ledger', '/robot2/ledger'}, time.monotonic() + 20
seen = set()
while time.monotonic() < until and not wanted <= seen:
    rclpy.spin_once(node, timeout_sec=0.1)
    seen = {f'{space}/{name}' for name, space in node.get_node_names_and_namespaces()}
print(*sorted(wanted & seen))
"""

pytestmark = [
    pytest.mark.skipif(missing() != '', reason=missing()),
    pytest.mark.skipif(SERVER is None, reason='no fast-discovery-server'),
    pytest.mark.timeout(180),
]


def environment(file: str) -> dict[str, str]:
    text = robot_files.Network('fastdds', BASE, DOMAIN).text(file)
    lines = (line for line in text.splitlines() if line and not line.startswith('#'))
    return dict(line.split('=', 1) for line in lines)


@contextmanager
def server(network: Network) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server on the base station, with nothing of the robots' environment."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith('ROS_')}
    command = network.command('base', [SERVER, '--server-id', '0', '--udp-port', '11811'])
    with subprocess.Popen(command, env=plain, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_robots_meet_through_the_server_and_go_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(ENVIRONMENT_FILE).items():
        monkeypatch.setenv(name, value)
    with (
        Network([['base', *ROBOTS]]) as network,
        Processes(tmp_path / 'fleet', ROBOTS, DOMAIN, network) as team,
    ):

        def heard() -> bool:
            return all(team.statuses.get(robot, {}).get('peers') for robot in ROBOTS)

        team.start()
        team.wait(lambda: len(team.statuses) == len(ROBOTS), START)
        team.say(1.0)
        team.watch(ALONE)
        assert not any(status['peers'] for status in team.statuses.values())

        with server(network):
            team.wait(heard, FOUND)
            looked = subprocess.run(
                network.command('base', [sys.executable, '-c', LOOK]),
                env={**os.environ, **environment(LAPTOP_FILE)},
                capture_output=True,
                text=True,
                check=True,
            )
            assert looked.stdout.split() == ['/robot1/ledger', '/robot2/ledger']

        final = team.statuses['robot1']['final']  # the server was killed
        team.watch(3.0)
        assert heard() and team.statuses['robot1']['final'] > final
        team.settle(FOUND)
