"""
How to make few bytes of activations, fast: quantisers, lossless coders and chunk sizes compared.

On the tensors at some cuts of EfficientNet-Lite0, from pictures. Times are processor time of one
thread, packing and unpacking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import statistics
import time
from typing import Annotated, Any, NamedTuple

import constriction
import lz4.block
import numpy as np
import numpy.typing as npt
from rich.progress import Progress
import typer
import zstandard

from benchmarks.inference_pictures import FOLDER, load
from benchmarks.report import OutOption, Report
from collab_robots.inference.classifier import model_path
from collab_robots.inference.codec import CHUNK_BYTES, encode, lossless, Tensor
from collab_robots.inference.codec import quantise as ours
from collab_robots.inference.model import Model

Levels = npt.NDArray[np.int32]
Symbols = npt.NDArray[np.int64]
CUTS = (11, 16, 21, 27)
BITS = (8, 4, 3, 2)
RATES = (1e6, 5e6)  # bit/s
SLOW = 8  # the sender is so much slower than this machine
TOP = 255  # of a symbol; what is above follows as it is


# Lossless coders: all get the same levels and have to give them back.


@dataclass(frozen=True)
class Coder:
    """
    A lossless coder.

    :param pack: of levels (channels, positions); unpack: the way back, from bytes and shape.
    """

    name: str
    pack: Callable[[Levels], bytes]
    unpack: Callable[[bytes, int, int], Levels]


def _symbols(levels: Levels) -> tuple[npt.NDArray[np.uint8], bytes]:
    """Return offsets and levels less them, signs in the lowest bit, and what is above a byte."""
    offsets = np.rint(levels.mean(axis=1)).astype(np.int32)
    signed = np.concatenate([offsets, (levels - offsets[:, None]).ravel()])
    symbols = (signed << 1) ^ (signed >> 31)
    above = symbols[symbols >= TOP] - TOP
    return np.minimum(symbols, TOP).astype(np.uint8), above.astype('<u4').tobytes()


def _levels(symbols: npt.NDArray[np.uint8], above: bytes, channels: int) -> Levels:
    whole = symbols.astype(np.int32)
    whole[whole == TOP] += np.frombuffer(above, dtype='<u4').astype(np.int32)
    signed = (whole >> 1) ^ -(whole & 1)
    return signed[channels:].reshape(channels, -1) + signed[:channels, None]


def _planes(
    name: str, squeeze: Callable[[bytes], bytes], stretch: Callable[[bytes], bytes]
) -> Coder:
    """Shuffle the bits, so that the highest of all levels lie together, and compress that."""

    def pack(levels: Levels) -> bytes:
        symbols, above = _symbols(levels)
        depth = int(symbols.max()).bit_length()
        planes = [np.packbits(symbols >> plane & 1) for plane in range(depth)]
        body = squeeze(b''.join(plane.tobytes() for plane in planes))
        return len(above).to_bytes(2, 'little') + bytes([depth]) + above + body

    def unpack(data: bytes, channels: int, positions: int) -> Levels:
        size, depth = int.from_bytes(data[:2], 'little'), data[2]
        planes = np.frombuffer(stretch(data[3 + size :]), dtype=np.uint8)
        count = channels * (1 + positions)
        symbols = np.zeros(count, dtype=np.uint8)
        for plane, row in enumerate(planes.reshape(depth, -1) if depth else ()):
            symbols |= np.unpackbits(row, count=count) << plane
        return _levels(symbols, data[3 : 3 + size], channels)

    return Coder(name, pack, unpack)


class _Range:
    """A range coder; the counts of the symbols go with it, one byte each."""

    name = 'range coder'

    def pack(self, levels: Levels) -> bytes:
        symbols, above = _symbols(levels)
        counts = np.bincount(symbols, minlength=2)
        table = np.minimum(-(-counts * 255 // counts.max()), 255).astype(np.uint8)
        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(symbols.astype(np.int32), self._model(table))
        words = encoder.get_compressed().astype('<u4').tobytes()
        head = len(above).to_bytes(2, 'little') + bytes([len(table) - 1])
        return bytes(head + table.tobytes() + above + words)

    def unpack(self, data: bytes, channels: int, positions: int) -> Levels:
        size, end = int.from_bytes(data[:2], 'little'), 4 + data[2]
        table = np.frombuffer(data[3:end], dtype=np.uint8)
        words = np.frombuffer(data[end + size :], dtype='<u4').astype(np.uint32)
        decoder = constriction.stream.queue.RangeDecoder(words)
        symbols = decoder.decode(self._model(table), channels * (1 + positions))
        return _levels(symbols.astype(np.uint8), data[end : end + size], channels)

    @staticmethod
    def _model(table: npt.NDArray[np.uint8]) -> Any:
        shares = (table + 1e-3) / (table + 1e-3).sum()
        return constriction.stream.model.Categorical(shares, perfect=False)


def _zstd(level: int) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    return (
        zstandard.ZstdCompressor(level).compress,
        zstandard.ZstdDecompressor().decompress,
    )


def coders() -> list[Coder]:
    """Return the coders to compare, the product's first."""
    ranged = _Range()
    return [
        Coder('packed, deflate Huffman (ours)', lossless.pack, lossless.unpack),
        _planes('bit planes, zstd 3', *_zstd(3)),
        _planes('bit planes, zstd 19', *_zstd(19)),
        _planes('bit planes, LZ4 (DynO)', lz4.block.compress, lz4.block.decompress),
        Coder(ranged.name, ranged.pack, ranged.unpack),
    ]


