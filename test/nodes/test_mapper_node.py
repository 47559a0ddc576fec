"""A mapper node on real topics: good scans, bad scans, and tiles that the ledger vouches for."""

from __future__ import annotations

from collections.abc import Iterator
import math
from pathlib import Path
from typing import Any

from harness import Harness, running
from nav_msgs.msg import OccupancyGrid, Odometry
import numpy as np
import pytest
from sensor_msgs.msg import LaserScan

from collab_robots.bringup import topics
from collab_robots.mapping.layer import Layer
from collab_robots.mapping.scan import Scan
from collab_robots.mapping.tile import tile_digest, TileCoder
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.mapper_node import MapperNode
from collab_robots_msgs.msg import (
    Call,
    Refused,
    Request,
    Tile,
    TileDigest,
    TileDigestArray,
    TileSketch,
)

RAYS = 360


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    with running(tmp_path, domain=42) as harness:
        yield harness


class Robot:
    """What the base of a robot that stands still in a square room of 4 m publishes."""

    def __init__(self, harness: Harness, **values: Any) -> None:
        self._harness = harness
        probe = harness.probe
        self._odom = probe.create_publisher(Odometry, f'/robot1/{topics.ODOM}', qos.SENSOR)
        self._scan = probe.create_publisher(LaserScan, f'/robot1/{topics.SCAN}', qos.SENSOR)
        harness.add(
            MapperNode(**harness.options('robot1', **{'initial_pose': [2.0, 2.0, 0.0], **values}))
        )
        harness.matched(self._odom)
        harness.matched(self._scan)

    def scan(self, ranges: np.ndarray) -> None:
        now = self._harness.now_ns
        odometry = Odometry(header=conversions.header('odom', now))
        odometry.pose.pose.orientation.w = 1.0
        self._odom.publish(odometry)
        message = LaserScan(header=conversions.header('base_scan', now))
        message.angle_increment = 2 * math.pi / RAYS
        message.angle_max = 2 * math.pi * (RAYS - 1) / RAYS
        message.range_min, message.range_max = 0.12, 8.0
        message.ranges = ranges.astype(np.float32)
        self._scan.publish(message)


def square(half: float = 1.6) -> np.ndarray:
    angles = np.arange(RAYS) * 2 * math.pi / RAYS
    return half / np.maximum(np.abs(np.cos(angles)), np.abs(np.sin(angles)))


def tile_of_a_wall() -> bytes:
    """Code a tile as a teammate would."""
    layer = Layer(8.0)
    scan = Scan(square().astype(np.float32), 0.0, 2 * math.pi / RAYS, 0.12, 8.0, 1)
    for _ in range(5):
        layer.integrate(scan, np.array([2.0, 2.0, 0.0]))
    tiles = {(x, y): data for x, y, data in TileCoder(layer, 0).changed(1)}
    return tiles[0, 0]


@pytest.mark.parametrize(
    'place',
    [{}, {'initial_pose': [1.4, 1.9, math.pi / 2], 'lidar_pose': [0.1, -0.6, -math.pi / 2]}],
)
def test_a_broken_scan_is_refused_and_the_next_one_mapped(
    harness: Harness, place: dict[str, list[float]]
) -> None:
    robot = Robot(harness, **place)
    refusals = harness.listen(Refused, f'/robot1/{topics.REFUSED}')
    maps = harness.listen(OccupancyGrid, f'/robot1/{topics.MAP}', qos.LATCHED)
    calls = harness.listen(Call, f'/robot1/{topics.CALL}')
    harness.wait(lambda: robot.scan(np.full(RAYS, np.nan)) or refusals)
    assert refusals[0].reason == 'scan'
    harness.wait(lambda: robot.scan(square()) or (maps and 100 in maps[-1].data))
    grid = conversions.grid_from_msg(maps[-1])
    walls = grid.centres(np.argwhere(grid.data == 100))
    off = np.abs(np.abs(walls - 2.0).max(axis=1) - 1.6)
    assert len(walls) > 100
    assert off.max() < 0.1
    harness.wait(lambda: robot.scan(square()) or calls)


