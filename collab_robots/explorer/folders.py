"""Folders of runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from collab_robots.core.errors import ConfigError


def new_folder(wanted: Path | None = None) -> Path:
    """
    Return a folder that holds nothing, for one run; it is not made here.

    :param wanted: this one; if None, one in ``runs`` that the time gives its name.
    :raises ConfigError: if it holds something.
    """
    folder = wanted or Path('runs') / datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f'{folder}: exists and is not an empty folder; a run is never mixed')
    return folder