# Quantisers: all are coded by the product's lossless coder.


class Quantised(NamedTuple):
    """
    A quantised tensor.

    :param side: bytes of ranges that go with the levels.
    :param values: what the receiver makes of it, (channels, positions).
    """

    levels: Levels
    side: int
    values: Tensor


def _one_step(x: Tensor, bits: int, zone: float = 0.5) -> Quantised:
    step = ours.widen(ours.choose_step(x, bits))
    scaled = x / step
    mean = np.rint(scaled.mean(axis=1, keepdims=True))
    away = scaled - mean
    levels = (mean + np.sign(away) * np.floor(np.abs(away) + zone)).astype(np.int32)
    return Quantised(levels, 2, (levels * step).astype(np.float32))


def _range_each(x: Tensor, bits: int, clip: float = 0.0) -> Quantised:
    low, high = np.quantile(x, [clip, 1 - clip], axis=1, keepdims=True).astype(np.float32)
    step = np.maximum((high - low) / ((1 << bits) - 1), 1e-12)
    levels = np.clip(np.rint((x - low) / step), 0, (1 << bits) - 1).astype(np.int32)
    return Quantised(levels, 4 * len(x), (levels * step + low).astype(np.float32))


def _range_all(x: Tensor, bits: int) -> Quantised:
    step = max(float(x.max() - x.min()) / ((1 << bits) - 1), 1e-12)
    levels = np.rint((x - x.min()) / step).astype(np.int32)
    return Quantised(levels, 4, (levels * step + x.min()).astype(np.float32))


QUANTISERS: dict[str, Callable[[Tensor, int], Quantised]] = {
    'one step, offsets (ours)': _one_step,
    'the same, wider zero': partial(_one_step, zone=0.4),
    'range per channel': _range_each,
    'the same, 0.5 % clipped': partial(_range_each, clip=0.005),
    'range of the tensor (DynO)': _range_all,
}


def compare_coders(report: Report, cut: str, tensors: Sequence[Tensor], bits: int) -> None:
    """Print what each coder makes of the same levels."""
    rows = []
    levels = [ours.quantise(x, ours.choose_step(x, bits)) for x in tensors]
    shapes = [one.shape for one in levels]
    for coder in coders():
        packed, pack_s = _timed(coder.pack, zip(levels))
        back, unpack_s = _timed(coder.unpack, zip(packed, *zip(*shapes, strict=True), strict=True))
        if any((one != two).any() for one, two in zip(back, levels, strict=True)):
            raise AssertionError(f'{coder.name} does not give back what it got')
        size = statistics.mean(map(len, packed))
        ways = [1e3 * (SLOW * pack_s + 8 * size / rate + unpack_s) for rate in RATES]
        rows.append([coder.name, size, 1e3 * pack_s, 1e3 * unpack_s, *ways])
    title = f'{cut}, {bits} bits: the same levels, lossless'
    figures = [dict(zip(CODER_COLUMNS, row, strict=True)) for row in rows]
    report.table(f'coders {cut} {bits}', title, CODER_COLUMNS, rows, figures)


CODER_COLUMNS = ('coder', 'bytes', 'pack ms', 'unpack ms', 'ms, 1 Mbit/s', 'ms, 5 Mbit/s')


