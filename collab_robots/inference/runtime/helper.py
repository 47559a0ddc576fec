"""A robot that computes for others: as much as it can, and it says at once what it cannot."""

from __future__ import annotations

from collections import Counter, deque, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.runtime.arriving import Arriving
from collab_robots.inference.runtime.engine import Engine, handed_on, Share
from collab_robots.inference.runtime.messages import (
    FrameId,
    Offer,
    Reason,
    Reply,
    ReplyKind,
    Spent,
    Work,
)
from collab_robots.inference.runtime.sending import cut_up, Sending
from collab_robots.inference.runtime.worker import Job, Worker

Send = Callable[[Work | Reply], None]
FORWARD_GAP = SECOND // 10  # ns after which the next hop is asked whether it got a frame
NEXT_LINK = LinkEstimate(1e9, delay_s=0.01, loss=0.3)  # to the next hop: nobody measures it
_REASONS = {
    Refusal.MODEL: Reason.MODEL,
    Refusal.TOO_LARGE: Reason.TOO_LARGE,
    Refusal.MALFORMED: Reason.MALFORMED,
}


@dataclass(frozen=True)
class HelperSettings:
    """
    What a helper takes on.

    :param queue: frames that wait.
    :param arriving: frames of which chunks are awaited.
    :param arriving_each: of one sender.
    :param arriving_bytes: of them all, as announced.
    :param frame_bytes: of one.
    :param age_ns: after which one that is not complete is given up, whatever its owner says.
    :param settled: frames whose last reply is kept, for who did not get it.
    """

    queue: int = 8
    arriving: int = 32
    arriving_each: int = 8
    arriving_bytes: int = 32 * 1024 * 1024
    frame_bytes: int = 4 * 1024 * 1024
    age_ns: int = 10 * SECOND
    settled: int = 64


class Key(NamedTuple):
    """What tells attempts apart."""

    sender: str
    frame: FrameId
    attempt: int


class _Task(NamedTuple):
    key: Key
    arrived: Arriving
    ready: int


