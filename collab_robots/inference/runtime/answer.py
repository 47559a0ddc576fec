"""What the owner of a frame gets for it: one answer, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from collab_robots.core.errors import RefusedError
from collab_robots.inference.options import NO_EXIT
from collab_robots.inference.runtime.course import Course
from collab_robots.inference.runtime.engine import Tensor
from collab_robots.inference.runtime.events import Event
from collab_robots.inference.runtime.messages import FrameId


class Outcome(str, Enum):
    """How a frame ended."""

    ANSWERED = 'answered'
    REFUSED = 'refused'  # nobody can compute it, this robot neither: it is no picture, say
    CANCELLED = 'cancelled'  # its owner did not want it any more


@dataclass(frozen=True)
class Trace:
    """
    How an answer came about.

    :param course: what was planned.
    :param route: who computed behind this robot; empty: nobody.
    :param exit: the early exit that answered, or none.
    :param attempts: to have others compute it.
    :param sent_bytes: of chunks, those sent again too.
    :param seconds: from when it was submitted.
    :param lost: share of a tensor that did not arrive and was filled in, 0 to 1.
    :param events: what went wrong.
    :param resumed: whether an earlier process of this robot began with it.
    """

    course: Course
    route: tuple[str, ...] = ()
    exit: int = NO_EXIT
    attempts: int = 0
    sent_bytes: int = 0
    seconds: float = 0.0
    lost: float = 0.0
    events: tuple[Event, ...] = ()
    resumed: bool = False

    @property
    def degraded(self) -> bool:
        """Whether the answer is of less than was sent."""
        return self.lost > 0.0


@dataclass(frozen=True)
class Answer:
    """
    The one answer to a frame.

    A process that dies between an answer and forgetting the frame answers once more when it is
    started again: with the same frame id.

    :param frame: which.
    :param note: what its owner gave along with it.
    :param outcome: how it ended.
    :param logits: (1, *shape of the model's output) float32, or of an exit; None unless answered.
    :param refusal: why there are none, if it was refused.
    :param trace: how it came about.
    """

    frame: FrameId
    note: bytes
    outcome: Outcome
    logits: Tensor | None
    refusal: RefusedError | None
    trace: Trace
