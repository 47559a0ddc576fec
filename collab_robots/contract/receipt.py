"""What became of a call, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from collab_robots.contract.artifact import SELECTOR_BYTES
from collab_robots.contract.calls.words import describe_error, describe_event, UNKNOWN
from collab_robots.contract.evm import GAS_LIMIT, Log, Result


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What became of one call.

    :param reason: why it was reverted, in words; empty if it was not.
    :param events: what the contract told somebody, in words (who was superseded).
    """

    call: str
    ok: bool
    reason: str = ''
    events: tuple[str, ...] = ()


@lru_cache(maxsize=256)
def done(call: str) -> Receipt:
    """Return the receipt of a call that nothing needs to be said about."""
    return Receipt(call, True)


def told(call: str, logs: Sequence[Log], names: Mapping[bytes, str]) -> Receipt:
    """Return the receipt of a call that was successful; its events may tell somebody something."""
    events = tuple(words for log in logs if (words := describe_event(log, names)))
    return Receipt(call, True, '', events) if events else done(call)


def failed(call: str, result: Result, names: Mapping[bytes, str]) -> Receipt:
    """Return the receipt of a call that changed nothing."""
    if result.halt:
        return Receipt(call, False, f'stopped: {result.halt}, gas limit {GAS_LIMIT}')
    return Receipt(call, False, describe_error(result.output, names))


def unknown(data: bytes) -> Receipt:
    """Return the receipt of a call that no contract has."""
    return Receipt(UNKNOWN, False, f'no contract has a call 0x{data[:SELECTOR_BYTES].hex()}')


def void(call: str, robot: str) -> Receipt:
    """Return the receipt of a call of a robot that equivocated before."""
    return Receipt(call, False, f'void: {robot} signed two records with one number')
