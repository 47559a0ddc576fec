"""The sender's end of a frame's chunks: they are kept, and sent again when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from collab_robots.core.clock import SECOND
from collab_robots.inference.options import Option
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.runtime.messages import FrameId, Hop, MAX_MISSING, Spent, Work

LATE = 9 / 8  # of the time that the link takes (RFC 9002, 6.1.2)
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
    that all is there, or the answer. What the receiver misses is lost, and sent again, if one that
    was sent later arrived, or if the link should have carried it by now (RFC 9002, 6.1); else it
    is on its way.

    :param works: all of them.
    :param send: hands one to the network.
    :param link: to that robot.
    :param now: ns.
    :param until: when the answer is no longer waited for, ns.
    :param ask_at: when there should have been one, ns.
    """

    def __init__(
        self,
        works: Sequence[Work],
        send: Callable[[Work], None],
        link: LinkEstimate,
        now: int,
        until: int,
        ask_at: int,
    ) -> None:
        self._works = works
        self._send = send
        self._link = replace(link, loss=0.0)
        self._due = [0] * len(works)  # when each chunk should be there, and who asks knows, ns
        self._again = AGAIN * len(works)
        self._ask_at = ask_at
        self._asked = 0
        self.until = until
        self.target = works[0].target
        self.size = works[0].size
        self.sent = 0  # bytes
        self.repeated = 0  # chunks
        self.lost = 0  # of those sent once
        self.unsure = 0  # of those sent once, lost or late
        self._twice: set[int] = set()
        self._put(works, now)

    def __len__(self) -> int:
        return len(self._works)

    def missed(self, missing: Sequence[int], now: int) -> bool:
        """
        Send again what does not seem to be on its way of what the receiver misses.

        :returns: whether there is such a chunk.
        """
        listed = missing[-1] if len(missing) == MAX_MISSING else len(self._works)
        arrived = max(set(range(listed)).difference(missing), default=-1)
        asked = {index for index in missing if index < len(self._works)}
        once = asked - self._twice
        lost = {index for index in once if index < arrived}
        late = {index for index in asked if now >= self._due[index]}
        self.lost += len(lost)
        self.unsure += len(once & late - lost)
        self._repeat(sorted(lost | late), now)
        return bool(lost | late)

    def heard(self, ask_at: int) -> None:
        """
        Take note that the receiver is there.

        :param ask_at: when to ask it again, ns; not before it can have all that was sent.
        """
        self._asked, self._ask_at = 0, max(ask_at, *self._due)

    def is_due(self, now: int) -> bool:
        """Tell whether it is time to ask, or to give up."""
        return now >= min(self._ask_at, self.until)

    def is_dead(self, now: int, link: LinkEstimate) -> bool:
        """
        Ask how it goes, once it is time to.

        :param link: as it is now.
        :returns: whether there was no reply to so many questions that nobody is there, or the
            time is over.
        """
        if now >= self.until or self._asked >= questions(link.loss):
            return True
        self._asked += 1
        self._ask_at = now + QUESTION_GAP + round(2 * link.delay_s * SECOND)
        self._repeat([0], now)
        return False

    def _repeat(self, chunks: Sequence[int], now: int) -> None:
        chunks = chunks[: self._again - self.repeated] if now < self.until else []
        self.repeated += len(chunks)
        self._twice.update(chunks)
        self._put([self._works[index] for index in chunks], now)

    def _put(self, works: Sequence[Work], now: int) -> None:
        size = sum(len(work.data) for work in works)
        due = now + round(LATE * float(self._link.seconds(size)) * SECOND)
        self.sent += size
        for work in works:
            self._due[work.chunk] = due
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
