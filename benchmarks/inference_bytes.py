"""
How few bytes say enough: every packing at every cut worth it, against the picture itself.

Each picture goes to every cut once; its tensor is packed, unpacked, and the rest of the network
computed. So bytes and accuracy are of the same pictures, and nothing is modelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import math
import statistics
import time
from typing import NamedTuple

from rich.progress import track

from benchmarks.baselines import dsc, dyno
from benchmarks.inference_pictures import Labelled
from benchmarks.inference_plots import Series
from benchmarks.report import Report
from collab_robots.inference import codec
from collab_robots.inference.exits import Trained
from collab_robots.inference.model import Model, Tensor
from collab_robots.inference.options import Kind, LOCAL, NO_EXIT, Option
from collab_robots.inference.profile.times import payload, Times
from collab_robots.inference.runtime.engine import Codec, Engine
from collab_robots.inference.runtime.messages import Hop

MAX_LOSS = 0.01  # of top-1
RATIO = 60.0  # DynO's "up to 60x" less than float32
BITS = (32, 8, 6, 4, 3, 2)  # 32: float32 as it is, what Neurosurgeon sends
ANSWER_BITS = 8
QUALITIES = (30, 50, 75, 90)
OURS, DYNO, DSC, JPEG, RAW, WHOLE = 'ours', 'DynO', 'DSC', 'JPEG', 'raw', 'local'


PACKINGS: Mapping[str, Codec] = {OURS: codec, DYNO: dyno, DSC: dsc}


class Coder:
    """
    A packing of others for tensors on their way to a helper; answers are coded as ours are.

    :param packing: one of :data:`PACKINGS`.
    :param answer: shape of the answer.
    """

    def __init__(self, packing: str, answer: tuple[int, ...]) -> None:
        self._packing = PACKINGS[packing]
        self._answer = answer

    def encode(self, tensor: Tensor, bits: int, *, chunk_bytes: int) -> list[bytes]:
        """Return the chunks of a tensor without batch."""
        packing = codec if tensor.shape == self._answer else self._packing
        return packing.encode(tensor, bits, chunk_bytes=chunk_bytes)

    def decode(
        self, chunks: Sequence[bytes | None], shape: tuple[int, ...], bits: int
    ) -> codec.Decoded:
        """Return the tensor."""
        packing = codec if shape == self._answer else self._packing
        return packing.decode(chunks, shape, bits)


class Way(NamedTuple):
    """A packing and what it packs."""

    packing: str
    option: Option

    def __str__(self) -> str:
        """Return its name."""
        return f'{self.packing}: {self.option}'


@dataclass
class Row:
    """
    One way, on all pictures.

    :param sizes: bytes of each payload.
    :param right: pictures whose class it names.
    :param same: pictures that it names as the whole network does.
    :param exits: pictures that the early exit answers: nothing is sent of them.
    :param encode: s of packing, of each picture that is sent.
    :param share: s of the helper's work on it.
    """

    sizes: list[int] = field(default_factory=list)
    right: int = 0
    same: int = 0
    exits: int = 0
    encode: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)

    @property
    def bytes(self) -> float:
        """Mean bytes of a picture."""
        return statistics.fmean(self.sizes)

    @property
    def accuracy(self) -> float:
        """Top-1, 0 to 1."""
        return self.right / len(self.sizes)

    def figures(self) -> dict[str, float]:
        """Return it for the JSON file."""
        return {
            'bytes': self.bytes,
            'bytes_max': max(self.sizes),
            'top1': self.accuracy,
            'agreement': self.same / len(self.sizes),
            'exits': self.exits / len(self.sizes),
            'encode_ms': 1e3 * statistics.median(self.encode or [0.0]),
            'share_ms': 1e3 * statistics.median(self.share or [0.0]),
        }


def worthwhile(shapes: Sequence[Sequence[int]]) -> list[int]:
    """Return the cuts with no more values than the picture, or than any such cut before."""
    least, result = math.prod(shapes[0]), []
    for cut, shape in enumerate(shapes[1:-1], 1):
        if math.prod(shape) <= least:
            least = math.prod(shape)
            result.append(cut)
    return result


def ways(model: Model, trained: Trained) -> list[Way]:
    """Return all that is compared."""
    shapes = [cut.shape for cut in model.cuts]
    found = [Way(WHOLE, LOCAL), Way(RAW, Option(Kind.RAW))]
    found += [Way(JPEG, Option(Kind.JPEG, quality=quality)) for quality in QUALITIES]
    for cut in worthwhile(shapes):
        splits = [Option(Kind.SPLIT, cut, bits) for bits in BITS]
        found += [Way(packing, split) for split in splits for packing in (OURS, DYNO)]
        if cut in trained.bottlenecks:
            found += [Way(OURS, Option(Kind.SPLIT, cut, bits, True)) for bits in BITS]
    found += [Way(DSC, Option(Kind.SPLIT, cut, dsc.BITS)) for cut in dsc.bottlenecks(shapes)]
    return found


def engine(model: Model, trained: Trained, packing: str, times: Times) -> Engine:
    """Return what computes frames on a robot, with a packing."""
    exits = {each.cut: each for each in trained.exits}
    coder = Coder(packing, model.cuts[-1].shape)
    return Engine(model, times, exits, trained.bottlenecks, coder)


def measure(
    model: Model,
    trained: Trained,
    pictures: Sequence[Labelled],
    wanted: Iterable[Way],
    report: Report,
) -> dict[Way, Row]:
    """Return bytes and accuracy of these ways on all pictures."""
    rows = {way: Row() for way in wanted}
    engines = {name: engine(model, trained, name, Times({})) for name in PACKINGS}
    cuts = sorted({cut for way in rows for cut in (way.option.cut, way.option.exit) if cut > 0})
    last = len(model.cuts) - 1
    for picture in track(pictures, 'pictures', console=report.console, transient=True):
        tensors: dict[int, Tensor | None] = {0: None}
        at, whole = 0, None
        for cut in (*cuts, last):
            tensors[cut] = whole = (
                engines[OURS].advance(picture.rgb, at, tensors[at], cut, None, NO_EXIT).tensor
            )
            at = cut
        assert whole is not None
        for way, row in rows.items():
            machine = engines.get(way.packing, engines[OURS])
            answer = int(_answer(machine, way.option, picture, tensors, row).argmax())
            row.right += answer == picture.label
            row.same += answer == int(whole.argmax())
    return rows


def _answer(
    machine: Engine,
    option: Option,
    picture: Labelled,
    tensors: Mapping[int, Tensor | None],
    row: Row,
) -> Tensor:
    """Do what robot and helper do behind the cut; note what it costs."""
    end = option.cut if option.remote else machine.last
    if option.exit != NO_EXIT:
        early = machine.advance(picture.rgb, 0, None, option.exit, None, option.exit)
        if early.exit != NO_EXIT and early.logits is not None:
            row.sizes.append(0)
            row.exits += 1
            return early.logits
    tensor = tensors[end]
    if not option.remote:
        row.sizes.append(0)
        assert tensor is not None
        return tensor
    began = time.perf_counter()
    plain = payload(option)
    chunks = machine.advance(picture.rgb, end, tensor, end, plain, NO_EXIT).chunks
    packed = time.perf_counter()
    hop = Hop('helper', machine.last, ANSWER_BITS)
    answer = machine.share(plain, chunks, hop).chunks
    row.sizes.append(sum(map(len, chunks)))
    row.encode.append(packed - began)
    row.share.append(time.perf_counter() - packed)
    return machine.read_answer(answer[0], ANSWER_BITS)


def show(report: Report, model: Model, rows: dict[Way, Row]) -> None:
    """Print the least bytes of every packing within a point of the whole model, and keep all."""
    floor = rows[Way(WHOLE, LOCAL)].accuracy - MAX_LOSS
    good = {way: row for way, row in rows.items() if row.accuracy >= floor}
    table = []
    for way, row in best(good).items():
        floats = 4 * math.prod(model.cuts[way.option.cut].shape) if row.bytes else 0
        ratio = floats / row.bytes if floats else None
        spent = [row.figures()[key] for key in ('encode_ms', 'share_ms')]
        table.append([way.packing, way.option, row.bytes, ratio, 100 * row.accuracy, *spent])
    pictures = len(rows[Way(WHOLE, LOCAL)].sizes)
    columns = (
        'packing',
        'fewest bytes',
        'bytes',
        'float32/bytes',
        'top-1 %',
        'packing ms',
        'helper ms',
    )
    title = f'{pictures} pictures: the fewest bytes at no more than 1 point below the whole model'
    report.table('best', title, columns, table)
    report.note(f'wanted: float32/bytes of ours at least {RATIO:g}, and fewer bytes than the JPEG')
    report.keep('bytes', {str(way): row.figures() for way, row in rows.items()})


def best(rows: dict[Way, Row]) -> dict[Way, Row]:
    """Return the way with the fewest bytes of each packing."""
    found: dict[str, Way] = {}
    for way in sorted(rows, key=lambda way: rows[way].bytes):
        found.setdefault(way.packing, way)
    return {way: rows[way] for way in found.values()}


def series(rows: dict[Way, Row]) -> Series:
    """Return points (bytes, top-1 in percent) of each packing, for a figure."""
    found: dict[str, list[tuple[float, float]]] = {}
    for way, row in rows.items():
        if row.bytes:
            found.setdefault(way.packing, []).append((row.bytes, 100 * row.accuracy))
    return {packing: _frontier(points) for packing, points in found.items()}


def _frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats in both."""
    result: list[tuple[float, float]] = []
    for point in sorted(points):
        if not result or point[1] > result[-1][1]:
            result.append(point)
    return result
