"""
Ways to have a frame answered, ours and others', and what each costs: bytes and top-1, measured.

A way is an option and how its tensor is packed. Ours come from the product's own measurement (the
planner's sheet); those of others go through the same engine with their packing in place of ours.
All on the same pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import json
import math
from pathlib import Path
import statistics
import time
from typing import NamedTuple

from benchmarks.baselines import dsc, dyno
from benchmarks.inference_pictures import Labelled
from collab_robots.inference import codec
from collab_robots.inference.classifier import model_path
from collab_robots.inference.model import Model
from collab_robots.inference.options import Kind, LOCAL, NO_EXIT, Option
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import Times
from collab_robots.inference.runtime.course import ANSWER_BITS
from collab_robots.inference.runtime.engine import Codec, Engine, Tensor
from collab_robots.inference.runtime.messages import Hop

FLOAT_BITS = 32
OURS, FLOAT, DYNO, DSC = 'ours', 'float32', 'DynO', 'DSC'
JPEG, RAW, WHOLE = 'JPEG', 'raw', 'local'
PACKINGS: Mapping[str, Codec] = {OURS: codec, FLOAT: codec, DYNO: dyno, DSC: dsc}
KINDS = {Kind.LOCAL: WHOLE, Kind.JPEG: JPEG, Kind.RAW: RAW}
FILE = 'ways.json'
BATCH = 32  # pictures at a time, cut after cut: a model keeps not all of its tails in memory


class Way(NamedTuple):
    """An option, and how its tensor is packed; the picture and the robot alone have names too."""

    packing: str
    option: Option

    @classmethod
    def of(cls, packing: str, option: Option) -> Way:
        """Return the way of an option where tensors are packed so."""
        return cls(KINDS.get(option.kind, packing), option)

    def __str__(self) -> str:
        """Return its name."""
        return f'{self.packing}: {self.option}'


class Cost(NamedTuple):
    """
    What a way costs, on all pictures.

    :param bytes: mean of what is sent of a picture, early exits counted as nothing.
    :param top1: share named right.
    :param encode_s: of packing, median; helper_s: of the helper's work. Of others' packings only:
        ours are timed by the product.
    """

    bytes: float
    top1: float
    encode_s: float = 0.0
    helper_s: float = 0.0


Costs = Mapping[Way, Cost]


class Coder:
    """
    A codec that can be changed: for tensors on their way to a helper; answers are coded as ours.

    :param answer: shape of the answer.
    """

    def __init__(self, answer: tuple[int, ...], packing: str = OURS) -> None:
        self.packing = packing
        self._answer = answer

    def encode(self, tensor: Tensor, bits: int, *, chunk_bytes: int) -> list[bytes]:
        """Return the chunks of a tensor without batch."""
        return self._codec(tensor.shape).encode(tensor, bits, chunk_bytes=chunk_bytes)

    def decode(
        self, chunks: Sequence[bytes | None], shape: tuple[int, ...], bits: int
    ) -> codec.Decoded:
        """Return the tensor."""
        return self._codec(shape).decode(chunks, shape, bits)

    def _codec(self, shape: tuple[int, ...]) -> Codec:
        return codec if shape == self._answer else PACKINGS[self.packing]


@dataclass
class _Tally:
    sizes: list[int] = field(default_factory=list)
    right: int = 0
    encode: list[float] = field(default_factory=list)
    helper: list[float] = field(default_factory=list)

    def cost(self) -> Cost:
        return Cost(
            statistics.fmean(self.sizes),
            self.right / len(self.sizes),
            statistics.median(self.encode),
            statistics.median(self.helper),
        )


def worthwhile(shapes: Sequence[Sequence[int]]) -> list[int]:
    """Return the cuts with no more values than the picture, or than any such cut before."""
    least, result = math.prod(shapes[0]), []
    for cut, shape in enumerate(shapes[1:-1], 1):
        if math.prod(shape) <= least:
            least = math.prod(shape)
            result.append(cut)
    return result


def others(model: Model) -> list[Way]:
    """Return the ways that others may choose from."""
    shapes = [cut.shape for cut in model.cuts]
    cuts = worthwhile(shapes)
    found = [Way(FLOAT, Option(Kind.SPLIT, cut, FLOAT_BITS)) for cut in cuts]
    found += [Way(DYNO, Option(Kind.SPLIT, cut, bits)) for cut in cuts for bits in dyno.BITS]
    return found + [Way(DSC, Option(Kind.SPLIT, cut, dsc.BITS)) for cut in dsc.bottlenecks(shapes)]


def ours(sheet: Sheet) -> dict[Way, Cost]:
    """Return what the product measured."""
    return {
        Way.of(OURS, option): Cost((1.0 - row.exit_share) * row.bytes_mean, row.accuracy)
        for option, row in sheet.rows.items()
    }


def measure(model: Model, ways: Iterable[Way], pictures: Sequence[Labelled]) -> dict[Way, Cost]:
    """Return what splits cost, by doing them with every picture."""
    tallies = {way: _Tally() for way in sorted(ways, key=lambda way: way.option)}
    answer = model.cuts[-1].shape
    engines = {name: Engine(model, Times({}), {}, {}, Coder(answer, name)) for name in PACKINGS}
    hop = Hop('helper', len(model.cuts) - 1, ANSWER_BITS)
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        tensors = [_tensors(model, one, {way.option.cut for way in tallies}) for one in batch]
        for (packing, option), tally in tallies.items():
            engine, cut = engines[packing], option.cut
            for picture, found in zip(batch, tensors, strict=True):
                began = time.perf_counter()
                chunks = engine.advance(picture.rgb, cut, found[cut], cut, option, NO_EXIT).chunks
                packed = time.perf_counter()
                share = engine.share(option, chunks, hop)
                tally.helper.append(time.perf_counter() - packed)
                tally.encode.append(packed - began)
                tally.sizes.append(sum(map(len, chunks)))
                logits = engine.read_answer(share.chunks[0], ANSWER_BITS)
                tally.right += int(logits.argmax()) == picture.label
    return {way: tally.cost() for way, tally in tallies.items()}


def measure_others(pictures: Sequence[Labelled]) -> dict[Way, Cost]:
    """Do the same with all ways that others may choose from, in a process of its own."""
    model = Model.load(model_path())
    return measure(model, others(model), pictures)


def _tensors(model: Model, picture: Labelled, cuts: Iterable[int]) -> dict[int, Tensor]:
    """Return what a picture is at some cuts."""
    tensor, at, found = model.prepare(picture.rgb), 0, {}
    for cut in sorted(cuts):
        tensor, at = model.stage(at, cut).run(tensor), cut
        found[cut] = tensor
    return found


def dump(costs: Costs, folder: Path) -> None:
    """Write costs for the robots' processes."""
    table = [[way.packing, str(way.option), *cost] for way, cost in costs.items()]
    (folder / FILE).write_text(json.dumps(table), encoding='utf-8')


def load(folder: Path) -> dict[Way, Cost]:
    """Read what :func:`dump` wrote."""
    table = json.loads((folder / FILE).read_text(encoding='utf-8'))
    return {Way(packing, Option.parse(option)): Cost(*cost) for packing, option, *cost in table}


def floor(costs: Costs, max_loss: float) -> float:
    """Return the least top-1 that still counts."""
    return costs[Way(WHOLE, LOCAL)].top1 - max_loss
