"""Stardust blocks: exact bytes, round trips, one row per malformation."""

import json
from pathlib import Path
import struct

from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import block_id, decode_block, encode_block, MAX_BLOCK_BYTES

VECTORS = json.loads((Path(__file__).parents[1] / 'vectors' / 'blocks.json').read_text())
PARENTS = [bytes([n]) * 32 for n in range(1, 10)]


def build(version=2, parents=(PARENTS[0],), count=None, kind=5, tag=b't', data=b'data', **lengths):
    """Write a block without any check."""
    payload = struct.pack('<IB', kind, lengths.get('tag_length', len(tag))) + tag
    payload += struct.pack('<I', lengths.get('data_length', len(data))) + data
    head = bytes([version, len(parents) if count is None else count]) + b''.join(parents)
    length = lengths.get('payload_length', len(payload))
    return head + struct.pack('<I', length) + payload + bytes(8)


@pytest.mark.parametrize('vector', VECTORS, ids=lambda vector: vector['name'])
def test_golden_bytes(vector):
    raw = bytes.fromhex(vector['raw'])
    block = decode_block(raw)
    assert block.id == block_id(raw) == bytes.fromhex(vector['id'])
    assert block.parents == tuple(map(bytes.fromhex, vector['parents']))
    assert (block.tag, block.data) == (vector['tag'].encode(), vector['data'].encode())
    assert block.nonce == vector['nonce']
    assert encode_block(block.parents, block.tag, block.data, block.nonce) == raw


MALFORMED = {
    'empty': (b'', Refusal.MALFORMED),
    'one byte': (b'\x02', Refusal.MALFORMED),
    'too large': (build(data=bytes(32_714 - 1)), Refusal.TOO_LARGE),
    'protocol version 1': (build(version=1), Refusal.VERSION),
    'protocol version 3': (build(version=3), Refusal.VERSION),
    'no parents': (build(parents=()), Refusal.PARENTS),
    '9 parents': (build(parents=PARENTS), Refusal.PARENTS),
    '255 parents announced': (build(count=255), Refusal.PARENTS),
    'unsorted parents': (build(parents=(PARENTS[1], PARENTS[0])), Refusal.PARENTS),
    'duplicate parents': (build(parents=(PARENTS[0], PARENTS[0])), Refusal.PARENTS),
    'cut off in the parents': (build()[:20], Refusal.MALFORMED),
    'cut off in the payload': (build()[:-10], Refusal.MALFORMED),
    'cut off in the nonce': (build()[:-1], Refusal.MALFORMED),
    'trailing byte': (build() + b'\0', Refusal.MALFORMED),
    'no payload': (bytes([2, 1]) + PARENTS[0] + bytes(12), Refusal.MALFORMED),
    'payload length too small': (build(payload_length=13), Refusal.MALFORMED),
    'payload length too large': (build(payload_length=15), Refusal.MALFORMED),
    'payload length huge': (build(payload_length=0xFFFFFFFF), Refusal.MALFORMED),
    'payload of a transaction': (build(kind=6), Refusal.MALFORMED),
    'tag of 65 bytes': (build(tag=bytes(65)), Refusal.MALFORMED),
    'tag longer than the payload': (build(tag_length=60), Refusal.MALFORMED),
    'data length too small': (build(data_length=3), Refusal.MALFORMED),
    'data length too large': (build(data_length=5), Refusal.MALFORMED),
}


@pytest.mark.parametrize(('raw', 'reason'), MALFORMED.values(), ids=MALFORMED)
def test_malformed_is_refused(raw, reason):
    with pytest.raises(RefusedError) as refused:
        decode_block(raw)
    assert refused.value.reason is reason


def test_unchecked_builder_builds_good_blocks():
    """The rows above fail for their own reason, not because of the builder."""
    assert decode_block(build()).data == b'data'
    assert decode_block(build(tag=bytes(64))).tag == bytes(64)
    assert len(decode_block(build(data=bytes(32_713 - 1))).raw) == MAX_BLOCK_BYTES


@pytest.mark.parametrize(
    ('parents', 'tag', 'data', 'reason'),
    [
        ([], b'', b'', Refusal.PARENTS),
        (PARENTS, b'', b'', Refusal.PARENTS),
        ([PARENTS[1], PARENTS[0]], b'', b'', Refusal.PARENTS),
        ([b'short'], b'', b'', Refusal.PARENTS),
        (PARENTS[:1], bytes(65), b'', Refusal.MALFORMED),
        (PARENTS[:1], b'', bytes(32_714), Refusal.TOO_LARGE),
    ],
)
def test_encode_refuses_what_decode_refuses(parents, tag, data, reason):
    with pytest.raises(RefusedError) as refused:
        encode_block(parents, tag, data)
    assert refused.value.reason is reason


IDS = st.binary(min_size=32, max_size=32)
BLOCKS = st.tuples(
    st.sets(IDS, min_size=1, max_size=8).map(sorted),
    st.binary(max_size=64),
    st.binary(max_size=2_000),
)


@given(BLOCKS, st.integers(0, 2**64 - 1))
def test_round_trip(fields, nonce):
    block = decode_block(encode_block(*fields, nonce))
    assert (list(block.parents), block.tag, block.data, block.nonce) == (*fields, nonce)


@given(BLOCKS, st.data())
def test_changed_bytes_are_refused_or_another_block(fields, data):
    raw = encode_block(*fields)
    at = data.draw(st.integers(0, len(raw) - 1))
    other = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]
    try:
        block = decode_block(other)
    except RefusedError:
        return
    assert block.id != block_id(raw)
    assert encode_block(block.parents, block.tag, block.data, block.nonce) == other


@given(st.binary(max_size=400))
def test_garbage_is_refused(raw):
    with pytest.raises(RefusedError):
        decode_block(raw)


@pytest.mark.parametrize('count', [1, 2, 8])
@pytest.mark.parametrize(
    ('tag', 'data'), [(b'', b'x'), (b'IOTA', b'hello world'), (bytes(64), bytes(3000))]
)
def test_iota_sdk_agrees(count, tag, data):
    sdk = pytest.importorskip('iota_sdk', reason='iota-sdk 1.1.4 has no wheel for this platform')
    parents = PARENTS[:count]
    raw = encode_block(parents, tag, data)
    payload = sdk.TaggedDataPayload('0x' + tag.hex(), '0x' + data.hex())
    block = sdk.Block(2, ['0x' + parent.hex() for parent in parents], '0', payload)
    assert bytes(sdk.Utils.block_bytes(block)) == raw
    assert sdk.Utils.block_id(block) == '0x' + block_id(raw).hex()
