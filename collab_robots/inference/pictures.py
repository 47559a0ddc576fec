"""Pictures from cameras, files and peers: what is one, and how a network wants it."""

from __future__ import annotations

from collections.abc import Sequence
import io
import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

from collab_robots.core.errors import Refusal, RefusedError

Rgb = npt.NDArray[np.uint8]
MIN_SIDE = 8
MAX_SIDE = 4096
# A camera's largest frame, uncompressed.
MAX_FILE_BYTES = 3 * MAX_SIDE * MAX_SIDE
SHRINK = 3.0  # a picture 6 times too large or more is first shrunk by whole steps: half the time
FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP')
# What Pillow raises for a file that is damaged or claims too much; where warnings are errors, too.
PICTURE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    MemoryError,
    struct.error,
    Image.DecompressionBombError,
    Warning,
)


def check_rgb(rgb: Rgb) -> Rgb:
    """
    Return the picture if it is one.

    :param rgb: (h, w, 3) uint8, sides of 8 to 4096 pixels.
    :raises RefusedError: if it is anything else.
    """
    good = isinstance(rgb, np.ndarray) and rgb.dtype == np.uint8 and rgb.ndim == 3
    if not good or rgb.shape[2] != 3:
        came = f'{getattr(rgb, "dtype", type(rgb).__name__)} {getattr(rgb, "shape", "")}'
        raise RefusedError(Refusal.IMAGE, f'expected uint8 (h, w, 3), got {came}')
    _check_sides(rgb.shape[1], rgb.shape[0])
    return rgb


def read_picture(data: bytes) -> Rgb:
    """
    Return the picture that a file holds, with its colours as 8-bit RGB.

    Grey pictures get three equal channels, 16-bit ones lose their lower byte, and transparency is
    dropped. The claimed size is checked before anything is unpacked.

    :param data: a whole file, JPEG, PNG, BMP or WebP.
    :returns: (h, w, 3) uint8.
    :raises RefusedError: if it is damaged, cut short, too large, too small or of another format.
    """
    if len(data) > MAX_FILE_BYTES:
        raise RefusedError(
            Refusal.IMAGE, f'expected at most {MAX_FILE_BYTES} bytes, got {len(data)}'
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_sides(*image.size)
            if image.mode.startswith('I'):  # more than 8 bits a pixel, always grey
                upper = np.asarray(image).clip(0, 0xFFFF).astype(np.uint16) >> 8
                image = Image.fromarray(upper.astype(np.uint8))
            return np.asarray(image.convert('RGB'))
    except PICTURE_ERRORS as error:
        raise RefusedError(Refusal.IMAGE, f'no readable picture: {error}') from None


def stretch(rgb: Rgb, size: tuple[int, int]) -> Image.Image:
    """
    Return a picture in another size (bicubic, antialiased).

    :param rgb: (h, w, 3) uint8.
    :param size: height and width.
    :raises RefusedError: if it is no picture.
    """
    image = Image.fromarray(check_rgb(rgb))
    return image.resize(size[::-1], Image.Resampling.BICUBIC, reducing_gap=SHRINK)


def to_tensor(
    rgb: Rgb, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]
) -> npt.NDArray[np.float32]:
    """
    Bring a picture into the form that a network was trained on.

    It is stretched, so a picture seen at an angle gets its width back.

    :param rgb: (h, w, 3) uint8.
    :param size: height and width of the network's input.
    :param mean: of the three channels, in steps of the 8-bit scale.
    :param std: likewise.
    :returns: (1, 3, height, width) float32, ``(x - mean) / std``.
    :raises RefusedError: if it is no picture.
    """
    pixels = np.asarray(stretch(rgb, size), dtype=np.float32)
    scaled = (pixels - np.array(mean, dtype=np.float32)) / np.array(std, dtype=np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def _check_sides(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
        raise RefusedError(
            Refusal.IMAGE,
            f'expected sides of {MIN_SIDE} to {MAX_SIDE} pixels, got {width}x{height}',
        )
