"""Find the files that come with the project: worlds, configuration, compiled contracts."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import sys

from collab_robots.core.errors import ConfigError

_TREE = Path(__file__).resolve().parents[2]


def _roots() -> Iterator[Path]:
    if (_TREE / 'package.xml').is_file():
        yield _TREE
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    for prefix in [*filter(None, prefixes), sys.prefix]:
        yield Path(prefix, 'share', 'collab_robots')


def resource(relative: str) -> Path:
    """
    Return the path of a file or folder that comes with the project.

    The source tree around this package comes first, so that edits count at once; then what was
    installed: each prefix that ROS names, and this Python's own.

    :param relative: as in the source tree, for example ``worlds/office.yaml``.
    :raises ConfigError: if it is nowhere, naming the places.
    """
    places = [root / relative for root in _roots()]
    for place in places:
        if place.exists():
            return place
    looked = ', '.join(str(place) for place in places)
    raise ConfigError(f'{relative} is not part of this installation; looked for {looked}')