def _timed(work: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> tuple[list[Any], float]:
    """Return what the calls return and the median processor time of one, s."""
    found, times = [], []
    for arguments in calls:
        began = time.thread_time()
        found.append(work(*arguments))
        times.append(time.thread_time() - began)
    return found, statistics.median(times)


def compare_quantisers(
    report: Report, cut: str, stage: Callable[[Tensor], Tensor], known: Known, bits: int
) -> None:
    """Print bytes, and what is left of the answers, for each quantiser."""
    rows = []
    for name, quantiser in QUANTISERS.items():
        sizes, answers = [], []
        for x in known.tensors:
            found = quantiser(x.reshape(len(x), -1), bits)
            sizes.append(len(lossless.pack(found.levels)) + found.side)
            answers.append(stage(found.values.reshape(1, *x.shape))[0])
        rows.append([name, statistics.mean(sizes), *known.judge(np.array(answers))])
    title = f'{cut}, {bits} bits: quantisers, all coded as ours'
    figures = [dict(zip(QUANTISER_COLUMNS, row, strict=True)) for row in rows]
    report.table(f'quantisers {cut} {bits}', title, QUANTISER_COLUMNS, rows, figures)


QUANTISER_COLUMNS = ('quantiser', 'bytes', 'top-1 %', 'as the whole %', 'divergence')


@dataclass(frozen=True)
class Known:
    """Tensors at a cut, with the right answers and the whole model's."""

    tensors: list[Tensor]
    labels: list[int]
    whole: Tensor

    def judge(self, logits: Tensor) -> tuple[float, float, float]:
        """Return top-1 %, agreement % and mean Kullback-Leibler divergence, nats."""
        right = logits.argmax(axis=1) == np.array(self.labels)
        same = logits.argmax(axis=1) == self.whole.argmax(axis=1)
        p, q = _log_softmax(self.whole), _log_softmax(logits)
        return 100 * right.mean(), 100 * same.mean(), float((np.exp(p) * (p - q)).sum(1).mean())


def _log_softmax(logits: Tensor) -> npt.NDArray[np.float64]:
    wide = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=1, keepdims=True)))


def compare_chunks(report: Report, tensors: dict[str, list[Tensor]]) -> None:
    """Print what small chunks cost."""
    rows = []
    for cut, some in tensors.items():
        for bits in BITS[1:]:
            row: list[Any] = [f'{cut}, {bits} bits']
            for size in CHUNK_SIZES:
                coded, seconds = _timed(partial(encode, bits=bits, chunk_bytes=size), zip(some))
                row += [
                    statistics.mean(sum(map(len, chunks)) for chunks in coded),
                    statistics.mean(map(len, coded)),
                    1e3 * seconds,
                ]
            rows.append(row)
    columns = ['cut', *(f'{kind} {size}' for size in CHUNK_SIZES for kind in ('B', 'n', 'ms'))]
    title = f'chunks that stand alone: bytes, number and ms of encode(); default {CHUNK_BYTES} B'
    figures = [dict(zip(columns, row, strict=True)) for row in rows]
    report.table('chunks', title, columns, rows, figures)


CHUNK_SIZES = (600, 1200, 4000)


def main(
    folder: Annotated[Path, typer.Option(help='Labelled pictures, with index.csv.')] = FOLDER,
    pictures: Annotated[int, typer.Option(min=1, help='How many, spread over the table.')] = 84,
    cuts: Annotated[list[int] | None, typer.Option('--cut', help='Repeatable.')] = None,
    quick: Annotated[bool, typer.Option('--quick', help='8 pictures, one cut.')] = False,
    out: OutOption = None,
) -> None:
    r"""
    Compare quantisers, lossless coders and chunk sizes on activations.

    \b
    Examples:
      python -m benchmarks.codec --quick
      python -m benchmarks.codec --pictures 334
    """
    chosen = cuts or ([27] if quick else list(CUTS))
    count = 8 if quick else pictures
    report = Report('codec', {'pictures': count, 'cuts': chosen, 'bits': BITS, 'slow': SLOW})
    model = Model.load(model_path())
    last = len(model.cuts) - 1
    shown = load(folder, count)
    inputs = [model.prepare(one.rgb) for one in shown]
    whole = np.concatenate([model.stage(0, last).run(x) for x in inputs])
    tensors: dict[str, list[Tensor]] = {}
    with Progress(console=report.console, transient=True) as progress:
        for cut in progress.track(chosen):
            name = f'cut {cut} ({"x".join(map(str, model.cuts[cut].shape))})'
            tensors[name] = [model.stage(0, cut).run(x)[0] for x in inputs]
            known = Known(tensors[name], [one.label for one in shown], whole)
            flat = [x.reshape(len(x), -1) for x in known.tensors]
            for bits in BITS:
                compare_coders(report, name, flat, bits)
            for bits in BITS[1:]:
                compare_quantisers(report, name, model.stage(cut, last).run, known, bits)
    compare_chunks(report, tensors)
    report.note(NOTES)
    report.write(out)


NOTES = f"""\
ms, 1 and 5 Mbit/s: packing by a sender {SLOW} times slower than this machine, the bytes on the
wire, unpacking here: what a coder is chosen by.
DynO (https://arxiv.org/abs/2104.09949): our own model of its packing.
divergence: of the answers' distributions from the whole model's, nats."""


if __name__ == '__main__':
    typer.run(main)
