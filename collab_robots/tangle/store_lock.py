"""The lock file beside a ledger: one writer at a time, and how far the ledger had come."""

from __future__ import annotations

from contextlib import suppress
import fcntl
import os
import re

from collab_robots.core.errors import StoreError

_NUMBER = re.compile(rb'[0-9]{10}\n')


def last_commit(path: str) -> int | None:
    """
    Return the number of the last commit that was noted beside a ledger; None if none was.

    :param path: of the ledger, whether or not it is open.
    """
    try:
        with open(f'{path}.lock', 'rb') as file:
            found = file.read(64)
    except OSError:
        return None
    return int(found) if _NUMBER.fullmatch(found) else None


class StoreLock:
    """
    Held as long as a ledger's file is open for writing; the operating system ends it at a crash.

    :param path: of the ledger; the lock is ``<path>.lock``, which stays there.
    :raises StoreError: if another process holds it or it cannot be made.
    """

    def __init__(self, path: str) -> None:
        name = f'{path}.lock'
        try:
            self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f'{name}: cannot be written: {error.strerror}') from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise StoreError(
                f'{path}: another process has this ledger open; stop it first'
            ) from None

    def note(self, commits: int) -> None:
        """
        Take note of a commit that is on the disk.

        It is not flushed: a power failure may lose it, and only what it would have told is lost.
        """
        with suppress(OSError):
            os.pwrite(self._file, b'%010d\n' % commits, 0)

    def release(self) -> None:
        """Let others open the ledger."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
