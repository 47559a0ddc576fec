"""Another program maps: its grid and transforms on real topics, for one robot and for two."""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from harness import Harness, running
from nav_msgs.msg import OccupancyGrid
import numpy as np
import pytest
from tf2_msgs.msg import TFMessage

from collab_robots.bringup import topics
from collab_robots.core.geometry import (
    Array,
    compose,
    FREE,
    Grid,
    OCCUPIED,
    pose,
    transform,
    UNKNOWN,
)
from collab_robots.mapping.tile import tile_digest
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.frames import Frames
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots_msgs.msg import Refused, Tile, TileDigest, TileDigestArray

STARTS = {'robot1': pose(2.0, 2.0, 0.0), 'robot2': pose(5.0, 3.0, math.pi / 2)}
AHEAD = pose(0.5, 0.2, 0.3)  # of where it began, in odometry
DRIFT = pose(0.1, -0.1, 0.02)  # of odometry, as slam_toolbox has found


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=161) as harness:
        yield harness


def room(points: Array) -> np.ndarray:
    """Return what is at points (n, 2) of the team's map: a room from (0, 0) to (8, 6)."""
    off = np.abs(points - (4.0, 3.0)) - (4.0, 3.0)
    outside = off.max(axis=1)
    return np.where(outside < 0, FREE, np.where(outside < 0.1, OCCUPIED, UNKNOWN))


class Slam:
    """What slam_toolbox and the base of one robot publish; it sees 4 m around its start."""

    def __init__(self, harness: Harness, robot: str, prefix: str = '', **values: Any) -> None:
        self._harness = harness
        self._start = STARTS[robot]
        self._prefix = prefix
        create = harness.probe.create_publisher
        self._grid = create(OccupancyGrid, f'/{robot}/{topics.SLAM_MAP}', qos.LATCHED)
        self._tf = create(TFMessage, f'/{robot}/{topics.TF}', qos.TF)
        self._tf_static = create(TFMessage, f'/{robot}/{topics.TF_STATIC}', qos.LATCHED)
        link = conversions.transform_to_msg(
            pose(-0.1, 0, 0), f'{prefix}base_link', f'{prefix}base_footprint', 0
        )
        self._tf_static.publish(TFMessage(transforms=[link]))
        self.poses = harness.listen(PoseStamped, f'/{robot}/{topics.POSE}')
        self.maps = harness.listen(OccupancyGrid, f'/{robot}/{topics.MAP}', qos.LATCHED)
        self.tiles = harness.listen(Tile, '/fleet/tile', qos.RADIO)
        self.refusals = harness.listen(Refused, f'/{robot}/{topics.REFUSED}')
        self.statuses = harness.listen(DiagnosticArray, '/diagnostics')
        options = {'initial_pose': self._start.tolist(), 'frame_prefix': prefix, **values}
        self.node = harness.add(MapperNode(**harness.options(robot, mapper='external', **options)))
        for publisher in (self._grid, self._tf, self._tf_static):
            harness.matched(publisher)

    def told(self) -> dict[str, str]:
        return {one.name: one.message for array in self.statuses for one in array.status}

    def drive(self) -> None:
        """Say where it is now."""
        now = self._harness.now_ns
        for parent, child, at, stamp in (
            ('odom', 'base_link', compose(AHEAD, pose(0.1, 0, 0)), now),
            ('slam_map', 'odom', DRIFT, now + 200_000_000),
        ):
            moved = conversions.transform_to_msg(
                at, self._prefix + parent, self._prefix + child, stamp
            )
            self._tf.publish(TFMessage(transforms=[moved]))

    def map(self, reach: float = 4.0, frame: str = 'slam_map', resolution: float = 0.05) -> None:
        """Publish what it has mapped up to a distance, m."""
        count = round(2 * reach / resolution)
        grid = Grid(np.zeros((count, count), np.int8), resolution, (-reach, -reach))
        centres = grid.centres(np.argwhere(np.ones((count, count))))
        data = room(transform(self._start, centres)).reshape(count, count).astype(np.int8)
        seen = Grid(data, resolution, grid.origin)
        message = conversions.grid_to_msg(seen, self._prefix + frame, self._harness.now_ns)
        self._grid.publish(message)


def check(message: OccupancyGrid, known: float) -> bool:
    """Tell whether a team's map shows the room, and so many m² of it at least."""
    grid = conversions.grid_from_msg(message)
    cells = np.argwhere(grid.data != UNKNOWN)
    said = grid.data[cells[:, 0], cells[:, 1]]
    near = [
        room(grid.centres(cells) + 0.08 * (step - 1.0)) for step in np.argwhere(np.ones((3, 3)))
    ]
    assert (np.stack(near) == said).any(axis=0).all()
    assert message.header.frame_id == 'map'
    return len(cells) * 0.05**2 > known


def test_its_map_becomes_tiles_and_its_pose_the_robots(harness: Harness) -> None:
    slam = Slam(harness, 'robot2')
    slam.map(2.0)
    harness.wait(lambda: slam.drive() or (slam.poses and slam.maps and check(slam.maps[-1], 14)))
    expected = compose(STARTS['robot2'], compose(DRIFT, AHEAD))
    assert conversions.pose_from_msg(slam.poses[-1]) == pytest.approx(expected)
    harness.wait(lambda: slam.drive() or slam.told()['robot2/mapper: external map'] == 'it comes')
    harness.wait(lambda: slam.drive() or len({(tile.x, tile.y) for tile in slam.tiles}) == 6)
    count = len(slam.tiles)
    slam.map(2.0)  # the same again
    then = harness.now_ns
    harness.wait(lambda: slam.drive() or harness.now_ns > then + 4e9)
    assert len(slam.tiles) == count
    slam.map(4.0, resolution=0.1)  # it has grown to all sides
    harness.wait(lambda: slam.drive() or check(slam.maps[-1], 40))
    assert not slam.refusals


