"""What became of a call, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from collab_robots.contract.calls import describe_error, describe_event
from collab_robots.contract.evm import Log, Result


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


def told(call: str, logs: tuple[Log, ...], names: Mapping[bytes, str]) -> Receipt:
    """Return the receipt of a call whose events may tell somebody something."""
    events = (describe_event(log.topics, names) for log in logs)
    return Receipt(call, True, '', tuple(words for words in events if words))


def failed(call: str, result: Result, gas: int, names: Mapping[bytes, str]) -> Receipt:
    """
    Return the receipt of a call that changed nothing.

    :param gas: what it was given.
    """
    if result.halt:
        return Receipt(call, False, f'stopped: {result.halt}, gas limit {gas}')
    return Receipt(call, False, describe_error(result.output, names))


def void(call: str, robot: str) -> Receipt:
    """Return the receipt of a call of a robot that equivocated before."""
    return Receipt(call, False, f'void: {robot} signed two records with one number')
