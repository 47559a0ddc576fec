"""Signed records: exact bytes, round trips, one row per malformation."""

import json
from pathlib import Path

import cbor2
from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.block import (
    decode_block,
    encode_block,
    GENESIS,
    MAX_BLOCK_BYTES,
)
from collab_robots.tangle.memory import make_team
from collab_robots.tangle.record import (
    decode_record,
    encode_record,
    MAX_CALL_BYTES,
    MAX_CALLS,
    MAX_CALLS_BYTES,
    RECORD_TAG,
    sign_record,
    SIGNING_DOMAIN,
    verify_record,
)

VECTORS = json.loads((Path(__file__).parents[1] / 'vectors' / 'records.json').read_text())
FLEET, KEYS = make_team(3)
KEY = KEYS[0]
PARENT = b'\x01' * 32


def build(parents=(GENESIS,), tag=RECORD_TAG, nonce=0, key=KEY, body=None, tail=b'', **fields):
    """Write a signed record without any check."""
    values = {
        'version': 1,
        'fleet': FLEET.id,
        'issuer': key.public,
        'seq': 0,
        'parents': list(parents),
        'issued_at': 5,
        'calls': [b'call'],
        **fields,
    }
    if body is None:
        body = cbor2.dumps(list(values.values()), canonical=True)
    return encode_block(
        sorted(set(parents)), tag, body + key.sign(SIGNING_DOMAIN + body) + tail, nonce
    )


def read(raw):
    """Decode and verify."""
    record = decode_record(decode_block(raw))
    return record, verify_record(record, FLEET)


@pytest.mark.parametrize('vector', VECTORS, ids=lambda vector: vector['name'])
def test_golden_bytes(vector):
    key = PrivateKey(bytes.fromhex(vector['seed']))
    record = sign_record(
        key,
        bytes.fromhex(vector['fleet']),
        vector['seq'],
        map(bytes.fromhex, vector['parents']),
        vector['issued_at'],
        tuple(map(bytes.fromhex, vector['calls'])),
    )
    assert record.body().hex() == vector['body']
    assert record.signature.hex() == vector['signature']
    raw = encode_record(record)
    assert raw.hex() == vector['raw']
    assert decode_record(decode_block(raw)) == record


def test_unchecked_builder_builds_good_records():
    """The rows below fail for their own reason, not because of the builder."""
    record, issuer = read(build())
    assert (record.calls, issuer) == ((b'call',), 0)
    assert read(build(parents=(PARENT,), seq=1))[0].seq == 1


CANONICAL = cbor2.dumps([1, FLEET.id, KEY.public, 0, [GENESIS], 5, [b'call']], canonical=True)
MALFORMED = {
    'foreign tag': (build(tag=b'IOTA'), Refusal.MALFORMED),
    'nonce': (build(nonce=1), Refusal.MALFORMED),
    'no data': (encode_block([GENESIS], RECORD_TAG, b''), Refusal.MALFORMED),
    'signature only': (build(body=b''), Refusal.MALFORMED),
    'not CBOR': (build(body=b'\xff' * 40), Refusal.MALFORMED),
    'a map': (build(body=cbor2.dumps({'version': 1})), Refusal.MALFORMED),
    '6 fields': (build(body=cbor2.dumps([1, b'', b'', 0, [], 0])), Refusal.MALFORMED),
    '8 fields': (build(extra=1), Refusal.MALFORMED),
    'record version 0': (build(version=0), Refusal.VERSION),
    'record version 2': (build(version=2), Refusal.VERSION),
    'short fleet id': (build(fleet=bytes(31)), Refusal.MALFORMED),
    'long fleet id': (build(fleet=bytes(33)), Refusal.TOO_LARGE),
    'other fleet': (build(fleet=bytes(32)), Refusal.FLEET),
    'short issuer': (build(issuer=bytes(31)), Refusal.MALFORMED),
    'unknown issuer': (build(key=PrivateKey(bytes(32))), Refusal.ISSUER),
    'signed by another': (build(key=KEYS[1], issuer=KEY.public), Refusal.SIGNATURE),
    'negative seq': (build(seq=-1), Refusal.MALFORMED),
    'seq of text': (build(seq='0'), Refusal.MALFORMED),
    'seq of 33 bits': (build(parents=(PARENT,), seq=1 << 32), Refusal.MALFORMED),
    'seq of 65 bits': (build(parents=(PARENT,), seq=1 << 64), Refusal.MALFORMED),
    'float time': (build(issued_at=5.0), Refusal.MALFORMED),
    'negative time': (build(issued_at=-5), Refusal.MALFORMED),
    'time of 64 bits': (build(issued_at=1 << 63), Refusal.MALFORMED),
    "parents not the block's": (build(body=CANONICAL, parents=(PARENT,)), Refusal.PARENTS),
    'unsorted parents': (build(parents=(PARENT, GENESIS)), Refusal.PARENTS),
    'first record without genesis': (build(parents=(PARENT,)), Refusal.PARENTS),
    'later record with genesis': (build(seq=1), Refusal.PARENTS),
    'too many calls': (build(calls=[b'x'] * (MAX_CALLS + 1)), Refusal.TOO_LARGE),
    'too long call': (build(calls=[bytes(MAX_CALL_BYTES + 1)]), Refusal.TOO_LARGE),
    'empty call': (build(calls=[b'']), Refusal.MALFORMED),
    'call of text': (build(calls=['call']), Refusal.MALFORMED),
    'nested calls': (build(calls=[[b'call']]), Refusal.MALFORMED),
    'tagged value': (build(calls=[cbor2.CBORTag(35, 'a*')]), Refusal.MALFORMED),
    'not the shortest int': (
        build(body=CANONICAL.replace(b'\x05\x81\x44', b'\x18\x05\x81\x44')),
        Refusal.MALFORMED,
    ),
    'not the shortest array': (
        build(body=CANONICAL.replace(b'\x05\x81\x44', b'\x05\x98\x01\x44')),
        Refusal.MALFORMED,
    ),
    'not the shortest byte string': (
        build(body=CANONICAL.replace(b'\x05\x81\x44', b'\x05\x81\x58\x04')),
        Refusal.MALFORMED,
    ),
    'not the shortest parents': (
        build(body=CANONICAL.replace(b'\x81\x58\x20', b'\x98\x01\x58\x20')),
        Refusal.PARENTS,
    ),
    'indefinite array': (
        build(body=CANONICAL.replace(b'\x05\x81\x44', b'\x05\x9f\x44') + b'\xff'),
        Refusal.MALFORMED,
    ),
    'byte string of 2^64 - 1': (
        build(body=CANONICAL[:-5] + b'\x5b' + b'\xff' * 8 + b'call'),
        Refusal.MALFORMED,
    ),
    'array of 2^64 - 1': (build(body=b'\x9b' + b'\xff' * 8 + CANONICAL), Refusal.MALFORMED),
    'bytes after the array': (build(body=CANONICAL + b'\0'), Refusal.MALFORMED),
    'bytes after the signature': (build(tail=b'\0'), Refusal.MALFORMED),
    'signature cut off': (encode_block([GENESIS], RECORD_TAG, CANONICAL), Refusal.MALFORMED),
}