def test_two_robots_that_began_elsewhere_share_one_map(harness: Harness) -> None:
    slams = {robot: Slam(harness, robot, f'{robot}/') for robot in STARTS}
    for slam in slams.values():
        slam.map(3.0)
    frames = Frames()
    for robot, slam in slams.items():
        told = harness.listen(TFMessage, f'/{robot}/{topics.TF_STATIC}', qos.TF_STATIC)
        harness.wait(lambda told=told, slam=slam: slam.drive() or len(told) == 2)
        for message in told:
            frames.add(message, static=True)
    for robot, start in STARTS.items():
        assert frames.find('map', f'{robot}/slam_map', 0)[1] == pytest.approx(start)
    alone = harness.wait(lambda: slams['robot1'].maps and slams['robot1'].maps[-1])
    assert not check(alone, 30)
    sent = slams['robot1'].tiles
    harness.wait(lambda: {tile.owner for tile in sent} == set(STARTS))
    harness.wait(lambda: len({(tile.owner, tile.x, tile.y) for tile in sent}) >= 12)
    vouched = [
        TileDigest(
            owner=tile.owner,
            x=tile.x,
            y=tile.y,
            digest=np.frombuffer(tile_digest(bytes(tile.data)), np.uint8),
        )
        for tile in sent
    ]
    for robot in STARTS:
        ledger = harness.probe.create_publisher(
            TileDigestArray, f'/{robot}/{topics.TILES}', qos.LATCHED
        )
        ledger.publish(TileDigestArray(tiles=vouched))
    for robot, slam in slams.items():
        harness.wait(lambda slam=slam: slam.drive() or check(slam.maps[-1], 42))
        located = harness.wait(lambda slam=slam: slam.drive() or (slam.poses and slam.poses[-1]))
        here = compose(STARTS[robot], compose(DRIFT, AHEAD))
        assert conversions.pose_from_msg(located) == pytest.approx(here)


def test_a_grid_in_another_frame_is_refused_with_what_to_set(harness: Harness) -> None:
    slam = Slam(harness, 'robot1')
    slam.map(frame='map')
    harness.wait(lambda: slam.drive() or slam.refusals)
    assert "grid is in frame 'map', expected 'slam_map'; set map_frame: slam_map" in (
        slam.refusals[0].text
    )
    slam.map(1.0, resolution=0.5)
    harness.wait(lambda: slam.drive() or len(slam.refusals) == 2)
    assert 'cells of 0.5 m' in slam.refusals[1].text
    slam.map()
    harness.wait(lambda: slam.drive() or (slam.maps and check(slam.maps[-1], 30)))


def test_without_transforms_it_says_which_is_missing_and_how_old_the_last_is(
    harness: Harness,
) -> None:
    slam = Slam(harness, 'robot1')
    slam.map()
    name = 'robot1/mapper: external map'
    harness.wait(lambda: name in slam.told())
    assert slam.told()[name] == (
        'no transform slam_map <- base_footprint: nobody says where base_link lies; is '
        'slam_toolbox running, with map_frame: slam_map?'
    )
    assert not slam.poses
    harness.wait(lambda: slam.drive() or slam.poses)
    harness.wait(lambda: ' s old: odom <- base_link stopped coming' in slam.told()[name], 0.5)
    count = len(slam.poses)
    harness.wait(lambda: slam.drive() or len(slam.poses) > count)


def test_the_pose_of_another_frame_can_be_asked_for(harness: Harness) -> None:
    slam = Slam(harness, 'robot1', base_frame='base_link')
    harness.wait(lambda: slam.drive() or slam.poses)
    here = compose(AHEAD, pose(0.1, 0, 0))
    expected = compose(STARTS['robot1'], compose(DRIFT, here))
    assert conversions.pose_from_msg(slam.poses[-1]) == pytest.approx(expected)


def test_fixed_transforms_that_come_while_it_is_not_active_all_count(harness: Harness) -> None:
    slam = Slam(harness, 'robot1', base_frame='tool')
    slam.node.trigger_deactivate()
    for parent, child in (('base_link', 'arm'), ('arm', 'tool')):
        fixed = conversions.transform_to_msg(pose(0.2, 0.0, 0.0), parent, child, 0)
        publisher = harness.probe.create_publisher(TFMessage, '/robot1/tf_static', qos.LATCHED)
        publisher.publish(TFMessage(transforms=[fixed]))
        harness.matched(publisher)
    then = harness.now_ns
    harness.wait(lambda: harness.now_ns > then + 1e9)
    assert not slam.poses
    slam.node.trigger_activate()
    harness.wait(lambda: slam.drive() or slam.poses)
    here = compose(AHEAD, pose(0.5, 0, 0))
    expected = compose(STARTS['robot1'], compose(DRIFT, here))
    assert conversions.pose_from_msg(slam.poses[-1]) == pytest.approx(expected)
