"""Ids as people write them."""

from __future__ import annotations

import re

from collab_robots.core.errors import ConfigError

_HEX = re.compile(r'(?:0x)?([0-9a-fA-F]{1,64})')
_BYTES = 32
LEAST = 4  # digits that are enough to search for


def shown(identity: bytes) -> str:
    """Return an id as IOTA writes it."""
    return f'0x{identity.hex()}'


def task_shown(key: bytes) -> str:
    """Return the id of a task: its key without the zeros that all begin with."""
    return f'0x{key.hex().lstrip("0")}'


def task_key(identity: str) -> bytes:
    """Return the key of a task that is shown so."""
    return bytes.fromhex(identity[2:].rjust(2 * _BYTES, '0'))


def digits_of(text: str) -> str | None:
    """Return the digits of what may be the beginning of an id."""
    match = _HEX.fullmatch(text.strip())
    return match[1].lower() if match else None


def span(digits: str) -> tuple[bytes, bytes]:
    """Return the least and the greatest id that begin so."""
    return bytes.fromhex(digits.ljust(2 * _BYTES, '0')), bytes.fromhex(
        digits.ljust(2 * _BYTES, 'f')
    )


def bounds(what: str, text: str) -> tuple[bytes, bytes]:
    """
    Return the least and the greatest id that begin with what somebody wrote.

    :raises ConfigError: if that is no beginning of an id.
    """
    digits = digits_of(text)
    if digits is None:
        raise ConfigError(
            f'expected the id of a {what}, 1 to 64 hexadecimal digits, got {text[:80]!r}'
        )
    return span(digits)


def one(what: str, text: str, found: list[bytes]) -> bytes:
    """
    Return the one id that was found for what somebody wrote.

    :raises ConfigError: if it is none or several.
    """
    if not found:
        raise ConfigError(f'no {what} has an id that begins with {text[:80]!r}')
    if len(found) > 1:
        raise ConfigError(
            f'{text[:80]!r} is not unique: {shown(found[0])[:18]}…, {shown(found[1])[:18]}… and '
            f'maybe more; write more of it'
        )
    return found[0]
