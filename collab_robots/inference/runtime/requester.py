"""
The owner of frames: every frame that it takes gets exactly one answer.

A frame is computed here up to its plan's cut, sent to a helper, and kept until the answer is
there. Who does not answer, refuses, or answers nonsense costs an attempt: then another helper gets
the same chunks, or this robot computes the rest itself, whichever is done sooner. In the end it
always can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import numpy as np

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import NO_EXIT, Option
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.profile.times import payload, PREPARE, stage
from collab_robots.inference.runtime.answer import Answer, Outcome, Trace
from collab_robots.inference.runtime.audits import AuditKey, Audits
from collab_robots.inference.runtime.away import Away, Lateness, Result
from collab_robots.inference.runtime.checkpoint import Checkpoints, Progress
from collab_robots.inference.runtime.course import Chooser, Course
from collab_robots.inference.runtime.engine import Computed, Engine, Tensor
from collab_robots.inference.runtime.events import Event, Faults
from collab_robots.inference.runtime.messages import FrameId, Hop, Offer, Reply, Work
from collab_robots.inference.runtime.roster import Roster
from collab_robots.inference.runtime.worker import Done, Job, Worker

MAX_NOTE = 4096  # bytes
PROBE_PATIENCE = 4.0  # nobody waits for a probe: the slower the link, the more it tells
PROBE_WAIT = 5 * SECOND  # ns; who has not answered a probe gets no other for so long
NO_PICTURE = np.zeros((0, 0, 3), dtype=np.uint8)  # of a frame that is past its first cut


@dataclass(frozen=True)
class RequesterSettings:
    """
    How a requester works.

    :param frames: in progress at a time; more are not taken.
    :param attempts: with helpers, for one frame; then it is computed here.
    :param patience: how many times the timeout a helper that shows signs of life gets.
    :param audit_share: of the answers of helpers that are computed again here, 0 to 1.
    :param pauses: cuts at which a frame's progress is kept on the disk, beside the plan's; only
        where there are checkpoints.
    """

    frames: int = 16
    attempts: int = 3
    patience: float = 3.0
    audit_share: float = 0.02
    pauses: tuple[int, ...] = ()


@dataclass
class _Frame:
    """A frame in progress."""

    id: FrameId
    name: FrameId  # differs from the id if an earlier process took it
    note: bytes
    rgb: Rgb
    began: int
    until: int | None
    course: Course
    cut: int
    tensor: Tensor | None
    sends: tuple[Option, tuple[Hop, ...]] | None = None  # when its cut is reached, and to whom
    away: Away | None = None
    is_computing: bool = False
    is_open: bool = True
    events: list[Event] = field(default_factory=list)


class Requester:
    """
    Has frames computed.

    :param name: this robot.
    :param session: drawn at random at each start, u64.
    :param engine: the model.
    :param choose: says for each frame what to do.
    :param worker: its own.
    :param send: hands a message to the network.
    :param on_answer: gets each answer.
    :param allowed: whether a robot may help.
    :param draw: decides what is audited.
    :param checkpoints: where frames are kept; None: in memory alone.
    :param on_event: gets each fault of a helper.
    """

    def __init__(
        self,
        name: str,
        session: int,
        engine: Engine,
        choose: Chooser,
        worker: Worker,
        send: Callable[[Work], None],
        on_answer: Callable[[Answer], None],
        allowed: Callable[[str], bool],
        draw: Random,
        settings: RequesterSettings | None = None,
        checkpoints: Checkpoints | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._name = name
        self._session = session
        self._engine = engine
        self._choose = choose
        self._worker = worker
        self._send = send
        self._on_answer = on_answer
        self._settings = settings or RequesterSettings()
        self._checkpoints = checkpoints
        self._on_event = on_event
        self._seq = 0
        self._frames: dict[FrameId, _Frame] = {}
        self.roster = Roster(engine, allowed)
        self.faults = Faults()
        self.audits = Audits(engine, worker, self.roster, draw, self._settings.audit_share)
        self._lateness = Lateness()

    def submit(
        self, rgb: Rgb, now: int, note: bytes = b'', max_age_ns: int | None = None
    ) -> FrameId:
        """
        Take a frame.

        :param rgb: the picture (h, w, 3) uint8; one that is none is answered so.
        :param now: ns.
        :param note: given back with the answer.
        :param max_age_ns: after which it is cancelled if there is no answer; None: never.
        :raises RefusedError: FLOOD if there are too many in progress; TOO_LARGE, of a note.
        """
        if len(note) > MAX_NOTE:
            raise RefusedError(
                Refusal.TOO_LARGE, f'expected a note of {MAX_NOTE} bytes, got {len(note)}'
            )
        if len(self._frames) >= self._settings.frames:
            raise RefusedError(
                Refusal.FLOOD, f'{len(self._frames)} frames are in progress: ask again later'
            )
        until = None if max_age_ns is None else now + max_age_ns
        identity = self._next_id()
        self._begin(
            _Frame(identity, identity, note, rgb, now, until, self._course(now), 0, None), now
        )
        return identity

    def resume(self, now: int) -> list[FrameId]:
        """
        Go on with the frames that an earlier process had in progress; at the start.

        :returns: their names then; they are answered with them.
        """
        left = self._checkpoints.resume() if self._checkpoints else []
        for name, note, model, cut, array in left:
            rgb = NO_PICTURE if cut else array.astype(np.uint8)
            tensor = array.astype(np.float32) if cut else None
            course = self._course(now)
            frame = _Frame(self._next_id(), name, note, rgb, now, None, course, cut, tensor)
            if cut and model != self._engine.model.hash:
                self._frames[frame.id] = frame
                error = RefusedError(Refusal.MODEL, f'began with model {model.hex()}')
                self._close(frame, Outcome.REFUSED, now, refusal=error)
            else:
                self._begin(frame, now)
        return [progress.frame for progress in left]

    def cancel(self, frame: FrameId, now: int) -> bool:
        """
        Give a frame up, because its owner does not want it any more.

        :returns: whether it was in progress; then its answer says that it is cancelled.
        """
        found = self._frames.get(frame)
        if found is not None:
            self._close(found, Outcome.CANCELLED, now)
        return found is not None

    def on_offer(self, offer: Offer, now: int) -> None:
        """Take an offer to help; ``now`` in ns."""
        if offer.robot != self._name:
            self.roster.offered(offer, now)

    def on_reply(self, reply: Reply, now: int) -> None:
        """Take what a helper says; ``now`` in ns."""
        frame = self._frames.get(reply.frame)
        if frame is None or frame.away is None:
            self._lateness.on_reply(reply, now)
            return
        found = frame.away.on_reply(reply, now)
        if isinstance(found, Result):
            if found.lost and not frame.course.route:
                return  # of a probe; what is computed here is whole
            self._close(frame, Outcome.ANSWERED, now, found.logits, found)
            if found.lost == 0.0:
                self.audits.consider(frame.id, frame.away, found)
        elif found is not None:
            self._on_fault(frame, found, now)

    def tick(self, now: int) -> None:
        """Do what is due: take in what is computed, ask again, give up; ``now`` in ns."""
        for done in self._worker.poll():
            self._on_done(done, now)
        for frame in list(self._frames.values()):
            if frame.until is not None and now >= frame.until:
                self._close(frame, Outcome.CANCELLED, now)
            elif frame.away is not None:
                event = frame.away.tick(now)
                if event is not None:
                    self._on_fault(frame, event, now)

    @property
    def in_progress(self) -> int:
        """Frames that have no answer yet."""
        return len(self._frames)

    def _next_id(self) -> FrameId:
        self._seq += 1
        return FrameId(self._name, self._session, self._seq - 1)

    def _course(self, now: int) -> Course:
        ready = self.roster.ready(now)
        return self._choose(self._engine.times, [known.state(now) for known in ready])

    def _begin(self, frame: _Frame, now: int) -> None:
        course = frame.course
        sends = (course.option, course.route) if course.route else self._probe(course, now)
        if sends is not None and (not frame.cut or sends[0].cut >= frame.cut):
            frame.sends = payload(sends[0]), sends[1]
        self._frames[frame.id] = frame
        self._keep(frame)
        self._compute(frame, now)

    def _probe(self, course: Course, now: int) -> tuple[Option, tuple[Hop, ...]] | None:
        """Return what is sent as well, unless such a question is on its way already."""
        known = self.roster.get(course.probe[1][0].robot) if course.probe else None
        if known is None or now < known.probed_until:
            return None
        known.probed_until = now + PROBE_WAIT
        return course.probe

    def _loss(self, route: tuple[Hop, ...], now: int) -> float:
        """Return which share of the chunks does not arrive at the first of a route."""
        known = self.roster.get(route[0].robot)
        return known.estimate(now).loss if known else 0.0

    def _compute(self, frame: _Frame, now: int) -> None:
        """Go on with a frame here: to where it is sent from, kept on the disk, or its end."""
        end = frame.sends[0].cut if frame.sends else self._engine.last
        if self._checkpoints is not None:
            end = min([end, *(cut for cut in self._settings.pauses if cut > frame.cut)])
        option = frame.sends[0] if frame.sends and frame.sends[0].cut == end else None
        loss = self._loss(frame.sends[1], now) if frame.sends else 0.0
        rgb, cut, tensor, ask = frame.rgb, frame.cut, frame.tensor, frame.course.option.exit

        def run() -> Computed | None:
            # Who answered it meanwhile saves the work.
            if not frame.is_open:
                return None
            return self._engine.advance(rgb, cut, tensor, end, option, ask, loss)

        frame.is_computing = True
        self._worker.submit(Job(frame.id, cut, end, run))

    def _on_done(self, done: Done, now: int) -> None:
        if isinstance(done.value, Computed):
            self._engine.measured(done.value.steps, done.seconds)
        if isinstance(done.key, AuditKey):
            for event in self.audits.on_done(done, now):
                self._count(event)
            return
        assert isinstance(done.key, FrameId)
        frame = self._frames.get(done.key)
        if frame is None:
            return
        frame.is_computing = False
        if isinstance(done.value, RefusedError):
            self._close(frame, Outcome.REFUSED, now, refusal=done.value)
        elif isinstance(done.value, Computed):
            self._on_computed(frame, done.value, now)

    def _on_computed(self, frame: _Frame, computed: Computed, now: int) -> None:
        """Answer, send, or go on."""
        if computed.logits is not None:
            self._close(frame, Outcome.ANSWERED, now, computed.logits, exit_=computed.exit)
            return
        if computed.cut > frame.cut:
            frame.cut, frame.tensor = computed.cut, computed.tensor
            self._keep(frame)
        if not computed.chunks or frame.sends is None:
            self._compute(frame, now)
            return
        (option, route), frame.sends = frame.sends, None
        patience = self._settings.patience * (1.0 if frame.course.route else PROBE_PATIENCE)
        frame.away = Away(
            frame.id,
            option,
            computed.chunks,
            self._name,
            self._engine,
            self.roster,
            self._lateness,
            self._send,
            patience,
        )
        try:
            frame.away.start(route, now)
        except RefusedError:  # larger than messages carry
            frame.away = None
        if frame.away is None or not frame.course.route:
            self._compute(frame, now)

    def _on_fault(self, frame: _Frame, event: Event, now: int) -> None:
        """Ask another helper, or compute the rest here, whichever is done sooner."""
        self._count(event)
        frame.events.append(event)
        away = frame.away
        if frame.is_computing or away is None:
            return
        found = away.next_route(now)
        if found is not None and away.attempts < self._settings.attempts:
            route, seconds = found
            if seconds < self._rest_seconds(frame):
                away.start(route, now)
                return
        self._compute(frame, now)

    def _rest_seconds(self, frame: _Frame) -> float:
        """Return how long the rest of a frame takes here, s."""
        steps = [stage(frame.cut, self._engine.last)] + ([] if frame.cut else [PREPARE])
        return self._engine.expected(steps)

    def _count(self, event: Event) -> None:
        self.faults.add(event)
        self._on_event(event)

    def _keep(self, frame: _Frame) -> None:
        """Keep a frame's progress on the disk."""
        if self._checkpoints is None:
            return
        array = frame.rgb if frame.tensor is None else frame.tensor
        self._checkpoints.commit(
            Progress(frame.name, frame.note, self._engine.model.hash, frame.cut, array)
        )

    def _close(
        self,
        frame: _Frame,
        outcome: Outcome,
        now: int,
        logits: Tensor | None = None,
        result: Result | None = None,
        exit_: int = NO_EXIT,
        refusal: RefusedError | None = None,
    ) -> None:
        """Answer a frame and forget it."""
        frame.is_open = False
        del self._frames[frame.id]
        if frame.away is not None:
            frame.away.drop()
        trace = Trace(
            frame.course,
            tuple(hop.robot for hop in result.route) if result else (),
            exit_,
            frame.away.attempts if frame.away else 0,
            frame.away.sent_bytes if frame.away else 0,
            (now - frame.began) / SECOND,
            result.lost if result else 0.0,
            tuple(frame.events),
            frame.name != frame.id,
        )
        self._on_answer(Answer(frame.name, frame.note, outcome, logits, refusal, trace))
        if self._checkpoints is not None:
            self._checkpoints.clear(frame.name)
