"""What goes into a message comes out of it, and what cannot be is refused."""

from __future__ import annotations

from dataclasses import replace
import math

import numpy as np
import pytest
from sensor_msgs.msg import Image, LaserScan

from collab_robots.contract.calls import fleet
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.fleet import Capability
from collab_robots.contract.calls.tasks import Terms
from collab_robots.contract.views.maps import Masks
from collab_robots.contract.views.roster import (
    Obstacle,
    PendingChange,
    Robot,
    Roster,
    Standing,
)
from collab_robots.contract.views.tasks import Reason, Task, TaskState, Why
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.core.geometry import Grid, pose
from collab_robots.core.identity import address
from collab_robots.mapping.sketch import Sketch
from collab_robots.nodes import conversions
from collab_robots.nodes.ledger_conversions import (
    chunk_from_msg,
    chunk_to_msg,
    have_from_msg,
    have_to_msg,
    request_from_msg,
    request_to_msg,
)
from collab_robots.nodes.roster_conversions import roster_from_msg, roster_to_msg
from collab_robots.tangle.sync import Chunk, Have, Range, Request
from collab_robots_msgs.msg import Request as RequestMsg
from collab_robots_msgs.msg import Roster as RosterMsg
from collab_robots_msgs.msg import RosterRobot, RosterVote, TaskStatus

DIGEST = bytes(range(32))
KEY = b'k' * 32


@pytest.mark.parametrize('time_ns', [0, 1, SECOND - 1, 1_795_326_332_531_795_237])
def test_stamps(time_ns: int) -> None:
    assert conversions.stamp_from_msg(conversions.stamp_to_msg(time_ns)) == time_ns


@pytest.mark.parametrize('yaw', [0.0, 1.0, -3.0, math.pi - 1e-6])
def test_poses(yaw: float) -> None:
    planar = pose(1.5, -2.5, yaw)
    message = conversions.pose_to_msg(planar, 'map', 5)
    assert conversions.pose_from_msg(message) == pytest.approx(planar)
    message.pose.position.x = math.nan
    with pytest.raises(RefusedError, match='finite'):
        conversions.pose_from_msg(message)


def test_grids() -> None:
    data = np.array([[-1, 0, 100], [100, 0, -1]], dtype=np.int8)
    message = conversions.grid_to_msg(Grid(data, 0.05, (-3.2, 6.4)), 'map', 7)
    back = conversions.grid_from_msg(message)
    assert (back.data == data).all()
    assert (back.resolution, back.origin) == (pytest.approx(0.05), (-3.2, 6.4))
    message.info.width = 4
    with pytest.raises(RefusedError, match='expected 2 x 4 cells'):
        conversions.grid_from_msg(message)


def test_haves_and_requests() -> None:
    have = Have('robot1', DIGEST, (3, 0, 7), DIGEST[::-1], (1, 0, 4), (2,), 77, 9)
    assert have_from_msg(have_to_msg(have)) == have
    request = Request(
        'robot1', 'robot2', (Range(0, 1, 4), Range(2, 0, 0)), (DIGEST,), 9, (0, 2_047)
    )
    assert request_from_msg(request_to_msg(request)) == request
    with pytest.raises(RefusedError, match='ranges are incomplete'):
        request_from_msg(RequestMsg(issuers=[1], first=[0, 1], last=[1]))
    with pytest.raises(RefusedError, match='no list of digests'):
        request_from_msg(RequestMsg(ids=DIGEST[:-1]))


@pytest.mark.parametrize('data', [b'', b'\x00\xff' * 16_000])
def test_chunks(data: bytes) -> None:
    chunk = Chunk('robot1', 3, 1, 2, DIGEST, data)
    assert chunk_from_msg(chunk_to_msg(chunk)) == chunk


def test_tasks() -> None:
    task = Task(
        DIGEST,
        Kind.INSPECT,
        (-3, 4),
        2,
        TaskState.HELD,
        Why.HELD,
        'robot2',
        {'robot1': 4.5, 'robot2': 0.25},
        20 * SECOND,
        8 * SECOND,
        10 * SECOND,
        {'robot1': 30 * SECOND},
        Terms(priority=3),
        {'robot1': Reason.HAS_DONE, 'robot2': Reason.HOLDER},
        ('robot3', 'robot4'),
    )
    view = conversions.task_from_msg(conversions.task_to_msg(task, True, None))
    assert (view.key, view.kind, view.cell, view.round) == (DIGEST, Kind.INSPECT, (-3, 4), 2)
    assert (view.state, view.holder, view.accepted) == (TaskState.HELD, 'robot2', True)
    assert (view.proposed_at_ns, view.award_from_ns) == (8 * SECOND, 10 * SECOND)
    assert view.lease_until_ns == 20 * SECOND
    assert (view.bids, view.completed_by) == (task.bids, ('robot1',))
    assert (view.priority, view.mapped_by) == (3, ('robot3', 'robot4'))
    open_ = replace(task, state=TaskState.OPEN, why=Why.NOT_AWARDED, holder=None)
    for assigned in ('robot1', None):
        view = conversions.task_from_msg(conversions.task_to_msg(open_, False, assigned))
        assert (view.holder, view.assigned) == (None, assigned)


