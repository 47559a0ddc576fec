"""
Changes of the roster as people want them: by names, whatever the roster is at the moment.

A wish looks at a roster. It returns the change to vote for, or None if the roster is as wanted.
It raises ConfigError, in words, if the contract would not make the change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from collab_robots.contract.calls import fleet as calls
from collab_robots.contract.calls.fleet import Change
from collab_robots.contract.views.roster import Robot, Roster, Standing
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import MAX_ROBOTS

Wish: TypeAlias = Callable[[Roster], Change | None]


def to_join(name: str, key: bytes, weight: int) -> Wish:
    """Wish that a robot is in the fleet."""
    change = calls.join(name, key, weight)

    def look(roster: Roster) -> Change | None:
        known = roster.find(name)
        if known is not None and known.key == key and known.standing is Standing.ACTIVE:
            return None
        if known is not None:
            raise ConfigError(
                f'{name} {_told(known)} with the key {known.key.hex()}; a name is given once: '
                'admit the robot under another one, or see "fleet rekey" and "fleet reinstate"'
            )
        _refuse_taken(roster, key)
        if len(roster.robots) == MAX_ROBOTS:
            raise ConfigError(f'the fleet is full: it has had {MAX_ROBOTS} robots')
        return change

    return look


def to_leave(name: str) -> Wish:
    """Wish that a robot is not in the fleet any more."""

    def look(roster: Roster) -> Change | None:
        robot = _find(roster, name)
        if robot.standing is Standing.LEFT:
            return None
        if roster.active == (robot,):
            raise ConfigError(f'{name} is the last robot: nobody would be left')
        return calls.leave(robot.index, robot.revision)

    return look


def to_rekey(name: str, key: bytes) -> Wish:
    """Wish that a robot has another key."""

    def look(roster: Roster) -> Change | None:
        robot = _member(roster, name)
        if robot.key == key:
            return None
        _refuse_taken(roster, key)
        return calls.rekey(robot.index, robot.revision, key)

    return look


def to_reweigh(name: str, weight: int) -> Wish:
    """Wish that a robot's votes weigh so much."""

    def look(roster: Roster) -> Change | None:
        robot = _member(roster, name)
        if robot.weight == weight:
            return None
        return calls.reweigh(robot.index, robot.revision, weight)

    return look


def to_reinstate(name: str) -> Wish:
    """Wish that a robot is not expelled."""

    def look(roster: Roster) -> Change | None:
        robot = _member(roster, name)
        if robot.standing is Standing.ACTIVE:
            return None
        return calls.reinstate(robot.index, robot.revision)

    return look


def _find(roster: Roster, name: str) -> Robot:
    robot = roster.find(name)
    if robot is None:
        known = ', '.join(one.name for one in roster.robots)
        raise ConfigError(f'{name} is not in the fleet; it has: {known}')
    return robot


def _member(roster: Roster, name: str) -> Robot:
    robot = _find(roster, name)
    if robot.standing is Standing.LEFT:
        raise ConfigError(f'{name} {_told(robot)}')
    return robot


def _refuse_taken(roster: Roster, key: bytes) -> None:
    for robot in roster.robots:
        if robot.key == key:
            raise ConfigError(f'{key.hex()} is the key of {robot.name}; each robot has its own')


def _told(robot: Robot) -> str:
    return {
        Standing.ACTIVE: 'is in the fleet',
        Standing.EXPELLED: 'is expelled from the fleet',
        Standing.LEFT: 'has left the fleet for ever',
    }[robot.standing]