def test_a_tile_counts_only_if_the_ledger_vouches_for_its_bytes(harness: Harness) -> None:
    Robot(harness)
    true, forged = tile_of_a_wall(), tile_of_a_wall()[:-1] + b'\x00'
    maps = harness.listen(OccupancyGrid, f'/robot1/{topics.MAP}', qos.LATCHED)
    refusals = harness.listen(Refused, f'/robot1/{topics.REFUSED}')
    requests = harness.listen(Request, '/fleet/request', qos.RADIO)
    tiles = harness.probe.create_publisher(Tile, '/fleet/tile', qos.RADIO)
    digests = harness.probe.create_publisher(
        TileDigestArray, f'/robot1/{topics.TILES}', qos.LATCHED
    )
    harness.matched(tiles)
    harness.matched(digests)
    vouched = TileDigest(
        owner='robot2', x=0, y=0, digest=np.frombuffer(tile_digest(true), np.uint8)
    )

    def learn() -> None:
        digests.publish(TileDigestArray(tiles=[vouched]))

    def send(data: bytes) -> None:
        tiles.publish(Tile(version=1, sender='robot2', owner='robot2', x=0, y=0, data=data))

    learn()
    send(forged)
    asked = harness.wait(lambda: requests and requests[0])
    assert (asked.target, bytes(asked.tiles)) == ('robot2', tile_digest(true))
    harness.wait(lambda: learn() or any(item.reason == 'digest' for item in refusals), step=1.0)
    assert not any(100 in grid.data for grid in maps)
    send(true)
    harness.wait(lambda: maps and 100 in maps[-1].data)


def test_a_tile_that_is_not_what_its_owner_sketched_does_not_count(harness: Harness) -> None:
    Robot(harness)
    tile = tile_of_a_wall()
    free = ((1 << 256) - 1).to_bytes(32, 'little')
    maps = harness.listen(OccupancyGrid, f'/robot1/{topics.MAP}', qos.LATCHED)
    refusals = harness.listen(Refused, f'/robot1/{topics.REFUSED}')
    tiles = harness.probe.create_publisher(Tile, '/fleet/tile', qos.RADIO)
    digests = harness.probe.create_publisher(
        TileDigestArray, f'/robot1/{topics.TILES}', qos.LATCHED
    )
    harness.matched(tiles)
    harness.matched(digests)
    place = {'owner': 'robot2', 'x': 0, 'y': 0}
    known = TileDigest(**place, digest=np.frombuffer(tile_digest(tile), np.uint8))
    sketched = TileSketch(**place, free=np.frombuffer(free, np.uint8))
    tiles.publish(Tile(version=1, sender='robot2', data=tile, **place))
    digests.publish(TileDigestArray(tiles=[known]))
    harness.wait(lambda: maps and 100 in maps[-1].data)  # nothing speaks against it yet
    digests.publish(TileDigestArray(tiles=[known], sketches=[sketched]))
    harness.wait(lambda: any(item.reason == 'sketch' for item in refusals))
    assert 'robot2 is not what it said' in refusals[-1].text
    harness.wait(lambda: 100 not in maps[-1].data)


def test_own_tiles_are_served_to_who_asks(harness: Harness) -> None:
    robot = Robot(harness)
    sent = harness.listen(Tile, '/fleet/tile', qos.RADIO)
    ask = harness.probe.create_publisher(Request, '/fleet/request', qos.RADIO)
    harness.wait(lambda: robot.scan(square()) or sent)
    first, count = sent[0], len(sent)
    for target in ('robot2', 'robot1'):
        digest = tile_digest(bytes(first.data))
        ask.publish(Request(version=1, sender='robot2', target=target, tiles=digest))
    again = harness.wait(lambda: sent[count:])
    assert bytes(again[0].data) == bytes(first.data)
    assert len(again) <= 2  # one request was for somebody else
