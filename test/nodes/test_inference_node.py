"""Inference nodes on real topics: who names what, with whom, and what is refused on the way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
import io
import math
import os
from pathlib import Path
import signal
import subprocess
import time
from typing import Any

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from harness import Harness, running
from inference_team import CUT, JPEG, SPLIT, write_profile
import numpy as np
from PIL import Image as Picture
import pytest
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan
import skimage

from collab_robots.bringup import topics
from collab_robots.bringup.processes import node
from collab_robots.bringup.tables import NODE
from collab_robots.contract.calls.common import Kind
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.core.uplink import Traffic
from collab_robots.inference.runtime.messages import FrameId, Hop, Reply, ReplyKind, Work
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.inference_conversions import work_to_msg
from collab_robots.nodes.inference_node import InferenceNode
from collab_robots.nodes.inference_radio import InferenceRadio
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.uplink import Outlets
from collab_robots_msgs.action import Infer
from collab_robots_msgs.msg import (
    Call,
    Detection,
    InferenceOffer,
    InferenceReply,
    InferenceTrace,
    Refused,
    Roster,
    RosterRobot,
    TaskStatus,
    TaskStatusArray,
    TensorChunk,
)

DOMAIN = 43
CAT = Path(skimage.__file__).parent / 'data' / 'chelsea.png'
PROBES = 50  # pictures until one is sent away, at most
FLEET_WORK = '/fleet/work'
CATS = {'tabby', 'tiger cat', 'Egyptian cat'}


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')  # as in runs: survives kill -9
    write_profile(tmp_path)
    with running(tmp_path, domain=DOMAIN) as harness:
        yield harness


class Asker:
    """A client of robot1's action."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._node = harness.probe
        self._executor = SingleThreadedExecutor()
        own = Node('asker')
        self._executor.add_node(own)
        self._own = own
        self.client = ActionClient(own, Infer, f'/robot1/{topics.INFER}')
        self.states: list[str] = []

    def ask(self, image: Image, give_up: bool = False) -> tuple[int, Infer.Result]:
        """Return the goal's status and result, having given it up if so told."""
        self._until(self.client.server_is_ready)
        goal = Infer.Goal(image=image, top=3)
        sent = self.client.send_goal_async(
            goal, feedback_callback=lambda m: self.states.append(m.feedback.state)
        )
        self._until(sent.done)
        assert sent.result().accepted
        if give_up:
            cancelled = sent.result().cancel_goal_async()
            self._until(cancelled.done)
        result = sent.result().get_result_async()
        self._until(result.done)
        return result.result().status, result.result().result

    def _until(self, condition: Any) -> None:
        def look() -> bool:
            for _ in range(3):
                self._executor.spin_once(timeout_sec=0.0)
            return condition()

        self._harness.wait(look, 0.01)

    def close(self) -> None:
        self.client.destroy()
        self._executor.shutdown()
        self._own.destroy_node()


@pytest.fixture
def asker(harness: Harness) -> Iterator[Asker]:
    asker = Asker(harness)
    yield asker
    asker.close()


class Helper:
    """robot2 in a process of its own."""

    def __init__(self, folder: Path) -> None:
        values = {'name': 'robot2', 'profile': str(folder)}
        command = node(
            'inference_node',
            namespace='/robot2',
            parameters=values,
            remappings=tuple(topics.direct_remappings()),
        ).command
        environment = {**os.environ, 'ROS_DOMAIN_ID': str(DOMAIN), 'OMP_NUM_THREADS': '1'}
        self.process = subprocess.Popen(command, env=environment)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def cat(encoding: str = 'rgb8') -> Image:
    with Picture.open(CAT) as file:
        rgb = np.asarray(file.convert('RGB'))
    height, width = rgb.shape[:2]
    data = rgb.tobytes()
    return Image(height=height, width=width, step=3 * width, encoding=encoding, data=data)


def robot1(harness: Harness, **values: Any) -> InferenceNode:
    options = harness.options('robot1', **{'profile': str(harness.folder), **values})
    return harness.add(InferenceNode(**options))


def test_a_picture_is_named_alone(harness: Harness, asker: Asker) -> None:
    robot1(harness)
    status, result = asker.ask(cat())
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert len(result.labels) == 3 and result.labels[0] in CATS
    assert result.probabilities[0] == max(result.probabilities) <= 1.0
    assert (result.trace.plan, result.trace.helper, result.trace.bytes) == ('local', '', 0)
    assert asker.states == ['local']


