"""The action ``infer``: name one picture for another node, with the help of teammates."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from collab_robots.bringup import topics
from collab_robots.core.errors import RefusedError
from collab_robots.inference.pictures import Rgb
from collab_robots.nodes.conversions import image_from_msg
from collab_robots.nodes.managed import ManagedNode
from collab_robots_msgs.action import Infer

MAX_GOALS = 8
DEFAULT_TOP = 5

Take = Callable[[Infer.Result], None]


class Submitted(NamedTuple):
    """
    A picture that is being named.

    :param plan: in words.
    :param cancel: gives it up; its result comes at once.
    """

    plan: str
    cancel: Callable[[], None]


Submit = Callable[[Rgb, int, Take], Submitted]


class InferServer:
    """
    Serves the action from a node beside, on an executor: the poller serves no actions.

    :param parent: has the node beside it.
    :param submit: takes a picture, how many classes are wanted, and who takes the result; it
        raises RefusedError if there are too many.
    """

    def __init__(self, parent: ManagedNode, submit: Submit) -> None:
        self._submit = submit
        self._cancel: dict[bytes, Callable[[], None]] = {}  # by goal
        node = parent.aside()
        self._executor = SingleThreadedExecutor(context=parent.context)
        self._executor.add_node(node)
        self._server = ActionServer(
            node,
            Infer,
            topics.INFER,
            self._execute,
            goal_callback=self._accept,
            cancel_callback=self._give_up,
        )

    def poll(self) -> None:
        """Serve what has arrived, and go on with goals whose answers are there."""
        self._executor.spin_once(timeout_sec=0.0)

    def close(self) -> None:
        """Leave; goals without an answer stay without."""
        self._executor.shutdown()
        self._server.destroy()

    def _accept(self, _goal: Infer.Goal) -> GoalResponse:
        return GoalResponse.ACCEPT if len(self._cancel) < MAX_GOALS else GoalResponse.REJECT

    def _give_up(self, goal: ServerGoalHandle) -> CancelResponse:
        cancel = self._cancel.get(bytes(goal.goal_id.uuid))
        if cancel is None:
            return CancelResponse.REJECT  # it has its result
        cancel()
        return CancelResponse.ACCEPT

    async def _execute(self, goal: ServerGoalHandle) -> Infer.Result:
        request, key = goal.request, bytes(goal.goal_id.uuid)
        answer = Future(executor=self._executor)
        try:
            picture = image_from_msg(request.image)
            submitted = self._submit(picture, request.top or DEFAULT_TOP, answer.set_result)
            self._cancel[key] = submitted.cancel
            goal.publish_feedback(Infer.Feedback(state=submitted.plan))
            result: Infer.Result = await answer
        except RefusedError as error:
            goal.abort()
            return Infer.Result(reason=error.reason.value)
        finally:
            self._cancel.pop(key, None)
        if goal.is_cancel_requested:
            goal.canceled()
        elif result.reason:
            goal.abort()
        else:
            goal.succeed()
        return result
