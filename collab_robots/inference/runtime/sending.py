"""The sender's end of a frame's chunks: they are kept, and sent again when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from collab_robots.core.clock import SECOND
from collab_robots.inference.options import Option
from collab_robots.inference.runtime.messages import FrameId, Hop, Spent, Work

AGAIN = 4  # times that each chunk is sent again, on average, at most: who asks may be hostile

SILENT = 0.02  # probability that one who is there stays silent
MAX_QUESTIONS = 6
LEAST_LOSS = 0.05  # what was not lost until now may be
QUESTION_GAP = SECOND // 50  # ns between two, beyond what the link takes


def cut_up(
    frame: FrameId,
    attempt: int,
    sender: str,
    model: bytes,
    option: Option,
    route: Sequence[Hop],
    chunks: Sequence[bytes],
    done: Sequence[Spent] = (),
    lost: float = 0.0,
) -> tuple[Work, ...]:
    """
    Return the messages that hand a frame on; their budget is set when they are sent.

    :raises RefusedError: if there is more than messages can carry.
    """
    size = sum(map(len, chunks))
    return tuple(
        Work(
            frame=frame,
            attempt=attempt,
            sender=sender,
            model=model,
            option=option,
            route=tuple(route),
            budget_ns=0,
            done=tuple(done),
            lost=lost,
            chunk=index,
            chunks=len(chunks),
            size=size,
            data=data,
        )
        for index, data in enumerate(chunks)
    )


class Sending:
    """
    Chunks on their way to one robot.

    The first chunk sent once more is the question how it goes: the receiver tells what is missing,
    that all is there, or the answer.

    :param works: all of them.
    :param send: hands one to the network.
    :param now: ns.
    :param until: when the answer is no longer waited for, ns.
    :param ask_at: when there should have been one, ns.
    """

    def __init__(
        self,
        works: Sequence[Work],
        send: Callable[[Work], None],
        now: int,
        until: int,
        ask_at: int,
    ) -> None:
        self._works = works
        self._send = send
        self._again = AGAIN * len(works)
        self._ask_at = ask_at
        self._asked = 0
        self.until = until
        self.target = works[0].target
        self.size = works[0].size
        self.sent = 0  # bytes
        self.repeated = 0  # chunks
        for work in works:
            self._put(work, now)

    def __len__(self) -> int:
        return len(self._works)

    def repeat(self, missing: Sequence[int], now: int) -> None:
        """Send chunks again; those that are none are not."""
        for index in missing:
            if index < len(self._works) and self.repeated < self._again and now < self.until:
                self.repeated += 1
                self._put(self._works[index], now)

    def heard(self, ask_at: int) -> None:
        """Take note that the receiver is there; ``ask_at``: when to ask it again, ns."""
        self._asked, self._ask_at = 0, ask_at

    def is_due(self, now: int) -> bool:
        """Tell whether it is time to ask, or to give up."""
        return now >= min(self._ask_at, self.until)

    def is_dead(self, now: int, loss: float, delay_s: float) -> bool:
        """
        Ask how it goes, once it is time to.

        :param loss: share of the messages that do not arrive.
        :param delay_s: of a question and its reply.
        :returns: whether there was no reply to so many questions that nobody is there, or the
            time is over.
        """
        if now >= self.until or self._asked >= questions(loss):
            return True
        self._asked += 1
        self._ask_at = now + QUESTION_GAP + round(delay_s * SECOND)
        self.repeat((0,), now)
        return False

    def _put(self, work: Work, now: int) -> None:
        self.sent += len(work.data)
        self._send(replace(work, budget_ns=max(self.until - now, 0)))


def questions(loss: float) -> int:
    """
    Return how often to ask before silence means that nobody is there.

    :param loss: share of messages that do not arrive.
    """
    count, silence = 1, 1.0 - (1.0 - max(loss, LEAST_LOSS)) ** 2
    while silence**count > SILENT and count < MAX_QUESTIONS:
        count += 1
    return count
