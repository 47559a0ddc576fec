"""The doctor finds each fault that is planted in a robot, and nothing in one that is well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import json
import os
from pathlib import Path
import subprocess
import sys
import time

from doctor_findings import bad, LIMITS, only
from harness import Harness, running
from inference_team import write_profile
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from small_base import Base, RAYS
from std_msgs.msg import String

from collab_robots.bringup import topics
from collab_robots.cli import FAILED
from collab_robots.explorer.doctor.computer import look_at_rmw
from collab_robots.explorer.doctor.examine import examine
from collab_robots.explorer.doctor.finding import Finding, Level
from collab_robots.explorer.doctor.heard import Heard
from collab_robots.explorer.doctor.network import look_at_network
from collab_robots.explorer.doctor.robot import read_robot, Robot
from collab_robots.explorer.fleets import make_fleet
from collab_robots.nodes import qos
from collab_robots.nodes.doctor import FIND_S, listen
from collab_robots.nodes.inference_node import InferenceNode
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots.nodes.poller import Poller
from collab_robots.nodes.task_node import TaskNode
from collab_robots_msgs.msg import LedgerStatus

DOMAIN = 130
EMPTY_DOMAIN = 131
SECONDS = 1.5
NOBODY = '127.0.0.1:9'  # the port of a service that nobody runs


# a node that answers somebody who has just left is warned of it
pytestmark = pytest.mark.filterwarnings('ignore:failed to send response:RuntimeWarning')


@dataclass
class Site:
    """A fleet that is well: robot1 with all its nodes and a base, and the ledger of robot2."""

    harness: Harness
    base: Base
    poller: Poller
    nodes: Mapping[str, ManagedNode]
    """Of robot1."""
    other: ManagedNode
    """The ledger of robot2, whose clock is that of the base."""
    statuses: list[LedgerStatus]
    """Of robot1."""

    @property
    def folder(self) -> Path:
        return self.harness.folder / 'robot1'

    def round(self) -> None:
        self.base.poll()
        self.poller.poll()

    def until(self, condition: object) -> None:
        def look() -> object:
            self.base.poll()
            return condition()

        self.harness.wait(look, 0.01)

    def hear(self, robot: Robot, domain: int = DOMAIN, find: float = FIND_S) -> Heard:
        return listen(robot, domain, SECONDS, lambda passed: self.round(), find)

    def wrong(self) -> list[Finding]:
        """Listen to robot1; return what is not well."""
        robot, _ = read_robot(self.folder)
        return bad(look_at_network(robot, self.hear(robot), LIMITS))


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp('site')
    write_profile(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        patch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')  # as in runs
        with running(folder, DOMAIN) as harness:
            parameters = {'use_sim_time': False, 'profile': str(folder)}
            nodes = {
                name: harness.add(kind(**harness.ledger_options('robot1', **parameters)))
                for name, kind in (
                    ('ledger', LedgerNode),
                    ('mapper', MapperNode),
                    ('tasks', TaskNode),
                    ('inference', InferenceNode),
                )
            }
            options = harness.ledger_options('robot2')
            options['cli_args'] += ['-r', f'{topics.CLOCK}:=/robot2_clock']
            other = harness.add(LedgerNode(**options))
            (folder / 'robot1' / 'params.yaml').write_text(
                f'/**:\n  ros__parameters:\n    profile: {folder}\n'
            )
            base = Base(harness.probe, 'robot1')
            # no robot issues anything: the tests move a clock
            hold = harness.probe.create_publisher(String, topics.MISSION, qos.LATCHED)
            hold.publish(String(data=topics.HOLD))
            statuses = harness.listen(LedgerStatus, f'/robot1/{topics.LEDGER_STATUS}')
            site = Site(harness, base, Poller(harness.nodes), nodes, other, statuses)
            site.until(lambda: statuses and statuses[-1].peers)
            yield site


@pytest.fixture(autouse=True)
def mended(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if 'site' in request.fixturenames:
        request.getfixturevalue('site').base.mend()


def test_nothing_is_wrong_with_a_healthy_robot(site: Site) -> None:
    robot, findings = read_robot(site.folder)
    assert bad([*findings, *examine(robot, LIMITS, os.environ, site.hear)]) == []


def test_a_lidar_that_sees_nothing(site: Site) -> None:
    site.base.ranges = [[float('nan')] * (RAYS // 2) + [0.0] * (RAYS // 2)]
    only(site.wrong(), 'lidar', Level.FAIL, 'none of 90 rays has a range', 'clean the lens')


def test_a_lidar_that_is_slow(site: Site) -> None:
    site.base.rates['scan'] = 1.6
    only(site.wrong(), 'lidar', Level.FAIL, 'Hz, less than 3', 'publish more often')


def test_a_camera_that_is_silent(site: Site) -> None:
    site.base.rates['image'] = 0.0
    only(site.wrong(), 'camera', Level.FAIL, '/robot1/camera/image_raw: silent', 'cable and power')


def test_wheels_that_say_nothing(site: Site) -> None:
    site.base.rates['odometry'] = 0.0
    only(site.wrong(), 'odometry', Level.FAIL, '/robot1/odom: silent', 'restart')


def test_a_transform_that_is_old(site: Site) -> None:
    site.base.tf_age = 7.0
    only(site.wrong(), 'tf', Level.WARN, 'odom to base_link is 7.', 'use_sim_time')


def test_a_node_that_is_paused(site: Site) -> None:
    assert site.nodes['tasks'].trigger_deactivate() is TransitionCallbackReturn.SUCCESS
    try:
        fix = 'ros2 lifecycle set /robot1/tasks activate'
        only(site.wrong(), 'nodes', Level.FAIL, '/robot1/tasks is inactive', fix)
    finally:
        assert site.nodes['tasks'].trigger_activate() is TransitionCallbackReturn.SUCCESS


def test_a_teammate_that_is_not_heard(site: Site) -> None:
    site.other.trigger_deactivate()
    try:
        site.until(lambda: not site.statuses[-1].peers)
        fix = 'the same ROS_DOMAIN_ID (130)'
        only(site.wrong(), 'peers', Level.FAIL, 'hears nobody of robot2', fix)
    finally:
        site.other.trigger_activate()
        site.until(lambda: site.statuses[-1].peers)


def test_another_fleet_in_the_domain(site: Site, tmp_path: Path) -> None:
    make_fleet(tmp_path, ('crane', 'mule'), name='other')
    values = {
        'fleet': str(tmp_path / 'fleet.yaml'),
        'key': str(tmp_path / 'crane' / 'key'),
        'store': str(tmp_path / 'ledger.db'),
        'use_sim_time': False,
    }
    stranger = LedgerNode(**site.harness.ledger_options('crane', **values))
    site.harness.add(stranger)
    try:
        only(site.wrong(), 'domain', Level.FAIL, 'crane of another fleet', 'another ROS_DOMAIN_ID')
    finally:
        site.harness.nodes.remove(stranger)
        stranger.destroy_node()


def test_two_robots_with_one_name(site: Site) -> None:
    topic = f'/robot1/{topics.LEDGER_STATUS}'
    double = site.harness.probe.create_publisher(LedgerStatus, topic, qos.STATUS)
    try:
        only(site.wrong(), 'domain', Level.FAIL, '2 processes are robot1', 'topic info -v')
    finally:
        site.harness.probe.destroy_publisher(double)


def test_a_domain_in_which_nobody_is(site: Site) -> None:
    robot, _ = read_robot(site.folder)
    found = bad(look_at_network(robot, site.hear(robot, EMPTY_DOMAIN, 1.0), LIMITS))
    only(found, 'discovery', Level.FAIL, 'no ROS node is seen in domain 131', 'start the robot')


@pytest.mark.parametrize(
    ('name', 'level'), [('rmw_of_nobody', Level.FAIL), ('rmw_fastrtps_cpp', None), ('', None)]
)
def test_a_middleware_that_is_not_there(name: str, level: Level | None) -> None:
    found = look_at_rmw({**os.environ, 'RMW_IMPLEMENTATION': name})
    assert (found and found.level) == level
    assert found is None or 'apt install ros-jazzy-rmw-of-nobody' in found.fix


def told_by_the_command(site: Site, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the exit code of ``collab-robots doctor``, and what failed."""
    command = [sys.executable, '-m', 'collab_robots.cli', 'doctor', str(site.folder), '--json']
    command += ['--domain', str(DOMAIN), '--seconds', '2', '--free', '0']
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, **environment}
    ) as process:
        while process.poll() is None:
            site.round()
            time.sleep(0.002)
        found = json.loads(process.communicate()[0])['findings']
    return process.returncode, {row['check']: row for row in found if row['level'] == 'fail'}


def test_the_command_says_the_same(site: Site) -> None:
    site.base.rates['image'] = 0.0
    code, failed = told_by_the_command(site)
    assert code == FAILED
    assert failed.keys() == {'camera'}
    assert 'cable and power' in failed['camera']['fix']


def test_a_discovery_server_that_is_not_there(site: Site) -> None:
    code, failed = told_by_the_command(site, ROS_DISCOVERY_SERVER=NOBODY)
    assert code == FAILED
    assert failed.keys() == {'environment', 'discovery'}  # the second follows from the first
    assert f'{NOBODY}: nothing listens there' in failed['environment']['message']
    assert 'unset ROS_DISCOVERY_SERVER' in failed['environment']['fix']


def test_a_clock_that_is_off(site: Site) -> None:
    site.base.ahead = 10.0  # the last test of it: a clock that goes back stops its timers
    message = 'robot2 is 10.0 s ahead of that of robot1'
    only(site.wrong(), 'clock', Level.FAIL, message, 'chronyc makestep')
