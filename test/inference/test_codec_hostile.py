"""The tensor codec and bytes that nobody coded: refused, whatever they are, and never large."""

import struct
import tracemalloc
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.codec import BITS, decode, encode

SHAPE = (6, 5, 4)
X = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
HEAD = 11
OVERHEAD = HEAD + 4
STEP = 2


def refused(chunks, shape=SHAPE, bits=4):
    with pytest.raises(RefusedError) as caught:
        decode(chunks, shape, bits)
    assert caught.value.reason is Refusal.TENSOR
    return str(caught.value)


def forged(body, chunk):
    """Return the chunk with another body and a checksum that fits it."""
    head = chunk[:HEAD]
    return head + struct.pack('>I', zlib.crc32(head + body)) + body


def deflated(plain):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    return deflate.compress(plain) + deflate.flush()


@pytest.mark.parametrize('bits', BITS)
def test_every_truncation_is_refused(bits):
    (chunk,) = encode(X, bits)
    for size in range(len(chunk)):
        assert 'tensor' in refused([chunk[:size]], bits=bits)
    refused([chunk + b'\0'], bits=bits)


@pytest.mark.parametrize('bits', BITS)
def test_every_flipped_bit_is_refused(bits):
    (chunk,) = encode(X, bits)
    for bit in range(8 * len(chunk)):
        flipped = bytearray(chunk)
        flipped[bit // 8] ^= 1 << bit % 8
        refused([bytes(flipped)], bits=bits)


@pytest.mark.parametrize('bits', BITS)
def test_every_truncated_body_is_refused_even_with_its_checksum(bits):
    (chunk,) = encode(X, bits)
    body = chunk[OVERHEAD:]
    for size in range(len(body)):
        refused([forged(body[:size], chunk)], bits=bits)
    refused([forged(body + b'\0', chunk)], bits=bits)


@given(st.integers(0, 10_000), st.sampled_from(BITS))
@settings(deadline=None)
def test_a_flipped_bit_with_its_checksum_is_another_tensor_or_refused(bit, bits):
    (chunk,) = encode(X, bits)
    body = bytearray(chunk[OVERHEAD:])
    bit %= 8 * len(body)
    body[bit // 8] ^= 1 << bit % 8
    try:
        found = decode([forged(bytes(body), chunk)], SHAPE, bits).tensor
    except RefusedError as error:
        assert error.reason is Refusal.TENSOR
    else:
        assert found.shape == SHAPE and np.isfinite(found).all()


@given(st.binary(max_size=300), st.sampled_from(BITS), st.sampled_from([2, 4, 8, None]))
@settings(deadline=None)
def test_any_body_is_a_tensor_or_refused(noise, bits, width):
    (chunk,) = encode(X, bits)
    body = noise if width is None else chunk[OVERHEAD:][:STEP] + bytes([width]) + deflated(noise)
    try:
        found = decode([forged(body, chunk)], SHAPE, bits).tensor
    except RefusedError as error:
        assert error.reason is Refusal.TENSOR
    else:
        assert found.shape == SHAPE and np.isfinite(found).all()


@given(st.lists(st.none() | st.binary(max_size=80), max_size=6))
def test_noise_is_refused(chunks):
    if chunks.count(None) == len(chunks) and len(chunks) in range(1, 7):
        assert decode(chunks, SHAPE, 4).lost == 1
    else:
        refused(chunks)


def test_chunks_of_another_place_tensor_or_time_are_refused():
    chunks = encode(X, 4, chunk_bytes=40)
    assert len(chunks) > 2
    refused(chunks[::-1])
    refused(chunks[1:])
    refused([*chunks, None])
    refused([chunks[0], *chunks[:-1]])
    refused(chunks, shape=(6, 4, 5))
    refused(chunks, shape=(7, 5, 4))
    refused(chunks, bits=3)
    refused([chunks[0], *encode(X, 8, chunk_bytes=40)[1:]])


@pytest.mark.parametrize('count', [0, 7, 11, 36, 10_000])
def test_a_number_of_chunks_that_cannot_be_is_refused(count):
    refused([None] * count)


@pytest.mark.parametrize('shape', [(), (0,), (-1, 4), (1, 2, 3, 4), (5000,), (4096, 4096, 4096)])
def test_a_shape_that_cannot_be_is_refused(shape):
    refused([None], shape=shape)


@pytest.mark.parametrize('step', [0, 0x7F80, 0x7FC0, 0x8000, 0xBF80, 0xFFFF])
def test_a_step_that_is_no_positive_number_is_refused(step):
    (chunk,) = encode(X, 4)
    assert 'step' in refused([forged(struct.pack('>H', step) + chunk[OVERHEAD + STEP :], chunk)])


def test_32_bits_that_are_no_numbers_are_refused():
    (chunk,) = encode(X, 32)
    for bad in (np.nan, np.inf, -np.inf):
        x = X.astype('>f4')
        x[5, 4, 3] = bad
        assert 'finite' in refused([forged(x.tobytes(), chunk)], bits=32)


def test_a_level_too_far_is_refused():
    (chunk,) = encode(X[:1, :1, :1], 4)
    for far, good in ((1 << 18, True), ((1 << 18) + 1, False), ((1 << 32) - 1, False)):
        plain = b'\xff\0' + b'\xff' + struct.pack('>I', far)
        bomb = [forged(chunk[OVERHEAD:][:STEP] + b'\x08' + deflated(plain), chunk)]
        if good:
            assert decode(bomb, (1, 1, 1), 4).tensor.shape == (1, 1, 1)
        else:
            refused(bomb, shape=(1, 1, 1))


@pytest.mark.parametrize('width', [2, 4, 8])
def test_a_bomb_takes_no_memory(width):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(50_000_000)) + deflate.flush()
    (chunk,) = encode(X, 4)
    body = chunk[OVERHEAD:][:STEP] + bytes([width]) + bomb
    assert OVERHEAD + len(body) < 60_000
    evil = forged(body, chunk)
    tracemalloc.start()
    refused([evil])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_chunk_that_is_too_large_is_refused_unread():
    (chunk,) = encode(X, 4)
    refused([forged(bytes(60_000), chunk)])
