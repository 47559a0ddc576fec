"""Read what a person types on the command line, and refuse it in words that help."""

from __future__ import annotations

from collections.abc import Sequence
import math
from pathlib import Path

import collab_robots
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.run import Kill

DEFAULT_SLOW = ('robot1:8',)
MAX_SLOW = 1000.0


def _seconds(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ConfigError(f'{what}: expected seconds, got {text!r}')
    return value


def parse_split(text: str, duration: float, robots: int) -> tuple[float, float] | None:
    """
    Read ``A:B`` or ``none``.

    :param duration: of the run, s; the split has to heal within it.
    :returns: None for no split; one robot has nobody to be split from.
    :raises ConfigError: if it is malformed, backwards, or does not end within the run.
    """
    if text == 'none':
        return None
    start, colon, end = text.partition(':')
    if not colon:
        raise ConfigError(f'--split: expected A:B in seconds, or none, got {text!r}')
    split = _seconds(start, '--split'), _seconds(end, '--split')
    if split[0] >= split[1]:
        raise ConfigError(f'--split {text}: the end has to come after the start')
    if robots == 1:
        return None
    if split[1] >= duration:
        raise ConfigError(
            f'--split {text}: ends after the run of {duration:g} s; give a longer --duration, '
            'an earlier split, or --split none'
        )
    return split


def parse_kill(text: str, duration: float) -> Kill:
    """
    Read ``ROBOT:A`` or ``ROBOT:A:B``.

    :raises ConfigError: if it is malformed, backwards, or later than the run.
    """
    robot, *times = text.split(':')
    if len(times) not in (1, 2):
        raise ConfigError(f'--kill: expected ROBOT:A or ROBOT:A:B, got {text!r}')
    seconds = [_seconds(part, '--kill') for part in times]
    if seconds != sorted(set(seconds)) or seconds[-1] >= duration:
        raise ConfigError(f'--kill {text}: expected A before B and both within {duration:g} s')
    return Kill(robot, seconds[0], seconds[1] if len(seconds) == 2 else None)


def parse_slow(texts: Sequence[str] | None) -> dict[str, float]:
    """
    Read each ``ROBOT:FACTOR``.

    :param texts: None for the default, one small robot; ``none`` alone for none.
    :returns: by robot, how many times slower its network runs.
    :raises ConfigError: if one is malformed or no factor of 1 to 1000.
    """
    if texts is None:
        texts = DEFAULT_SLOW
    factors = {}
    for text in () if list(texts) == ['none'] else texts:
        robot, _, number = text.partition(':')
        try:
            factor = float(number)
        except ValueError:
            factor = math.nan
        if not 1.0 <= factor <= MAX_SLOW:
            raise ConfigError(
                f'--slow: expected ROBOT:FACTOR with a factor of 1 to {MAX_SLOW:g}, got {text!r}'
            )
        factors[robot] = factor
    return factors


def shipped(path: str) -> Path:
    """
    Return a file that comes with the project, in the source tree or as installed.

    :param path: from the project's root, such as worlds/office.yaml.
    :raises ConfigError: if the installation lacks it.
    """
    here = Path(collab_robots.__file__).resolve()
    shares = (folder / 'share' / 'collab_robots' for folder in here.parents)  # pip and colcon
    for place in (here.parents[1], *shares):
        if (place / path).is_file():
            return place / path
    raise ConfigError(f'{path} is not in this installation of collab_robots; install it anew')


def default_world() -> Path:
    """
    Return the office that comes with the project.

    :raises ConfigError: if the installation lacks it.
    """
    return shipped('worlds/office.yaml')


def default_duration(robots: int) -> float:
    """Return how long so many robots need for the office with a margin, simulated s."""
    return max(140.0, 560.0 / robots)
