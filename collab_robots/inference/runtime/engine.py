"""What is computed for a frame: by its owner, by who helps, and again when somebody is audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference import codec
from collab_robots.inference.model import Model
from collab_robots.inference.options import Kind, NO_EXIT, Option
from collab_robots.inference.payload import decode_picture, encode_picture
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.profile.times import (
    Do,
    MAX_SECONDS,
    MIN_SECONDS,
    payload,
    PREPARE,
    stage,
    Step,
    Times,
)
from collab_robots.inference.runtime.messages import Hop, MAX_DATA

Tensor = npt.NDArray[np.float32]
# A bottleneck's code is about a thousand bytes: in small chunks, or the loss of one loses all.
BOTTLENECK_CHUNK_BYTES = 256
# Around each chunk go 360 bytes: where hardly one is lost, few large ones are better.
CLEAR_CHUNK_BYTES = 8192
CLEAR_LOSS = 0.002
AUDIT_LEVELS = 8.0  # by how many levels of its code an honest answer may be off


class Codec(Protocol):
    """How tensors become bytes: :mod:`~collab_robots.inference.codec`, or one to compare with."""

    def encode(self, tensor: Tensor, bits: int, *, chunk_bytes: int) -> list[bytes]:
        """Return the chunks of a tensor without batch."""

    def decode(
        self, chunks: Sequence[bytes | None], shape: tuple[int, ...], bits: int
    ) -> codec.Decoded:
        """Return the tensor, what is lost of it filled."""


class EarlyExit(Protocol):
    """A classifier of a cut's tensor."""

    @property
    def threshold(self) -> float:
        """How sure it must be."""

    def answer(self, tensor: Tensor) -> tuple[Tensor, float]:
        """Return logits (1, classes) and how sure they are."""


class Bottleneck(Protocol):
    """A learned code of a cut's tensor."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the code, without batch."""

    def encode(self, tensor: Tensor) -> Tensor:
        """Return the code."""

    def decode(self, tensor: Tensor) -> Tensor:
        """Return the tensor."""


class Computed(NamedTuple):
    """
    How far a frame came.

    :param cut: where.
    :param tensor: there (1, *shape); None at cut 0.
    :param logits: if that is an answer: of the network's end, or of an exit that was sure.
    :param exit: which exit, or none.
    :param chunks: what is to be sent from here.
    :param steps: what was done; nothing if a stage was loaded meanwhile, whose time says nothing.
    """

    cut: int
    tensor: Tensor | None
    logits: Tensor | None
    exit: int
    chunks: tuple[bytes, ...]
    steps: tuple[Step, ...]


class Share(NamedTuple):
    """
    What a hop computed.

    :param chunks: what it hands on, or the answer.
    :param lost: share of what it got that it had to fill in.
    :param steps: what was done, as :class:`Computed` has it.
    """

    chunks: tuple[bytes, ...]
    lost: float
    steps: tuple[Step, ...]


