"""Pictures in files: found in folders, listed with their classes, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import csv
from pathlib import Path
from typing import NamedTuple

from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.inference.pictures import MAX_FILE_BYTES, read_picture, Rgb

SUFFIXES = {'.bmp', '.jpeg', '.jpg', '.png', '.webp'}
INDEX = 'index.csv'


class Picture(NamedTuple):
    """
    What a file holds.

    :param path: of the file.
    :param rgb: (h, w, 3) uint8; None if it is no picture.
    :param why: it is none.
    """

    path: Path
    rgb: Rgb | None
    why: str = ''


def find(folders: Sequence[Path]) -> list[Path]:
    """
    Return all pictures in folders and below, in order of their names.

    :raises ConfigError: if there is none.
    """
    found = [
        path for folder in folders for path in folder.rglob('*') if path.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise ConfigError(f'no pictures in {", ".join(map(str, folders)) or "no folder"}')
    return sorted(found, key=lambda path: (path.name, path))


def labelled(table: Path) -> list[tuple[Path, int]]:
    """
    Return the pictures and classes that a table (CSV: file, class_index) lists.

    :param table: files are relative to where it lies; of a folder, its ``index.csv``.
    :raises ConfigError: if it cannot be read or is no such table.
    """
    table = table / INDEX if table.is_dir() else table
    try:
        with table.open(encoding='utf-8', newline='') as rows:
            return [
                (table.parent / row['file'], int(row['class_index']))
                for row in csv.DictReader(rows)
            ]
    except OSError as error:
        raise ConfigError(f'{table}: cannot be read: {error.strerror}') from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise ConfigError(f'{table}: expected CSV with the columns file, class_index') from None


def read_all(places: Sequence[Path]) -> Iterator[Picture]:
    """
    Read pictures; one that is damaged keeps nobody from the others.

    :param places: files, or folders of them.
    :raises ConfigError: if a file cannot be read, or there is no picture in a folder.
    """
    for place in places:
        for path in find([place]) if place.is_dir() else [place]:
            try:
                with path.open('rb') as file:
                    yield Picture(path, read_picture(file.read(MAX_FILE_BYTES + 1)))
            except OSError as error:
                raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
            except RefusedError as error:
                yield Picture(path, None, str(error))
