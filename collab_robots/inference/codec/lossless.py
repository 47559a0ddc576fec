"""
Values as bytes: predicted, the levels' magnitudes in rANS, signs and low bits as they are.

The words of the lanes are read from the front, the bits as they are from the back.
"""

from __future__ import annotations

from importlib import resources
import json
import struct

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec import rans
from collab_robots.inference.codec.layout import passes, SHARES
from collab_robots.inference.codec.model import (
    MAX_SCALE,
    nearest_scale,
    Predictor,
    scale,
    Scales,
    UNIT,
    WEIGHTS,
    Whole,
)
from collab_robots.inference.codec.raw import BitReader, Bits, Numbers, to_bits

SYMBOLS = 20  # the last: a magnitude that follows as it is
ESCAPE = SYMBOLS - 1
ESCAPE_BITS = 18
MAX_LANES = 256
_SCALES = np.array([scale(index) for index in range(MAX_SCALE + 1)])
_FINE = 13  # spreads from here on are halved until they are in the last two contexts
CONTEXTS = _FINE + 2
_HEAD = struct.Struct('>BBBB')


def load_tables() -> rans.Tables:
    """Return the tables that ship: made by ``python -m benchmarks.codec --fit``."""
    text = (resources.files(__package__) / 'tables.json').read_text(encoding='utf-8')
    return rans.Tables(np.array(json.loads(text), dtype=np.int64))


TABLES = load_tables()


def contexts(spread: Whole) -> tuple[Numbers, Numbers]:
    """Return, flat, each value's context, and how many low bits are sent as they are."""
    found = np.searchsorted(_SCALES, spread.ravel(), side='right')
    beyond = np.maximum(found - _FINE, 0)
    return np.minimum(found, _FINE + beyond % 2), beyond // 2


