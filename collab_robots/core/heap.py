"""What the C library's heap is told; where it is not glibc nothing is."""

from __future__ import annotations

import ctypes

_ARENA_MAX = -8  # mallopt(3)
_LIBC = ctypes.CDLL(None)


def share_arenas(count: int) -> None:
    """
    Let all threads share so many arenas; call it before there are any.

    By default each of the first 8 per core has one of its own, and keeps most of what its largest
    piece of work took.
    """
    if hasattr(_LIBC, 'mallopt'):
        _LIBC.mallopt(_ARENA_MAX, count)


def give_back() -> None:
    """Give memory that is free back to the system."""
    if hasattr(_LIBC, 'malloc_trim'):
        _LIBC.malloc_trim(0)
