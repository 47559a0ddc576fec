"""
Contract calls: from Python values to bytes, and from bytes to words for people.

Encoding refuses what the contract would revert for its arguments alone, so that a mistake is seen
where it is made and not on the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from collab_robots.contract.artifact import artifact, Signature
from collab_robots.core.errors import CallError
from collab_robots.core.identity import ADDRESS_BYTES
from collab_robots.tangle.record import LEDGER_CALL

KEY_BYTES = 32
DIGEST_BYTES = 32
SELECTOR_BYTES = 4
WORD = 32  # bytes of an ABI word
MAX_TILES = 32  # Fleet.MAX_TILES
MAX_CONFIDENCE = 1000  # per mille

LEDGER = 'ledger'
UNKNOWN = 'unknown'
TELLING = ('award', 'renew')  # their events may tell a robot something new

_ABOUT_A_TASK = ('bid', 'award', 'renew', 'complete', 'release')
NO_NAMES: Mapping[bytes, str] = {}


class Kind(IntEnum):
    """What a task is about; the numbers are those of the contract."""

    EXPLORE = 1
    INSPECT = 2
    VERIFY = 3
    INFER = 4


def propose(kind: Kind, cell_x: int, cell_y: int, round_: int) -> bytes:
    """
    Encode: there is something to do at a cell.

    :param cell_x: in cells of the map grid.
    :param round_: how often this cell's task was completed before.
    :raises CallError: if a value is out of range, as for every call below.
    """
    return _encode('propose', _kind(kind), cell_x, cell_y, round_)


def bid(key: bytes, cost_mm: int) -> bytes:
    """Encode: the sender would do the task at this path cost, mm."""
    return _encode('bid', _fixed('key', key, KEY_BYTES), cost_mm)


def award(key: bytes, robot: bytes) -> bytes:
    """Encode: the robot with this address (20 bytes) won the task."""
    return _encode('award', _fixed('key', key, KEY_BYTES), _fixed('address', robot, ADDRESS_BYTES))


def renew(key: bytes) -> bytes:
    """Encode: the sender still works on the task."""
    return _encode('renew', _fixed('key', key, KEY_BYTES))


def complete(key: bytes) -> bytes:
    """Encode: the sender has done the task."""
    return _encode('complete', _fixed('key', key, KEY_BYTES))


def release(key: bytes) -> bytes:
    """Encode: the sender gives the task back."""
    return _encode('release', _fixed('key', key, KEY_BYTES))


def submit_tiles(tiles: Sequence[tuple[int, int, bytes]]) -> bytes:
    """
    Encode: what the sender's map tiles hash to.

    :param tiles: 1 to MAX_TILES of (x, y, digest of 32 bytes).
    """
    if not 1 <= len(tiles) <= MAX_TILES:
        raise CallError(f'expected 1 to {MAX_TILES} tiles, got {len(tiles)}')
    for x, y, digest in tiles:
        if not any(_fixed('digest', digest, DIGEST_BYTES)):
            raise CallError(f'the digest of tile ({x}, {y}) is all zeros')
    return _encode('submitTiles', list(tiles))


def report_sighting(class_id: int, confidence_permille: int, x_mm: int, y_mm: int) -> bytes:
    """Encode: the sender's camera recognised something at a place in the map frame."""
    if confidence_permille > MAX_CONFIDENCE:
        raise CallError(f'confidence is at most {MAX_CONFIDENCE}, got {confidence_permille}')
    return _encode('reportSighting', class_id, confidence_permille, x_mm, y_mm)


def task_key(kind: Kind, cell_x: int, cell_y: int, round_: int) -> bytes:
    """
    Return what names a task on every robot: Keccak-256 of its ABI-encoded identity.

    :raises CallError: if a value is out of range.
    """
    return keccak(propose(kind, cell_x, cell_y, round_)[SELECTOR_BYTES:])


def call_name(data: bytes) -> str:
    """Return the contract's name of the call, ``ledger`` for one of the ledger's, ``unknown``."""
    signature = artifact().calls.get(data[:SELECTOR_BYTES])
    if signature is not None:
        return signature.name
    return LEDGER if data.startswith(LEDGER_CALL) else UNKNOWN


def key_of(data: bytes) -> bytes | None:
    """Return the key of the task a call is about; None for other calls and for cut-off bytes."""
    name = call_name(data)
    if name == 'propose' and len(data) >= SELECTOR_BYTES + 4 * WORD:
        return keccak(data[SELECTOR_BYTES : SELECTOR_BYTES + 4 * WORD])
    if name in _ABOUT_A_TASK and len(data) >= SELECTOR_BYTES + WORD:
        return data[SELECTOR_BYTES : SELECTOR_BYTES + WORD]
    return None


