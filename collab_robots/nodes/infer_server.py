"""The action ``infer``: name one picture for another node, with the help of teammates."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from collab_robots.core.errors import RefusedError
from collab_robots.inference.pictures import Rgb
from collab_robots.nodes import topics
from collab_robots.nodes.conversions import image_from_msg
from collab_robots_msgs.action import Infer

MAX_GOALS = 8
DEFAULT_TOP = 5

Take = Callable[[Infer.Result], None]
Submit = Callable[[Rgb, int, Take], str]


class InferServer:
    """
    Serves the action from a node of its own, on an executor: the poller serves no actions.

    :param parent: gives the namespace.
    :param submit: takes a picture, how many classes are wanted, and who takes the result; it
        returns what is planned, in words, and raises RefusedError for what is no picture.
    """

    def __init__(self, parent: Node, submit: Submit) -> None:
        self._submit = submit
        self._goals = 0
        self._node = Node(
            topics.INFER,
            context=parent.context,
            namespace=parent.get_namespace(),
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._executor = SingleThreadedExecutor(context=parent.context)
        self._executor.add_node(self._node)
        self._server = ActionServer(
            self._node,
            Infer,
            topics.INFER,
            self._execute,
            goal_callback=self._accept,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def poll(self) -> None:
        """Serve what has arrived, and go on with goals whose answers are there."""
        self._executor.spin_once(timeout_sec=0.0)

    def close(self) -> None:
        """Leave; goals without an answer stay without."""
        self._executor.shutdown()
        self._server.destroy()
        self._node.destroy_node()

    def _accept(self, _goal: Infer.Goal) -> GoalResponse:
        return GoalResponse.ACCEPT if self._goals < MAX_GOALS else GoalResponse.REJECT

    async def _execute(self, goal: ServerGoalHandle) -> Infer.Result:
        request = goal.request
        answer = Future(executor=self._executor)
        self._goals += 1
        try:
            picture = image_from_msg(request.image)
            plan = self._submit(picture, request.top or DEFAULT_TOP, answer.set_result)
            goal.publish_feedback(Infer.Feedback(state=plan))
            result: Infer.Result = await answer
        except RefusedError as error:
            goal.abort()
            return Infer.Result(reason=error.reason.value)
        finally:
            self._goals -= 1
        if goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.succeed()
        return result
