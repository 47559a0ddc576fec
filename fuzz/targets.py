"""
What is fuzzed: one function for each kind of input from outside.

A target may raise RefusedError and nothing else; and what it takes, it has to give back byte for
byte. Whatever else happens is a fault.
"""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any
import zlib

import numpy as np

from collab_robots.contract.state import decode_state, encode_state
from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.inference.codec import BITS, decode, encode
from collab_robots.tangle.block import block_id, decode_block, encode_block
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import decode_record, encode_record, RECORD_TAG, verify_record
from collab_robots.tangle.rest.api import Api
from collab_robots.tangle.snapshot import Attested, Snapshot
from collab_robots.tangle.sync import (
    check_chunk,
    check_have,
    check_request,
    Chunk,
    Have,
    Range,
    Request,
)
from collab_robots.tangle.tangle import Tangle
from fuzz.disks import damage
from fuzz.ledgers import play, quiet_ledger
from fuzz.reader import Reader

try:  # the conversions between ROS messages and ours, where ROS is
    from rclpy.serialization import deserialize_message, serialize_message

    from collab_robots.nodes.ledger_conversions import (
        chunk_from_msg,
        chunk_to_msg,
        have_from_msg,
        have_to_msg,
        request_from_msg,
        request_to_msg,
    )

    ROS = True
except ImportError:
    ROS = False

CORPUS = Path(__file__).parents[1] / 'test' / 'core' / 'corpus'
FLEET, KEYS = make_team(4)
SENDERS = (*FLEET.index_by_name, '', 'nobody', 'r' * 500, '\N{ROBOT FACE}')
STATUSES = {200, 201, 400, 404, 405, 415, 501, 503}
METHODS = ('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', '')


def block(data: bytes) -> None:
    """Read a block as it comes from a peer."""
    found = decode_block(data)
    assert encode_block(found.parents, found.tag, found.data, found.nonce) == data
    assert found.id == block_id(data)


def record(data: bytes) -> None:
    """Read a record: in a whole block, or as the data of a good block."""
    if data[:1] == b'\0':
        data = encode_block([bytes(32)], RECORD_TAG, data[1:])
    found = decode_record(decode_block(data))
    assert encode_record(found) == data
    assert FLEET.robots[verify_record(found, FLEET)].key == found.issuer


def have(data: bytes) -> None:
    """Read an announcement."""
    reader = Reader(data)
    found = Have(
        reader.pick(SENDERS),
        FLEET.id if reader.below(4) else reader.take(32).ljust(32, b'\0'),
        reader.uints(4, 64),
        reader.take(32).ljust(32, b'\0'),
        reader.uints(4, 64),
        reader.uints(1, 64),
        reader.uint(4),
    )
    if ROS:
        assert have_from_msg(_sent(have_to_msg(found))) == found
    quiet_ledger(FLEET, KEYS[0]).receive_have(found)
    check_have(found, FLEET)


def request(data: bytes) -> None:
    """Read a request; its lists may not fit one another."""
    reader = Reader(data)
    issuers, first, last = reader.uints(2, 64), reader.uints(4, 64), reader.uints(4, 64)
    found = Request(
        reader.pick(SENDERS),
        FLEET.robots[0].name if reader.below(4) else reader.pick(SENDERS),
        tuple(Range(*fields) for fields in zip(issuers, first, last, strict=False)),
        reader.strings(32, 128),
        reader.uint(4),
        reader.uints(4, 16),
    )
    if ROS:
        message = request_to_msg(found)
        assert request_from_msg(_sent(message)) == found
        message.issuers, message.ids = issuers, reader.chunk()[:4096]
        message = _sent(message)
        found = request_from_msg(message)
        assert len(found.ids) * 32 == len(message.ids)
    quiet_ledger(FLEET, KEYS[0]).receive_request(found)
    check_request(found, FLEET)


def chunk(data: bytes) -> None:
    """Read a piece of a snapshot."""
    reader = Reader(data)
    found = Chunk(
        reader.pick(SENDERS),
        reader.uint(4),
        reader.uint(2) if reader.below(2) else reader.uint(4),
        reader.uint(2) if reader.below(2) else reader.uint(4),
        reader.take(32).ljust(32, b'\0'),
        reader.rest()[:32_000],
    )
    if ROS:
        assert chunk_from_msg(_sent(chunk_to_msg(found))) == found
    quiet_ledger(FLEET, KEYS[0]).receive_chunk(found)
    check_chunk(found, FLEET)


