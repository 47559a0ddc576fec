"""The picture itself as what a helper gets: compressed, or its pixels."""

from __future__ import annotations

import io
import math

import numpy as np

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import Kind, Option
from collab_robots.inference.pictures import read_picture, Rgb, stretch


def encode_picture(rgb: Rgb, option: Option, size: tuple[int, int]) -> bytes:
    """
    Return what is sent of a picture: no more pixels than the network looks at.

    :param rgb: (h, w, 3) uint8.
    :param option: of kind JPEG or RAW.
    :param size: height and width of the network's input.
    :raises RefusedError: if it is no picture.
    """
    image = stretch(rgb, size)
    if option.kind is Kind.RAW:
        return image.tobytes()
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=option.quality)
    return buffer.getvalue()


def decode_picture(data: bytes, option: Option, size: tuple[int, int]) -> Rgb:
    """
    Return the picture that :func:`encode_picture` made bytes of.

    :returns: (*size, 3) uint8.
    :raises RefusedError: if it is none, or of another size.
    """
    expected = (*size, 3)
    if option.kind is Kind.RAW:
        if len(data) != math.prod(expected):
            raise RefusedError(Refusal.IMAGE, f'expected pixels {expected}, got {len(data)} bytes')
        return np.frombuffer(data, dtype=np.uint8).reshape(expected)
    rgb = read_picture(data)
    if rgb.shape != expected:
        raise RefusedError(Refusal.IMAGE, f'expected pixels {expected}, got {rgb.shape}')
    return rgb
