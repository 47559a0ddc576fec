"""A computer that has pictures named, or names them for robots, without being a robot."""

from __future__ import annotations

from dataclasses import dataclass
import re
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from collab_robots.bringup import topics
from collab_robots.bringup.tables import NODE
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import ROBOT_NAME
from collab_robots.inference.labels import CLASSES, load_labels
from collab_robots.inference.lookout import probabilities_of
from collab_robots.inference.outfit import Outfit
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.planner import LATENCY, Objective, Planner
from collab_robots.inference.runtime.answer import Answer
from collab_robots.inference.runtime.course import Chooser, chooser
from collab_robots.nodes.inference_port import InferencePort, PortSettings
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.uplink import Outlets

WAIT_S = 0.1  # at most, for something to do
TOP = 5


@dataclass(frozen=True)
class Named:
    """
    What came of one picture.

    :param answer: the one answer.
    :param option: what was planned.
    :param helper: who was to help; empty: nobody.
    """

    answer: Answer
    option: str
    helper: str

    @property
    def named(self) -> bool:
        """Whether there is a name."""
        return self.answer.logits is not None

    def top(self) -> list[tuple[str, float]]:
        """Return the likeliest classes, by name if they are those of ImageNet, and how likely."""
        if self.answer.logits is None:
            return []
        shares = probabilities_of(self.answer.logits[0])
        best = np.argsort(-shares, kind='stable')[:TOP]
        labels = load_labels() if len(shares) == CLASSES else [str(n) for n in range(len(shares))]
        return [(labels[index], float(shares[index])) for index in best]

    def row(self) -> dict[str, Any]:
        """Return it as figures for JSON."""
        trace, refusal = self.answer.trace, self.answer.refusal
        return {
            'top': self.top(),
            'option': self.option,
            'helper': self.helper,
            'exit': trace.exit,
            'ms': round(1e3 * trace.seconds, 3),
            'bytes': trace.sent_bytes,
            'attempts': trace.attempts,
            'degraded': trace.degraded,
            **({'refused': str(refusal)} if refusal else {}),
        }


class Client:
    """
    Takes part in collaborative inference, until closed.

    :param outfit: the model.
    :param name: differs from that of all others.
    :param slow: how many times slower than this computer it is to be.
    :raises ConfigError: if that is no name of a robot.
    """

    def __init__(
        self, outfit: Outfit, name: str, slow: float = 1.0, objective: Objective = LATENCY
    ) -> None:
        remapped = [f'{here}:={there}' for here, there in topics.direct_remappings()]
        options = [part for rule in remapped for part in ('-r', rule)]
        if not re.match(ROBOT_NAME, name):
            raise ConfigError(f'expected a name of a-z, 0-9 and _ that begins with a-z: {name!r}')
        rclpy.init(args=['--ros-args', *options], signal_handler_options=SignalHandlerOptions.NO)
        self.name = name
        self.choose: Chooser = chooser(Planner(), outfit.sheet, outfit.engine.last, objective)
        """What to do with the next picture."""
        self._node = ManagedNode(name, NODE, parameter_overrides=[Parameter('name', value=name)])
        self._node.begin()
        self._port = InferencePort(
            self._node,
            Outlets(self._node, None, 0.0),
            PortSettings(name, slow=slow),
            outfit.engine,
            lambda own, helpers: self.choose(own, helpers),
            lambda robot: True,
        )
        # it wakes at once when something was computed, which the poller does not
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def close(self) -> None:
        """Leave."""
        self._port.close()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown()

    @property
    def helpers(self) -> list[str]:
        """Who offers to help."""
        ready = self._port.requester.roster.ready(time.monotonic_ns())
        return [helper.name for helper in ready]

    def serve(self) -> None:
        """Help, until interrupted."""
        while True:
            self._round()

    def look_for_helpers(self, seconds: float) -> list[str]:
        """
        Listen for offers.

        :param seconds: at most; the first offer ends it.
        :returns: who offered.
        """
        until = time.monotonic() + seconds
        while not self.helpers and time.monotonic() < until:
            self._round()
        return self.helpers

    def name_picture(self, rgb: Rgb) -> Named:
        """
        Have one picture named, and wait for it.

        :raises RefusedError: if it cannot be taken.
        """
        came: list[Answer] = []
        self._port.submit(rgb, came.append)
        while not came:
            self._round()
        course = came[0].trace.course
        helper = course.route[-1].robot if course.route else ''
        return Named(came[0], str(course.option), helper)

    def _round(self) -> None:
        self._executor.spin_once(timeout_sec=WAIT_S)
