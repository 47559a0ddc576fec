"""Between ROS messages and the types of the core, as ``x_to_msg`` and ``x_from_msg``."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
import math

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped, Quaternion, TransformStamped, Twist
from nav_msgs.msg import OccupancyGrid, Odometry, Path
import numpy as np
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Header

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.views.maps import Masks
from collab_robots.contract.views.tasks import Task, TaskState
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import Array, Grid, pose
from collab_robots.mapping.exchange import Bytes
from collab_robots.mapping.scan import Scan
from collab_robots.mapping.sketch import Sketch
from collab_robots.tasks.task_view import TaskView
from collab_robots_msgs.msg import TaskStatus, Tile, TileDigest, TileDigestArray, TileSketch

DIGEST_BYTES = 32
MASK_BYTES = 32
MAX_IMAGE_BYTES = 4096 * 4096 * 3
SPARE_RAYS = 2  # that drivers count wrong
ENCODINGS = {'rgb8': 3, 'bgr8': 3, 'mono8': 1, 'mono16': 2}  # bytes of a pixel


def stamp_to_msg(time_ns: int) -> Time:
    """Return a ROS stamp of a time in ns."""
    return Time(sec=time_ns // SECOND, nanosec=time_ns % SECOND)


def stamp_from_msg(stamp: Time) -> int:
    """Return the ns of a ROS stamp."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


def header(frame: str, time_ns: int) -> Header:
    """Return a header."""
    return Header(frame_id=frame, stamp=stamp_to_msg(time_ns))


def _yaw_to_msg(yaw: float) -> Quaternion:
    return Quaternion(z=math.sin(yaw / 2), w=math.cos(yaw / 2))


def _yaw_from_msg(q: Quaternion) -> float:
    return math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))


def _planar_to_msg(planar: Array) -> Pose:
    result = Pose()
    result.position.x, result.position.y = float(planar[0]), float(planar[1])
    result.orientation = _yaw_to_msg(float(planar[2]))
    return result


def _planar_from_msg(msg: Pose) -> Array:
    return _finite(pose(msg.position.x, msg.position.y, _yaw_from_msg(msg.orientation)))


def _finite(planar: Array) -> Array:
    if not np.isfinite(planar).all():
        raise RefusedError(Refusal.MALFORMED, f'expected a finite pose, got {planar}')
    return planar


def pose_to_msg(planar: Array, frame: str, time_ns: int) -> PoseStamped:
    """Return a stamped pose of (x, y, yaw) in ``frame``."""
    return PoseStamped(header=header(frame, time_ns), pose=_planar_to_msg(planar))


def pose_from_msg(msg: PoseStamped) -> Array:
    """
    Return (x, y, yaw).

    :raises RefusedError: if a number is not finite.
    """
    return _planar_from_msg(msg.pose)


def odometry_from_msg(msg: Odometry) -> tuple[int, Array]:
    """
    Return the stamp (ns) and the pose in the odom frame.

    :raises RefusedError: if a number is not finite.
    """
    return stamp_from_msg(msg.header.stamp), _planar_from_msg(msg.pose.pose)


def transform_to_msg(planar: Array, parent: str, child: str, time_ns: int) -> TransformStamped:
    """Return the transform that places frame ``child`` in frame ``parent``."""
    result = TransformStamped(header=header(parent, time_ns), child_frame_id=child)
    result.transform.translation.x = float(planar[0])
    result.transform.translation.y = float(planar[1])
    result.transform.rotation = _yaw_to_msg(float(planar[2]))
    return result


def transform_from_msg(msg: TransformStamped) -> Array:
    """
    Return where the child frame lies in its parent, (x, y, yaw).

    :raises RefusedError: if a number is not finite.
    """
    place, turn = msg.transform.translation, msg.transform.rotation
    return _finite(pose(place.x, place.y, _yaw_from_msg(turn)))


def velocity_to_msg(forward: float, turn: float) -> Twist:
    """Return a velocity command: forward (m/s) and turn (rad/s)."""
    result = Twist()
    result.linear.x, result.angular.z = float(forward), float(turn)
    return result


def path_to_msg(points: Array, frame: str, time_ns: int) -> Path:
    """Return a path of points (n, 2)."""
    poses = [pose_to_msg(pose(x, y, 0.0), frame, time_ns) for x, y in points]
    return Path(header=header(frame, time_ns), poses=poses)


