"""What the doctor says: a line for each thing that it looked at, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from collab_robots.core.errors import CollabError
from collab_robots.tangle.settings import LedgerConfig

MIB = 1 << 20


class Level(str, Enum):
    """How bad it is."""

    OK = 'ok'
    WARN = 'warn'
    FAIL = 'fail'


@dataclass(frozen=True)
class Finding:
    """
    One line.

    :param check: what was looked at; the same name for ever, for programs.
    :param message: what was found.
    :param fix: what to do; empty if all is well.
    """

    check: str
    level: Level
    message: str
    fix: str = ''


@dataclass(frozen=True)
class Limits:
    """
    From where on something is wrong; times in s, sizes in bytes, rates in Hz.

    :param free_disk: below it, the disk is called full; below four times that, it is warned of.
    :param free_memory: below it, there is too little.
    :param load: processes that want a core, for each core there is.
    :param lidar: scans; the robot stops when the newest is older than 0.5 s.
    :param camera: pictures.
    :param odometry: of the wheels.
    :param rays: share of a scan's rays that say something.
    :param age: of a stamp when its message arrives.
    :param skew: between two robots' clocks; they then order things differently than they were.
    :param max_skew: records from further in the future are put off.
    """

    free_disk: int = 256 * MIB
    free_memory: int = 256 * MIB
    load: float = 2.0
    lidar: float = 3.0
    camera: float = 1.0
    odometry: float = 5.0
    rays: float = 0.1
    age: float = 1.0
    skew: float = 0.5
    max_skew: float = LedgerConfig().future_tolerance


def ok(check: str, message: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, message)


def warn(check: str, message: str, fix: str) -> Finding:
    """Return what hinders, or will."""
    return Finding(check, Level.WARN, message, fix)


def fail(check: str, message: str, fix: str) -> Finding:
    """Return what keeps the robot from its work."""
    return Finding(check, Level.FAIL, message, fix)


def failed(check: str, error: CollabError, fix: str) -> Finding:
    """
    Return an error as a finding; what stands behind its first semicolon is what to do.

    :param fix: if the error does not say.
    """
    message, _, advice = ' '.join(str(error).split()).partition('; ')
    return fail(check, message, advice or fix)


def listed(names: Iterable[str]) -> str:
    """Return names in a row, in order."""
    return ', '.join(sorted(names))
