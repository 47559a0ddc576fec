"""
Range asymmetric numeral systems (Duda, https://arxiv.org/abs/1311.2540), many lanes at a time.

Symbols are dealt to the lanes in turn; each lane is a state of 32 bits that gives and takes words
of 16. A lane starts from 16 bits of the caller's own, so that lanes cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError

PRECISION = 12  # bits: the frequencies of a table sum to 2 ** PRECISION
_TOTAL = 1 << PRECISION
_LOW = 1 << 16
Words = npt.NDArray[np.uint16]
Symbols = npt.NDArray[np.int64]


class Tables:
    """
    Frequencies of symbols, one table for each context.

    :param frequencies: (contexts, symbols), each at least 1; a row sums to 2 ** 12.
    """

    def __init__(self, frequencies: npt.NDArray[np.int64]) -> None:
        contexts, symbols = frequencies.shape
        if (frequencies < 1).any() or (frequencies.sum(axis=1) != _TOTAL).any():
            raise ValueError('frequencies have to be at least 1 and to sum to 4096')
        starts = np.cumsum(frequencies, axis=1) - frequencies
        self.symbols = symbols
        self.frequency = frequencies.astype(np.uint32).ravel()
        self.start = starts.astype(np.uint32).ravel()
        # By slot, (contexts * 4096): whose it is, how wide that is, how deep the slot lies in it.
        owner = np.repeat(np.arange(symbols), frequencies[0])
        owner = np.concatenate([np.repeat(np.arange(symbols), row) for row in frequencies])
        index = owner + np.repeat(np.arange(contexts), _TOTAL) * symbols
        self.owner = owner
        self.width = self.frequency[index]
        self.depth = np.tile(np.arange(_TOTAL, dtype=np.uint32), contexts) - self.start[index]


def encode(
    parts: Sequence[tuple[Symbols, Symbols]], tables: Tables, seeds: Words
) -> npt.NDArray[np.uint16]:
    """
    Code symbols.

    :param parts: (symbols, contexts) of each part; a part starts at the first lane again.
    :param seeds: 16 bits for each lane; the decoder gets them back after the last symbol.
    :returns: words, the lanes' states first.
    """
    lanes = len(seeds)
    state = seeds.astype(np.uint32) + np.uint32(_LOW)
    words: list[Words] = []
    for symbols, contexts in reversed(parts):
        index = contexts * tables.symbols + symbols
        width, start = tables.frequency[index], tables.start[index]
        limit = width.astype(np.uint64) << np.uint64(32 - PRECISION)
        for at in reversed(range(0, len(index), lanes)):
            end = at + lanes
            used = state[: len(index) - at]
            full = used >= limit[at:end]
            if full.any():
                words.append(used[full].astype(np.uint16))
                used[full] >>= np.uint32(16)
            part, rest = np.divmod(used, width[at:end])
            used[:] = (part << np.uint32(PRECISION)) + rest + start[at:end]
    words.append(np.stack([state >> np.uint32(16), state]).astype(np.uint16).ravel())
    return np.concatenate(words[::-1])


class Decoder:
    """
    Reads what :func:`encode` wrote, part by part.

    :param words: the coded words; there may be more behind them.
    :param lanes: as there were.
    :raises RefusedError: if the words are too few.
    """

    def __init__(self, words: Words, lanes: int, tables: Tables) -> None:
        if len(words) < 2 * lanes:
            raise RefusedError(Refusal.TENSOR, f'{len(words)} words are too few')
        high, low = words[:lanes].astype(np.uint32), words[lanes : 2 * lanes]
        self._state = high << np.uint32(16) | low
        self._words = words.astype(np.uint32)
        self._tables = tables
        self.used = 2 * lanes

    def read(self, contexts: Symbols) -> Symbols:
        """
        Return the next part's symbols.

        :raises RefusedError: if the words end before.
        """
        tables, lanes, words = self._tables, len(self._state), self._words
        base = (contexts << PRECISION).astype(np.uint32)
        slots = np.empty(len(base), dtype=np.uint32)
        for at in range(0, len(base), lanes):
            state = self._state[: len(base) - at]
            slot = slots[at : at + lanes]
            np.bitwise_and(state, np.uint32(_TOTAL - 1), out=slot)
            slot += base[at : at + lanes]
            state >>= np.uint32(PRECISION)
            state *= tables.width.take(slot)
            state += tables.depth.take(slot)
            short = (state < _LOW).nonzero()[0]
            if short.size:
                more = words[self.used : self.used + short.size]
                if more.size != short.size:
                    raise RefusedError(Refusal.TENSOR, 'the words end too early')
                state[short] = state[short] << np.uint32(16) | more
                self.used += short.size
        return tables.owner[slots]

    def seeds(self) -> Words:
        """
        Return the lanes' seeds, after the last symbol.

        :raises RefusedError: if that is not how an encoder starts.
        """
        if (self._state >> np.uint32(16) != 1).any():
            raise RefusedError(Refusal.TENSOR, 'the lanes do not end where one starts')
        return self._state.astype(np.uint16)