def scan_from_msg(msg: LaserScan) -> Scan:
    """
    Return a validated scan.

    :raises RefusedError: if it is not a scan one can use, or its angles do not fit its ranges.
    """
    ranges = np.asarray(msg.ranges, dtype=np.float32)
    turn = msg.angle_increment * (len(ranges) - 1)
    if not abs(msg.angle_min + turn - msg.angle_max) <= SPARE_RAYS * abs(msg.angle_increment):
        raise RefusedError(
            Refusal.SCAN,
            f'{len(ranges)} ranges, {msg.angle_increment:.5f} rad apart, do not reach from '
            f'{msg.angle_min:.4f} to {msg.angle_max:.4f} rad',
        )
    return Scan(
        ranges=ranges,
        angle_min=msg.angle_min,
        angle_increment=msg.angle_increment,
        range_min=msg.range_min,
        range_max=msg.range_max,
        stamp_ns=stamp_from_msg(msg.header.stamp),
    )


def grid_to_msg(grid: Grid, frame: str, time_ns: int) -> OccupancyGrid:
    """Return a map that Nav2 and RViz understand."""
    result = OccupancyGrid(header=header(frame, time_ns))
    result.info.map_load_time = result.header.stamp
    result.info.resolution = grid.resolution
    result.info.height, result.info.width = grid.data.shape
    result.info.origin.position.x, result.info.origin.position.y = map(float, grid.origin)
    result.info.origin.orientation.w = 1.0
    result._data = _int8_array(grid.data)
    return result


def _int8_array(data: np.ndarray) -> object:
    """Return what the message's setter would make of it, without its check of every cell."""
    return array('b', np.ascontiguousarray(data, dtype=np.int8).tobytes())


def grid_from_msg(msg: OccupancyGrid) -> Grid:
    """
    Return the grid of a map.

    :raises RefusedError: if its size does not fit its data.
    """
    height, width = msg.info.height, msg.info.width
    data = np.asarray(msg.data, dtype=np.int8)
    if data.size != height * width or data.size == 0 or not 0 < msg.info.resolution < 10:
        raise RefusedError(
            Refusal.MALFORMED, f'expected {height} x {width} cells, got {data.size}'
        )
    origin = (msg.info.origin.position.x, msg.info.origin.position.y)
    return Grid(data.reshape(height, width), float(msg.info.resolution), origin)


def corner_from_msg(msg: OccupancyGrid) -> Array:
    """
    Return where the lower left corner of a map lies, (x, y, yaw), in the map's frame.

    :raises RefusedError: if a number is not finite.
    """
    return _planar_from_msg(msg.info.origin)


def camera_from_msg(msg: CameraInfo) -> tuple[float, float]:
    """
    Return the focal length and the middle column of a camera, pixels.

    :raises RefusedError: if it cannot be one: it was not calibrated.
    """
    focal, centre = float(msg.k[0]), float(msg.k[2])
    if not (math.isfinite(focal) and math.isfinite(centre) and focal > 1.0):
        raise RefusedError(Refusal.MALFORMED, f'a camera with focal length {focal} pixels')
    return focal, centre


def image_from_msg(msg: Image) -> np.ndarray:
    """
    Return a picture (height, width, 3), uint8, RGB; a view of the message's bytes.

    Grey pictures get three equal channels, and 16-bit ones lose their lower byte.

    :raises RefusedError: if the encoding is none of ENCODINGS or the sizes do not fit.
    """
    size = ENCODINGS.get(msg.encoding)
    if size is None:
        raise RefusedError(
            Refusal.IMAGE, f'expected {", ".join(ENCODINGS)}, got {msg.encoding!r:.40}'
        )
    if not 0 < msg.height * msg.width * 3 <= MAX_IMAGE_BYTES or msg.step < msg.width * size:
        raise RefusedError(Refusal.IMAGE, f'picture of {msg.width} x {msg.height}')
    if len(msg.data) != msg.step * msg.height:
        raise RefusedError(
            Refusal.IMAGE, f'expected {msg.step * msg.height} bytes, got {len(msg.data)}'
        )
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
    pixels = rows[:, : msg.width * size].reshape(msg.height, msg.width, size)
    if size == 3:
        return pixels if msg.encoding == 'rgb8' else pixels[:, :, ::-1]
    high = 0 if msg.is_bigendian else size - 1
    return np.repeat(pixels[:, :, high : high + 1], 3, axis=2)


