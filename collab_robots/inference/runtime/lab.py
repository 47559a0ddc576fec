"""
A team of robots in one process: their messages cross a bad network, in virtual time.

Everything that happens follows from the seed. Robots compute for real, but how long that takes is
said, not measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
import heapq
from random import Random
from typing import Protocol

from collab_robots.core.clock import SECOND
from collab_robots.inference.runtime.messages import MAX_MISSING, Offer, Reply, ReplyKind, Work
from collab_robots.inference.runtime.peer import Message
from collab_robots.inference.runtime.worker import attempt, Done, Job

TICK = SECOND // 200  # ns
OFFER_EVERY = SECOND  # ns
HEADER_BYTES = 200  # of a message, beside its data


class LabWorker:
    """
    Computes one job after the other in virtual time.

    :param clock: tells the lab's time, ns.
    :param cost: how long a job takes, s.
    """

    def __init__(self, clock: Callable[[], int], cost: Callable[[Job], float]) -> None:
        self._clock = clock
        self._cost = cost
        self._free = 0
        self._jobs: deque[tuple[int, Job, float]] = deque()

    def submit(self, job: Job) -> None:
        """Take a job; it is done when those before it are, and its time has passed."""
        cost = self._cost(job)
        self._free = max(self._free, self._clock()) + round(cost * SECOND)
        self._jobs.append((self._free, job, cost))

    def poll(self) -> list[Done]:
        """Return what was done since the last time."""
        done = []
        while self._jobs and self._jobs[0][0] <= self._clock():
            _, job, cost = self._jobs.popleft()
            done.append(Done(job.key, attempt(job), cost))
        return done


@dataclass(frozen=True)
class Weather:
    """
    What the network does to messages.

    :param delay_s: of a message, drawn between these: those sent later overtake.
    :param rate_bps: of each direction between two robots, bit/s.
    :param loss: share of the messages that do not arrive.
    :param twice: share of those that arrive and do so twice.
    """

    delay_s: tuple[float, float] = (0.001, 0.003)
    rate_bps: float = 20e6
    loss: float = 0.0
    twice: float = 0.0


class Member(Protocol):
    """Who is in the lab: a :class:`~.peer.Peer`, or one that is up to no good."""

    def receive(self, message: Message, now: int) -> None:
        """Take a message."""

    def tick(self, now: int) -> None:
        """Do what is due."""

    def offers(self) -> Sequence[Offer]:
        """Return what to announce."""


class Lab:
    """
    The network and the time.

    :param draw: decides what is lost, late and doubled.
    """

    def __init__(self, draw: Random, weather: Weather) -> None:
        self.now = SECOND
        self.weather = weather
        self._draw = draw
        self._members: dict[str, Member] = {}
        self._flying: list[tuple[int, int, str, Message]] = []
        self._count = 0
        self._busy: dict[tuple[str, str], int] = {}
        self._next_offers = self.now

    def clock(self) -> int:
        """Return the time, ns."""
        return self.now

    def join(self, name: str, member: Member) -> None:
        """Let a robot take part, or another process take its place."""
        self._members[name] = member

    def crash(self, name: str) -> None:
        """Let a robot be gone, with all that it had in memory."""
        self._members.pop(name, None)

    def post(self, sender: str) -> Callable[[Work | Reply], None]:
        """Return what a robot sends its messages with."""

        def send(message: Work | Reply) -> None:
            self._fly(sender, message.target, message)

        return send

    def run(self, until: int) -> None:
        """Let time pass; ``until`` in ns."""
        while self.now < until:
            self.now += TICK
            self._deliver()
            if self.now >= self._next_offers:
                self._next_offers += OFFER_EVERY
                for name, member in list(self._members.items()):
                    for offer in member.offers():
                        for other in self._members:
                            self._fly(name, other, offer)
            for member in list(self._members.values()):
                member.tick(self.now)

    def _deliver(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, _, target, message = heapq.heappop(self._flying)
            member = self._members.get(target)
            if member is not None:
                member.receive(message, self.now)

    def _fly(self, sender: str, target: str, message: Message) -> None:
        size = HEADER_BYTES + (0 if isinstance(message, Offer) else len(message.data))
        begins = max(self._busy.get((sender, target), 0), self.now)
        ends = begins + round(8 * size / self.weather.rate_bps * SECOND)
        self._busy[sender, target] = ends
        if self._draw.random() < self.weather.loss:
            return
        for _ in range(2 if self._draw.random() < self.weather.twice else 1):
            arrives = ends + round(self._draw.uniform(*self.weather.delay_s) * SECOND)
            self._count += 1
            heapq.heappush(self._flying, (arrives, self._count, target, message))


class Liar:
    """
    A robot that offers the best help and then does as it likes.

    :param offer: what it announces.
    :param lie: makes its replies to a chunk; see :func:`lies`.
    """

    def __init__(
        self,
        offer: Offer,
        send: Callable[[Work | Reply], None],
        lie: Callable[[Work], Sequence[Reply]],
    ) -> None:
        self._offer = offer
        self._send = send
        self._lie = lie

    def receive(self, message: Message, now: int) -> None:
        """Lie about work."""
        if isinstance(message, Work) and message.target == self._offer.robot:
            for reply in self._lie(message):
                self._send(reply)

    def tick(self, now: int) -> None:
        """Do nothing."""

    def offers(self) -> Sequence[Offer]:
        """Return what it announces."""
        return [self._offer]


def lies(
    name: str, draw: Random, plausible: Sequence[bytes]
) -> dict[str, Callable[[Work], Sequence[Reply]]]:
    """
    Return the ways to lie, by name.

    :param name: the liar.
    :param plausible: coded tensors: of wrong shapes, with NaN, whatever is no answer.
    """

    def answer(work: Work, data: bytes) -> Sequence[Reply]:
        frame, target = work.frame, work.frame.robot
        return [Reply(frame, work.attempt, name, target, ReplyKind.ANSWER, data=data)]

    def silence(work: Work) -> Sequence[Reply]:
        return []

    def noise(work: Work) -> Sequence[Reply]:
        return answer(work, draw.randbytes(draw.randint(1, 2000)))

    def other_tensor(work: Work) -> Sequence[Reply]:
        return answer(work, draw.choice(plausible))

    def insatiable(work: Work) -> Sequence[Reply]:
        some = tuple(range(work.chunks))[:MAX_MISSING]
        frame, target = work.frame, work.frame.robot
        return [Reply(frame, work.attempt, name, target, ReplyKind.MISSING, missing=some)]

    def stalling(work: Work) -> Sequence[Reply]:
        frame, target = work.frame, work.frame.robot
        return [Reply(frame, work.attempt, name, target, ReplyKind.RECEIVED)] * 3

    return {lie.__name__: lie for lie in (silence, noise, other_tensor, insatiable, stalling)}
