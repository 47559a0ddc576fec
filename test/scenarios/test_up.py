"""``collab-robots up`` with real processes: namespaces, power cuts, a neighbour's fleet."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
import signal
import subprocess
import sys

from probe import Probe
import psutil
import pytest

from collab_robots.bringup.processes import robot
from collab_robots.cli.common import FAILED, OK
from collab_robots.contract.calls import fleet as calls
from collab_robots.contract.calls.fleet import Capability
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.processes import Children, environment

NAMES = ('robot1', 'robot2')
UP_DOMAIN, FLEETS_DOMAIN, SIM_DOMAIN = 112, 113, 114
GLOBAL = ('/clock', '/mission', '/parameter_events', '/rosout')
LEDGER = 'collab_robots.nodes.ledger_node'
START = 60.0  # s until whole robots are up, on a busy machine
LIDAR = calls.set_capabilities(Capability.LIDAR)
BOTH = calls.set_capabilities(Capability.LIDAR | Capability.CAMERA)


class Up:
    """A running ``collab-robots up``."""

    def __init__(self, folder: Path, domain: int, *words: str) -> None:
        self.said = folder / 'said.txt'
        with self.said.open('w') as said:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'collab_robots.cli', 'up', '--domain', str(domain), *words],
                cwd=folder,
                env=environment(domain),
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def check(self) -> None:
        assert self.process.poll() is None, self.said.read_text()

    def child(self, robot: str) -> psutil.Process:
        """Return the process of one robot."""
        (found,) = (
            child
            for child in psutil.Process(self.process.pid).children()
            if f'__ns:=/{robot}' in child.cmdline()
        )
        return found

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(START)


@pytest.fixture(autouse=True)
def on_this_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')


def speak(probe: Probe, robot: str, call: bytes) -> None:
    """Let a robot put a call on the ledger, until it has, and more is final for it."""
    index, before = int(robot[-1]) - 1, probe.statuses[robot]

    def spoke() -> bool:
        status = probe.statuses[robot]
        return status.heights[index] > before.heights[index] and status.final > before.final

    probe.say_until(robot, call, spoke)


@pytest.mark.timeout(180)
def test_one_of_two_robots_is_killed_and_goes_on_with_its_ledger(tmp_path: Path) -> None:
    make_fleet(tmp_path / 'fleet', NAMES, name='test')
    up = Up(
        tmp_path,
        UP_DOMAIN,
        *('--fleet', 'fleet/fleet.yaml', '--all', '--respawn', '--respawn-delay', '0.5'),
    )
    with closing(Probe(UP_DOMAIN, up.check)) as probe:
        try:
            for name in NAMES:
                probe.hear(name)
            probe.wait(lambda: len(probe.statuses) == len(NAMES), START)
            speak(probe, 'robot2', LIDAR)

            nodes = {space for _, space in probe.node.get_node_names_and_namespaces()}
            assert nodes == {'/', '/robot1', '/robot2'}
            assert {
                topic
                for topic, _ in probe.node.get_topic_names_and_types()
                if not topic.startswith(('/robot1/', '/robot2/', '/fleet/'))
            } <= set(GLOBAL)

            before = list(probe.statuses['robot2'].heights)
            killed = up.child('robot2')
            killed.kill()
            probe.wait(lambda: not killed.is_running())
            del probe.statuses['robot2']
            probe.wait(lambda: 'robot2' in probe.statuses, START)
            assert probe.statuses['robot2'].heights[1] >= before[1]  # it kept its own
            speak(probe, 'robot2', BOTH)
            assert probe.statuses['robot2'].heights[1] > before[1] > 0
            assert not any(status.equivocators for status in probe.statuses.values())
            assert up.interrupt() == OK, up.said.read_text()
        finally:
            up.process.kill()
            up.process.wait()
    said = up.said.read_text()
    assert 'robot2 ended by SIGKILL: started again in 0.5 s' in said
    assert 'Traceback' not in said


@pytest.mark.timeout(180)
def test_two_fleets_on_one_domain_keep_apart(tmp_path: Path) -> None:
    fleets = {
        name: make_fleet(tmp_path / name, (f'{name}1', f'{name}2'), name=name)
        for name in ('alpha', 'beta')
    }
    names = [member.name for fleet in fleets.values() for member in fleet.robots]
    children = Children(environment(FLEETS_DOMAIN))

    def check() -> None:
        for child in children.failed():
            raise AssertionError(f'{child.name} ended: {child.tail()}')

    with closing(Probe(FLEETS_DOMAIN, check)) as probe:
        try:
            for name in names:
                file = tmp_path / name[:-1] / 'fleet.yaml'
                process = replace(robot(name, file), module=LEDGER)  # no sensors here
                children.start(name, process.command, tmp_path / f'{name}.log')
                probe.hear(name)
            probe.wait(lambda: len(probe.statuses) == len(names))
            for name in names:
                speak(probe, name, LIDAR)

            def refused(name: str) -> int:
                status = probe.statuses[name]
                return dict(zip(status.refused, status.refused_count, strict=True)).get('fleet', 0)

            probe.wait(lambda: all(refused(name) for name in names))
            once = {name: refused(name) for name in names}
            for name in names:
                speak(probe, name, BOTH)
            probe.wait(lambda: all(refused(name) > once[name] for name in names))
            for fleet in fleets.values():
                for member in fleet.robots:
                    status = probe.statuses[member.name]
                    assert bytes(status.fleet) == fleet.id
                    assert len(status.heights) == len(fleet.robots)
                    assert set(status.peers) <= {one.name for one in fleet.robots}
                    assert not status.equivocators and not status.alarm
        finally:
            assert not children.stop(START)


@pytest.mark.timeout(180)
def test_all_ends_when_the_simulator_does(tmp_path: Path) -> None:
    up = Up(tmp_path, SIM_DOMAIN, '--sim', '--respawn', '--set', 'radio:=nowhere.yaml')
    assert up.process.wait(START) == FAILED
    said = up.said.read_text()
    assert 'simulator ended with code 2: all ends with it' in said
    assert 'nowhere.yaml: cannot be read' in said and 'Traceback' not in said
