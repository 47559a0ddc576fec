"""
A robot's node with a life cycle, as ROS 2 has it (design.ros2.org/articles/node_lifecycle.html).

Configured, it has read its files and has its topics; active, it works. While it is not active,
messages are dropped and timers stand still, so that nothing runs. Cleaned up, nothing is left of
it but its parameters, which may then be set anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from copy import copy
from functools import partial
import gc
from itertools import chain
import traceback
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.timer import Timer

from collab_robots.bringup.parameters import Table
from collab_robots.core import heap
from collab_robots.core.errors import CollabError, ConfigError
from collab_robots.nodes.border import Border
from collab_robots.nodes.diagnostics import Diagnostics, Health
from collab_robots.nodes.parameters import declare, plain, read

Step = Callable[[], None]


class ManagedNode(LifecycleNode):
    """
    Base of a robot's nodes; a subclass says what its steps do.

    :param name: of the node.
    :param table: its parameters.
    :param options: those of ``rclpy.node.Node``.
    :raises ConfigError: if a parameter is of another type or out of range.
    """

    def __init__(self, name: str, table: Table, **options: Any) -> None:
        self.active = False
        """Whether it works."""
        self._table = table
        self._configured = False
        self._problem: BaseException | None = None
        self._asked = True  # by a service, which cannot tell why it fails
        self._taken = ExitStack()
        self._lasting: frozenset[str] = frozenset()  # attributes that outlast being configured
        self._timed: list[Timer] = []
        self._aside: Node | None = None
        self._latched: dict[str, deque[Step]] = {}  # by topic, what came while not active
        super().__init__(name, **options)
        try:
            declare(self, table)
        except ConfigError:
            super().destroy_node()
            raise
        self.add_on_set_parameters_callback(self._may_set)

    def configure(self, values: dict[str, Any]) -> None:
        """
        Open files and make topics.

        :param values: of the parameters, checked.
        :raises CollabError: if it cannot be configured; it is cleaned up then.
        """

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """Pause; it may start again."""

    def at_cleanup(self, step: Step) -> None:
        """Have something called when the node is cleaned up, the last one first."""
        self._taken.callback(step)

    def tell(self, kind: type, topic: str, profile: QoSProfile) -> Publisher:
        """Return a publisher whose quality of service can be overridden by parameters."""
        publisher = self.create_publisher(
            kind,
            topic,
            copy(profile),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._taken.callback(self.destroy_publisher, publisher)
        return publisher

    def listen(
        self, kind: type, topic: str, callback: Callable[[Any], None], profile: QoSProfile
    ) -> None:
        """
        Have a callback called with messages while active; what it refuses is counted.

        Of a latched topic it gets the last messages that came before it was active, as many as
        the profile keeps.
        """
        guarded = self.border.guard(callback)
        latched = profile.durability is DurabilityPolicy.TRANSIENT_LOCAL

        def take(message: Any) -> None:
            if self.active:
                guarded(message)
            elif latched:
                kept = self._latched.setdefault(topic, deque(maxlen=profile.depth))
                kept.append(partial(guarded, message))

        subscription = self.create_subscription(
            kind,
            topic,
            take,
            copy(profile),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._taken.callback(self.destroy_subscription, subscription)

    def every(self, period: float, callback: Step, clock: Clock | None = None) -> Timer:
        """Have a callback called every so many seconds while active."""
        timer = self.create_timer(period, callback, clock=clock)
        if not self.active:
            timer.cancel()
        self._timed.append(timer)
        self._taken.callback(self.destroy_timer, timer)
        return timer

    def once(self, period: float, callback: Step) -> None:
        """Have a callback called once, when the node was active for so many seconds."""

        def fire() -> None:
            timer.cancel()
            self._timed.remove(timer)
            callback()

        timer = self.every(period, fire)

    def diagnose(self, title: str, look: Callable[[], Health]) -> None:
        """Tell on ``/diagnostics`` how something is, while active."""
        self._diagnostics.add(title, look)

    def aside(self) -> Node:
        """
        Return a node beside this one, for actions: they need an executor, which the poller is not.

        It lasts as long as this one: with every node that is made and destroyed, rclpy 7.1 keeps
        0.1 MB.
        """
        if self._aside is None:
            self._aside = Node(
                f'{self.get_name()}_actions',
                context=self.context,
                namespace=self.get_namespace(),
                use_global_arguments=False,
                enable_rosout=False,
                start_parameter_services=False,
            )
        return self._aside

    def begin(self) -> None:
        """
        Configure and activate.

        :raises CollabError: what kept it from it.
        """
        self._asked = False
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() is not TransitionCallbackReturn.SUCCESS and self._problem is not None:
                raise self._problem
        self._asked = True

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters and configure."""
        return self._run(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        return self._run(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Pause."""
        return self._run(self._deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back."""
        return self._run(self._leave)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, from any state."""
        return self._run(self._leave)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back; it can be configured again."""
        return self._run(self._leave)

    def destroy_node(self) -> None:
        """Give everything back, and be gone."""
        self._leave()
        if self._aside is not None:
            self._aside.destroy_node()
        super().destroy_node()

    def _run(self, step: Step) -> TransitionCallbackReturn:
        self._problem = None
        try:
            step()
        except CollabError as error:
            self._problem = error
            if self._asked:
                self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except BaseException as error:  # rclpy would swallow it
            self._problem = error
            self.get_logger().fatal(traceback.format_exc())
            raise
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        values = read(self, self._table)
        self._lasting = frozenset(vars(self))
        self._configured = True
        try:
            self.border = Border(self)
            self._diagnostics = Diagnostics(self, values['name'])
            self.at_cleanup(self.border.close)
            self.at_cleanup(self._diagnostics.close)
            self.configure(values)
            self.every(values['diagnostics_period'], self._diagnostics.publish)
        except BaseException:
            self._leave()
            raise

    def _activate(self) -> None:
        self.active = True
        for timer in self._timed:
            timer.reset()
        try:
            self.start()
        except BaseException:
            self._deactivate()
            raise
        for deliver in chain(*self._latched.values()):
            deliver()
        self._latched.clear()

    def _deactivate(self) -> None:
        self.active = False
        for timer in self._timed:
            timer.cancel()
        self.stop()

    def _leave(self) -> None:
        if self.active:
            self._deactivate()
        if self._configured:
            self._configured = False
            self._taken.close()
            self._timed.clear()
            self._latched.clear()
            for name in vars(self).keys() - self._lasting:
                delattr(self, name)
            gc.collect()
            heap.give_back()  # a network takes much

    def _may_set(self, parameters: list[RosParameter]) -> SetParametersResult:
        for one in parameters:
            described = self._table.get(one.name)
            if described is None:
                continue
            if self._configured:
                return SetParametersResult(
                    successful=False,
                    reason=f'{one.name!r} is read when the node is configured: deactivate and '
                    'clean it up first (ros2 lifecycle set NODE ...), then set, configure and '
                    'activate',
                )
            try:
                described.check(one.name, plain(described, one.value))
            except ConfigError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)
