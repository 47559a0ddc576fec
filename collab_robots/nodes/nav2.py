"""
Driving by Nav2: its action ``navigate_to_pose``, in the robot's namespace.

Nav2 plans and follows its own path to each goal, in the frame ``map``. Nothing here looks at how
it drives; it is asked to stop when the robot has nowhere to go any more.
"""

from __future__ import annotations

from functools import partial
import math
import time
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import Array
from collab_robots.nodes.conversions import pose_to_msg
from collab_robots.nodes.diagnostics import Health, OK, WARN
from collab_robots.nodes.managed import ManagedNode
from collab_robots.tasks.remote import Outcome

ACTION = 'navigate_to_pose'
SILENCE_S = 5.0  # Nav2 tells of a goal 100 times a second; silent for so long, it is gone
RETRY_S = 10.0  # after it refused a goal, or fell silent
PAUSE_S = 3.0  # a goal that Nav2 accepts late is to be cancelled too
LOOK_S = 0.1  # between two looks, while it waits, at whether Nav2 is there


class _Goal:
    """A goal that Nav2 has, or may have."""

    def __init__(self) -> None:
        self.handle: Any = None  # as soon as it is accepted
        self.given_up = False
        self.heard_s = time.monotonic()


class Nav2:
    """
    Has Nav2 drive, through the node beside, on an executor: the poller serves no actions.

    A :class:`collab_robots.tasks.remote.Navigator`.

    :param parent: has the node beside it.
    :raises ConfigError: if the action's type is not installed.
    """

    def __init__(self, parent: ManagedNode) -> None:
        try:
            from nav2_msgs.action import NavigateToPose
        except ImportError:
            raise ConfigError(
                "parameter 'navigator': nav2 needs the package nav2_msgs, which is not "
                'installed: apt install ros-jazzy-nav2-msgs, or choose own'
            ) from None
        self.outcome = Outcome.UNDERWAY
        self.left = 0.0
        self._kind = NavigateToPose
        self._log = parent.get_logger()
        self._goals: list[_Goal] = []  # that Nav2 may be at; the last one counts
        self._trouble = ''
        self._trouble_until = -math.inf
        self._there = False
        self._space = parent.get_namespace()
        node = parent.aside()
        self._executor = SingleThreadedExecutor(context=parent.context)
        self._executor.add_node(node)
        self._client = ActionClient(node, NavigateToPose, ACTION)

    @property
    def problem(self) -> str:
        """Why it can drive nowhere now, and what to do about it; empty if it can."""
        if time.monotonic() < self._trouble_until:
            return self._trouble
        space = self._space
        absent = f'no action server {space.rstrip("/")}/{ACTION}: start Nav2 in namespace {space}'
        return '' if self._there else absent

    @property
    def ending(self) -> bool:
        """Whether it still ends a goal that was cancelled."""
        return any(goal.given_up for goal in self._goals)

    def send(self, goal: Array) -> None:
        """Drive to a pose (3,) in the map frame, instead of where it drives now."""
        sent = _Goal()
        self._goals.append(sent)
        self.outcome, self.left = Outcome.UNDERWAY, 0.0
        self._client.send_goal_async(
            # stamp 0: by the newest transform, should Nav2 plan in another frame than map
            self._kind.Goal(pose=pose_to_msg(goal, 'map', 0)),
            feedback_callback=partial(self._on_feedback, sent),
        ).add_done_callback(partial(self._on_answer, sent))

    def cancel(self) -> None:
        """Stop the robot."""
        for goal in self._goals:
            self._give_up(goal)

    def poll(self) -> None:
        """Hear what Nav2 says, and notice when it says nothing any more."""
        self._executor.spin_once(timeout_sec=0.0)
        now = time.monotonic()
        self._there = self._client.server_is_ready()
        for goal in list(self._goals):
            if not self._there or now - goal.heard_s > SILENCE_S:
                if goal is self._goals[-1]:
                    self._stand_by(f'{ACTION} fell silent: is Nav2 still running?')
                self._end(goal, Outcome.FAILED)
                self._give_up(goal)
        if self.problem:
            self._log.warning(self.problem, throttle_duration_sec=RETRY_S, skip_first=True)

    def pause(self) -> None:
        """Stop the robot, and wait until Nav2 has done so, is gone, or has not for too long."""
        self.cancel()
        until = time.monotonic() + PAUSE_S
        while self._goals and self._client.server_is_ready() and time.monotonic() < until:
            self._executor.spin_once(timeout_sec=LOOK_S)

    def close(self) -> None:
        """Leave."""
        self._executor.shutdown()
        self._client.destroy()

    def health(self) -> Health:
        """Tell how it is, for ``/diagnostics``."""
        return Health(WARN if self.problem else OK, self.problem or 'Nav2 is there')

    def _give_up(self, goal: _Goal) -> None:
        if not goal.given_up:
            goal.given_up, goal.heard_s = True, time.monotonic()
            if goal.handle is not None:
                goal.handle.cancel_goal_async()

    def _end(self, goal: _Goal, outcome: Outcome) -> None:
        if self._counts(goal):
            self.outcome = outcome
        if goal in self._goals:
            self._goals.remove(goal)

    def _counts(self, goal: _Goal) -> bool:
        """Tell whether it is where the robot is to go: not cancelled, lost or replaced."""
        return self._goals[-1:] == [goal] and not goal.given_up

    def _stand_by(self, why: str) -> None:
        self._trouble, self._trouble_until = why, time.monotonic() + RETRY_S

    def _on_answer(self, goal: _Goal, answer: Future) -> None:
        handle = answer.result()
        if not handle.accepted:  # Nav2 does so only when it is not active
            self._end(goal, Outcome.FAILED)
            space = self._space.rstrip('/')
            self._stand_by(
                f'Nav2 refuses goals: activate it (ros2 lifecycle get {space}/bt_navigator)'
            )
            return
        goal.handle, goal.heard_s = handle, time.monotonic()
        handle.get_result_async().add_done_callback(partial(self._on_result, goal))
        if goal.given_up:
            handle.cancel_goal_async()

    def _on_feedback(self, goal: _Goal, message: Any) -> None:
        goal.heard_s = time.monotonic()
        left = message.feedback.distance_remaining
        if self._counts(goal) and math.isfinite(left):
            self.left = left

    def _on_result(self, goal: _Goal, answer: Future) -> None:
        status, result = answer.result().status, answer.result().result
        reached = status == GoalStatus.STATUS_SUCCEEDED
        if self._counts(goal) and not reached:
            self._log.warning(
                f'Nav2 did not get there: status {status}, error {result.error_code} '
                f'{result.error_msg!r:.200}'
            )
        self._end(goal, Outcome.REACHED if reached else Outcome.FAILED)