def task_to_msg(task: Task, accepted: bool, assigned: str | None) -> TaskStatus:
    """
    Return what the contract says of a task.

    :param accepted: whether the holder's award is accepted.
    :param assigned: who should do it, while nobody holds it.
    """
    return TaskStatus(
        key=digest_to_msg(task.key),
        kind=int(task.kind),
        cell_x=task.cell[0],
        cell_y=task.cell[1],
        round=task.round,
        state=int(task.state),
        priority=task.terms.priority,
        holder=task.holder or assigned or '',
        accepted=accepted,
        proposed_at=task.proposed_at / SECOND,
        award_from=task.award_from / SECOND,
        lease_until=task.lease_until / SECOND,
        bidders=list(task.bids),
        costs=list(task.bids.values()),
        completed_by=list(task.completed),
        completed_at=[time / SECOND for time in task.completed.values()],
        mapped_by=list(task.mapped_by),
    )


def task_from_msg(msg: TaskStatus) -> TaskView:
    """
    Return a task as the auction sees it.

    :raises RefusedError: if its kind or state is none that we know, or its bids do not fit.
    """
    try:
        kind, state = Kind(msg.kind), TaskState(msg.state)
        bids = dict(zip(msg.bidders, msg.costs, strict=True))
    except ValueError as error:
        raise RefusedError(Refusal.MALFORMED, f'task: {error}') from None
    return TaskView(
        key=bytes(msg.key),
        kind=kind,
        cell=(msg.cell_x, msg.cell_y),
        round=msg.round,
        state=state,
        holder=msg.holder if state == TaskState.HELD else None,
        assigned=msg.holder or None if state == TaskState.OPEN else None,
        accepted=msg.accepted,
        proposed_at_ns=round(msg.proposed_at * SECOND),
        award_from_ns=round(msg.award_from * SECOND),
        lease_until_ns=round(msg.lease_until * SECOND),
        bids=bids,
        completed_by=tuple(msg.completed_by),
        priority=msg.priority,
        mapped_by=tuple(msg.mapped_by),
    )


def digest_to_msg(digest: bytes) -> np.ndarray:
    """Return 32 bytes as a message field."""
    return np.frombuffer(digest, np.uint8)


def digests_to_bytes(digests: list[bytes]) -> bytes:
    """Return digests one after another."""
    return b''.join(digests)


def digests_from_bytes(data: bytes) -> list[bytes]:
    """
    Cut 32-byte digests apart.

    :raises RefusedError: if the length is not a multiple of 32.
    """
    if len(data) % DIGEST_BYTES:
        raise RefusedError(Refusal.MALFORMED, f'{len(data)} bytes are no list of digests')
    return [data[at : at + DIGEST_BYTES] for at in range(0, len(data), DIGEST_BYTES)]


def tile_to_msg(sender: str, tile: Bytes) -> Tile:
    """Return a tile for the teammates."""
    owner, x, y = tile.key
    return Tile(version=Tile.VERSION, sender=sender, owner=owner, x=x, y=y, data=tile.data)


def tile_digests_to_msg(
    tiles: Mapping[tuple[str, int, int], bytes],
    sketches: Mapping[tuple[str, int, int], Masks],
    convicted: Collection[str],
    time_ns: int,
) -> TileDigestArray:
    """Return the ledger's word on all tiles, their owners' sketches, and whose do not count."""
    return TileDigestArray(
        header=header('map', time_ns),
        tiles=[
            TileDigest(owner=owner, x=x, y=y, digest=digest_to_msg(digest))
            for (owner, x, y), digest in tiles.items()
        ],
        sketches=[
            TileSketch(
                owner=owner,
                x=x,
                y=y,
                free=digest_to_msg(masks.free.to_bytes(MASK_BYTES, 'little')),
                occupied=digest_to_msg(masks.occupied.to_bytes(MASK_BYTES, 'little')),
            )
            for (owner, x, y), masks in sketches.items()
        ],
        convicted=sorted(convicted),
    )


def tile_digests_from_msg(msg: TileDigestArray) -> dict[tuple[str, int, int], bytes]:
    """Return the digest of each (owner, x, y)."""
    return {(tile.owner, tile.x, tile.y): bytes(tile.digest) for tile in msg.tiles}


def sketches_from_msg(msg: TileDigestArray) -> dict[tuple[str, int, int], Sketch]:
    """Return the newest sketch of each (owner, x, y)."""
    return {
        (said.owner, said.x, said.y): Sketch(
            said.x,
            said.y,
            int.from_bytes(bytes(said.free), 'little'),
            int.from_bytes(bytes(said.occupied), 'little'),
        )
        for said in msg.sketches
    }