class Helper:
    """
    Computes stages for other robots.

    It keeps no promise: who asked has the frame and may ask another at any time. All that it keeps
    of others is bounded, whatever they send.

    :param name: this robot.
    :param engines: the models that it has.
    :param worker: its own; computes one frame at a time.
    :param send: hands a message to the network.
    :param allowed: whether a robot may ask.
    """

    def __init__(
        self,
        name: str,
        engines: Sequence[Engine],
        worker: Worker,
        send: Send,
        allowed: Callable[[str], bool],
        settings: HelperSettings | None = None,
    ) -> None:
        self._name = name
        self._engines = {engine.model.hash: engine for engine in engines}
        self._worker = worker
        self._send = send
        self._allowed = allowed
        self._settings = settings or HelperSettings()
        self._arriving: dict[Key, Arriving] = {}
        self._queue: deque[_Task] = deque()
        self._running: tuple[_Task, int] | None = None
        self._settled: OrderedDict[Key, Reply] = OrderedDict()
        self._handed_on: dict[tuple[FrameId, int], Sending] = {}
        self._load = 0.0
        self._ticked: int | None = None
        self.refused: Counter[Reason] = Counter()

    def on_work(self, work: Work, now: int) -> None:
        """Take a chunk; ``now`` in ns."""
        key = Key(work.sender, work.frame, work.attempt)
        if key in self._settled:
            if work.chunk == 0:
                self._send(self._settled[key])
        elif self._is_computing(key):
            if work.chunk == 0:
                self._send(self._reply(work, ReplyKind.RECEIVED))
        elif key in self._arriving or self._admit(key, work, now):
            self._take(key, work, now)

    def on_reply(self, reply: Reply, now: int) -> None:
        """Take what the next hop says about a frame that was handed on; ``now`` in ns."""
        name = reply.frame, reply.attempt
        sending = self._handed_on.get(name)
        if sending is None or reply.helper != sending.target:
            return
        if reply.kind is ReplyKind.MISSING:
            sending.missed(reply.missing, now)
            sending.heard(now + FORWARD_GAP)
        elif reply.kind is ReplyKind.RECEIVED:
            del self._handed_on[name]

    def tick(self, now: int) -> None:
        """Do what is due: answers, what is missing, what is too old; ``now`` in ns."""
        self._collect(now)
        for key, arrived in list(self._arriving.items()):
            engine = self._engines[arrived.work.model]
            margin = round(self._expected(engine, arrived.work) * SECOND)
            if arrived.is_enough(now, margin):
                self._queue_up(key, now)
            elif now >= arrived.until:
                del self._arriving[key]
                self._refuse(key, arrived.work, Reason.BUDGET)
            elif arrived.is_quiet(now):
                self._ask_missing(arrived, now)
        for name, sending in list(self._handed_on.items()):
            if sending.is_due(now) and sending.is_dead(now, NEXT_LINK):
                del self._handed_on[name]
        self._note_load(now)
        self._start(now)

    def offers(self) -> list[Offer]:
        """Return what to announce: a model that was never timed here is not offered."""
        queue_ns = round(self.queue_seconds() * SECOND)
        return [
            Offer(self._name, model, queue_ns, self._load, round(whole * SECOND))
            for model, engine in self._engines.items()
            if (whole := engine.expected((engine.whole_step,)))
        ]

    def queue_seconds(self) -> float:
        """Return how long a frame that comes now would wait, s."""
        waiting = [task.arrived.work for task in self._queue]
        if self._running is not None:
            waiting.append(self._running[0].arrived.work)
        return sum(self._expected(self._engines[work.model], work) for work in waiting)

    @property
    def held_bytes(self) -> int:
        """Bytes that others may have made this robot keep for frames that are not complete."""
        return sum(arrived.work.size for arrived in self._arriving.values())

    @property
    def frames(self) -> int:
        """Frames of others that it has anything of."""
        return len(self._arriving) + len(self._queue) + (self._running is not None)

    def _take(self, key: Key, work: Work, now: int) -> None:
        arrived = self._arriving[key]
        try:
            is_new = arrived.add(work, now)
        except RefusedError as error:
            del self._arriving[key]
            self._refuse(key, work, _reason(error))
            return
        if not arrived.left:
            self._queue_up(key, now)
            self._collect(now)
        elif not is_new and work.chunk == 0:
            self._ask_missing(arrived, now)

    def _admit(self, key: Key, work: Work, now: int) -> bool:
        """Tell whether a frame of which the first chunk came is taken; if not, refuse it."""
        reason = self._objection(key, work)
        if reason is not Reason.NONE:
            self._refuse(key, work, reason)
            return False
        until = now + min(work.budget_ns, self._settings.age_ns)
        self._arriving[key] = Arriving(work, now, until)
        return True

    def _objection(self, key: Key, work: Work) -> Reason:
        """Return why it would be in vain to send the other chunks of a frame, or NONE."""
        settings = self._settings
        if not (self._allowed(work.frame.robot) and self._allowed(work.sender)):
            return Reason.STRANGER
        engine = self._engines.get(work.model)
        if engine is None:
            return Reason.MODEL
        if work.target != self._name or work.route[-1].end != engine.last:
            return Reason.MALFORMED
        if work.size > settings.frame_bytes:
            return Reason.TOO_LARGE
        of_sender = sum(other.sender == key.sender for other in self._arriving)
        if (
            len(self._arriving) >= settings.arriving
            or of_sender >= settings.arriving_each
            or self.held_bytes + work.size > settings.arriving_bytes
            or len(self._queue) >= settings.queue
        ):
            return Reason.BUSY
        if self.queue_seconds() + self._expected(engine, work) > work.budget_ns / SECOND:
            return Reason.BUDGET
        return Reason.NONE

    def _expected(self, engine: Engine, work: Work) -> float:
        return engine.expected(engine.share_steps(work.option, work.route[0]))

    def _is_computing(self, key: Key) -> bool:
        running = self._running is not None and self._running[0].key == key
        return running or any(task.key == key for task in self._queue)

    def _ask_missing(self, arrived: Arriving, now: int) -> None:
        arrived.asked(now)
        reply = self._reply(arrived.work, ReplyKind.MISSING, missing=arrived.missing)
        self._send(reply)

    def _queue_up(self, key: Key, now: int) -> None:
        arrived = self._arriving.pop(key)
        if len(self._queue) >= self._settings.queue:
            self._refuse(key, arrived.work, Reason.BUSY)
            return
        if key.sender != key.frame.robot:  # who handed it on and its owner hear that it is here
            self._send(self._reply(arrived.work, ReplyKind.RECEIVED))
            self._send(self._reply(arrived.work, ReplyKind.RECEIVED, target=key.frame.robot))
        self._queue.append(_Task(key, arrived, now))
        self._start(now)

    def _start(self, now: int) -> None:
        while self._running is None and self._queue:
            task = self._queue.popleft()
            work = task.arrived.work
            engine = self._engines[work.model]
            if now + self._expected(engine, work) * SECOND > task.arrived.until:
                self._refuse(task.key, work, Reason.BUDGET)
                continue
            self._running = task, now
            chunks, hop = task.arrived.chunks, work.route[0]

            def run(
                engine: Engine = engine, work: Work = work, chunks: list[bytes | None] = chunks
            ) -> Share:
                return engine.share(work.option, chunks, work.route[0])

            self._worker.submit(Job(task.key, work.option.cut, hop.end, run))

    def _collect(self, now: int) -> None:
        """Send what is computed."""
        for done in self._worker.poll():
            assert self._running is not None  # one job at a time
            task, began = self._running
            self._running = None
            work = task.arrived.work
            if isinstance(done.value, RefusedError):
                self._refuse(task.key, work, _reason(done.value))
            elif isinstance(done.value, Share):
                engine = self._engines[work.model]
                engine.measured(done.value.steps, done.seconds)
                compute = round(done.seconds * SECOND)
                spent = (*work.done, Spent(max(began - task.ready, 0), compute))
                self._hand_on(task, done.value, spent, now)
            self._start(now)

    def _hand_on(self, task: _Task, share: Share, spent: tuple[Spent, ...], now: int) -> None:
        """Send the answer to the frame's owner, or the tensor to the next hop."""
        key, work = task.key, task.arrived.work
        lost = max(work.lost, share.lost)
        hop, *rest = work.route
        if rest:
            works = cut_up(
                work.frame,
                work.attempt,
                self._name,
                work.model,
                handed_on(hop),
                rest,
                share.chunks,
                spent,
                lost,
            )
            self._settle(key, self._reply(work, ReplyKind.RECEIVED))
            until = task.arrived.until
            sending = Sending(works, self._send, NEXT_LINK, now, until, now + FORWARD_GAP)
            self._handed_on[work.frame, work.attempt] = sending
            while len(self._handed_on) > self._settings.queue:
                del self._handed_on[next(iter(self._handed_on))]
        elif len(share.chunks) > 1:
            self._refuse(key, work, Reason.TOO_LARGE)
        else:
            answer = self._reply(
                work,
                ReplyKind.ANSWER,
                target=work.frame.robot,
                done=spent,
                lost=lost,
                data=share.chunks[0],
            )
            self._settle(key, answer)
            self._send(answer)

    def _refuse(self, key: Key, work: Work, reason: Reason) -> None:
        self.refused[reason] += 1
        reply = self._reply(work, ReplyKind.REFUSED, target=work.frame.robot, reason=reason)
        self._settle(key, reply)
        self._send(reply)

    def _settle(self, key: Key, reply: Reply) -> None:
        self._settled[key] = reply
        while len(self._settled) > self._settings.settled:
            self._settled.popitem(last=False)

    def _reply(
        self,
        work: Work,
        kind: ReplyKind,
        *,
        target: str = '',
        reason: Reason = Reason.NONE,
        missing: tuple[int, ...] = (),
        done: tuple[Spent, ...] = (),
        lost: float = 0.0,
        data: bytes = b'',
    ) -> Reply:
        """Return a reply, to who sent the chunks if nobody else is named."""
        to = target or work.sender
        return Reply(
            work.frame, work.attempt, self._name, to, kind, reason, missing, done, lost, data
        )

    def _note_load(self, now: int) -> None:
        busy = float(self._running is not None)
        if self._ticked is not None:
            gain = min((now - self._ticked) / SECOND, 1.0)
            self._load += gain * (busy - self._load)
        self._ticked = now


def _reason(error: RefusedError) -> Reason:
    return _REASONS.get(error.reason, Reason.TENSOR)
