"""
Read rows out of an SQLite file that SQLite itself refuses: page by page, without any index.

Format: https://www.sqlite.org/fileformat2.html. Every table row lies in a leaf page of type 13, so
whatever else is damaged, the leaves that are left still tell theirs. Rows are not checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import struct

PAGE = 4096  # bytes; Store makes its files so
_LEAF = 13
_KINDS = (0, 2, 5, 10, _LEAF)  # first byte of a page; 0: overflow or never used
_HEADER = 100  # bytes of page 1 before its own
_WAL_HEADER, _FRAME_HEADER = 32, 24
_LOCAL = PAGE - 35  # bytes of a row that fit into its leaf
_LEAST = (PAGE - 12) * 32 // 255 - 23
_U16 = struct.Struct('>H')
_U32 = struct.Struct('>I')
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes

Value = int | float | bytes | str | None
Values = tuple[Value, ...]


class Pages:
    """
    All that is left of a database file and its ``-wal`` file.

    :param path: of the database; either file may be cut off or missing.
    """

    def __init__(self, path: Path) -> None:
        self._main = _read(path)
        self._wal = _read(path.with_name(f'{path.name}-wal'))
        self._frames: dict[int, list[int]] = {}  # page number: where in the -wal, oldest first
        salt = self._wal[16:24]  # frames with another one are left over from before
        frames = range(_WAL_HEADER, len(self._wal) - _FRAME_HEADER, _FRAME_HEADER + PAGE)
        for at in sorted(frames, key=lambda at: self._wal[at + 8 : at + 16] == salt):
            (number,) = _U32.unpack_from(self._wal, at)
            self._frames.setdefault(number, []).append(at + _FRAME_HEADER)
        self._free = self._freelist()

    def rescue(self, take: Callable[[Values], bool]) -> int:
        """
        Hand over every row of every table, of all versions of a page the newest first.

        So the same row may come several times, and what was deleted lately may come again.

        :param take: tells whether a row is good.
        :returns: how many pages cannot be read or hold a row that is not good.
        """
        bad = 0
        last = -(-len(self._main) // PAGE)
        for number in sorted({*range(1, last + 1), *self._frames} - self._free):
            start = _HEADER if number == 1 else 0
            good = [self._rescue_page(page, start, take) for page in self._versions(number)]
            bad += not good[0]
        return bad

    def _rescue_page(self, page: bytes, start: int, take: Callable[[Values], bool]) -> bool:
        if page[start] != _LEAF:
            return page[start] in _KINDS
        good = True
        (count,) = _U16.unpack_from(page, start + 3)
        for index in range(min(count, (PAGE - start - 8) // 2)):
            (at,) = _U16.unpack_from(page, start + 8 + 2 * index)
            good &= any(take(values) for values in self._rows(page, at))
        return good

    def _rows(self, page: bytes, at: int) -> Iterator[Values]:
        """Yield what a row may be: its end may lie in pages of which there are versions."""
        for newest in (True, False):
            try:
                yield _values(self._payload(page, at, newest))
            except (IndexError, ValueError, struct.error):
                pass
            if not self._frames:
                return

    def _payload(self, page: bytes, at: int, newest: bool) -> bytes:
        size, at = _varint(page, at)
        _, at = _varint(page, at)  # row id
        if size > len(self._main) + len(self._wal):
            raise ValueError(f'a row of {size} bytes')
        if size <= _LOCAL:
            return page[at : at + size]
        local = _LEAST + (size - _LEAST) % (PAGE - 4)
        if local > _LOCAL:
            local = _LEAST
        parts = [page[at : at + local]]
        (number,) = _U32.unpack_from(page, at + local)
        for _ in range(-(-(size - local) // (PAGE - 4))):
            versions = self._versions(number)
            more = versions[0 if newest else -1]
            (number,) = _U32.unpack_from(more)
            parts.append(more[4:])
        return b''.join(parts)[:size]

    def _versions(self, number: int) -> list[bytes]:
        """Return what a page may hold, newest first; the end of a cut file counts as zeros."""
        places = [(self._wal, at) for at in reversed(self._frames.get(number, []))]
        if 0 < number * PAGE < len(self._main) + PAGE:
            places.append((self._main, (number - 1) * PAGE))
        return [file[at : at + PAGE].ljust(PAGE, b'\0') for file, at in places]

    def _freelist(self) -> set[int]:
        """Return the pages that hold nothing any more, as far as the list can be read."""
        free: set[int] = set()
        try:
            (trunk,) = _U32.unpack_from(self._versions(1)[0], 32)
            while trunk and trunk not in free:
                page = self._versions(trunk)[0]
                trunk_before, (trunk, count) = trunk, struct.unpack_from('>II', page)
                if count > PAGE // 4 - 2:
                    break
                free.add(trunk_before)
                free.update(struct.unpack_from(f'>{count}I', page, 8))
        except IndexError:
            pass
        return free


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b''


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read SQLite's variable-length integer; return it and where it ends."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _values(payload: bytes) -> Values:
    """Read the columns of a row."""
    body, at = _varint(payload, 0)
    header_end, values = body, []
    while at < header_end:
        kind, at = _varint(payload, at)
        value, body = _value(kind, payload, body)
        values.append(value)
    if body != len(payload) or at != header_end:
        raise ValueError('the columns do not fill the row')
    return tuple(values)


def _value(kind: int, payload: bytes, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind in _INTEGERS:
        end = at + _INTEGERS[kind]
        return int.from_bytes(payload[at:end], 'big', signed=True), end
    if kind < 12:
        raise ValueError(f'no column of ours has type {kind}')
    end = at + (kind - 12) // 2
    return (payload[at:end].decode() if kind % 2 else payload[at:end]), end
