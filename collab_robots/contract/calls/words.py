"""
Calls, errors and events in words for people.

The words are in tables, one set a contract (``CALLS``, ``ERRORS`` and ``EVENTS`` of its module),
by name. They name arguments in braces, as the ABI does, with what to make of them after a colon::

    CALLS = {'bid': 'bid {cost:m} on {key}'}

===========  ==========================================  ===========================
nothing      robots by name, other bytes cut             ``0x0a1b2c3d``
``m``        mm                                          ``1.5 m``
``percent``  per mille                                   ``90 %``
``count``    of a list or of bytes                       ``3``
``robots``   roster indices of a mask                    ``0, 2``
``text``     a name with zeros at the end                ``robot_00``
``kind``     of a task                                   ``inspect``
``task``     its key                                     ``inspect (3, -1) round 0``
``|a|b|c``   a choice, by number                         ``b``
===========  ==========================================  ===========================

A field of a struct goes by its number: ``{change[0]:|join|leave}``.

Events that only repeat their call have empty words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
import re
from typing import Any

from collab_robots.contract.artifact import SELECTOR_BYTES, Signature, suite, WORD
from collab_robots.contract.calls import fleet, maps, models, tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.evm import Log
from collab_robots.core.errors import CallError
from collab_robots.tangle.record import LEDGER_CALL

CHOICE = '|'
LEDGER = 'ledger'
UNKNOWN = 'unknown'
NO_NAMES: Mapping[bytes, str] = {}

_MODULES = (fleet, maps, models, tasks)
CALLS = {name: words for module in _MODULES for name, words in module.CALLS.items()}
ERRORS = {
    'NoSuchCall': 'no contract has a call {selector}',
    **{name: words for module in _MODULES for name, words in module.ERRORS.items()},
}
EVENTS = {name: words for module in _MODULES for name, words in module.EVENTS.items()}

_TASK_FIELDS = 4  # of propose: kind, x, y and round name the task


def call_name(data: bytes) -> str:
    """Return the contract's name of the call, ``ledger`` for one of the ledger's, ``unknown``."""
    signature = suite().calls.get(data[:SELECTOR_BYTES])
    if signature is not None:
        return signature.name
    return LEDGER if data.startswith(LEDGER_CALL) else UNKNOWN


def key_of(data: bytes) -> bytes | None:
    """Return the key of the task a call is about; None for other calls and for cut-off bytes."""
    signature = suite().calls.get(data[:SELECTOR_BYTES])
    arguments = data[SELECTOR_BYTES:]
    if signature is None:
        return None
    if signature.name == 'propose':
        try:
            return tasks.task_key(*signature.decode(data)[:_TASK_FIELDS])
        except CallError:
            return None
    if signature.names[:1] == ('key',) and len(arguments) >= WORD:
        return arguments[:WORD]
    return None


def describe(data: bytes, names: Mapping[bytes, str] = NO_NAMES) -> str:
    """
    Say in words what a call does, whatever its bytes are.

    :param names: of robots by address; what it lacks is shown in hex.
    """
    signature = suite().calls.get(data[:SELECTOR_BYTES])
    if signature is None:
        if data.startswith(LEDGER_CALL):
            return f'for the ledger, {len(data) - len(LEDGER_CALL)} bytes'
        return f'unknown call 0x{data[:SELECTOR_BYTES].hex()}'
    try:
        return say(CALLS[signature.name], signature, signature.decode(data), names)
    except CallError:
        return f'{signature.name} with malformed arguments'


def describe_error(output: bytes, names: Mapping[bytes, str] = NO_NAMES) -> str:
    """Say in words why a contract reverted a call."""
    signature = suite().errors.get(output[:SELECTOR_BYTES])
    if signature is None:
        return 'malformed arguments' if not output else f'reverted: 0x{output[:36].hex()}'
    try:
        return say(ERRORS[signature.name], signature, signature.decode(output), names)
    except CallError:
        return signature.name


def describe_event(log: Log, names: Mapping[bytes, str] = NO_NAMES) -> str:
    """Say in words what an event tells; empty for those that only repeat the call."""
    if log.topics[0] not in _telling():
        return ''
    signature = suite().events[log.topics[0]]
    return say(EVENTS[signature.name], signature, signature.told(log.topics[1:], log.data), names)


def say(
    words: str, signature: Signature, values: tuple[Any, ...], names: Mapping[bytes, str]
) -> str:
    """Put arguments into words of a table."""
    arguments = {
        name: _Value(value, names) for name, value in zip(signature.names, values, strict=True)
    }
    return words.format_map(arguments)


@lru_cache(maxsize=1)
def _telling() -> frozenset[bytes]:
    return frozenset(topic for topic, event in suite().events.items() if EVENTS[event.name])


class _Value:
    """An argument that formats itself."""

    def __init__(self, value: Any, names: Mapping[bytes, str]) -> None:
        self._value = value
        self._names = names

    def __getitem__(self, field: int) -> _Value:
        return _Value(self._value[field], self._names)

    def __format__(self, form: str) -> str:
        if not form:
            return self._word(self._value)
        if form.startswith(CHOICE):
            choices = form[1:].split(CHOICE)
            return choices[self._value] if self._value < len(choices) else str(self._value)
        return _FORMS[form](self._value)

    def _word(self, value: Any) -> str:
        if isinstance(value, bytes):
            return self._names.get(value, f'0x{value[:SELECTOR_BYTES].hex()}')
        if isinstance(value, (tuple, list)):
            return ', '.join(map(self._word, value))
        return str(value)


def _kind(value: int) -> str:
    return Kind(value).name.lower() if value in Kind.__members__.values() else f'kind {value}'


def _robots(mask: int) -> str:
    return ', '.join(str(bit) for bit in range(mask.bit_length()) if mask >> bit & 1) or 'none'


_FORMS: Mapping[str, Callable[[Any], str]] = {
    'm': lambda mm: f'{mm / 1000:.1f} m',
    'percent': lambda permille: f'{permille / 10:.0f} %',
    'count': lambda values: str(len(values)),
    'robots': _robots,
    'text': lambda raw: re.sub('[^a-z0-9_]', '?', raw.rstrip(b'\0').decode('latin-1')),
    'kind': _kind,
    'task': tasks.task_words,
}
