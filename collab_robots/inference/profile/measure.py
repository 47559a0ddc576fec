"""Measure a model on this robot: bytes and accuracy of its options, times of its pieces."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
import math

import numpy as np
import numpy.typing as npt

from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import ConfigError
from collab_robots.inference.model import Model, Tensor
from collab_robots.inference.options import BITS, Kind, LOCAL, NO_EXIT, Option
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.profile.sheet import QUANTILE, Row, Sheet
from collab_robots.inference.profile.times import (
    Do,
    MIN_SECONDS,
    payload,
    PREPARE,
    stage,
    Step,
    Times,
)
from collab_robots.inference.runtime.course import ANSWER_BITS
from collab_robots.inference.runtime.engine import Bottleneck, EarlyExit, Engine
from collab_robots.inference.runtime.messages import Hop

QUALITIES = (30, 50, 75, 90, 95)  # of pictures
USUAL = 75  # a code that is no smaller than this picture's is not worth trying
CODED = tuple(bits for bits in BITS if bits <= 8)
TRIED = 4  # pictures that tell which codes are smaller than a picture at all
BATCH = 32  # pictures at a time: a model keeps not all of its tails in memory
REPEATS = 5  # of each piece, of which the median counts


@dataclass(frozen=True)
class _Tried:
    """
    What came of options and exits: a list each, picture after picture.

    :param sizes: bytes sent, by option.
    :param answers: classes, by option.
    :param sure: whether an exit answers, by cut.
    :param guesses: an exit's class, by cut.
    """

    sizes: dict[Option, list[int]]
    answers: dict[Option, list[int]]
    sure: dict[int, list[bool]]
    guesses: dict[int, list[int]]


def measure_sheet(
    model: Model,
    exits: Mapping[int, EarlyExit],
    bottlenecks: Mapping[int, Bottleneck],
    pictures: Sequence[Rgb],
    labels: Sequence[int] | None = None,
    told: Callable[[int], object] = lambda done: None,
) -> Sheet:
    """
    Find what each option sends and how often it is right, by doing it with every picture.

    Codes that are no smaller than a usual JPEG of the first pictures are left out, but for the
    finest ones where the network is narrow.

    :param exits: by cut; each is tried before every option that sends from its cut or later.
    :param bottlenecks: by cut.
    :param pictures: (h, w, 3) uint8 each.
    :param labels: the right class of each; without, the whole model's answers count as right.
    :param told: called now and then with the number of pictures done.
    :raises ConfigError: if there are no pictures, or not as many labels.
    :raises RefusedError: if one is no picture.
    """
    if not pictures or (labels is not None and len(labels) != len(pictures)):
        raise ConfigError(f'{len(pictures)} pictures, {len(labels or ())} labels')
    engine = Engine(model, Times({}), exits, bottlenecks)
    options = list(_options(engine, bottlenecks, pictures[:TRIED]))
    tried = _try(engine, options, exits, pictures, told)
    right = tried.answers[LOCAL] if labels is None else labels
    rows = _rows(tried, right, engine.last)
    return Sheet(model.hash, engine.last, len(pictures), labels is not None, rows)


def measure_times(
    model: Model,
    exits: Mapping[int, EarlyExit],
    bottlenecks: Mapping[int, Bottleneck],
    options: Iterable[Option],
    rgb: Rgb,
    clock: Clock,
    repeats: int = REPEATS,
) -> Times:
    """
    Find what each piece of some options takes here: the median of some runs.

    :param options: those of a sheet.
    :param rgb: a picture as the camera gives them.
    :param clock: a fine one.
    """
    engine = Engine(model, Times({}), exits, bottlenecks)
    tensors = _tensors(engine, rgb, range(engine.last + 1))
    base: dict[Step, float] = {}
    for step, known, work in _pieces(engine, exits, options, rgb, tensors):
        seconds = []
        for _ in range(repeats + 1):
            begun = clock.now_ns()
            work()
            seconds.append((clock.now_ns() - begun) / SECOND)
        # The first run warms up.
        alone = float(np.median(seconds[1:])) - sum(base[part] for part in known)
        base[step] = max(alone, MIN_SECONDS)
    return Times(base)


def _pieces(
    engine: Engine,
    exits: Mapping[int, EarlyExit],
    options: Iterable[Option],
    rgb: Rgb,
    tensors: Mapping[int, Tensor],
) -> Iterator[tuple[Step, tuple[Step, ...], Callable[[], object]]]:
    """Yield every piece of work, what else is done with it, and what does it."""
    model, last = engine.model, engine.last
    yield PREPARE, (), partial(model.prepare, rgb)
    for cut in range(1, last + 1):
        yield stage(0, cut), (), partial(model.stage(0, cut).run, tensors[0])
        if cut < last:
            yield stage(cut, last), (), partial(model.stage(cut, last).run, tensors[cut])
    for cut, early in exits.items():
        yield Step(Do.EXIT, end=cut), (), partial(early.answer, tensors[cut])
    hop = Hop('helper', last, ANSWER_BITS)
    for option in sorted({payload(option) for option in options if option.remote}):
        yield Step(Do.ENCODE, what=option), (), partial(_chunks, engine, rgb, tensors, option)
        share = partial(engine.share, option, _chunks(engine, rgb, tensors, option), hop)
        yield Step(Do.DECODE, what=option), (stage(option.cut, last),), share


def _options(
    engine: Engine, bottlenecks: Mapping[int, Bottleneck], pictures: Sequence[Rgb]
) -> Iterator[Option]:
    """
    Yield the options without exits that are worth trying.

    Of the splits these are the ones smaller than a usual JPEG and, for lines of robots that share
    much rate, the finest ones where the tensor has no more values than at any cut before.
    """
    every = range(engine.last + 1)
    tensors = [_tensors(engine, rgb, every) for rgb in pictures]

    def size(option: Option) -> int:
        pairs = zip(pictures, tensors, strict=True)
        return sum(len(chunk) for pair in pairs for chunk in _chunks(engine, *pair, option))

    yield LOCAL
    yield Option(Kind.RAW)
    yield from (Option(Kind.JPEG, quality=quality) for quality in QUALITIES)
    limit = size(Option(Kind.JPEG, quality=USUAL))
    least = math.prod(engine.model.cuts[0].shape)
    for cut in range(1, engine.last):
        for bottleneck in (False, True)[: 1 + (cut in bottlenecks)]:
            splits = (Option(Kind.SPLIT, cut, bits, bottleneck) for bits in sorted(CODED))
            small = list(takewhile(lambda option: size(option) < limit, splits))
            yield from small
            values = math.prod(engine.model.cuts[cut].shape)
            fine = Option(Kind.SPLIT, cut, max(CODED))
            if not bottleneck and values <= least:
                least = values
                yield from () if fine in small else (fine,)


def _tensors(engine: Engine, rgb: Rgb, cuts: Container[int]) -> dict[int, Tensor]:
    """Return what is at some cuts."""
    tensor = engine.model.prepare(rgb)
    found = {0: tensor}
    for cut in range(1, engine.last + 1):
        tensor = engine.model.stage(cut - 1, cut).run(tensor)
        if cut in cuts:
            found[cut] = tensor
    return found


def _chunks(
    engine: Engine, rgb: Rgb, tensors: Mapping[int, Tensor], option: Option
) -> tuple[bytes, ...]:
    """Return what an option sends."""
    if not option.remote:
        return ()
    cut = option.cut
    return engine.advance(rgb, cut, tensors[cut], cut, option, NO_EXIT).chunks


def _answer(engine: Engine, option: Option, chunks: Sequence[bytes]) -> Tensor:
    """Return what a helper answers."""
    return engine.follow(option, chunks, (Hop('helper', engine.last, ANSWER_BITS),))


def _try(
    engine: Engine,
    options: Sequence[Option],
    exits: Mapping[int, EarlyExit],
    pictures: Sequence[Rgb],
    told: Callable[[int], object],
) -> _Tried:
    """Do each picture with each option, and ask each exit."""
    tried = _Tried(
        sizes={option: [] for option in options},
        answers={option: [] for option in options},
        sure={cut: [] for cut in exits},
        guesses={cut: [] for cut in exits},
    )
    cuts = {0, engine.last, *exits, *(option.cut for option in options)}
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        tensors = [_tensors(engine, rgb, cuts) for rgb in batch]
        for cut, early in exits.items():
            for found in tensors:
                logits, confidence = early.answer(found[cut])
                tried.sure[cut].append(confidence >= early.threshold)
                tried.guesses[cut].append(int(logits.argmax()))
        for option in options:
            for rgb, found in zip(batch, tensors, strict=True):
                chunks = _chunks(engine, rgb, found, option)
                logits = _answer(engine, option, chunks) if option.remote else found[engine.last]
                tried.sizes[option].append(sum(map(len, chunks)))
                tried.answers[option].append(int(logits.argmax()))
        told(start + len(batch))
    return tried


def _rows(tried: _Tried, right: Sequence[int], last: int) -> dict[Option, Row]:
    """Return the rows of the options, and of those with each exit asked before."""
    labels, whole = np.array(right), np.array(tried.answers[LOCAL])
    rows = {}
    for option, found in tried.answers.items():
        sizes, answers = np.array(tried.sizes[option]), np.array(found)
        rows[option] = _row(sizes, answers, labels, whole)
        for cut, flags in tried.sure.items():
            sure, end = np.array(flags), option.cut if option.remote else last
            if cut <= end and not sure.all():
                asked = Option(option.kind, option.cut, option.bits, option.bottleneck, exit=cut)
                mixed = np.where(sure, tried.guesses[cut], answers)
                rows[asked] = _row(sizes[~sure], mixed, labels, whole)
    return rows


def _row(
    sizes: npt.NDArray[np.int_],
    answers: npt.NDArray[np.int_],
    right: npt.NDArray[np.int_],
    whole: npt.NDArray[np.int_],
) -> Row:
    """
    Return an option's row.

    :param sizes: bytes of each picture that is sent.
    :param answers: of all pictures.
    """
    mean, high = float(sizes.mean()), float(np.quantile(sizes, QUANTILE))
    return Row(
        bytes_mean=round(mean, 1),
        bytes_high=round(max(mean, high), 1),
        accuracy=round(float((answers == right).mean()), 5),
        agreement=round(float((answers == whole).mean()), 5),
        exit_share=round(1.0 - len(sizes) / len(answers), 5),
    )
