"""What a robot's nodes tell on /diagnostics: when all is well, and when something is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from harness import Harness, running
from inference_team import write_profile
import numpy as np
import pytest
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from small_base import Base, RAYS
import yaml

from collab_robots.bringup import topics
from collab_robots.contract.calls import tasks as calls
from collab_robots.contract.calls.common import Kind
from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.errors import Refusal
from collab_robots.core.resources import resource
from collab_robots.explorer.fleets import make_fleet
from collab_robots.inference.options import LOCAL
from collab_robots.inference.profile.times import Times
from collab_robots.inference.runtime.answer import Answer, Outcome, Trace
from collab_robots.inference.runtime.course import Course
from collab_robots.inference.runtime.events import Event, Fault
from collab_robots.inference.runtime.messages import FrameId
from collab_robots.inference.runtime.roster import Known
from collab_robots.nodes import qos
from collab_robots.nodes.diagnostics import ERROR, Health, OK, STALE, WARN
from collab_robots.nodes.health import Arrivals, LedgerHealth
from collab_robots.nodes.inference_health import InferenceHealth, link_health
from collab_robots.nodes.inference_node import InferenceNode
from collab_robots.nodes.ledger_node import LedgerNode
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots.nodes.task_node import TaskNode
from collab_robots.tangle.status import LedgerStatus
from collab_robots_msgs.action import Infer
from collab_robots_msgs.msg import Call

DOMAIN = 132
TOLD = {
    'ledger': {'peers', 'lag', 'finality', 'store', 'alarm', 'uplink'},
    'mapper': {'lidar', 'odometry'},
    'tasks': {'pose', 'battery'},
    'inference': {'camera', 'inference', 'link'},
}
NAN, INF = float('nan'), float('inf')


class Robot:
    """robot1 with all its nodes and a base, the ledger of robot2, and what robot1 tells."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.base = Base(harness.probe, 'robot1', lambda: harness.now_ns)
        own = {'profile': str(harness.folder), 'diagnostics_period': 0.2}
        for kind in (LedgerNode, MapperNode, TaskNode, InferenceNode):
            harness.add(kind(**harness.ledger_options('robot1', **own)))
        options = harness.ledger_options('robot2')
        options['cli_args'] += ['-r', f'{topics.CLOCK}:=/robot2_clock']
        self.other = harness.add(LedgerNode(**options))
        self.newest: dict[str, DiagnosticStatus] = {}
        harness.probe.create_subscription(
            DiagnosticArray, topics.DIAGNOSTICS, self._take, qos.STATUS
        )

    def _take(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.hardware_id == 'robot1':
                self.newest[status.name] = status

    def until(self, condition: object) -> object:
        def look() -> object:
            self.base.poll()
            return condition()

        return self.harness.wait(look, 0.02)

    def told(self, thing: str, level: bytes, message: str) -> dict[str, str]:
        """Wait until it is told that something is so; return its figures."""

        def look() -> DiagnosticStatus | None:
            status = self.newest.get(f'robot1/{thing}')
            fits = status and status.level == level and message in status.message
            return status if fits else None

        try:
            status = self.until(look)
        except AssertionError as error:
            raise AssertionError(f'{error}: {self.newest.get(f"robot1/{thing}")}') from None
        return {value.key: value.value for value in status.values}


@pytest.fixture(scope='module')
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    folder = tmp_path_factory.mktemp('site')
    write_profile(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        patch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')  # as in runs
        with running(folder, DOMAIN) as harness:
            yield Robot(harness)


@pytest.fixture
def robot(started: Robot) -> Iterator[Robot]:
    yield started
    started.base.mend()


def test_all_is_told_and_well(robot: Robot) -> None:
    names = {f'robot1/{node}: {thing}' for node, things in TOLD.items() for thing in things}

    def well() -> bool:
        return names == robot.newest.keys() and all(
            status.level == OK for status in robot.newest.values()
        )

    try:
        robot.until(well)
    except AssertionError:
        raise AssertionError(names ^ robot.newest.keys(), robot.newest) from None
    figures = robot.told('ledger: peers', OK, 'hears all 1')
    assert (figures['heard'], figures['expected'], figures['names']) == ('1', '1', 'robot2')
    figures = robot.told('ledger: store', OK, 'MiB free')
    assert int(figures['size_bytes']) > 4096
    assert int(figures['free_bytes']) > 0
    figures = robot.told('tasks: battery', OK, '80%')
    assert figures == {'percentage': '0.8', 'voltage_v': '12.0'}


def test_a_lidar_without_a_usable_range(robot: Robot) -> None:
    robot.base.ranges = [
        [NAN] * RAYS,
        [0.0] * RAYS,
        [-INF] * RAYS,
        [NAN, 0.0, -INF, 1e9, -1.0, 0.05] * (RAYS // 6),
        [],
    ]
    robot.told('mapper: lidar', ERROR, 'nothing usable on /robot1/scan')
    robot.base.mend()
    figures = robot.told('mapper: lidar', OK, 'Hz')
    assert float(figures['age_s']) < 2.0


def test_rays_that_meet_nothing_are_usable(robot: Robot) -> None:
    robot.base.ranges = [[INF] * (RAYS - 1) + [NAN]]
    until = robot.harness.now_ns + 3_000_000_000
    robot.until(lambda: robot.harness.now_ns > until)
    robot.told('mapper: lidar', OK, 'Hz')


def test_no_camera(robot: Robot) -> None:
    robot.base.rates['image'] = 0.0
    robot.told('inference: camera', WARN, '/robot1/camera/image_raw: is its')


def test_no_odometry(robot: Robot) -> None:
    robot.base.rates['odometry'] = robot.base.rates['scan'] = 0.0
    robot.told('mapper: odometry', ERROR, 'nothing usable on /robot1/odom')
    robot.told('tasks: pose', ERROR, 'so the robot stands')
    robot.base.mend()
    robot.told('tasks: pose', OK, '')


@pytest.mark.parametrize(
    ('charge', 'level', 'message'),
    [
        (0.2, WARN, '20%: charge it'),
        (0.05, ERROR, '5%: charge it'),
        (70.0, OK, '70%'),
        (NAN, OK, '12.0 V'),
    ],
)
def test_a_battery(robot: Robot, charge: float, level: bytes, message: str) -> None:
    robot.base.charge = charge
    robot.told('tasks: battery', level, message)


def test_a_picture_that_is_named(robot: Robot) -> None:
    own = Node('asker')
    executor = SingleThreadedExecutor()
    executor.add_node(own)
    client = ActionClient(own, Infer, f'/robot1/{topics.INFER}')

    def done(condition: object) -> object:
        executor.spin_once(timeout_sec=0.0)
        return condition()

    try:
        robot.until(lambda: done(client.server_is_ready))
        picture = np.zeros((64, 64, 3), np.uint8)
        sent = client.send_goal_async(Infer.Goal(image=image_to_msg(picture), top=1))
        robot.until(lambda: done(sent.done))
        result = sent.result().get_result_async()
        robot.until(lambda: done(result.done))
        figures = robot.told('inference: inference', OK, '1 pictures')
        assert figures['answered'] == '1'
        assert float(figures['median_s']) > 0.0
        assert figures['plan']
    finally:
        client.destroy()
        executor.shutdown()
        own.destroy_node()


def image_to_msg(picture: np.ndarray) -> object:
    message = Infer.Goal().image
    message.height, message.width = picture.shape[:2]
    message.encoding, message.step = 'rgb8', 3 * picture.shape[1]
    message.data = picture.tobytes()
    return message


def test_nobody_is_heard(robot: Robot) -> None:
    robot.other.trigger_deactivate()
    robot.told('ledger: peers', ERROR, 'does not hear robot2')
    robot.other.trigger_activate()
    robot.told('ledger: peers', OK, 'hears all 1')


def test_a_node_that_is_not_active_tells_nothing(robot: Robot) -> None:
    tasks = next(node for node in robot.harness.nodes if isinstance(node, TaskNode))
    tasks.trigger_deactivate()
    robot.newest.clear()
    robot.until(lambda: 'robot1/mapper: lidar' in robot.newest)
    until = robot.harness.now_ns + 2_000_000_000
    robot.until(lambda: robot.harness.now_ns > until)
    assert not any(name.startswith('robot1/tasks') for name in robot.newest)
    tasks.trigger_activate()


def test_a_clock_that_is_10_s_off(robot: Robot) -> None:
    """The last one: what robot2 says from the future is put off for as long."""
    robot.base.ahead = 10.0
    call = robot.harness.probe.create_publisher(Call, f'/robot2/{topics.CALL}', qos.STATUS)
    robot.until(call.get_subscription_count)
    call.publish(Call(data=calls.propose(int(Kind.EXPLORE), 1, 1, 0)))
    robot.told('ledger: alarm', ERROR, 'records of robot2 are dated 10 s ahead')
    robot.newest.clear()
    robot.told('ledger: store', OK, '')  # it goes on


# What cannot be waited for: by a clock that the test moves


def test_how_often_something_comes() -> None:
    clock = ManualClock(100 * SECOND)
    scans = Arrivals('/robot1/scan', clock.now_ns, 3.0)
    assert scans.health().level == ERROR
    for _ in range(60):
        scans.note()
        clock.advance(0.1)
    assert scans.health() == Health(OK, '9.8 Hz', {'age_s': 0.1, 'rate_hz': 9.8})
    for _ in range(6):
        scans.note()
        clock.advance(1.0)
    assert scans.health().level == WARN
    assert 'Hz on /robot1/scan, less than 3' in scans.health().message
    clock.advance(2.0)
    assert scans.health().level == ERROR


def status(**values: object) -> LedgerStatus:
    well = LedgerStatus(
        blocks=9,
        waiting=0,
        pending=0,
        accepted=0,
        final=9,
        heights=(5, 4),
        set_digest=bytes(32),
        final_digest=bytes(32),
        round=3,
        pruned=0,
        snapshot=0,
        peers=('robot2',),
        refused={},
        forked=(),
        bytes_sent=0,
        bytes_received=0,
        alarm='',
    )
    return replace(well, **values)


def test_how_a_ledger_is(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, ('robot1', 'robot2', 'robot3'), 'test')
    clock = ManualClock(100 * SECOND)
    health = LedgerHealth('robot1', tmp_path / 'ledger.db', clock.now_ns)
    assert {health.peers().level, health.lag().level, health.finality().level} == {STALE}
    health.note(status(), fleet, '')
    assert health.peers().level == WARN
    assert 'does not hear robot3' in health.peers().message
    assert 'out of reach' in health.peers().message
    health.note(status(peers=(), refused={Refusal.FLEET: 3}), fleet, '')
    assert health.peers().level == ERROR
    assert 'has it another fleet.yaml' in health.peers().message
    assert health.peers().values['of_other_fleets'] == 3
    health.note(status(), fleet, '')
    for look in (health.lag, health.finality, health.store, health.alarm):
        assert look().level == OK
    for waiting in (0, 3):
        health.note(status(waiting=waiting, pending=2, accepted=1), fleet, '')
        clock.advance(11.0)
    assert (health.lag().level, health.finality().level) == (WARN, WARN)
    assert health.finality().values == {'final': 9, 'unsettled': 3, 'age_s': 22.0}
    health.note(status(final=10, accepted=1), fleet, 'the disk is full')
    assert (health.lag().level, health.finality().level) == (OK, OK)
    assert (health.alarm().level, health.store().level) == (ERROR, OK)


def answer(outcome: Outcome, seconds: float, *faults: Fault) -> Answer:
    events = tuple(Event('robot2', fault, '', 0) for fault in faults)
    trace = Trace(Course(LOCAL), seconds=seconds, events=events)
    return Answer(FrameId('robot1', 1, 1), b'', outcome, None, None, trace)


def test_how_naming_goes() -> None:
    health = InferenceHealth()
    assert health.health().level == OK
    for seconds in (0.01, 0.02, 0.03):
        health.note(answer(Outcome.ANSWERED, seconds))
    assert health.health().level == OK
    health.note(answer(Outcome.REFUSED, 0.02, Fault.TIMEOUT))
    told = health.health()
    assert told.level == WARN
    assert told.values['median_s'] == 0.02
    assert told.values['refused'] == told.values['helper_timeout'] == 1
    health = InferenceHealth()
    health.note(answer(Outcome.REFUSED, 0.02))
    assert health.health().level == ERROR


def test_how_links_are() -> None:
    helper = Known('robot2', Times({}))
    told = link_health([helper], 0)
    assert told.level == OK
    assert told.message.startswith('robot2 ')
    assert {'robot2_rate_bps', 'robot2_delay_s', 'robot2_loss'} <= told.values.keys()
    assert link_health([], 0).message == 'nobody offers help'


def test_analyzers_take_all_that_is_told() -> None:
    text = resource('config/diagnostics/analyzers.yaml').read_text()
    analyzers = yaml.safe_load(text)['/**']['ros__parameters']['analyzers']
    parts = [part for analyzer in analyzers.values() for part in analyzer['contains']]
    for node, things in TOLD.items():
        for thing in things:
            assert any(part in f'robot1/{node}: {thing}' for part in parts), (node, thing)