@pytest.mark.parametrize(
    'message',
    [
        TaskStatus(kind=0),
        TaskStatus(kind=1, state=9),
        TaskStatus(kind=1, bidders=['robot1'], costs=[]),
    ],
)
def test_tasks_that_cannot_be(message: TaskStatus) -> None:
    with pytest.raises(RefusedError, match='task: '):
        conversions.task_from_msg(message)


def test_scans_need_angles_that_fit_their_ranges() -> None:
    step = math.radians(1.0)
    message = LaserScan(angle_min=-math.pi, angle_max=math.pi - step, angle_increment=step)
    message.range_min, message.range_max, message.ranges = 0.1, 8.0, [1.0] * 360
    assert conversions.scan_from_msg(message).angles[-1] == pytest.approx(math.pi - step)
    message.ranges = [1.0] * 361  # as some drivers count
    conversions.scan_from_msg(message)
    for wrong in ([1.0] * 180, [1.0] * 720, []):
        message.ranges = wrong
        with pytest.raises(RefusedError, match=f'scan: {len(wrong)} ranges, .* do not reach'):
            conversions.scan_from_msg(message)
    message.angle_increment = math.nan
    with pytest.raises(RefusedError, match='do not reach'):
        conversions.scan_from_msg(message)


def test_pictures() -> None:
    rgb = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    message = Image(height=2, width=4, step=12, encoding='rgb8', data=rgb.tobytes())
    assert (conversions.image_from_msg(message) == rgb).all()
    message.encoding = 'bgr8'
    assert (conversions.image_from_msg(message) == rgb[:, :, ::-1]).all()
    padded = np.zeros((2, 16), np.uint8)
    padded[:, :12] = rgb.reshape(2, 12)
    message = Image(height=2, width=4, step=16, encoding='rgb8', data=padded.tobytes())
    assert (conversions.image_from_msg(message) == rgb).all()


def test_grey_pictures() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    message = Image(height=2, width=3, step=3, encoding='mono8', data=grey.tobytes())
    assert (conversions.image_from_msg(message) == expected).all()
    deep = grey.astype(np.uint16) * 256 + 99
    for order, big in (('<u2', 0), ('>u2', 1)):
        data = deep.astype(order).tobytes()
        message = Image(height=2, width=3, step=6, encoding='mono16', is_bigendian=big, data=data)
        assert (conversions.image_from_msg(message) == expected).all()


@pytest.mark.parametrize(
    'message',
    [
        Image(height=1, width=1, step=3, encoding='8UC1', data=b'abc'),
        Image(height=1, width=2, step=2, encoding='mono16', data=b'ab'),
        Image(height=0, width=1, step=3, encoding='rgb8', data=b''),
        Image(height=1, width=2, step=3, encoding='rgb8', data=b'abc'),
        Image(height=2, width=1, step=3, encoding='rgb8', data=b'abc'),
        Image(height=2**31, width=2**31, step=3, encoding='rgb8', data=b'abc'),
    ],
)
def test_pictures_that_cannot_be(message: Image) -> None:
    with pytest.raises(RefusedError):
        conversions.image_from_msg(message)


def test_rosters() -> None:
    robots = [
        Robot(0, 'a', address(DIGEST), DIGEST, 2, Standing.ACTIVE, 3, 1, b's' * 20, Capability(5)),
        Robot(1, 'b', address(KEY), KEY, 0, Standing.LEFT, 1, 0, b'', Capability(0)),
    ]
    roster = Roster(4, tuple(robots))
    pending = tuple(
        PendingChange(fleet.change_id(change), change, name, ('a',), 2, 3, obstacle)
        for change, name, obstacle in (
            (fleet.join('scout', KEY, 7), 'scout', Obstacle.KEY_TAKEN),
            (fleet.rekey(0, 3, KEY), 'a', Obstacle.NONE),
        )
    )
    message = roster_to_msg('a', DIGEST, roster, pending, 5)
    assert (message.robot, bytes(message.fleet)) == ('a', DIGEST)
    assert roster_from_msg(message) == (roster, pending)


@pytest.mark.parametrize('wrong', [{'kind': 9}, {'obstacle': 99}, {'kind': 2, 'index': 7}])
def test_rosters_with_what_there_is_not_are_refused(wrong: dict[str, int]) -> None:
    vote = RosterVote(**{'kind': 1, **wrong})
    with pytest.raises(RefusedError, match='roster'):
        roster_from_msg(RosterMsg(robots=[RosterRobot(name='a')], votes=[vote]))
    with pytest.raises(RefusedError, match='roster'):
        roster_from_msg(RosterMsg(robots=[RosterRobot(standing=9)]))


def test_what_owners_sketched_goes_both_ways() -> None:
    said = {('robot2', -3, 4): Masks(1 << 255 | 1, 0b110), ('robot3', 0, 0): Masks(0, 1 << 16)}
    told = conversions.tile_digests_to_msg({}, said, ['robot4'], 5)
    assert conversions.sketches_from_msg(told) == {
        (owner, x, y): Sketch(x, y, *masks) for (owner, x, y), masks in said.items()
    }
