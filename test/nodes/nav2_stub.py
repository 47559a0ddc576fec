"""
Stands for Nav2 and a robot's base in a process of its own: drives to goals as its mode says.

Modes come on the topic ``stub/mode``: ``go`` jumps to the goal, ``slow`` accepts late and drives
at 0.5 m/s, ``late`` accepts later still and stays, ``abort`` finds no path, ``refuse`` takes no
goal, ``hang`` takes one and says nothing more. A new goal takes the place of the one before, which
is aborted, as in Nav2.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from nav2_msgs.action import NavigateToPose
import numpy as np
import rclpy
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from collab_robots.core.geometry import pose
from collab_robots.nodes import conversions, qos

TICK_S = 0.05
SPEED = 0.5  # m/s


class Nav2Stub(Node):
    def __init__(self) -> None:
        super().__init__('bt_navigator')
        self.at = pose(2.0, 3.0, 0.0)
        self._mode = 'go'
        self._newest: Any = None
        self._lock = threading.Lock()
        group = ReentrantCallbackGroup()
        self.create_subscription(String, 'stub/mode', self._switch, qos.LATCHED)
        self._told = self.create_publisher(String, 'stub/told', qos.LATCHED)
        self._pose = self.create_publisher(conversions.PoseStamped, 'pose', qos.STATUS)
        self.create_timer(TICK_S, self._publish, callback_group=group)
        self._server = ActionServer(
            self,
            NavigateToPose,
            'navigate_to_pose',
            self._execute,
            goal_callback=self._consider,
            handle_accepted_callback=self._take,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )

    def _switch(self, message: String) -> None:
        self._mode = message.data
        self._tell(f'mode {message.data}')

    def _tell(self, text: str) -> None:
        self._told.publish(String(data=text))

    def _publish(self) -> None:
        now = self.get_clock().now().nanoseconds
        self._pose.publish(conversions.pose_to_msg(self.at, 'map', now))

    def _consider(self, _goal: NavigateToPose.Goal) -> GoalResponse:
        self._tell('asked')
        time.sleep({'slow': 1.0, 'late': 2.0}.get(self._mode, 0.0))
        return GoalResponse.REJECT if self._mode == 'refuse' else GoalResponse.ACCEPT

    def _take(self, handle: Any) -> None:
        self._newest = handle
        handle.execute()

    def _execute(self, handle: Any) -> NavigateToPose.Result:
        goal = conversions.pose_from_msg(handle.request.pose)
        assert handle.request.pose.header.frame_id == 'map'
        began = time.monotonic()
        while True:
            time.sleep(TICK_S)
            took = time.monotonic() - began
            if handle.is_cancel_requested:
                self._tell('cancelled')
                handle.canceled()
                return NavigateToPose.Result()
            if handle is not self._newest:
                self._tell('replaced')
                handle.abort()
                return NavigateToPose.Result()
            if self._mode == 'hang':
                continue
            left = math.dist(goal[:2], self.at[:2])
            handle.publish_feedback(NavigateToPose.Feedback(distance_remaining=left))
            if self._mode == 'abort' and took > 0.3:
                handle.abort()
                return NavigateToPose.Result(error_code=203, error_msg='no valid path')
            if self._mode == 'slow' and left > SPEED * TICK_S:
                step = SPEED * TICK_S / left
                self.at = np.array([*(self.at[:2] + step * (goal - self.at)[:2]), goal[2]])
            elif self._mode == 'slow' or (self._mode == 'go' and took > 0.3):
                self.at = goal
                handle.succeed()
                return NavigateToPose.Result()


def main() -> None:
    rclpy.init()
    executor = MultiThreadedExecutor(4)
    executor.add_node(Nav2Stub())
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


if __name__ == '__main__':
    main()
