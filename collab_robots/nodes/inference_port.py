"""A robot's place in collaborative inference: a requester and a helper on the radio's topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
import secrets
import time

from rclpy.clock import Clock, ClockType

from collab_robots.core.errors import Refusal
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.planner import HelperState
from collab_robots.inference.profile.times import Times
from collab_robots.inference.runtime.answer import Answer
from collab_robots.inference.runtime.course import Chooser, Course
from collab_robots.inference.runtime.engine import Engine
from collab_robots.inference.runtime.events import Event, Fault
from collab_robots.inference.runtime.helper import Helper
from collab_robots.inference.runtime.messages import FrameId, Reason
from collab_robots.inference.runtime.peer import Message, Peer
from collab_robots.inference.runtime.requester import Requester, RequesterSettings
from collab_robots.inference.runtime.slow import SlowWorker
from collab_robots.inference.runtime.worker import ThreadWorker
from collab_robots.nodes.inference_radio import InferenceRadio
from collab_robots.nodes.managed import ManagedNode
from collab_robots.nodes.uplink import Outlets

TICK_S = 0.005
OFFER_S = 1.0
# What helpers refuse because it is not what it claims to be; the rest is daily life.
COUNTED = {
    Reason.MALFORMED: Refusal.MALFORMED,
    Reason.MODEL: Refusal.MODEL,
    Reason.TENSOR: Refusal.TENSOR,
    Reason.TOO_LARGE: Refusal.TOO_LARGE,
}

Then = Callable[[Answer], None]


@dataclass(frozen=True)
class PortSettings:
    """
    How a robot takes part.

    :param name: this robot.
    :param share: whether it asks others and helps them.
    :param slow: how many times slower than this computer it is to be.
    :param frames: in progress at a time.
    """

    name: str
    share: bool = True
    slow: float = 1.0
    frames: int = 20


class InferencePort:
    """
    Has pictures named, and names them for others.

    :param node: gives topics and timers, and counts what is refused.
    :param outlets: of the node.
    :param engine: the model.
    :param choose: says for each picture what to do.
    :param allowed: whether a robot may help.
    """

    def __init__(
        self,
        node: ManagedNode,
        outlets: Outlets,
        settings: PortSettings,
        engine: Engine,
        choose: Chooser,
        allowed: Callable[[str], bool],
    ) -> None:
        self.engine = engine
        self._border = node.border
        self._then: dict[FrameId, Then] = {}
        self._told: Counter[Reason] = Counter()
        self.planned = ''  # for the picture that was submitted last

        def chosen(own: Times, helpers: Sequence[HelperState]) -> Course:
            course = choose(own, helpers)
            robots = [hop.robot for hop in course.route]
            self.planned = ' '.join([str(course.option), *robots])
            return course

        name, share = settings.name, settings.share
        self._radio = InferenceRadio(node, outlets, name, self._receive)
        guard = node.create_guard_condition(self._tick)
        node.at_cleanup(lambda: node.destroy_guard_condition(guard))
        wake = guard.trigger
        self._workers = [ThreadWorker(wake), ThreadWorker(wake)]
        here, there = (SlowWorker(worker, settings.slow) for worker in self._workers)
        session = secrets.randbits(64)
        self.requester = Requester(
            name,
            session,
            engine,
            chosen,
            here,
            self._radio.send,
            lambda answer: self._then.pop(answer.frame)(answer),
            lambda robot: share and allowed(robot),
            Random(session),
            RequesterSettings(frames=settings.frames),
            on_event=self._note,
        )
        self.helper = Helper(name, [engine], there, self._radio.send, lambda robot: share)
        self._peer = Peer(name, self.requester, self.helper)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.every(TICK_S, self._tick, clock=steady)
        if share:
            node.every(OFFER_S, self._announce, clock=steady)

    def submit(self, rgb: Rgb, then: Then) -> FrameId:
        """
        Have a picture named.

        :param rgb: (h, w, 3) uint8.
        :param then: gets the answer, later.
        :raises RefusedError: FLOOD if there are too many in progress.
        """
        frame = self.requester.submit(rgb, time.monotonic_ns())
        self._then[frame] = then
        return frame

    def cancel(self, frame: FrameId) -> None:
        """Give a picture up; its answer says so."""
        self.requester.cancel(frame, time.monotonic_ns())

    def close(self) -> None:
        """Wait for what is being computed; what waits stays without an answer."""
        for worker in self._workers:
            worker.close()

    def _receive(self, message: Message) -> None:
        self._peer.receive(message, time.monotonic_ns())

    def _announce(self) -> None:
        for offer in self._peer.offers():
            self._radio.send(offer)

    def _tick(self) -> None:
        now = time.monotonic_ns()
        self._peer.tick(now)
        for reason, refusal in COUNTED.items():
            for _ in range(self.helper.refused[reason] - self._told[reason]):
                self._border.refuse(refusal, f"a teammate's work: {reason.value}")
        self._told = self.helper.refused.copy()

    def _note(self, event: Event) -> None:
        if event.fault is Fault.WRONG:
            self._border.refuse(Refusal.TENSOR, f'{event.helper} is wrong: {event.detail}')
