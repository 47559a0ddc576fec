"""Pictures of all kinds become RGB, and what is none is refused before it costs memory."""

import io
import struct
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference import pictures
from collab_robots.inference.pictures import check_rgb, read_picture, to_tensor

GENERATOR = np.random.default_rng(5)
RGB = GENERATOR.integers(0, 256, (33, 47, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = 'PNG', **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """Write the header of a picture of any size; its pixels are not there."""
    parts = [
        (b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)),
        (b'IDAT', zlib.compress(bytes(1000))),
        (b'IEND', b''),
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in parts
    )


@pytest.mark.parametrize(
    ('kind', 'options'), [('PNG', {}), ('BMP', {}), ('WEBP', {'lossless': 1})]
)
def test_colours_come_back_as_they_are(kind, options):
    np.testing.assert_array_equal(
        read_picture(encoded(Image.fromarray(RGB), kind, **options)), RGB
    )


def test_a_jpeg_comes_back_almost_as_it_is():
    smooth = np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(3, 2)
    back = read_picture(encoded(Image.fromarray(smooth), 'JPEG', quality=95))
    assert np.abs(back.astype(int) - smooth).max() <= 4


def test_grey_gets_three_equal_channels():
    grey = RGB[:, :, 0]
    expected = grey[:, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(grey))), expected)


def test_sixteen_bits_lose_their_lower_byte():
    deep = GENERATOR.integers(0, 1 << 16, (20, 30), dtype=np.uint16)
    expected = (deep >> 8).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(deep))), expected)


def test_transparency_is_dropped():
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 9, dtype=np.uint8)])
    np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(rgba))), RGB)


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA', 'CMYK'])
def test_every_kind_of_colours_becomes_rgb(mode):
    image = Image.fromarray(RGB).convert(mode)
    rgb = read_picture(encoded(image, 'JPEG' if mode == 'CMYK' else 'PNG'))
    assert rgb.shape == RGB.shape and rgb.dtype == np.uint8


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'no picture',
        encoded(Image.fromarray(RGB))[:200],
        encoded(Image.fromarray(RGB), 'JPEG')[:-300],
        encoded(Image.fromarray(RGB), 'GIF'),
        encoded(Image.fromarray(RGB[:7])),
        png(5000, 20),
        png(20, 5000),
        png(60_000, 60_000),
        png(12_000, 12_000),
        png(100, 100),
    ],
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(RefusedError) as caught:
        read_picture(data)
    assert caught.value.reason is Refusal.IMAGE


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    data = encoded(Image.fromarray(RGB))
    monkeypatch.setattr(pictures, 'MAX_FILE_BYTES', len(data) - 1)
    with pytest.raises(RefusedError, match='at most'):
        read_picture(data)


FILES = [
    encoded(Image.fromarray(RGB), 'PNG'),
    encoded(Image.fromarray(RGB), 'JPEG', exif=Image.Exif(), dpi=(72, 72)),
    encoded(Image.fromarray(RGB), 'WEBP'),
    encoded(Image.fromarray(RGB), 'BMP'),
    encoded(Image.fromarray(RGB[:, :, 0]).convert('P')),
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4)), max_size=4),
    st.integers(0, 1 << 16),
)
def test_damage_gives_a_picture_or_a_refusal(data, changes, length):
    damaged = bytearray(data)
    for place, new in changes:
        damaged[place % 200 : place % 200 + len(new)] = new  # the headers
    try:
        rgb = read_picture(bytes(damaged[: max(length, 20)]))
    except RefusedError as error:
        assert error.reason is Refusal.IMAGE
    else:
        check_rgb(rgb)


@pytest.mark.parametrize(
    'picture',
    [
        np.zeros((240, 320), dtype=np.uint8),
        np.zeros((240, 320, 4), dtype=np.uint8),
        np.zeros((240, 320, 3), dtype=np.float32),
        np.zeros((240, 320, 3), dtype=np.uint16),
        np.zeros((0, 320, 3), dtype=np.uint8),
        np.zeros((5000, 10, 3), dtype=np.uint8),
        [[[0, 0, 0]]],
    ],
)
def test_an_array_that_is_no_picture_is_refused(picture):
    with pytest.raises(RefusedError, match='image'):
        to_tensor(picture, (8, 8), (0, 0, 0), (1, 1, 1))


def test_a_tensor_has_the_wanted_size_and_order():
    rgb = np.zeros((10, 20, 3), dtype=np.uint8)
    rgb[:, 10:, 2] = 255  # blue, to the right
    x = to_tensor(rgb, (12, 24), (127, 127, 127), (128, 128, 128))
    assert x.shape == (1, 3, 12, 24) and x.flags.c_contiguous
    assert np.all(x[0, 2, :, :8] == -127 / 128) and np.all(x[0, 2, :, 16:] == 1)
    assert np.all(x[0, :2] == np.float32(-127 / 128))
