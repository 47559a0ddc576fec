"""Read what a person types on the command line, and refuse it in words that help."""

from __future__ import annotations

import math
from pathlib import Path
import sysconfig

import collab_robots
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.run import Kill


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


def default_world() -> Path:
    """
    Return the office that comes with the project.

    :raises ConfigError: if the installation lacks it.
    """
    places = (
        Path(collab_robots.__file__).resolve().parents[1] / 'worlds',
        Path(sysconfig.get_path('data')) / 'share' / 'collab_robots' / 'worlds',
    )
    for place in places:
        if (place / 'office.yaml').is_file():
            return place / 'office.yaml'
    raise ConfigError(f'no office.yaml in {places[0]} or {places[1]}; name one with --world')


def default_duration(robots: int) -> float:
    """Return how long so many robots need for the office with a margin, simulated s."""
    return max(140.0, 560.0 / robots)
