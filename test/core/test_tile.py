import zlib

from flatland import box, HOUSE, scan
from hypothesis import given, strategies
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.geometry import pose
from collab_robots.mapping.layer import Layer
from collab_robots.mapping.tile import (
    decode_tile,
    encode_tile,
    MAX_LEVEL,
    MAX_TILE_BYTES,
    tile_digest,
    TileCoder,
)

LEVELS = arrays(np.int8, (64, 64), elements=strategies.integers(-MAX_LEVEL, MAX_LEVEL))
ZEROS = bytes(64 * 64)


def packed(raw, version=1):
    return bytes([version]) + zlib.compress(raw)


@given(LEVELS)
def test_round_trip(levels):
    data = encode_tile(levels)
    assert len(data) <= MAX_TILE_BYTES
    np.testing.assert_array_equal(decode_tile(data), levels)


def test_the_densest_tile_fits():
    levels = np.random.default_rng(1).integers(-MAX_LEVEL, MAX_LEVEL + 1, (64, 64), np.int8)
    assert len(encode_tile(levels)) <= MAX_TILE_BYTES


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (b'', Refusal.VERSION),
        (packed(ZEROS, version=2), Refusal.VERSION),
        (b'\x01', Refusal.MALFORMED),
        (b'\x01not zlib', Refusal.MALFORMED),
        (packed(ZEROS)[:-1], Refusal.MALFORMED),
        (packed(ZEROS) + b'\x00', Refusal.MALFORMED),
        (packed(ZEROS[1:]), Refusal.MALFORMED),
        (packed(ZEROS + b'\x00'), Refusal.MALFORMED),
        (packed(bytes(4_000_000)), Refusal.MALFORMED),  # a bomb of 4 kB
        (packed(ZEROS[1:] + b'\x05'), Refusal.MALFORMED),
        (packed(ZEROS[1:] + b'\xfb'), Refusal.MALFORMED),
        (b'\x01' + bytes(MAX_TILE_BYTES), Refusal.TOO_LARGE),
    ],
)
def test_what_is_no_tile_is_refused(data, reason):
    with pytest.raises(RefusedError) as caught:
        decode_tile(data)
    assert caught.value.reason is reason


def test_bytes_and_digest_stay_what_they_are():
    levels = np.zeros((64, 64), np.int8)
    levels[3, 5] = MAX_LEVEL
    assert zlib.decompress(encode_tile(levels)[1:]) == levels.tobytes()
    assert (
        tile_digest(b'a tile').hex()
        == 'b688d673bbdf505e97761cda42a8ae02d122af83c275c6329b0b5cd9c3a98b2d'
    )


@pytest.mark.parametrize(
    'levels',
    [np.zeros((64, 63), np.int8), np.zeros((64, 64)), np.full((64, 64), 5, np.int8)],
)
def test_wrong_levels_are_a_mistake_of_the_caller(levels):
    with pytest.raises(ValueError, match='expected int8'):
        encode_tile(levels)


def test_a_tile_is_given_out_when_it_changed_and_not_too_often():
    layer, at = Layer(), pose(3.0, 2.5, 0.0)
    coder = TileCoder(layer, 2 * SECOND)
    layer.integrate(scan(HOUSE, at), at)
    layer.integrate(scan(HOUSE, at), at)
    first = coder.changed(0)
    assert [(tile.x, tile.y) for tile in first] == sorted((t.x, t.y) for t in first)
    assert first
    assert coder.changed(3 * SECOND) == []  # nothing happened
    for _ in range(3):
        layer.integrate(scan(HOUSE, at), at)
    assert coder.changed(1 * SECOND) == []  # too soon
    assert coder.changed(4 * SECOND)  # but not forgotten
    sent = {(tile.x, tile.y): decode_tile(tile.data) for tile in coder.changed(4 * SECOND)}
    assert not sent


def test_a_settled_room_grows_quiet_though_scans_go_on():
    noise, layer, at = np.random.default_rng(5), Layer(), pose(3.0, 2.5, 0.0)
    world = np.array(box(1.02, 1.02, 4.98, 3.98))
    coder = TileCoder(layer, 0)
    for _ in range(300):
        layer.integrate(scan(world, at, noise=noise), at)
    coder.changed(0)
    sent = 0
    for k in range(1, 101):
        layer.integrate(scan(world, at, noise=noise), at)
        sent += len(coder.changed(k))
    assert sent <= 120  # of 100 scans of 4 tiles


def test_what_was_given_out_follows_the_layer():
    noise, layer = np.random.default_rng(6), Layer()
    coder, held = TileCoder(layer, 0), {}
    for k in range(20):
        at = pose(2.0 + 0.05 * k, 2.5, 0.1 * k)
        layer.integrate(scan(HOUSE, at, noise=noise), at)
        held.update({(tile.x, tile.y): tile.data for tile in coder.changed(k)})
    for index, tile in layer.tiles.items():
        levels = decode_tile(held[index]) if index in held else np.zeros((64, 64))
        assert np.abs(levels - tile.log_odds).max() <= 0.75
