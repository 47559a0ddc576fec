"""
How far frames are, kept on the disk: a robot whose power fails goes on where it was.

Each frame in progress has a file with room for two states. A new state is written beside the one
that counts, and counts itself only when its flag is written: 32 bytes with a sum over both, so
that a write torn anywhere leaves the state before (FLEX, https://arxiv.org/abs/2111.14051).
"""

from __future__ import annotations

import os
from pathlib import Path
import struct
from typing import NamedTuple
import zlib

import cbor2
import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import StoreError
from collab_robots.inference.runtime.messages import FrameId

# A flag: counter of commits, where the state lies, how long it is, its sum; then the sum of these.
_FLAG = struct.Struct('<QQQI')
_SUM = struct.Struct('<I')
_FLAG_PLACES = (0, 512)  # in sectors of their own
_STATES = 1024  # where the room for states begins


class Progress(NamedTuple):
    """
    How far a frame is.

    :param frame: which.
    :param note: the caller's words on it.
    :param model: hash of the one that computes it.
    :param cut: what is computed.
    :param array: the picture (h, w, 3) uint8 at cut 0, else the cut's tensor float32.
    """

    frame: FrameId
    note: bytes
    model: bytes
    cut: int
    array: npt.NDArray[np.uint8] | npt.NDArray[np.float32]


class _Flag(NamedTuple):
    number: int
    offset: int
    length: int
    crc: int


_NEVER = _Flag(0, _STATES, 0, 0)


class Checkpoint:
    """
    One frame's file.

    :param path: where; made if it is not there.
    :param durable: wait for the disk at each commit: then it survives not only the process but a
        power failure.
    :raises StoreError: if the file cannot be opened or written, here and below.
    """

    def __init__(self, path: Path, durable: bool = False) -> None:
        self._path = path
        self._durable = durable
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._flag = max(map(self._read_flag, _FLAG_PLACES))
        except OSError as error:
            raise self._broken(error) from None

    def read(self) -> Progress | None:
        """Return the state that was committed last; None if there is none, or it was cleared."""
        if not self._flag.length:
            return None
        try:
            robot, session, seq, note, model, cut, shape, data = cbor2.loads(
                self._state(self._flag)
            )
        except OSError as error:
            raise self._broken(error) from None
        array = np.frombuffer(data, np.float32 if cut else np.uint8).reshape(shape)
        return Progress(FrameId(robot, session, seq), note, model, cut, array)

    def commit(self, progress: Progress) -> None:
        """Replace the state."""
        frame, note, model, cut, array = progress
        name = (frame.robot, frame.session, frame.seq)
        self._write(cbor2.dumps([*name, note, model, cut, array.shape, array.tobytes()]))

    def clear(self) -> None:
        """Forget the frame: it has its answer."""
        self._write(b'')

    def close(self) -> None:
        """Close the file; it keeps its state."""
        os.close(self._handle)

    def _write(self, state: bytes) -> None:
        """Write a state into the room that the last one leaves, then the older flag."""
        last = self._flag
        fits_before = last.offset - _STATES >= len(state)
        offset = _STATES if fits_before or not last.length else last.offset + last.length
        flag = _Flag(last.number + 1, offset, len(state), zlib.crc32(state))
        fields = _FLAG.pack(*flag)
        try:
            self._put(state, offset)
            self._put(fields + _SUM.pack(zlib.crc32(fields)), _FLAG_PLACES[flag.number % 2])
        except OSError as error:
            raise self._broken(error) from None
        self._flag = flag

    def _put(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._handle, view, offset)
            view, offset = view[written:], offset + written
        if self._durable:
            os.fdatasync(self._handle)

    def _read_flag(self, place: int) -> _Flag:
        """Return a flag that is whole and whose state is; else one that is older than any."""
        raw = os.pread(self._handle, _FLAG.size + _SUM.size, place)
        fields = raw[: _FLAG.size]
        if len(raw) < _FLAG.size + _SUM.size or _SUM.pack(zlib.crc32(fields)) != raw[_FLAG.size :]:
            return _NEVER
        flag = _Flag(*_FLAG.unpack(fields))
        return flag if zlib.crc32(self._state(flag)) == flag.crc else _NEVER

    def _state(self, flag: _Flag) -> bytes:
        return os.pread(self._handle, flag.length, flag.offset)

    def _broken(self, error: OSError) -> StoreError:
        return StoreError(f'{self._path}: {error.strerror}')


class Checkpoints:
    """
    The files of all frames in progress.

    :param folder: where they lie; made if it is not there.
    :param frames: how many frames there are at most at a time.
    :param durable: as for :class:`Checkpoint`.
    :raises StoreError: if they cannot be opened or written, here and below.
    """

    def __init__(self, folder: Path, frames: int, durable: bool = False) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f'{folder}: {error.strerror}') from None
        self._files = [Checkpoint(folder / f'{index}.frame', durable) for index in range(frames)]
        self._free = [file for file in self._files if file.read() is None]
        self._used: dict[FrameId, Checkpoint] = {}

    def resume(self) -> list[Progress]:
        """Return the frames that an earlier process left, the oldest first; to be asked once."""
        left = []
        for file in self._files:
            progress = file.read()
            if progress is not None:
                left.append(progress)
                self._used[progress.frame] = file
        return sorted(left, key=lambda progress: progress.frame.seq)

    def commit(self, progress: Progress) -> None:
        """Keep how far a frame is; where there is no room for more frames, it is not kept."""
        if progress.frame not in self._used:
            if not self._free:
                return
            self._used[progress.frame] = self._free.pop()
        self._used[progress.frame].commit(progress)

    def clear(self, frame: FrameId) -> None:
        """Forget a frame; one that is not there is none."""
        file = self._used.pop(frame, None)
        if file is not None:
            file.clear()
            self._free.append(file)

    def close(self) -> None:
        """Close the files; they keep their states."""
        for file in self._files:
            file.close()
