"""How a team is recorded by rosbag2: which topics, how well, into what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import re

import yaml

from collab_robots.bringup import topics
from collab_robots.bringup.placeholders import filled
from collab_robots.core.errors import ConfigError

PRESETS = {
    'zstd_fast': 'small and cheap',
    'zstd_small': 'smallest, much processor time',
    'fastwrite': 'least processor time; large, and slow to read',
    'none': 'as it is',
}
"""Storage presets of MCAP."""
GLOBAL = (
    *(topics.CLOCK, topics.MISSION, topics.DIAGNOSTICS, topics.RADIO_STATUS),
    *(topics.REAL_TIME_FACTOR, f'/{topics.TF}', f'/{topics.TF_STATIC}'),
)
PICTURES = f'/{topics.IMAGE}'
SAID_TWICE = f'/{topics.heard("")}'  # what one robot sent, others hear
BAG_BYTES = 2**30  # a new file after that
CACHE_BYTES = 2**24  # rosbag2 holds two of these; its own 100 MB are much for a robot


def command(
    out: Path,
    robots: Sequence[str],
    overrides: Path,
    *,
    regex: str = '',
    images: bool = False,
    compression: str = 'zstd_fast',
    use_sim_time: bool = False,
) -> list[str]:
    """
    Return the command line that records.

    :param out: folder of the bag; it must not exist.
    :param robots: their namespaces without the leading slash.
    :param overrides: file with what :func:`quality` returns.
    :param regex: which topics instead of all of these robots; as ECMAScript has it.
    :param images: whether pictures too.
    :param compression: one of ``PRESETS``.
    """
    left_out = [SAID_TWICE, *([] if images else [PICTURES])]
    return [
        *('ros2', 'bag', 'record', '--storage', 'mcap', '--output', str(out)),
        *('--regex', regex or of_team(robots)),
        *('--exclude-regex', '|'.join(left_out)),
        *('--qos-profile-overrides-path', str(overrides)),
        *('--storage-preset-profile', compression),
        *('--max-bag-size', str(BAG_BYTES), '--max-cache-size', str(CACHE_BYTES)),
        '--disable-keyboard-controls',
        *(['--use-sim-time'] if use_sim_time else []),
    ]


def of_team(robots: Sequence[str]) -> str:
    """Return the expression for all topics of some robots, and those of none."""
    names = '|'.join(map(re.escape, robots))
    return f'^/({names})/|^/(fleet|markers)/|^({"|".join(GLOBAL)})$'


def quality(file: Path, robots: Sequence[str]) -> str:
    """
    Return the text of a file with overrides of quality of service, filled in for all robots.

    :raises ConfigError: if the file is missing or malformed.
    """
    try:
        written = yaml.safe_load(file.read_text(encoding='utf-8'))
    except OSError as error:
        raise ConfigError(f'{file}: cannot be read: {error.strerror}') from None
    except yaml.YAMLError as error:
        raise ConfigError(f'{file}: {error}') from None
    result: dict[str, object] = {}
    for robot in robots:
        result |= filled(written, robot)
    return yaml.safe_dump(result, sort_keys=False)
