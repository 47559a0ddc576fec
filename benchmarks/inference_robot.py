"""
One robot's process of the inference benchmark: requester and helper, with DDS around them.

Commands are JSON, a line each, on standard input; see :mod:`benchmarks.inference_team`. Each ends
with a line ``{"done": true, ...}``:

- ``{"do": "meet", "robots": [...]}``: when all of these have offered their help.
- ``{"do": "run", "choose": ..., "frames": n}``: answer n frames, one after another, or one each
  ``period`` s, at most ``flight`` at a time, of the pictures from number ``first`` on; a line for
  each. Every ``hold`` s there is a line ``{"hold": k}``.

These have no answer: ``{"do": "packing", "name": ...}`` packs tensors in another way,
``{"do": "rate", "rate": ...}`` tells who may know it how fast the link is, ``{"do": "loss",
"share": ...}`` loses messages of both kinds that this robot sends, ``{"do": "trust",
"name": ...}`` starts the requester anew with one of :data:`TRUST`.

A robot with ``slowness`` s sleeps s - 1 times as long as each job used the processor: so that many
robots of 1/s of a core each fit on one computer, and what else it does hardly matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
import json
from pathlib import Path
from queue import Empty, Queue
import random
import sys
from threading import Thread
import time
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from benchmarks.inference_pictures import Labelled, load
from benchmarks.inference_policies import Known, policy
from benchmarks.inference_ways import Coder, Way
from benchmarks.inference_ways import load as load_costs
from collab_robots.core.clock import SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.inference.classifier import model_path
from collab_robots.inference.exits import Trained
from collab_robots.inference.model import Model
from collab_robots.inference.options import LOCAL, NO_EXIT
from collab_robots.inference.outfit import load_times, TIMES_FILE
from collab_robots.inference.profile.sheet import Sheet, SHEET_FILE
from collab_robots.inference.profile.times import Times
from collab_robots.inference.runtime.answer import Answer
from collab_robots.inference.runtime.engine import Engine
from collab_robots.inference.runtime.helper import Helper
from collab_robots.inference.runtime.messages import Reply, Work
from collab_robots.inference.runtime.peer import Message, Peer
from collab_robots.inference.runtime.requester import Requester, RequesterSettings
from collab_robots.inference.runtime.slow import SlowWorker
from collab_robots.inference.runtime.worker import Done, ThreadWorker
from collab_robots.nodes import qos
from collab_robots.nodes.inference_conversions import (
    offer_from_msg,
    offer_to_msg,
    reply_from_msg,
    reply_to_msg,
    work_from_msg,
    work_to_msg,
)
from collab_robots.nodes.poller import Poller
from collab_robots_msgs.msg import InferenceOffer, InferenceReply, TensorChunk

ROUND_S = 0.0005  # how long a round waits for a command; then DDS is asked again
OFFER_NS = SECOND // 2  # between two offers
MEET_NS = 20 * SECOND
# What a requester expects of others: nothing but good, as usual, and as usual but for the audits.
TRUST = {
    'blind': RequesterSettings(attempts=1, patience=1e6, audit_share=0.0),
    'usual': RequesterSettings(),
    'no audits': RequesterSettings(audit_share=0.0),
}


@dataclass(frozen=True)
class Settings:
    """
    What a robot is told when it starts.

    :param robots: the team; the first one asks.
    :param slowness: how many times slower than this computer it is.
    :param folder: of figures and times, as the benchmark wrote them.
    :param images: folder of labelled pictures; it takes ``pictures`` of them.
    :param seed: of sessions and losses.
    """

    name: str
    robots: list[str]
    slowness: float
    folder: str
    images: str
    pictures: int
    seed: int


class CountingWorker(SlowWorker):
    """A worker that knows how long it computed in all."""

    busy_s = 0.0

    def poll(self) -> list[Done]:
        """Return what was done since the last time."""
        done = super().poll()
        self.busy_s += sum(one.seconds for one in done)
        return done


class Robot(Node):
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        name = settings.name
        super().__init__(name, start_parameter_services=False, enable_rosout=False)
        self._settings = settings
        self._random = random.Random(f'{settings.seed} {name}')
        asks = name == settings.robots[0]
        self._pictures = load(Path(settings.images), settings.pictures) if asks else []
        folder, model = Path(settings.folder), Model.load(model_path())
        trained = Trained.load(None, model)
        self._coder = Coder(model.cuts[-1].shape)
        times = load_times(folder / TIMES_FILE, model.hash)
        if times is None:
            raise ConfigError(f'{folder}: no times of this model')
        own = Times({step: settings.slowness * seconds for step, seconds in times.items()})
        exits = {early.cut: early for early in trained.exits}
        self._engine = Engine(model, own, exits, trained.bottlenecks, self._coder)
        self._engine.load()
        self._known = Known(
            load_costs(folder),
            Sheet.load(folder / SHEET_FILE, model.hash),
            [cut.shape for cut in model.cuts],
            settings.slowness,
        )
        self._threads = [ThreadWorker(lambda: None) for _ in range(2)]
        self._worker, helping = (CountingWorker(it, settings.slowness) for it in self._threads)
        self._rate, self._loss = 0.0, 0.0
        self._choose = policy({'choose': 'fixed', 'option': str(LOCAL)}, self._known, float)
        helper = Helper(name, [self._engine], helping, self._send, lambda robot: True)
        self._peer = Peer(name, self._requester(TRUST['no audits']), helper)
        self._run: Run | None = None
        self._meeting: tuple[set[str], int] | None = None
        self._offered = 0
        self._connect()

    def _requester(self, settings: RequesterSettings) -> Requester:
        return Requester(
            self._settings.name,
            self._random.getrandbits(64) ^ time.time_ns(),
            self._engine,
            lambda own, helpers: self._choose(own, helpers),
            self._worker,
            self._send,
            self._on_answer,
            lambda robot: True,
            self._random,
            settings,
        )

    def _connect(self) -> None:
        mine, others = self._settings.name, set(self._settings.robots) - {self._settings.name}
        self._work = {
            robot: self.create_publisher(TensorChunk, f'/{robot}/work', qos.RADIO)
            for robot in others
        }
        self._reply = {
            robot: self.create_publisher(InferenceReply, f'/{robot}/reply', qos.RADIO)
            for robot in others
        }
        self._offer = self.create_publisher(InferenceOffer, '/offer', qos.RADIO)
        for kind, topic, read in (
            (TensorChunk, f'/{mine}/work', work_from_msg),
            (InferenceReply, f'/{mine}/reply', reply_from_msg),
            (InferenceOffer, '/offer', offer_from_msg),
        ):
            self.create_subscription(kind, topic, partial(self._receive, read), qos.RADIO)

    def _send(self, message: Work | Reply) -> None:
        if self._random.random() < self._loss:
            return
        if isinstance(message, Work):
            self._work[message.target].publish(work_to_msg(message))
        else:
            self._reply[message.target].publish(reply_to_msg(message))

    def _receive(self, read: Callable[[Any], Message], message: Any) -> None:
        self._peer.receive(read(message), time.monotonic_ns())

    def _on_answer(self, answer: Answer) -> None:
        if self._run is not None:
            self._run.answered(answer, self._coder.packing, self._worker.busy_s)

    def each_round(self) -> None:
        """Do what does not come from ROS."""
        now = time.monotonic_ns()
        if now - self._offered >= OFFER_NS:
            self._offered = now
            for offer in self._peer.offers():
                self._offer.publish(offer_to_msg(offer))
        self._peer.tick(now)
        if self._run is not None and self._run.go_on(now):
            self._run = None
        if self._meeting is not None:
            here = {known.name for known in self._peer.requester.roster.ready(now)}
            if self._meeting[0] <= here or now > self._meeting[1]:
                say(done=True, missing=sorted(self._meeting[0] - here))
                self._meeting = None

    def obey(self, command: dict[str, Any]) -> None:
        """Begin what a command says."""
        now = time.monotonic_ns()
        if command['do'] == 'meet':
            self._meeting = set(command['robots']), now + MEET_NS
        elif command['do'] == 'packing':
            self._coder.packing = command['name']
        elif command['do'] == 'rate':
            self._rate = command['rate']
        elif command['do'] == 'loss':
            self._loss = command['share']
        elif command['do'] == 'trust':
            self._peer = self._peer._replace(requester=self._requester(TRUST[command['name']]))
        elif command['do'] == 'run':
            self._rate = command.get('rate', self._rate)
            self._choose = policy(command, self._known, lambda: self._rate)
            self._run = Run(command, self._peer.requester, self._pictures, now)

    def destroy_node(self) -> None:
        """Let the workers end too."""
        for worker in self._threads:
            worker.close()
        super().destroy_node()


class Run:
    """
    Frames that a command asked for.

    :param command: see the module.
    :param now: ns.
    """

    def __init__(
        self, command: dict[str, Any], requester: Requester, pictures: Sequence[Labelled], now: int
    ) -> None:
        self._requester = requester
        self._pictures = pictures
        self._first: int = command.get('first', 0)
        self._frames: int = command['frames']
        self._period = round(command.get('period', 0.0) * SECOND)
        self._flight: int = command.get('flight', 1)
        self._hold = round(command.get('hold', 0.0) * SECOND)
        self._began = now
        self._holds = 1
        self._next = 0
        self._answered = 0
        self._busy = 0.0

    def go_on(self, now: int) -> bool:
        """Give the requester what is due; tell whether all is done."""
        if self._hold and now - self._began >= self._holds * self._hold:
            say(hold=self._holds)
            self._holds += 1
        while (
            self._next < self._frames
            and self._next - self._answered < self._flight
            and now >= self._began + self._next * self._period
        ):
            picture = self._picture(self._next)
            self._requester.submit(picture.rgb, now, str(self._next).encode())
            self._next += 1
        if self._answered == self._frames:
            seconds = (now - self._began) / SECOND
            say(done=True, seconds=seconds)
        return self._answered == self._frames

    def _picture(self, number: int) -> Labelled:
        """Return a frame's picture."""
        return self._pictures[(self._first + number) % len(self._pictures)]

    def answered(self, answer: Answer, packing: str, busy: float) -> None:
        """Tell about an answer."""
        trace, number = answer.trace, int(answer.note)
        option = trace.course.option
        if option.remote and not trace.route and trace.exit == NO_EXIT:
            option = LOCAL  # nobody else computed it in the end
        label = self._picture(number).label
        say(
            frame=number,
            at=(time.monotonic_ns() - self._began) / SECOND,
            seconds=trace.seconds,
            bytes=trace.sent_bytes,
            packing=Way.of(packing, option).packing,
            option=str(option),
            route=list(trace.route),
            exit=trace.exit,
            attempts=trace.attempts,
            lost=trace.lost,
            busy_s=busy - self._busy,
            right=answer.logits is not None and int(answer.logits.argmax()) == label,
            events=[f'{event.helper}: {event.fault.value}' for event in trace.events],
        )
        self._busy = busy
        self._answered += 1


def say(**line: Any) -> None:
    """Write a line for who commands."""
    print(json.dumps(line), flush=True)


def _listen(commands: Queue[dict[str, Any] | None]) -> None:
    for text in sys.stdin:
        commands.put(json.loads(text))
    commands.put(None)


def main() -> int:
    """Run one robot until its standard input ends."""
    settings = Settings(**json.loads(sys.argv[1]))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    robot = Robot(settings)
    commands: Queue[dict[str, Any] | None] = Queue()
    Thread(target=_listen, args=(commands,), daemon=True).start()
    poller = Poller([robot])
    say(done=True)
    try:
        while True:
            poller.poll()
            try:
                command = commands.get(timeout=ROUND_S)
            except Empty:
                continue
            if command is None:
                break
            robot.obey(command)
    finally:
        robot.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