def split(levels: Whole, low: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return the symbols, and the values and widths of the bits that go as they are."""
    flat = levels.ravel()
    size = np.abs(flat)
    symbols = np.minimum(size >> low, ESCAPE)
    widths = _widths(symbols, low)
    tail = np.where(symbols == ESCAPE, ESCAPE_BITS, low)
    values = (flat < 0).astype(np.int64) << tail | size & (1 << tail) - 1
    return symbols, np.where(widths > 0, values, 0), widths


def join(symbols: Numbers, low: Numbers, values: Numbers) -> Numbers:
    """Undo :func:`split`."""
    tail = np.where(symbols == ESCAPE, ESCAPE_BITS, low)
    size = values & (1 << tail) - 1
    size = np.where(symbols == ESCAPE, size, size | symbols << low)
    return np.where(values >> tail & 1, -size, size)


def _widths(symbols: Numbers, low: Numbers) -> Numbers:
    signed = (symbols > 0) | (low > 0)
    return signed + np.where(symbols == ESCAPE, ESCAPE_BITS, low)


def choose_scales(units: Whole) -> Scales:
    """
    Choose what a chunk tells of its values.

    :param units: (channels, rows, columns).
    """
    flat = units.reshape(len(units), -1)
    first = nearest_scale(float(np.abs(flat[:, 0]).mean()) + UNIT // 8)
    if flat.shape[1] == 1:
        return Scales(first, 0, 0)
    last = passes(*units.shape[1:])[-1]
    mean = flat.mean(axis=1, keepdims=True)
    near = (flat[:, np.minimum(last.around, flat.shape[1] - 1)] * last.share).sum(axis=1) / SHARES
    value = flat[:, last.where]
    power = float(((near - mean) ** 2).sum())
    along = float(((value - mean) * (near - mean)).sum())
    weight = min(max(round(WEIGHTS * along / power), 0), WEIGHTS) if power else 0
    off = value - mean - weight / WEIGHTS * (near - mean)
    return Scales(first, nearest_scale(UNIT * float(np.abs(np.rint(off / UNIT)).mean())), weight)


def quantise(units: Whole, scales: Scales) -> list[tuple[Whole, Numbers, Numbers]]:
    """Return the levels, contexts and low bits of each pass."""
    flat = units.reshape(len(units), -1)
    predictor = Predictor(*units.shape, scales)
    found = []
    for where, predicted, spread in predictor.predictions():
        levels = (flat[:, where] - predicted + UNIT // 2) // UNIT
        predictor.learn(where, predicted, levels)
        found.append((levels, *contexts(spread)))
    return found


def pack(units: Whole, tables: rans.Tables = TABLES) -> bytes:
    """
    Code values.

    :param units: (channels, rows, columns), of :data:`UNIT` to the step.
    """
    scales = choose_scales(units)
    parts, bits = [], []
    for levels, context, low in quantise(units, scales):
        symbols, values, widths = split(levels, low)
        parts.append((symbols, context))
        bits.append(to_bits(values, widths))
    lanes = _lanes(len(bits[-1]))
    seeds = np.zeros(16 * lanes, dtype=np.uint8)
    seeds[: len(bits[-1])] = bits[-1][: len(seeds)]
    words = rans.encode(parts, tables, _words(seeds))
    rest = np.concatenate([*bits[:-1], bits[-1][len(seeds) :]])
    head = _HEAD.pack(scales.first, scales.rest, scales.weight, lanes - 1)
    return head + words.astype('>u2').tobytes() + np.packbits(rest).tobytes()[::-1]


def unpack(data: bytes, shape: tuple[int, int, int], tables: rans.Tables = TABLES) -> Whole:
    """
    Undo :func:`pack`.

    :returns: (channels, positions).
    :raises RefusedError: if the bytes are not exactly that.
    """
    if len(data) < _HEAD.size:
        raise RefusedError(Refusal.TENSOR, f'{len(data)} bytes are too short')
    first, rest, weight, lanes = _HEAD.unpack(data[: _HEAD.size])
    if max(first, rest) > MAX_SCALE or weight > WEIGHTS:
        raise RefusedError(Refusal.TENSOR, f'scales {first}, {rest}, weight {weight}')
    body = data[_HEAD.size :]
    words = np.frombuffer(body, dtype='>u2', count=len(body) // 2).astype(np.uint16)
    decoder = rans.Decoder(words, lanes + 1, tables)
    reader = BitReader(np.unpackbits(np.frombuffer(body[::-1], dtype=np.uint8)))
    predictor = Predictor(*shape, Scales(first, rest, weight))
    done, total = 0, shape[1] * shape[2]
    for where, predicted, spread in predictor.predictions():
        context, low = contexts(spread)
        symbols = decoder.read(context)
        done += len(where)
        widths = _widths(symbols, low)
        if done == total:
            reader = _last(reader, decoder, int(widths.sum()), lanes + 1)
        levels = join(symbols, low, reader.read(widths)).reshape(predicted.shape)
        predictor.learn(where, predicted, levels)
    spare = len(reader.rest) - 16 * decoder.used
    if not 0 <= spare < 8 or reader.rest[:spare].any():
        raise RefusedError(Refusal.TENSOR, f'{spare} bits are left')
    return predictor.values


def _last(reader: BitReader, decoder: rans.Decoder, size: int, lanes: int) -> BitReader:
    """Return what the last pass's bits are read from: the seeds, then what is left."""
    if lanes != _lanes(size):
        raise RefusedError(Refusal.TENSOR, f'expected {_lanes(size)} lanes, got {lanes}')
    seeds = np.unpackbits(decoder.seeds().astype('>u2').view(np.uint8))
    if seeds[size:].any():
        raise RefusedError(Refusal.TENSOR, 'expected zeros behind the last bit')
    return BitReader(np.concatenate([seeds[:size], reader.rest]))


def _lanes(bits: int) -> int:
    return min(max(bits // 16, 1), MAX_LANES)


def _words(bits: Bits) -> npt.NDArray[np.uint16]:
    return np.packbits(bits).view('>u2').astype(np.uint16)
