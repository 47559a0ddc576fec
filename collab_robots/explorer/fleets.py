"""Make a fleet: a key file for each robot and the one file that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from collab_robots.core.config import parse
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey, unused_marker

UNUSED = (
    'This key has signed nothing yet: its robot may start with an empty ledger.\n'
    'The robot removes this file. Do not make it again by hand: a robot that lost its ledger has\n'
    'to hear the others first, or it would sign a second record with a number it used before.\n'
)


def make_fleet(directory: Path, robots: Sequence[str], name: str) -> Fleet:
    """
    Write ``fleet.yaml``, and ``<robot>/key`` (mode 0600) with new random keys.

    ``<robot>/key.unused`` beside each key says that it signed nothing yet.

    :param directory: made if missing; existing keys and fleet files are never overwritten.
    :raises ConfigError: if a name is wrong or twice, or a file exists or cannot be written.
    """
    draft = {
        'fleet': name,
        'robots': [
            {'name': robot, 'public_key': f'{index:064x}'} for index, robot in enumerate(robots)
        ],
    }
    parse(Fleet, draft, 'fleet')  # names first: nothing is written for a wrong one
    path = directory / 'fleet.yaml'
    if path.exists():
        raise ConfigError(f'{path}: exists already; a fleet is never overwritten')
    members = []
    try:
        for robot in robots:
            key = make_key(directory / robot)
            members.append({'name': robot, 'public_key': key.public.hex()})
        path.write_text(
            '# The roster: the same file on every robot.\n'
            + yaml.safe_dump({'fleet': name, 'robots': members}, sort_keys=False),
            encoding='utf-8',
        )
    except OSError as error:
        raise ConfigError(f'{directory}: cannot be written: {error.strerror}') from None
    return Fleet.load(path)


def make_key(folder: Path) -> PrivateKey:
    """
    Make a robot's key: ``key`` (mode 0600), and ``key.unused``, as it signed nothing yet.

    :param folder: made if missing; an existing key is never overwritten.
    :raises ConfigError: if there is one, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key = PrivateKey.generate(folder / 'key')
        unused_marker(folder / 'key').write_text(UNUSED, encoding='utf-8')
    except OSError as error:
        raise ConfigError(f'{folder}: cannot be written: {error.strerror}') from None
    return key