class Base:
    """Of a robot that stands 2.5 m before a wall with a cat on it."""

    def __init__(self, harness: Harness, picture: str = topics.IMAGE) -> None:
        self._harness = harness
        self._picture = picture
        self.garbage = b''  # sent in place of a compressed picture, if any
        kinds = {
            topics.POSE: (PoseStamped, qos.STATUS),
            topics.SCAN: (LaserScan, qos.SENSOR),
            topics.CAMERA_INFO: (CameraInfo, qos.SENSOR),
            picture: (Image if picture == topics.IMAGE else CompressedImage, qos.SENSOR),
        }
        self._publishers = {
            topic: harness.probe.create_publisher(kind, f'/robot1/{topic}', profile)
            for topic, (kind, profile) in kinds.items()
        }
        for publisher in self._publishers.values():
            harness.matched(publisher)

    def look(self) -> None:
        """Publish what it sees now."""
        now = self._harness.now_ns
        angles = np.radians(np.arange(-180.0, 180.0))
        ahead = np.where(np.abs(angles) < 1.2, 2.5 / np.cos(angles), np.inf)
        scan = LaserScan(header=conversions.header('base_scan', now), ranges=ahead)
        scan.angle_min, scan.angle_max = -math.pi, math.radians(179.0)
        scan.angle_increment = math.radians(1.0)
        scan.range_min, scan.range_max = 0.1, 12.0
        frame = Picture.new('RGB', (320, 240), (190, 192, 188))
        with Picture.open(CAT) as file:
            frame.paste(file.convert('RGB').resize((150, 100)), (85, 70))
        if self._picture == topics.IMAGE:
            image = Image(height=240, width=320, step=960, encoding='rgb8', data=frame.tobytes())
        else:
            buffer = io.BytesIO()
            frame.save(buffer, 'JPEG', quality=95)  # image_transport's default
            data = self.garbage or buffer.getvalue()
            image = CompressedImage(format='rgb8; jpeg compressed bgr8', data=data)
        image.header = scan.header
        here = conversions.pose_to_msg(np.zeros(3), 'map', now)
        info = CameraInfo(k=[234.0, 0.0, 160.0, 0.0, 234.0, 120.0, 0.0, 0.0, 1.0])
        for topic, message in (
            (topics.CAMERA_INFO, info),
            (topics.SCAN, scan),
            (topics.POSE, here),
            (self._picture, image),
        ):
            self._publishers[topic].publish(message)


def test_what_hangs_on_the_wall_is_told(harness: Harness) -> None:
    robot1(harness)
    base = Base(harness)
    detections = harness.listen(Detection, f'/robot1/{topics.DETECTIONS}')
    calls = harness.listen(Call, f'/robot1/{topics.CALL}')
    traces = harness.listen(InferenceTrace, f'/robot1/{topics.INFERENCE}')
    harness.wait(lambda: base.look() or (detections and calls))
    found = detections[0]
    assert found.label in CATS and found.robot == 'robot1' and len(found.thumbnail) > 0
    assert math.hypot(found.position.x - 2.5, found.position.y) < 0.1
    assert [trace.seq for trace in traces[:2]] == [0, 1]
    assert traces[0].header.stamp == traces[1].header.stamp == found.header.stamp


def test_pictures_may_come_compressed_and_the_lidar_sit_elsewhere(harness: Harness) -> None:
    robot1(harness, image_transport='compressed', lidar_pose=[-0.5, 0.0, 0.0])
    base = Base(harness, topics.IMAGE_COMPRESSED)
    detections = harness.listen(Detection, f'/robot1/{topics.DETECTIONS}')
    refusals = harness.listen(Refused, f'/robot1/{topics.REFUSED}')
    base.garbage = b'\xff\xd8 no JPEG'
    harness.wait(lambda: base.look() or refusals)
    assert refusals[0].reason == 'image' and 'no readable picture' in refusals[0].text
    buffer = io.BytesIO()
    Picture.new('1', (20_000, 20_000)).save(buffer, 'PNG')  # 400 megapixels in 50 kB
    base.garbage = buffer.getvalue()
    harness.wait(lambda: base.look() or '400000000 pixels' in refusals[-1].text)
    base.garbage = b''
    harness.wait(lambda: base.look() or detections)
    found = detections[0]
    assert found.label in CATS
    assert math.hypot(found.position.x - 2.0, found.position.y) < 0.1


