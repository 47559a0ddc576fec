"""What the disk has to be told beside the contents of files."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """
    Make durable which files a folder has: those that were made, renamed or removed.

    :raises OSError: if the disk fails.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