def _sent(message: Any) -> Any:
    """Return a ROS message after its way over the wire."""
    return deserialize_message(serialize_message(message), type(message))


def proof(data: bytes) -> None:
    """Read a proof of equivocation."""
    assert Proof.decode(data, FLEET).encode() == data


def snapshot(data: bytes) -> None:
    """Read a snapshot: with its attestations, without them, or the contract's part."""
    kind, data = data[:1], data[1:]
    if kind == b'\0':
        attested, _ = Attested.decode(data, FLEET)
        assert attested.encode() == data
    elif kind == b'\1':
        found = Snapshot.decode(data, FLEET)
        assert found.encode() == data
        Tangle(FLEET).install(found)
    else:
        assert encode_state(decode_state(data, FLEET), FLEET) == data


def rest(data: bytes) -> None:
    """Ask the HTTP API; there is always an answer, and an error is TIP-25's error object."""
    reader = Reader(data)
    clock = ManualClock(SECOND)
    api = Api(quiet_ledger(FLEET, KEYS[0], clock), clock)
    while reader:
        headers = {
            'content-type': reader.pick(CONTENT_TYPES),
            'accept': reader.pick(CONTENT_TYPES),
        }
        path = reader.pick(PATHS) + reader.chunk().decode('utf-8', 'replace')
        body = reader.rest() if reader.below(2) else reader.chunk()
        answer = api.handle(reader.pick(METHODS), path, headers, body)
        assert answer.status in STATUSES, answer
        if answer.status >= 400:
            error = json.loads(answer.body)['error']
            assert error['code'] == str(answer.status) and error['message']


CONTENT_TYPES = (
    '',
    'application/json',
    'application/vnd.iota.serializer-v1',
    'application/json; charset=utf-8',
    'text/html, */*',
)
PATHS = (
    '/api/core/v2/blocks',
    '/api/core/v2/blocks/',
    '/api/core/v2/blocks/0x',
    '/api/core/v2/info',
    '/api/core/v2/tips',
    '/api/core/v2/peers/',
    '/api/core/v2/',
    '/health',
    '/api/routes',
    '',
)


def ledger(data: bytes) -> None:
    """Let a whole ledger live through anything its network may bring."""
    play(FLEET, KEYS, Reader(data))


def disk(data: bytes) -> None:
    """Open and repair a ledger's file after its disk failed; what is taken is what was there."""
    damage(FLEET, KEYS, Reader(data))


def tensor(data: bytes) -> None:
    """Decode a tensor's chunks: as they are, or one with a good head and a good checksum."""
    reader = Reader(data)
    bits = reader.pick(BITS)
    shape = (1 + reader.below(8), 1 + reader.below(9), 1 + reader.below(9))
    chunks: list[bytes | None]
    if reader.below(2):
        head = encode(np.zeros(shape, dtype=np.float32), bits)[0][:11]
        body = reader.rest()
        chunks = [head + zlib.crc32(head + body).to_bytes(4, 'big') + body]
    else:
        chunks = [reader.chunk() or None for _ in range(1 + reader.below(8))]
    found = decode(chunks, shape, bits)
    assert found.tensor.shape == shape and np.isfinite(found.tensor).all()
    assert 0 <= found.lost <= 1 and (found.lost > 0) == (None in chunks)
    again = decode(encode(found.tensor, 32), shape, 32)
    assert again.tensor.tobytes() == found.tensor.tobytes()


TARGETS: dict[str, Callable[[bytes], None]] = {
    function.__name__: function
    for function in (
        block,
        record,
        have,
        request,
        chunk,
        proof,
        snapshot,
        rest,
        tensor,
        ledger,
        disk,
    )
}


def try_out(target: str, data: bytes) -> bool:
    """
    Run one input.

    :returns: whether it was taken; False: refused.
    """
    try:
        TARGETS[target](data)
    except RefusedError:
        return False
    return True
