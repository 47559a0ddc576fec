"""Pictures to train and judge with: reading, random views, and who is held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from collab_robots.inference.pictures import read_picture, Rgb

KEPT_SIDE = 400  # pixels of the shorter side: all that a view of 224 pixels needs
VIEW_SIDE = 256  # pixels
AREA = (0.2, 1.0)  # of the picture that a view shows
ASPECT = (3 / 4, 4 / 3)
COLOUR = 0.3  # relative change of brightness, contrast and colour

Rng = np.random.Generator


def read(path: Path) -> Rgb:
    """
    Read a picture, no larger than views need it.

    :returns: (h, w, 3) uint8.
    :raises RefusedError: if it is none.
    """
    image = Image.fromarray(read_picture(path.read_bytes()))
    scale = KEPT_SIDE / min(image.size)
    if scale < 1:
        width, height = image.size
        size = (round(width * scale), round(height * scale))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image)


def is_validation(path: Path) -> bool:
    """
    Tell whether thresholds are chosen with a labelled picture; else claims are made with it.

    Half are, by the hash of their names, so that everyone knows which.
    """
    return hashlib.sha256(path.name.encode()).digest()[0] < 128


def view(picture: Rgb, rng: Rng) -> Rgb:
    """
    Return a random part of a picture: stretched, perhaps mirrored, in changed light.

    :returns: (256, 256, 3) uint8.
    """
    image = Image.fromarray(picture)
    area = image.width * image.height * rng.uniform(*AREA)
    aspect = np.exp(rng.uniform(*np.log(ASPECT)))
    width = min(round(np.sqrt(area * aspect)), image.width)
    height = min(round(np.sqrt(area / aspect)), image.height)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    image = image.resize(
        (VIEW_SIDE, VIEW_SIDE),
        Image.Resampling.BICUBIC,
        box=(left, top, left + width, top + height),
    )
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(1 + rng.uniform(-COLOUR, COLOUR))
    return np.asarray(image)


def views(pictures: Sequence[Rgb], count: int, rng: Rng) -> Iterator[Rgb]:
    """Yield ``count`` random views, of each picture in turn."""
    for number in range(count):
        yield view(pictures[number % len(pictures)], rng)