def test_what_is_no_picture_is_refused(harness: Harness, asker: Asker) -> None:
    robot1(harness)
    for image in (Image(encoding='rgb8'), cat('jpeg')):
        status, result = asker.ask(image)
        assert (status, result.reason) == (GoalStatus.STATUS_ABORTED, 'image')


def test_a_goal_that_is_given_up_ends_at_once(harness: Harness, asker: Asker) -> None:
    node = robot1(harness, slow=20.0)  # more than 0.2 s a picture
    status, result = asker.ask(cat(), give_up=True)
    assert (status, result.reason) == (GoalStatus.STATUS_CANCELED, 'cancelled')
    assert node.port.requester.in_progress == 0


def test_a_slow_robot_is_helped_by_another_process(harness: Harness, asker: Asker) -> None:
    node = robot1(harness, slow=20.0)
    traces = harness.listen(InferenceTrace, f'/robot1/{topics.INFERENCE}')
    helper = Helper(harness.folder)
    try:
        harness.wait(lambda: node.port.requester.roster.get('robot2'))
        status, result = asker.ask(cat())  # the link is not known yet: it is tried out
        assert status == GoalStatus.STATUS_SUCCEEDED and result.labels[0] in CATS
        assert result.trace.plan.startswith('local, probe ') and result.trace.planned == 'robot2'
        for _ in range(PROBES):  # where the machine is busy, a probe's answer may come too late
            status, result = asker.ask(cat())
            assert status == GoalStatus.STATUS_SUCCEEDED and result.labels[0] in CATS
            trace = result.trace
            harness.wait(lambda trace=trace: traces and traces[-1] == trace)
            if not trace.plan.startswith('local'):
                break
        assert (trace.planned, trace.helper, trace.attempts) == ('robot2', 'robot2', 1)
        assert trace.plan in (str(SPLIT), str(JPEG)) and 0 < trace.bytes < 60_000

        # Its power fails: the next pictures are named all the same, and the failure is told.
        helper.end(signal.SIGKILL)
        status, result = asker.ask(cat())
        assert status == GoalStatus.STATUS_SUCCEEDED and result.labels[0] in CATS
        assert result.trace.helper == '' and result.trace.planned == 'robot2'
        assert list(result.trace.events) == ['robot2: timeout']
    finally:
        if helper.process.poll() is None:
            assert helper.end(signal.SIGINT) == 0


def test_who_does_not_share_is_asked_nothing_and_asks_nobody(
    harness: Harness, asker: Asker
) -> None:
    node = robot1(harness, slow=20.0, share=False)
    other = harness.add(InferenceNode(**harness.options('robot2', profile=str(harness.folder))))
    harness.wait(lambda: other.port.helper.offers())
    heard = harness.listen(TensorChunk, f'{FLEET_WORK}/robot1', qos.RADIO)
    status, result = asker.ask(cat())
    assert (status, result.trace.plan) == (GoalStatus.STATUS_SUCCEEDED, 'local')
    assert not heard and other.port.requester.roster.get('robot1') is None
    assert node.port.helper.frames == 0


def test_who_has_a_lease_helps_and_else_whom_the_configuration_names(harness: Harness) -> None:
    node = robot1(harness, helpers=['robot3'])
    harness.add(InferenceNode(**harness.options('robot2', profile=str(harness.folder))))
    tasks = harness.probe.create_publisher(TaskStatusArray, f'/robot1/{topics.TASKS}', qos.LATCHED)
    offers = harness.listen(InferenceOffer, '/fleet/offer', qos.RADIO)

    def helpers() -> list[str]:
        return [known.name for known in node.port.requester.roster.ready(time.monotonic_ns())]

    def lease(robot: str) -> None:
        held = TaskStatus(kind=Kind.INFER, state=TaskStatus.HELD, holder=robot, accepted=True)
        tasks.publish(TaskStatusArray(tasks=[held]))

    harness.wait(lambda: any(offer.sender == 'robot2' for offer in offers))
    assert helpers() == []
    lease('robot2')
    harness.wait(lambda: helpers() == ['robot2'])
    lease('robot3')
    harness.wait(lambda: helpers() == [])