class Engine:
    """
    A model with what belongs to it.

    :param model: the network.
    :param times: what its steps take here; kept fresh by who measures.
    :param exits: early exits, by cut.
    :param bottlenecks: learned codes, by cut.
    :param coder: tensors to bytes.
    :param chunk_bytes: about how large a chunk is where some are lost.
    :param clear_bytes: and where hardly one is.
    """

    def __init__(
        self,
        model: Model,
        times: Times,
        exits: Mapping[int, EarlyExit],
        bottlenecks: Mapping[int, Bottleneck],
        coder: Codec = codec,
        chunk_bytes: int = codec.CHUNK_BYTES,
        clear_bytes: int = CLEAR_CHUNK_BYTES,
    ) -> None:
        self.model = model
        self.times = times
        self.last = len(model.cuts) - 1
        self.whole_step = stage(0, self.last)
        self._exits = exits
        self._bottlenecks = bottlenecks
        self._coder = coder
        self._chunk_bytes = chunk_bytes
        self._clear_bytes = clear_bytes
        _, height, width = model.cuts[0].shape
        self._size = height, width

    def load(self) -> None:
        """Load what answers a frame without help, so that the first one does not wait for it."""
        self.model.stage(0, self.last)
        for cut, early in self._exits.items():
            self.model.stage(0, cut)
            self.model.stage(cut, self.last)
            early.answer(np.zeros((1, *self.model.cuts[cut].shape), np.float32))

    def advance(
        self,
        rgb: Rgb,
        cut: int,
        tensor: Tensor | None,
        end: int,
        option: Option | None,
        ask: int,
        loss: float = 0.0,
    ) -> Computed:
        """
        Compute a frame of one's own from one cut to another.

        :param rgb: the picture; only looked at if the frame is at cut 0.
        :param cut: how far it is.
        :param tensor: there; None at cut 0.
        :param end: how far to go; may be where it is.
        :param option: what to send from there; None: nothing.
        :param ask: the exit that is asked if it is on the way.
        :param loss: share of the chunks that do not arrive there.
        :raises RefusedError: if the picture is none, or drives the network out of range.
        """
        steps: list[Step] = []
        was_loaded = True
        for stop in sorted({ask, end}):
            if not cut < stop <= end:
                continue
            if tensor is None:
                steps.append(PREPARE)
            here = self.model.prepare(rgb) if tensor is None else tensor
            was_loaded &= self.model.is_loaded(cut, stop)
            tensor = self.model.stage(cut, stop).run(here)
            steps.append(stage(cut, stop))
            cut = stop
            if cut == ask:
                guess, confidence = self._exits[ask].answer(tensor)
                steps.append(Step(Do.EXIT, end=ask))
                if confidence >= self._exits[ask].threshold:
                    done = tuple(steps) if was_loaded else ()
                    return Computed(cut, tensor, guess, ask, (), done)
        chunks: tuple[bytes, ...] = ()
        if option is not None:
            chunks = self._pack(option, rgb, tensor, loss)
            steps.append(Step(Do.ENCODE, what=payload(option)))
        logits = tensor if cut == self.last else None
        done = tuple(steps) if was_loaded else ()
        return Computed(cut, tensor, logits, NO_EXIT, chunks, done)

    def share(self, option: Option, chunks: Sequence[bytes | None], hop: Hop) -> Share:
        """
        Compute a hop's share of a frame.

        :param option: what the chunks are.
        :param chunks: in order; None: lost.
        :raises RefusedError: if they are not that, or drive the network out of range.
        """
        tensor, lost = self._unpack(option, chunks)
        was_loaded = self.model.is_loaded(option.cut, hop.end)
        found = self.model.stage(option.cut, hop.end).run(tensor)[0]
        limit = MAX_DATA if hop.end == self.last else self._chunk_bytes
        coded = tuple(self._coder.encode(found, hop.bits, chunk_bytes=limit))
        return Share(coded, lost, self.share_steps(option, hop) if was_loaded else ())

    def share_steps(self, option: Option, hop: Hop) -> tuple[Step, ...]:
        """Return what a hop does."""
        return Step(Do.DECODE, what=option), stage(option.cut, hop.end)

    def read_answer(self, data: bytes, bits: int) -> Tensor:
        """
        Return the logits (1, *shape) of an answer.

        :raises RefusedError: if it is none.
        """
        return self._coder.decode([data], self.model.cuts[-1].shape, bits).tensor[None]

    def follow(self, option: Option, chunks: Sequence[bytes], route: Sequence[Hop]) -> Tensor:
        """
        Compute what a route of honest robots answers.

        :raises RefusedError: if the chunks are not what the option says.
        """
        coded: Sequence[bytes] = chunks
        for hop in route:
            coded = self.share(option, coded, hop).chunks
            option = handed_on(hop)
        return self.read_answer(coded[0], route[-1].bits)

    def expected(self, steps: Iterable[Step], times: Times | None = None) -> float:
        """Return what steps take, s, here or on a robot with other times; 0 for unknown ones."""
        times = times or self.times
        return times.of(step for step in steps if step in times)

    def measured(self, steps: Sequence[Step], seconds: float, times: Times | None = None) -> None:
        """
        Take in what steps took together, s, here or on a robot with other times.

        What others say may be out of all bounds: it is brought into them.
        """
        times = times or self.times
        known = [step for step in steps if step in times]
        if known:
            times.add(known, min(max(seconds, MIN_SECONDS), MAX_SECONDS))

    def _pack(
        self, option: Option, rgb: Rgb, tensor: Tensor | None, loss: float
    ) -> tuple[bytes, ...]:
        small = BOTTLENECK_CHUNK_BYTES if option.bottleneck else self._chunk_bytes
        size = self._clear_bytes if loss <= CLEAR_LOSS else small
        if option.kind is not Kind.SPLIT:
            data = encode_picture(rgb, option, self._size)
            return tuple(data[at : at + size] for at in range(0, len(data), size))
        assert tensor is not None  # a split lies behind the input
        code = self._bottleneck(option).encode(tensor) if option.bottleneck else tensor
        return tuple(self._coder.encode(code[0], option.bits, chunk_bytes=size))

    def _unpack(self, option: Option, chunks: Sequence[bytes | None]) -> tuple[Tensor, float]:
        if option.kind is not Kind.SPLIT:
            whole = [chunk for chunk in chunks if chunk is not None]
            if len(whole) < len(chunks):
                raise RefusedError(Refusal.IMAGE, 'part of the picture did not come')
            rgb = decode_picture(b''.join(whole), option, self._size)
            return self.model.prepare(rgb), 0.0
        if option.cut >= self.last:
            raise RefusedError(Refusal.MODEL, f'expected a cut before {self.last}, got {option}')
        if option.bottleneck:
            learned = self._bottleneck(option)
            code = self._coder.decode(chunks, learned.shape, option.bits)
            return learned.decode(code.tensor[None]), code.lost
        found = self._coder.decode(chunks, self.model.cuts[option.cut].shape, option.bits)
        return found.tensor[None], found.lost

    def _bottleneck(self, option: Option) -> Bottleneck:
        if option.cut not in self._bottlenecks:
            raise RefusedError(Refusal.MODEL, f'no bottleneck at cut {option.cut}')
        return self._bottlenecks[option.cut]


def handed_on(hop: Hop) -> Option:
    """Return what a hop hands on, if it is not the last."""
    return Option(Kind.SPLIT, hop.end, hop.bits)


def agree(mine: Tensor, theirs: Tensor, bits: int) -> bool:
    """
    Tell whether an answer is what this robot computed of the same chunks.

    Processors differ in the last bits of a float, so that a level of the code may be the next one;
    and along a route levels that differ are computed on.

    :param bits: of the answer's code.
    """
    width = max(float(np.ptp(mine)), 1e-6)
    level = width / (2 ** min(bits, 8) - 1)
    return bool(np.abs(mine - theirs).max() <= AUDIT_LEVELS * level)