def task_words(kind: int, cell_x: int, cell_y: int, round_: int) -> str:
    """Name a task for people."""
    name = Kind(kind).name.lower() if kind in Kind.__members__.values() else f'kind {kind}'
    return f'{name} ({cell_x}, {cell_y}) round {round_}'


def describe(data: bytes, names: Mapping[bytes, str] = NO_NAMES) -> str:
    """
    Say in words what a call does, whatever its bytes are.

    :param names: of tasks by key and of robots by address; what it lacks is shown in hex.
    """
    signature = artifact().calls.get(data[:SELECTOR_BYTES])
    if signature is None:
        if data.startswith(LEDGER_CALL):
            return f'for the ledger, {len(data) - len(LEDGER_CALL)} bytes'
        return f'unknown call 0x{data[:SELECTOR_BYTES].hex()}'
    try:
        values = _values(signature, data)
    except CallError:
        return f'{signature.name} with malformed arguments'
    if signature.name == 'propose':
        return f'propose {task_words(*values)}'
    if signature.name == 'bid':
        return f'bid {values[1] / 1000:.1f} m on {_word(values[0], names)}'
    if signature.name == 'award':
        return f'award {_word(values[0], names)} to {_word(values[1], names)}'
    if signature.name == 'submitTiles':
        return f'submit {len(values[0])} tiles'
    if signature.name == 'reportSighting':
        class_id, permille, x, y = values
        place = f'({x / 1000:.2f}, {y / 1000:.2f}) m'
        return f'saw class {class_id} ({permille / 10:.0f} %) at {place}'
    return f'{signature.name} {_word(values[0], names)}'


def describe_error(output: bytes, names: Mapping[bytes, str] = NO_NAMES) -> str:
    """Say in words why the contract reverted a call."""
    signature = artifact().errors.get(output[:SELECTOR_BYTES])
    if signature is None:
        return 'malformed arguments' if not output else f'reverted: 0x{output[:36].hex()}'
    try:
        values = _values(signature, output)
    except CallError:
        return signature.name
    return _ERRORS[signature.name].format(*(_word(value, names) for value in values))


def no_such_call(data: bytes) -> bytes:
    """Return what the contract reverts with for a call that it does not have."""
    (selector,) = (key for key, value in artifact().errors.items() if value.name == 'NoSuchCall')
    return selector + data[:SELECTOR_BYTES].ljust(WORD, b'\0')


def describe_event(topics: Sequence[bytes], names: Mapping[bytes, str] = NO_NAMES) -> str:
    """Say in words what an event tells; empty for those that only repeat the call."""
    signature = artifact().events.get(topics[0]) if topics else None
    if signature is None or signature.name != 'Superseded' or len(topics) != 4:
        return ''
    key, loser, winner = topics[1], topics[2][-ADDRESS_BYTES:], topics[3][-ADDRESS_BYTES:]
    words = (_word(value, names) for value in (loser, winner, key))
    return '{} is superseded by {} on {}'.format(*words)


_ERRORS = {
    'NoSuchCall': 'the contract has no call {}',
    'BadRoster': 'the roster has {} robots',
    'MemberTwice': 'robot {} is in the roster twice',
    'NotMember': '{} is not in the fleet',
    'UnknownKind': 'there is no task kind {}',
    'NotABidder': '{1} has not bid on {0}',
    'BadTileCount': '{} tiles in one call, at least 1 and at most {}',
    'NoDigest': 'the digest of tile ({}, {}) is all zeros',
    'BadConfidence': 'confidence {} is above 1000 per mille',
}


def _encode(name: str, *values: Any) -> bytes:
    signature = artifact().functions[name]
    try:
        return signature.selector + encode(signature.types, values)
    except EncodingError as error:
        raise CallError(f'{name}{values!r:.200}: {error}') from None


def _values(signature: Signature, data: bytes) -> tuple[Any, ...]:
    """Decode arguments; addresses become bytes."""
    try:
        values = decode(signature.types, data[SELECTOR_BYTES:])
    except (DecodingError, OverflowError) as error:
        raise CallError(f'{signature.name}: {error}') from None
    return tuple(
        bytes.fromhex(value[2:]) if kind == 'address' else value
        for kind, value in zip(signature.types, values, strict=True)
    )


def _word(value: Any, names: Mapping[bytes, str]) -> str:
    if not isinstance(value, bytes):
        return str(value)
    return names.get(value, f'0x{value[:SELECTOR_BYTES].hex()}')


def _fixed(what: str, value: bytes, length: int) -> bytes:
    if len(value) != length:
        raise CallError(f'{what}: expected {length} bytes, got {len(value)}')
    return value


def _kind(kind: int) -> int:
    if kind not in Kind.__members__.values():
        raise CallError(f'expected a task kind from 1 to {max(Kind)}, got {kind}')
    return int(kind)
