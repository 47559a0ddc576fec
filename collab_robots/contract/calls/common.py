"""What the encoders of all contracts have in common."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from collab_robots.contract.artifact import suite
from collab_robots.core.errors import CallError
from collab_robots.core.identity import ADDRESS_BYTES

KEY_BYTES = 32
DIGEST_BYTES = 32


class Kind(IntEnum):
    """What a task is about; the numbers are those of the contract."""

    EXPLORE = 1
    INSPECT = 2
    VERIFY = 3
    INFER = 4


def encode(call: str, *values: Any) -> bytes:
    """
    Encode a call of any contract of the suite.

    :param values: addresses are 20 bytes, structs are tuples.
    :raises CallError: if a value is of another type or out of range, as for all functions here.
    """
    return suite().call_by_name[call].encode(*values)


def fixed(what: str, value: bytes, length: int) -> bytes:
    """Return bytes of which there must be so many; the ABI would pad them."""
    if len(value) != length:
        raise CallError(f'{what}: expected {length} bytes, got {len(value)}')
    return value


def key(value: bytes) -> bytes:
    """Return the key of a task."""
    return fixed('key', value, KEY_BYTES)


def digest(value: bytes) -> bytes:
    """Return a digest; of all zeros stands for none."""
    if not any(fixed('digest', value, DIGEST_BYTES)):
        raise CallError('the digest is all zeros')
    return value


def robot(value: bytes) -> bytes:
    """Return the address of a robot."""
    return fixed('address', value, ADDRESS_BYTES)


def kind(value: int) -> int:
    """Return the number of a task kind."""
    if value not in Kind.__members__.values():
        raise CallError(f'expected a task kind from 1 to {max(Kind)}, got {value}')
    return int(value)


def within(what: str, value: int, least: int, most: int) -> int:
    """Return a number that the contract takes from a smaller range than its type has."""
    if not least <= value <= most:
        raise CallError(f'{what}: expected {least} to {most}, got {value}')
    return value


def batch(what: str, values: Sequence[Any], most: int) -> Sequence[Any]:
    """Return a list that the contract takes with 1 to ``most`` entries."""
    if not 1 <= len(values) <= most:
        raise CallError(f'expected 1 to {most} {what}, got {len(values)}')
    return values
