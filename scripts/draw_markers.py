#!/usr/bin/env python3
"""
Draw what the markers node publishes, on the map, as RViz would from above; without RViz.

Usage: ``python scripts/draw_markers.py --domain N --at 60 --at 120 PICTURE.png``, beside a running
team and its markers node; it draws one panel for each time (s, simulated). ``docs/rviz.md`` has
the commands that made its picture.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
import time
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, FancyArrow, Patch, Rectangle
from nav_msgs.msg import OccupancyGrid
import numpy as np
from rosgraph_msgs.msg import Clock
from visualization_msgs.msg import Marker, MarkerArray

from collab_robots.bringup import topics
from collab_robots.core.clock import SECOND
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.outsider import Outsider

MARKERS = (
    topics.MARKERS_TASKS,
    topics.MARKERS_TRUST,
    topics.MARKERS_LINKS,
    topics.MARKERS_DETECTIONS,
)
BACKGROUND = '#303030'  # RViz' own
Key = tuple[str, str, int]


class Screen:
    """What RViz would show now: markers by topic, namespace and id, and the map."""

    def __init__(self, domain: int, robot: str) -> None:
        self.now = 0.0
        self.markers: dict[Key, Marker] = {}
        self.map: OccupancyGrid | None = None
        self._ros = Outsider('draw_markers', domain)
        listen = self._ros.node.create_subscription
        listen(Clock, topics.CLOCK, self._on_clock, qos.SENSOR)
        listen(OccupancyGrid, f'/{robot}/{topics.MAP}', self._on_map, qos.LATCHED)
        for topic in MARKERS:
            listen(MarkerArray, f'/{topic}', self._taker(topic), qos.STATUS)

    def _on_clock(self, message: Clock) -> None:
        self.now = conversions.stamp_from_msg(message.clock) / SECOND

    def _on_map(self, message: OccupancyGrid) -> None:
        self.map = message

    def _taker(self, topic: str) -> Any:
        def take(message: MarkerArray) -> None:
            for marker in message.markers:
                key = (topic, marker.ns, marker.id)
                self.markers.pop(key, None)
                if marker.action == Marker.ADD:
                    self.markers[key] = marker

        return take

    def wait(self, until: float) -> None:
        """Take what comes until a simulated time."""
        while self.now < until:
            self._ros.poll()
            time.sleep(0.02)  # topics are polled: nothing wakes us

    def draw(self, axes: Axes) -> None:
        """Draw it from above."""
        axes.set_facecolor(BACKGROUND)
        axes.set_title(f'{self.now:.0f} s')
        axes.set_aspect('equal')
        axes.set_axis_off()
        if self.map is not None:
            grid = conversions.grid_from_msg(self.map)
            height, width = np.array(grid.data.shape) * grid.resolution
            x, y = grid.origin
            shade = np.select([grid.data < 0, grid.data < 50], [0.45, 0.75], 0.05)
            axes.imshow(
                shade, cmap='gray', vmin=0, vmax=1, origin='lower',
                extent=(x, x + width, y, y + height),
            )  # fmt: skip
        for marker in self.markers.values():
            _draw(axes, marker)

    def close(self) -> None:
        """Leave the network."""
        self._ros.close()


def _draw(axes: Axes, marker: Marker) -> None:
    colour = (marker.color.r, marker.color.g, marker.color.b, marker.color.a)
    place = (marker.pose.position.x, marker.pose.position.y)
    size = marker.scale
    patch: Patch | None = None
    if marker.type == Marker.TEXT_VIEW_FACING:
        axes.text(
            *place, marker.text, color='white', fontsize=6, ha='center', va='bottom', zorder=5,
            bbox={'facecolor': BACKGROUND, 'alpha': 0.6, 'pad': 0.8, 'linewidth': 0},
        )  # fmt: skip
    elif marker.type == Marker.LINE_LIST:
        ends = [(point.x, point.y) for point in marker.points]
        lines = list(zip(ends[::2], ends[1::2], strict=True))
        axes.add_collection(LineCollection(lines, colors=[colour], linewidths=1.4, zorder=2))
    elif marker.type == Marker.CYLINDER:
        patch = Circle(place, size.x / 2)
    elif marker.type == Marker.CUBE:
        patch = Rectangle((place[0] - size.x / 2, place[1] - size.y / 2), size.x, size.y)
    elif marker.type == Marker.ARROW:
        turn = marker.pose.orientation
        yaw = 2 * np.arctan2(turn.z, turn.w)
        patch = FancyArrow(
            *place, size.x * np.cos(yaw), size.x * np.sin(yaw), width=size.y,
            length_includes_head=True,
        )  # fmt: skip
    if patch is not None:
        patch.set(facecolor=colour, edgecolor=(0, 0, 0, 0.5), linewidth=0.3, zorder=3)
        axes.add_patch(patch)


def main() -> None:
    """Draw the markers at some simulated times."""
    parser = ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('picture', type=Path, help='PNG file to be written')
    parser.add_argument('--domain', type=int, required=True, help="the team's ROS domain")
    parser.add_argument('--at', type=float, action='append', required=True, help='simulated s')
    parser.add_argument('--robot', default='robot1', help='whose map lies below')
    chosen = parser.parse_args()
    screen = Screen(chosen.domain, chosen.robot)
    figure, panels = plt.subplots(
        len(chosen.at), figsize=(7, 5 * len(chosen.at)), squeeze=False, layout='constrained'
    )
    for axes, until in zip(panels.flat, chosen.at, strict=True):
        screen.wait(until)
        screen.draw(axes)
    screen.close()
    figure.savefig(chosen.picture, dpi=110, pil_kwargs={'optimize': True})


if __name__ == '__main__':
    main()
