"""
Find where SQLite stops reading a ``-wal`` file.

The format: https://www.sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

from pathlib import Path
import struct

from collab_robots.tangle.salvage import PAGE

_HEADER, _FRAME = 32, 24  # bytes
_BIG = 1  # bit of the magic number
_MAGIC = 0x377F0682


def broken_frame(path: Path) -> str:
    """
    Return which frame of the file's present content is the first that is not as it was written.

    :param path: of the database.
    :returns: words; empty if there is none.
    """
    wal = path.with_name(f'{path.name}-wal')
    data = wal.read_bytes() if wal.is_file() else b''
    if len(data) < _HEADER:
        return ''
    magic, *_, salt_1, salt_2, first, second = struct.unpack_from('>8I', data)
    order = '>' if magic & _BIG else '<'
    sums = _checksum(data[:24], (0, 0), order)
    if magic & ~_BIG != _MAGIC or sums != (first, second):
        return 'header'
    frames = range(_HEADER, len(data) - _FRAME - PAGE + 1, _FRAME + PAGE)
    for number, at in enumerate(frames, start=1):
        page, _, *salt, first, second = struct.unpack_from('>6I', data, at)
        sums = _checksum(data[at : at + 8], sums, order)
        sums = _checksum(data[at + _FRAME : at + _FRAME + PAGE], sums, order)
        if salt != [salt_1, salt_2] or sums != (first, second):
            return f'frame {number} (page {page})'
    return ''


def _checksum(data: bytes, before: tuple[int, int], order: str) -> tuple[int, int]:
    one, other = before
    words = iter(struct.unpack(f'{order}{len(data) // 4}I', data))
    for word in words:
        one = (one + word + other) & 0xFFFFFFFF
        other = (other + next(words) + one) & 0xFFFFFFFF
    return one, other
