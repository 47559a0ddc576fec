"""
What robots say to one another about frames: work, replies to it, offers to help.

Every message can be lost, come twice, late or from a liar: its fields are checked when it is made,
so one that exists is in bounds. Times are durations, because robots share no clock. A message is
at most 64 KiB on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
import itertools

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import BITS, MAX_CUT, NO_EXIT, Option

MAX_NAME = 64  # characters of a robot's name
MAX_DATA = 60_000  # bytes in one message
MAX_PAYLOAD = 16 * 1024 * 1024  # bytes of all chunks of a frame
MAX_CHUNKS = 4096
MAX_MISSING = 256  # chunks asked for in one reply
MAX_HOPS = 8
MAX_ATTEMPT = 255
MAX_U64 = 2**64 - 1
HASH_BYTES = 32


class ReplyKind(str, Enum):
    """What a helper says about a frame."""

    ANSWER = 'answer'
    REFUSED = 'refused'
    MISSING = 'missing'  # these chunks, please
    RECEIVED = 'received'  # all of it is here: said to who sends a chunk again


class Reason(str, Enum):
    """Why a helper refuses a frame; NONE in all other replies."""

    NONE = ''
    BUSY = 'busy'
    STRANGER = 'stranger'  # may not ask
    MODEL = 'model'  # not here
    BUDGET = 'budget'  # would not be done in time
    TOO_LARGE = 'too_large'
    MALFORMED = 'malformed'
    TENSOR = 'tensor'  # wrong shape, NaN, or not decodable


@dataclass(frozen=True, order=True)
class FrameId:
    """
    Names one frame of one run of one robot.

    :param robot: whose.
    :param session: drawn at random at each start, so that an old run's replies fit nothing.
    :param seq: counts its frames.
    """

    robot: str
    session: int
    seq: int

    def __post_init__(self) -> None:
        _name(self.robot)
        _number('session', self.session, MAX_U64)
        _number('seq', self.seq, MAX_U64)


@dataclass(frozen=True)
class Hop:
    """
    One robot's share of a frame.

    :param robot: who.
    :param end: the cut up to which it computes.
    :param bits: of the code in which it hands on.
    """

    robot: str
    end: int
    bits: int

    def __post_init__(self) -> None:
        _name(self.robot)
        _number('end', self.end, MAX_CUT, 1)
        _choice('bits', self.bits, BITS)


@dataclass(frozen=True)
class Spent:
    """
    What a hop spent on a frame.

    :param queued_ns: from when all was there until it began to compute.
    :param compute_ns: from then until it sent.
    """

    queued_ns: int
    compute_ns: int

    def __post_init__(self) -> None:
        _number('queued_ns', self.queued_ns, MAX_U64)
        _number('compute_ns', self.compute_ns, MAX_U64)


@dataclass(frozen=True)
class Work:
    """
    One chunk of a frame to be computed on.

    All chunks of an attempt differ in ``chunk``, ``data`` and ``budget_ns`` only.

    :param frame: which.
    :param attempt: of its owner to have it computed, from 0.
    :param sender: who has the chunks: the frame's owner, or the hop before.
    :param model: hash of graph and weights.
    :param option: what the chunks are: a tensor at its cut (SPLIT), or a picture; without exit.
    :param route: who is to compute, the receiver first.
    :param budget_ns: how long the answer is waited for from now.
    :param done: what the hops before spent, in order.
    :param lost: share of what they got that they had to fill in, 0 to 1: the worst of them.
    :param chunk: index of this one.
    :param chunks: how many there are.
    :param size: bytes of all together.
    :param data: at most :data:`MAX_DATA` bytes.
    """

    frame: FrameId
    attempt: int
    sender: str
    model: bytes
    option: Option
    route: tuple[Hop, ...]
    budget_ns: int
    done: tuple[Spent, ...]
    lost: float
    chunk: int
    chunks: int
    size: int
    data: bytes

    def __post_init__(self) -> None:
        _number('attempt', self.attempt, MAX_ATTEMPT)
        _name(self.sender)
        _hash(self.model)
        if not self.option.remote or self.option.exit != NO_EXIT:
            raise _malformed(f'expected what is sent, got {self.option}')
        _number('hops', len(self.route), MAX_HOPS, 1)
        ends = [self.option.cut, *(hop.end for hop in self.route)]
        if any(end <= start for start, end in itertools.pairwise(ends)):
            raise _malformed(f'expected cuts that rise along the route, got {ends}')
        _number('budget_ns', self.budget_ns, MAX_U64)
        _number('done', len(self.done), MAX_HOPS - len(self.route))
        _share('lost', self.lost)
        _number('chunks', self.chunks, MAX_CHUNKS, 1)
        _number('chunk', self.chunk, self.chunks - 1)
        _size('payload', self.size, MAX_PAYLOAD)
        _size('data', len(self.data), min(MAX_DATA, self.size))

    @property
    def target(self) -> str:
        """To whom it goes."""
        return self.route[0].robot


@dataclass(frozen=True)
class Reply:
    """
    What a helper says about an attempt.

    :param frame: which.
    :param attempt: which.
    :param helper: who replies.
    :param target: to whom: the frame's owner, or for MISSING and RECEIVED who sent the chunks.
    :param kind: what it says.
    :param reason: of a refusal.
    :param missing: chunks that are asked for again.
    :param done: what each hop of the route spent, in order; of an answer.
    :param lost: share of a payload that was filled in because it did not come, 0 to 1; the worst
        of the hops.
    :param data: the answer: logits coded with the last hop's bits.
    """

    frame: FrameId
    attempt: int
    helper: str
    target: str
    kind: ReplyKind
    reason: Reason = Reason.NONE
    missing: tuple[int, ...] = ()
    done: tuple[Spent, ...] = ()
    lost: float = 0.0
    data: bytes = b''

    def __post_init__(self) -> None:
        _number('attempt', self.attempt, MAX_ATTEMPT)
        _name(self.helper)
        _name(self.target)
        if (self.kind is ReplyKind.REFUSED) != (self.reason is not Reason.NONE):
            raise _malformed('a refusal has a reason, and nothing else has')
        if (self.kind is ReplyKind.MISSING) != bool(self.missing):
            raise _malformed('what asks for chunks names some, and nothing else does')
        if (self.kind is ReplyKind.ANSWER) != bool(self.data):
            raise _malformed('an answer has data, and nothing else has')
        _number('missing', len(self.missing), MAX_MISSING)
        for chunk in self.missing:
            _number('missing', chunk, MAX_CHUNKS - 1)
        _number('done', len(self.done), MAX_HOPS)
        _share('lost', self.lost)
        _size('data', len(self.data), MAX_DATA)


@dataclass(frozen=True)
class Offer:
    """
    A robot's offer to help with one model, said about once a second.

    :param robot: who.
    :param model: hash of graph and weights.
    :param queue_ns: how long a frame would wait there now.
    :param load: share of its processor that is taken, 0 to 1.
    :param whole_ns: how long the whole model takes there.
    """

    robot: str
    model: bytes
    queue_ns: int
    load: float
    whole_ns: int

    def __post_init__(self) -> None:
        _name(self.robot)
        _hash(self.model)
        _number('queue_ns', self.queue_ns, MAX_U64)
        _number('whole_ns', self.whole_ns, MAX_U64)
        _share('load', self.load)


def _malformed(message: str) -> RefusedError:
    return RefusedError(Refusal.MALFORMED, message)


def _number(what: str, value: int, most: int, least: int = 0) -> None:
    if not least <= value <= most:
        raise _malformed(f'{what}: expected {least} to {most}, got {value}')


def _share(what: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise _malformed(f'{what}: expected 0 to 1, got {value}')


def _choice(what: str, value: int, choices: tuple[int, ...]) -> None:
    if value not in choices:
        raise _malformed(f'{what}: expected one of {choices}, got {value}')


def _size(what: str, size: int, most: int) -> None:
    if size > most:
        raise RefusedError(Refusal.TOO_LARGE, f'{what}: expected {most} bytes, got {size}')
    _number(what, size, most)


def _name(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise _malformed(f'expected a name of 1 to {MAX_NAME} characters, got {name!r}')


def _hash(model: bytes) -> None:
    if len(model) != HASH_BYTES:
        raise _malformed(f'expected a hash of {HASH_BYTES} bytes, got {len(model)}')