def test_who_is_not_of_the_fleet_is_not_asked(harness: Harness) -> None:
    node = robot1(harness)
    harness.add(InferenceNode(**harness.options('robot2', profile=str(harness.folder))))
    ledger = harness.probe.create_publisher(Roster, f'/robot1/{topics.ROSTER}', qos.STATUS)

    def may_help() -> bool:
        return bool(node.port.requester.roster.ready(time.monotonic_ns()))

    def helps_as(standing: int, may: bool) -> bool:
        others = [RosterRobot(name=name, weight=1) for name in ('robot1', 'robot3')]
        second = RosterRobot(name='robot2', weight=1, standing=standing)
        ledger.publish(Roster(robots=[*others, second]))
        return may_help() is may

    harness.wait(may_help)
    harness.wait(partial(helps_as, RosterRobot.EXPELLED, False))
    harness.wait(partial(helps_as, RosterRobot.ACTIVE, True))
    harness.wait(partial(helps_as, RosterRobot.LEFT, False))


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'objective': 'glory'}, "expected one of 'latency', 'energy', 'throughput'"),
        ({'camera_pose': [1.0]}, 'expected a list of 3 numbers'),
        ({'slow': 0.5}, 'How many times slower'),
        ({'profile': 'nowhere'}, 'sheet.json: cannot be read'),
        ({'name': ''}, "'name' is not set"),
    ],
)
def test_wrong_parameters_are_refused_in_words(
    harness: Harness, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        robot1(harness, **{'profile': str(harness.folder), **values})


def work(model: bytes, **changed: Any) -> Work:
    values = {
        'frame': FrameId('robot2', 1, 0),
        'attempt': 0,
        'sender': 'robot2',
        'model': model,
        'option': SPLIT,
        'route': (Hop('robot1', 33, 8),),
        'budget_ns': 10**9,
        'done': (),
        'lost': 0.0,
        'chunk': 0,
        'chunks': 1,
        'size': 100,
        'data': bytes(100),
    }
    return Work(**{**values, **changed})


def test_garbage_is_refused_and_counted(harness: Harness) -> None:
    node = robot1(harness)
    model = node.port.engine.model.hash
    refused = harness.listen(Refused, f'/robot1/{topics.REFUSED}')
    replies = harness.listen(InferenceReply, '/fleet/reply/robot2', qos.RADIO)
    sender = harness.probe.create_publisher(TensorChunk, f'{FLEET_WORK}/robot1', qos.RADIO)
    harness.matched(sender)

    def said(message: TensorChunk, reason: str) -> None:
        count = len(refused)
        sender.publish(message)
        harness.wait(lambda: len(refused) > count)
        assert refused[-1].reason == reason

    said(work_to_msg(work(model)), 'tensor')  # no code at all
    harness.wait(lambda: replies)
    assert (replies[-1].kind, replies[-1].reason) == ('refused', 'tensor')
    assert replies[-1].target == 'robot2'
    said(work_to_msg(work(bytes(32), attempt=1)), 'model')
    too_large = work_to_msg(work(model, attempt=2, size=2**24))
    said(too_large, 'too_large')
    other_version = work_to_msg(work(model, attempt=3))
    other_version.version = 9
    said(other_version, 'message_version')
    nobody = work_to_msg(work(model, attempt=3, sender='no topic'))
    said(nobody, 'malformed')
    half = work_to_msg(work(model, attempt=4))
    half.route_end = []
    said(half, 'malformed')
    behind = work_to_msg(work(model, attempt=5))
    behind.route_end = [CUT]
    said(behind, 'malformed')


def test_work_waits_for_its_turn_and_replies_do_not(harness: Harness) -> None:
    overrides = [Parameter('name', value='robot3')]
    node = ManagedNode('radio', NODE, namespace='/robot3', parameter_overrides=overrides)
    harness.add(node)
    outlets = Outlets(node, None, 0.0)
    outlets.uplink.limit(1.0, Traffic.TENSORS)
    radio = InferenceRadio(node, outlets, 'robot3', lambda message: None)
    heard = harness.listen(TensorChunk, f'/robot3/{topics.sent("work")}', qos.RADIO)
    replies = harness.listen(InferenceReply, f'/robot3/{topics.sent("reply")}', qos.RADIO)
    for topic in ('work', 'reply'):
        harness.wait(lambda topic=topic: node.count_subscribers(topics.sent(topic)))
    for attempt in range(3):
        radio.send(work(bytes(32), attempt=attempt, route=(Hop('robot2', 33, 8),)))
    received = Reply(FrameId('robot2', 1, 0), 0, 'robot3', 'robot2', ReplyKind.RECEIVED)
    for _ in range(3):
        radio.send(received)
    harness.wait(lambda: heard and len(replies) == 3)  # the next chunk is due in minutes
    harness.wait(lambda: harness.now_ns > SECOND // 2)
    assert [message.attempt for message in heard] == [0]
