"""
Mapper node: scans and odometry in, the robot's pose and the team's map out.

Where another program maps, its grid and its transforms come in instead. The node keeps the own
layer, exchanges tiles with teammates, and believes a teammate's tile only when the ledger vouches
for its digest, and as long as it agrees with the owner's sketch there. It does not close loops and
does not move the robot.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from sensor_msgs.msg import LaserScan
from tf2_msgs.msg import TFMessage

from collab_robots.bringup import topics
from collab_robots.bringup.tables import EXTERNAL, MAPPER
from collab_robots.contract.calls import maps
from collab_robots.core.errors import Refusal
from collab_robots.core.geometry import Array, pose
from collab_robots.core.uplink import Traffic, Uplink
from collab_robots.mapping.exchange import Bytes, TileExchange
from collab_robots.mapping.external import ExternalMapper
from collab_robots.mapping.layers import LayeredMap, TileKey
from collab_robots.mapping.mapper import Mapper, MapperConfig
from collab_robots.mapping.resume import resume, save
from collab_robots.mapping.witness import Witness
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.external_map import ExternalMap
from collab_robots.nodes.health import LIMITS, sense
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.spin import run
from collab_robots.nodes.uplink import Outlets
from collab_robots.sim.lies import FalseWall
from collab_robots_msgs.msg import Call, Request, Tile, TileDigestArray

ASK_PERIOD = 0.5  # s


class MapperNode(ManagedNode):
    """
    See the module.

    :param uplink: of the process, shared with its other nodes; None: one of its own.
    :param options: those of ``rclpy.node.Node``.
    """

    def __init__(self, uplink: Uplink | None = None, **options: Any) -> None:
        self._uplink = uplink
        super().__init__('mapper', MAPPER, **options)

    def configure(self, values: dict[str, Any]) -> None:
        """Make an empty map."""
        self._name: str = values['name']
        self._prefix: str = values['frame_prefix']
        external = values['mapper'] == EXTERNAL
        config = MapperConfig(lidar=tuple(values['lidar_pose']))
        start = pose(*values['initial_pose'])
        self._mapper = ExternalMapper() if external else Mapper(start, config)
        self._pose_file = Path(values['pose_file']) if values['pose_file'] else None
        self._odom: Array | None = None
        if any(values['false_wall']):
            self._mapper.show(FalseWall(self._mapper.layer, tuple(values['false_wall'])))
        self._map = LayeredMap(self._name, self._mapper.layer)
        self._witness = Witness(self._map)
        self._exchange = TileExchange(self._name)
        self._forged = 0
        self._owners: set[str] = set()
        self._convicted: frozenset[str] = frozenset()

        self._pose = self.tell(PoseStamped, topics.POSE, qos.STATUS)
        self._grid = self.tell(OccupancyGrid, topics.MAP, qos.LATCHED)
        outlets = Outlets(self, self._uplink, values['uplink'])
        self._tiles = outlets.open(Traffic.TILES, Tile, topics.sent('tile'))
        self._requests = outlets.open(Traffic.TILES, Request, topics.sent('request'))
        self._calls = self.tell(Call, topics.CALL, qos.CALLS)

        if external:
            ExternalMap(self, self._mapper.layer, values, self._publish_pose)
        else:
            self._tf = self.tell(TFMessage, topics.TF, qos.TF)
            sense(self, 'odometry', Odometry, topics.ODOM, self._on_odometry, LIMITS.odometry)
            sense(self, 'lidar', LaserScan, topics.SCAN, self._on_scan, LIMITS.lidar)
        for kind, topic, callback, profile in (
            (TileDigestArray, topics.TILES, self._on_digests, qos.LATCHED),
            (Tile, topics.heard('tile'), self._on_tile, qos.RADIO),
            (Request, topics.heard('request'), self._on_request, qos.RADIO),
        ):
            self.listen(kind, topic, callback, profile)
        self.every(values['map_period'], self._publish_map)
        self.every(values['tile_period'], self._publish_tiles)
        self.every(ASK_PERIOD, self._ask)

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _on_odometry(self, message: Odometry) -> None:
        stamp, odom = conversions.odometry_from_msg(message)
        if self._odom is None and self._pose_file is not None:
            saved = resume(self._pose_file, odom)
            if saved is not None:
                self._mapper.map_to_odom = saved
        self._odom = odom
        self._track(self._mapper.add_odometry(stamp, odom))

    def _on_scan(self, message: LaserScan) -> None:
        self._track(self._mapper.add_scan(conversions.scan_from_msg(message)))

    def _track(self, estimate: Array | None) -> None:
        if estimate is None:
            return
        stamp, correction = self._mapper.stamp_ns, self._mapper.map_to_odom
        self._publish_pose(stamp, estimate)
        transform = conversions.transform_to_msg(correction, 'map', f'{self._prefix}odom', stamp)
        self._tf.publish(TFMessage(transforms=[transform]))

    def _publish_pose(self, stamp_ns: int, at: Array) -> None:
        self._pose.publish(conversions.pose_to_msg(at, 'map', stamp_ns))

    def _publish_map(self) -> None:
        grid = self._map.merged(self._convicted)
        if grid.data.size:
            self._grid.publish(conversions.grid_to_msg(grid, 'map', self._now_ns()))
        if self._pose_file is not None and self._odom is not None:
            try:
                save(self._pose_file, self._mapper.map_to_odom, self._odom)
            except OSError as error:
                self.get_logger().warning(f'{error}', throttle_duration_sec=10.0)

    def _publish_tiles(self) -> None:
        now = self._now_ns()
        changed = self._mapper.changed_tiles(now)
        digests = []
        for x, y, data in changed:
            digests.append((x, y, self._exchange.own(x, y, data, now)))
            self._send_tile(Bytes((self._name, x, y), data, now))
        for start in range(0, len(digests), maps.MAX_TILES):
            call = maps.submit_tiles(digests[start : start + maps.MAX_TILES])
            self._calls.publish(Call(data=call))
        for sketch in self._mapper.due_sketches(now):
            self._calls.publish(Call(data=maps.submit_sketch(*sketch)))

    def _send_tile(self, tile: Bytes) -> None:
        self._tiles.publish(conversions.tile_to_msg(self._name, tile), tile.key)

    def _on_tile(self, message: Tile) -> None:
        if message.sender == self._name:
            return
        key = (message.owner, message.x, message.y)
        tile = self._exchange.receive(key, bytes(message.data), self._now_ns())
        if tile is not None:
            self._believe([tile])

    def _on_digests(self, message: TileDigestArray) -> None:
        digests = conversions.tile_digests_from_msg(message)
        now = self._now_ns()
        self._believe(self._exchange.learn(digests, now))
        for _ in range(self._exchange.forged - self._forged):
            self.border.refuse(Refusal.DIGEST, 'a tile whose digest the ledger does not have')
        self._forged = self._exchange.forged
        self._owners = {owner for owner, _, _ in digests}
        self._convicted = frozenset(message.convicted)
        self._tell(self._witness.learn(conversions.sketches_from_msg(message)))

    def _ask(self) -> None:
        wanted: dict[str, list[bytes]] = {}
        for robot, digest in self._exchange.missing(self._owners, self._now_ns()):
            wanted.setdefault(robot, []).append(digest)
        for robot, missing in wanted.items():
            self._requests.publish(
                Request(
                    version=Request.VERSION,
                    sender=self._name,
                    target=robot,
                    tiles=conversions.digests_to_bytes(missing),
                )
            )

    def _believe(self, tiles: list[Bytes]) -> None:
        for tile in tiles:
            owner, x, y = tile.key
            self._map.put(owner, x, y, tile.data)
            self._tell(self._witness.see(tile.key))

    def _tell(self, parted: list[TileKey]) -> None:
        for owner, x, y in parted:
            text = f'tile ({x}, {y}) of {owner} is not what it said on the ledger'
            self.border.refuse(Refusal.SKETCH, text)

    def _on_request(self, message: Request) -> None:
        if message.target != self._name:
            return
        for digest in conversions.digests_from_bytes(bytes(message.tiles)):
            for tile in self._exchange.serve(digest):
                self._send_tile(tile)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node alone."""
    return run(args, MapperNode)


if __name__ == '__main__':
    raise SystemExit(main())