@pytest.mark.parametrize(('raw', 'reason'), MALFORMED.values(), ids=MALFORMED)
def test_malformed_is_refused(raw, reason):
    with pytest.raises(RefusedError) as refused:
        read(raw)
    assert refused.value.reason is reason


@pytest.mark.parametrize('value', [0, 23, 24, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32])
def test_a_number_has_one_form(value):
    before, after = CANONICAL.split(b'\x05\x81\x44')
    shortest = cbor2.dumps(value)
    assert read(build(body=before + shortest + b'\x81\x44' + after))[0].issued_at == value
    for length in (1, 2, 4, 8):
        if value < 1 << 8 * length and length >= len(shortest):
            form = bytes([0x17 + length.bit_length()]) + value.to_bytes(length, 'big')
            with pytest.raises(RefusedError) as refused:
                read(build(body=before + form + b'\x81\x44' + after))
            assert refused.value.reason is Refusal.MALFORMED


def test_refusal_of_another_fleet_names_both():
    with pytest.raises(RefusedError, match=f"{'00' * 32}.*'twin', {FLEET.id.hex()}"):
        read(build(fleet=bytes(32)))


def test_signature_does_not_sign_without_its_domain():
    body = CANONICAL
    raw = encode_block([GENESIS], RECORD_TAG, body + KEY.sign(body))
    with pytest.raises(RefusedError, match='not signed by'):
        read(raw)


def test_largest_record_fits():
    sizes = [MAX_CALLS_BYTES // MAX_CALLS] * MAX_CALLS
    sizes[0] += MAX_CALLS_BYTES - sum(sizes)
    parents = [bytes([n]) * 32 for n in range(1, 9)]
    calls = tuple(b'\xff' * size for size in sizes)
    record = sign_record(KEY, FLEET.id, (1 << 32) - 1, parents, (1 << 63) - 1, calls)
    raw = encode_record(record)
    assert len(raw) <= MAX_BLOCK_BYTES
    assert read(raw)[0] == record


@given(
    seq=st.integers(1, 2**32 - 1),
    parents=st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=8),
    issued_at=st.integers(0, 2**63 - 1),
    calls=st.lists(st.binary(min_size=1, max_size=300), max_size=MAX_CALLS),
)
def test_round_trip(seq, parents, issued_at, calls):
    parents.discard(GENESIS)
    parents = parents or {PARENT}
    record = sign_record(KEY, FLEET.id, seq, parents, issued_at, tuple(calls))
    assert read(encode_record(record)) == (record, 0)


@given(st.data())
def test_no_changed_byte_passes(data):
    """Whatever a relay changes, the block is refused: it cannot make a second one."""
    raw = build()
    at = data.draw(st.integers(0, len(raw) - 1))
    change = data.draw(st.integers(1, 255))
    with pytest.raises(RefusedError):
        read(raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :])


@given(st.binary(max_size=300))
def test_garbage_is_refused(data):
    with pytest.raises(RefusedError):
        read(encode_block([GENESIS], RECORD_TAG, data))
