"""One frame's chunks away at helpers, one after the other, until one answers or nobody is left."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.inference.options import Option
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.runtime.course import ANSWER_BITS
from collab_robots.inference.runtime.engine import CLEAR_LOSS, Engine, handed_on, Tensor
from collab_robots.inference.runtime.events import Event, Fault
from collab_robots.inference.runtime.messages import FrameId, Hop, Reply, ReplyKind, Work
from collab_robots.inference.runtime.roster import Known, Roster
from collab_robots.inference.runtime.sending import cut_up, QUESTION_GAP, Sending

FORGOTTEN_LINK = LinkEstimate(1e6)  # to who is not in the roster any more
MAX_LATE = 16
MOST_LOSS = 0.9
GRACE_S = 0.25  # that who shows signs of life gets beside its patience: losses take time
LEAST_WIRE_S, MOST_WIRE_S = 1e-4, 600.0  # a link learns from


class Result(NamedTuple):
    """
    An answer from elsewhere.

    :param logits: (1, *shape of the model's output).
    :param lost: share of a tensor on its way that was filled in.
    :param route: who computed.
    """

    logits: Tensor
    lost: float
    route: tuple[Hop, ...]


@dataclass
class _Attempt:
    number: int
    route: tuple[Hop, ...]
    sending: Sending
    expected: float
    again: float  # s that who has it, or is sent more of it, gets until it is asked again
    began: int
    alive: int = 0  # hops that showed that they are there
    slow: bool = False  # whether nothing was lost when it was asked how it goes


class Lateness:
    """
    Attempts that nobody waits for any more.

    An answer that comes after all is not taken, but tells how long to wait, and what the link can
    do: that is all that a probe is for.
    """

    def __init__(self) -> None:
        self._given_up: OrderedDict[tuple[FrameId, int], tuple[Away, _Attempt]] = OrderedDict()

    def gave_up(self, frame: FrameId, away: Away, attempt: _Attempt) -> None:
        """Remember an attempt, for a while."""
        self._given_up[frame, attempt.number] = away, attempt
        while len(self._given_up) > MAX_LATE:
            self._given_up.popitem(last=False)

    def on_reply(self, reply: Reply, now: int) -> None:
        """Learn from an answer that nobody waits for."""
        away, attempt = self._given_up.get((reply.frame, reply.attempt), (None, None))
        if away is None or attempt is None or reply.kind is not ReplyKind.ANSWER:
            return
        if reply.helper == attempt.route[-1].robot:
            del self._given_up[reply.frame, reply.attempt]
            away.learn(attempt, reply, now)


class Away:
    """
    A frame's chunks, and where they are.

    :param frame: which.
    :param option: what the chunks are.
    :param chunks: kept until the frame has its answer.
    :param sender: this robot.
    :param patience: how many times the timeout who shows signs of life gets.
    """

    def __init__(
        self,
        frame: FrameId,
        option: Option,
        chunks: Sequence[bytes],
        sender: str,
        engine: Engine,
        roster: Roster,
        lateness: Lateness,
        send: Callable[[Work], None],
        patience: float,
    ) -> None:
        self._frame = frame
        self.option = option
        self.chunks = chunks
        self._sender = sender
        self._engine = engine
        self._roster = roster
        self._lateness = lateness
        self._send = send
        self._patience = patience
        self._size = sum(map(len, chunks))
        self._attempt: _Attempt | None = None
        self._asked: set[str] = set()
        self.attempts = 0
        self.sent_bytes = 0

    @property
    def is_out(self) -> bool:
        """Whether an answer is waited for."""
        return self._attempt is not None

    def start(self, route: Sequence[Hop], now: int) -> None:
        """
        Send the chunks to the first of a route.

        :raises RefusedError: TOO_LARGE if messages cannot carry them.
        """
        works = cut_up(
            self._frame,
            self.attempts,
            self._sender,
            self._engine.model.hash,
            self.option,
            route,
            self.chunks,
        )
        wire, work = self._expected(route, now)
        expected = wire + work
        first = self._roster.get(route[0].robot)
        wait = first.timeouts.seconds(expected) if first else expected
        until = now + round((self._patience * wait + GRACE_S) * SECOND)
        link = first.estimate(now) if first else FORGOTTEN_LINK
        ask_at = now + round(wait * SECOND)
        sending = Sending(works, self._send, link, now, until, ask_at)
        again = work + 2 * link.delay_s
        self._attempt = _Attempt(self.attempts, tuple(route), sending, expected, again, now)
        self.attempts += 1
        self._asked.update(hop.robot for hop in route)
        for known in self._hops(route):
            known.breaker.sent()

    def next_route(self, now: int) -> tuple[tuple[Hop, ...], float] | None:
        """
        Return who would have the answer soonest of those not asked yet, and in how many s.

        :returns: None if nobody is left.
        """
        found = []
        for known in self._roster.ready(now):
            if known.name not in self._asked:
                route = (Hop(known.name, self._engine.last, ANSWER_BITS),)
                found.append((sum(self._expected(route, now)), route))
        if not found:
            return None
        seconds, route = min(found, key=lambda pair: pair[0])
        return route, seconds

    def on_reply(self, reply: Reply, now: int) -> Result | Event | None:
        """
        Take what a helper says.

        :returns: the answer, or why the attempt failed; None if there is nothing to do.
        """
        attempt = self._attempt
        if attempt is None or reply.attempt != attempt.number:
            self._lateness.on_reply(reply, now)
            return None
        hops = [hop.robot for hop in attempt.route]
        if reply.helper not in hops:
            return None
        at = hops.index(reply.helper)
        if reply.kind is ReplyKind.REFUSED:
            return self._fail(Event(reply.helper, Fault.REFUSED, reply.reason.value, now))
        if reply.kind is ReplyKind.ANSWER:
            return self._read(attempt, reply, now) if at == len(hops) - 1 else None
        attempt.alive = max(attempt.alive, at + 1)
        again = at == 0 and attempt.sending.missed(reply.missing, now)
        attempt.slow = attempt.slow or not again
        attempt.sending.heard(now + QUESTION_GAP + round(attempt.again * SECOND))
        return None

    def tick(self, now: int) -> Event | None:
        """Ask again; return the timeout if nobody is there or time is over."""
        attempt = self._attempt
        if attempt is None or not attempt.sending.is_due(now):
            return None
        first = self._roster.get(attempt.sending.target)
        link = first.estimate(now) if first else FORGOTTEN_LINK
        loss = max(link.loss, min(attempt.sending.lost / len(attempt.sending), MOST_LOSS))
        if not attempt.sending.is_dead(now, replace(link, loss=loss)):
            return None
        # Of several hops, the first that did not show that it has the frame.
        hop = attempt.route[min(attempt.alive, len(attempt.route) - 1)]
        if first is not None:
            first.timeouts.expired()
            waited = (now - attempt.began) / SECOND
            if hop.robot == first.name and not attempt.alive:
                first.link.add(self._size, waited, now, arrived=False)
        return self._fail(Event(hop.robot, Fault.TIMEOUT, '', now))

    def drop(self) -> None:
        """Wait no longer: the frame was answered elsewhere, or is not wanted any more."""
        if self._attempt is not None:
            for known in self._hops(self._attempt.route):
                known.breaker.dropped()
            self._give_up(self._attempt)

    def _read(self, attempt: _Attempt, reply: Reply, now: int) -> Result | Event:
        """Look at an answer: its shape and numbers must be those of the model's output."""
        try:
            logits = self._engine.read_answer(reply.data, attempt.route[-1].bits)
        except RefusedError as error:
            return self._fail(Event(reply.helper, Fault.WRONG, str(error), now))
        self.learn(attempt, reply, now)
        for known in self._hops(attempt.route):
            known.breaker.answered()
        self.sent_bytes += attempt.sending.sent
        self._attempt = None
        return Result(logits, reply.lost, attempt.route)

    def learn(self, attempt: _Attempt, reply: Reply, now: int) -> None:
        """Take in how long wire and work took, as far as what is said of it can be true."""
        first = self._roster.get(attempt.route[0].robot)
        took = (now - attempt.began) / SECOND
        if first is None:
            return
        if attempt.slow or not attempt.sending.repeated:  # else it tells what was lost (Karn)
            first.timeouts.add(attempt.expected, took)
        sure = len(attempt.sending) - attempt.sending.unsure
        if sure:
            first.link.lost(sure, attempt.sending.lost)
        there = sum(spent.queued_ns + spent.compute_ns for spent in reply.done) / SECOND
        if len(reply.done) != len(attempt.route) or there >= took:
            return
        # Where hardly a chunk is lost, what was sent again was late: that tells of the link.
        clear = not attempt.sending.lost and first.estimate(now).loss <= CLEAR_LOSS
        if (clear or not attempt.sending.repeated) and len(attempt.route) == 1:
            wire = min(max(took - there, LEAST_WIRE_S), MOST_WIRE_S)
            first.link.add(self._size, wire, now)
        option = self.option
        for hop, spent in zip(attempt.route, reply.done, strict=True):
            known = self._roster.get(hop.robot)
            if known is not None:
                steps = self._engine.share_steps(option, hop)
                self._engine.measured(steps, spent.compute_ns / SECOND, known.times)
                known.queued(spent.queued_ns / SECOND, now)
                known.probed_until = 0
            option = handed_on(hop)

    def _expected(self, route: Sequence[Hop], now: int) -> tuple[float, float]:
        """
        Return how long an answer should be on links and at robots, s.

        Links between helpers are not known here: they are taken to be like the first.
        """
        option, work = self.option, 0.0
        first = self._roster.get(route[0].robot)
        link = first.estimate(now) if first else FORGOTTEN_LINK
        for hop in route:
            known = self._roster.get(hop.robot)
            steps = self._engine.share_steps(option, hop)
            work += self._engine.expected(steps, known.times if known else None)
            work += known.queue_s(now) if known else 0.0
            option = handed_on(hop)
        return len(route) * float(link.seconds(self._size)), work

    def _fail(self, event: Event) -> Event:
        known = self._roster.get(event.helper)
        if known is not None:
            known.breaker.failed(event.fault, event.at_ns)
        self.drop()
        return event

    def _give_up(self, attempt: _Attempt) -> None:
        self._lateness.gave_up(self._frame, self, attempt)
        self.sent_bytes += attempt.sending.sent
        self._attempt = None

    def _hops(self, route: Sequence[Hop]) -> list[Known]:
        return [known for hop in route if (known := self._roster.get(hop.robot)) is not None]
