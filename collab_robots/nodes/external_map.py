"""
A map that another program makes: its grid on ``slam_map``, the robot's pose by tf.

Each program's map begins where its robot began. So it has a frame of its own, ``slam_map``, which
lies in the team's frame ``map`` where ``initial_pose`` says; that is published on ``tf_static``.
The robot's pose is then known in both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from nav_msgs.msg import OccupancyGrid
from tf2_msgs.msg import TFMessage

from collab_robots.bringup import topics
from collab_robots.core.errors import Refusal, RefusedError, TransformError
from collab_robots.core.geometry import Array, compose, pose
from collab_robots.mapping.external import GridLayer
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.diagnostics import Health, OK, WARN
from collab_robots.nodes.frames import Frames
from collab_robots.nodes.managed import ManagedNode

FRAME = 'slam_map'
LOCATE_S = 0.05  # between two looks at where the robot is

Located = Callable[[int, Array], None]


class ExternalMap:
    """
    Brings another program's map into the own layer, and tells where the robot is.

    :param node: gives topics, timers and the log.
    :param layer: is to follow the grid.
    :param values: the mapper's parameters.
    :param located: takes a time (ns) and the pose (3,) in the map frame.
    """

    def __init__(
        self, node: ManagedNode, layer: GridLayer, values: dict[str, Any], located: Located
    ) -> None:
        self._node = node
        self._layer = layer
        self._located = located
        self._origin = pose(*values['initial_pose'])
        self._frame = values['frame_prefix'] + FRAME
        self._base = values['frame_prefix'] + values['base_frame']
        self._frames = Frames()
        self._located_at = 0
        self._problem = 'no grid on slam_map yet'
        for kind, topic, callback, profile in (
            (TFMessage, topics.TF, self._frames.add, qos.TF),
            (TFMessage, topics.TF_STATIC, partial(self._frames.add, static=True), qos.TF_STATIC),
            (OccupancyGrid, topics.SLAM_MAP, self._on_grid, qos.LATCHED),
        ):
            node.listen(kind, topic, callback, profile)
        node.every(LOCATE_S, self._locate)
        node.diagnose('external map', self._health)
        fixed = conversions.transform_to_msg(self._origin, 'map', self._frame, 0)
        node.tell(TFMessage, topics.TF_STATIC, qos.LATCHED).publish(TFMessage(transforms=[fixed]))

    def _locate(self) -> None:
        now = self._node.get_clock().now().nanoseconds
        try:
            stamp, at = self._frames.find(self._frame, self._base, now)
        except TransformError as error:
            self._problem = f'{error}; is slam_toolbox running, with map_frame: {self._frame}?'
            self._node.get_logger().warning(
                self._problem, throttle_duration_sec=10.0, skip_first=True
            )
            return
        self._problem = '' if self._layer.tiles else 'no grid on slam_map yet'
        if stamp != self._located_at:
            self._located_at = stamp
            self._located(stamp, compose(self._origin, at))

    def _on_grid(self, message: OccupancyGrid) -> None:
        frame = message.header.frame_id.lstrip('/')
        if frame != self._frame:
            raise RefusedError(
                Refusal.MALFORMED,
                f'map frame mismatch: grid is in frame {frame!r:.40}, expected {self._frame!r}; '
                f'set map_frame: {self._frame} for slam_toolbox',
            )
        grid, corner = conversions.grid_from_msg(message), conversions.corner_from_msg(message)
        self._layer.update(grid, compose(self._origin, corner))

    def _health(self) -> Health:
        left_out = self._layer.tiles_refused
        message = self._problem or (
            f'{left_out} tiles lie beyond the map and are left out' if left_out else 'it comes'
        )
        return Health(
            WARN if self._problem or left_out else OK, message, {'tiles': len(self._layer.tiles)}
        )
