"""
Task node: finds what is worth doing, bids, drives and reports.

It acts only on tasks that the ledger says this robot holds. It stops the robot when told to
hold, when poses stop coming and when it ends. It drives itself, or has Nav2 drive.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any

from geometry_msgs.msg import PoseStamped, Twist
from nav_msgs.msg import OccupancyGrid, Path
import numpy as np
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import BatteryState, LaserScan
from std_msgs.msg import String

from collab_robots.bringup import topics
from collab_robots.bringup.tables import NAV2, TASKS
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet
from collab_robots.core.geometry import Array, Grid, pose, transform
from collab_robots.nodes import conversions, qos
from collab_robots.nodes.diagnostics import Health
from collab_robots.nodes.health import Battery, pose_health
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.nav2 import Nav2
from collab_robots.nodes.spin import run
from collab_robots.tasks.agent import Agent
from collab_robots.tasks.intents import to_call
from collab_robots.tasks.remote import Remote
from collab_robots.tasks.task_view import TaskView
from collab_robots_msgs.msg import Call, TaskStatusArray

STALE_POSE = 1 * SECOND
STALE_SCAN = SECOND // 2
NAV2_S = 0.05  # between two looks at what Nav2 says
NOWHERE = np.full(3, np.nan)


class TaskNode(ManagedNode):
    """See the module; options are those of ``rclpy.node.Node``."""

    def __init__(self, **options: Any) -> None:
        super().__init__('tasks', TASKS, **options)

    def configure(self, values: dict[str, Any]) -> None:
        """Learn who this robot is."""
        fleet = Fleet.load(values['fleet'])
        me = fleet.robots[fleet.index_of(values['name'])]
        self._address = me.address
        self._lidar = pose(*values['lidar_pose'])
        self._nav2 = Nav2(self) if values['navigator'] == NAV2 else None
        driver = Remote(self._nav2) if self._nav2 else None
        self._agent = Agent(me.name, fleet.index_of(me.name), driver)
        self._grid: Grid | None = None
        self._pose: Array | None = None
        self._posed_at = 0
        self._scan: tuple[int, Array] | None = None
        self._tasks: list[TaskView] = []
        self._hold = False
        self._said = ''

        self._calls = self.tell(Call, topics.CALL, qos.CALLS)
        if self._nav2 is None:
            self._velocity = self.tell(Twist, topics.CMD_VEL, qos.STATUS)
        else:
            self.at_cleanup(self._nav2.close)
            self.every(NAV2_S, self._nav2.poll, Clock(clock_type=ClockType.STEADY_TIME))
            self.diagnose('nav2', self._nav2.health)
        self._path = self.tell(Path, topics.PATH, qos.STATUS)
        self._state = self.tell(String, topics.TASK_STATE, qos.LATCHED)
        battery = Battery()
        self.diagnose('battery', battery.health)
        self.diagnose('pose', self._health)
        for kind, topic, callback, profile in (
            (BatteryState, topics.BATTERY, battery.note, qos.SENSOR),
            (OccupancyGrid, topics.MAP, self._on_map, qos.LATCHED),
            (PoseStamped, topics.POSE, self._on_pose, qos.STATUS),
            (LaserScan, topics.SCAN, self._on_scan, qos.SENSOR),
            (TaskStatusArray, topics.TASKS, self._on_tasks, qos.LATCHED),
            (String, topics.MISSION, self._on_mission, qos.LATCHED),
        ):
            self.listen(kind, topic, callback, profile)
        self.every(values['decide_period'], self._decide)
        self.every(values['steer_period'], self._steer)

    def stop(self) -> None:
        """Stand still."""
        self._agent.halt()
        if self._nav2 is None:
            self._velocity.publish(Twist())
        else:
            self._nav2.pause()

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _on_map(self, message: OccupancyGrid) -> None:
        self._grid = conversions.grid_from_msg(message)

    def _on_pose(self, message: PoseStamped) -> None:
        self._pose = conversions.pose_from_msg(message)
        self._posed_at = conversions.stamp_from_msg(message.header.stamp)

    def _on_scan(self, message: LaserScan) -> None:
        scan = conversions.scan_from_msg(message)
        self._scan = (scan.stamp_ns, transform(self._lidar, scan.points()))

    def _on_tasks(self, message: TaskStatusArray) -> None:
        self._tasks = [conversions.task_from_msg(task) for task in message.tasks]
        if self._agent.task is None:
            self._decide()  # an award that is accepted now need not wait for the next turn

    def _on_mission(self, message: String) -> None:
        self._hold = message.data == topics.HOLD

    def _points(self, now: int) -> Array | None:
        """Return what the lidar saw lately, or None."""
        if self._scan is None or now - self._scan[0] > STALE_SCAN:
            return None
        return self._scan[1]

    def _decide(self) -> None:
        if self._pose is None:
            return
        now = self._now_ns()
        path = self._agent.path
        intents = self._agent.decide(
            now, self._grid, self._pose, self._points(now), self._tasks, self._hold
        )
        for intent in intents:
            self._calls.publish(Call(data=to_call(intent, self._address)))
        if self._agent.path is not path:
            self._path.publish(conversions.path_to_msg(self._agent.path, 'map', now))
        if self._agent.state != self._said:
            self._said = self._agent.state
            self._state.publish(String(data=self._said))

    def _health(self) -> Health:
        age = (self._now_ns() - self._posed_at) / SECOND if self._pose is not None else math.inf
        return pose_health(age, STALE_POSE / SECOND)

    def _steer(self) -> None:
        now = self._now_ns()
        known = self._pose is not None and now - self._posed_at <= STALE_POSE
        command = self._agent.steer(now, self._pose if known else NOWHERE, self._points(now))
        if self._nav2 is None:
            self._velocity.publish(conversions.velocity_to_msg(*command))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node alone."""
    return run(args, TaskNode)


if __name__ == '__main__':
    raise SystemExit(main())
