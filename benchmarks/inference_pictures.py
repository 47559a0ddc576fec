"""Labelled pictures for the inference benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from collab_robots.inference.album import labelled
from collab_robots.inference.pictures import read_picture, Rgb

FOLDER = Path('../shared/data/imagenet_samples')


class Labelled(NamedTuple):
    """
    A picture and what it shows.

    :param rgb: (h, w, 3) uint8.
    :param label: index of its class.
    """

    rgb: Rgb
    label: int


def load(folder: Path, count: int | None = None) -> list[Labelled]:
    """
    Read pictures.

    :param folder: with a table ``index.csv`` of ``file`` and ``class_index``.
    :param count: how many, spread evenly over the table; None: all.
    :raises ConfigError: if the folder is not like that.
    :raises RefusedError: if a picture is none.
    """
    rows = labelled(folder)
    step = max(1, len(rows) // count) if count else 1
    chosen = rows[::step][:count]
    return [Labelled(read_picture(path.read_bytes()), label) for path, label in chosen]
