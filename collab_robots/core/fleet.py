"""The fleet file: which robots there are, their keys and weights. Every robot has the same one."""

from __future__ import annotations

from functools import cached_property
import hashlib
from pathlib import Path
from typing import Annotated

import cbor2
from pydantic import Field, field_validator, model_validator

from collab_robots.core.config import load_yaml, Strict
from collab_robots.core.errors import ConfigError
from collab_robots.core.identity import address

FLEET_ID_BYTES = 32
MAX_ROBOTS = 64
ROBOT_NAME = r'^[a-z][a-z0-9_]{0,31}$'  # also a valid ROS namespace


class Member(Strict):
    """One robot of the roster."""

    name: Annotated[str, Field(pattern=ROBOT_NAME)]
    public_key: Annotated[str, Field(pattern=r'^[0-9a-f]{64}$', description='Ed25519, hex')]
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1

    @cached_property
    def key(self) -> bytes:
        """The public key, 32 bytes."""
        return bytes.fromhex(self.public_key)

    @cached_property
    def address(self) -> bytes:
        """The address that contracts see, 20 bytes."""
        return address(self.key)


class Fleet(Strict):
    """The roster. Robots are kept sorted by name, so an index means the same on every robot."""

    fleet: Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$')]
    robots: Annotated[tuple[Member, ...], Field(min_length=1, max_length=MAX_ROBOTS)]

    @field_validator('robots')
    @classmethod
    def _sort(cls, robots: tuple[Member, ...]) -> tuple[Member, ...]:
        return tuple(sorted(robots, key=lambda robot: robot.name))

    @model_validator(mode='after')
    def _unique(self) -> Fleet:
        for what in ('name', 'public_key'):
            values = [getattr(robot, what) for robot in self.robots]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f'two robots have the same {what}: {", ".join(twice)}')
        return self

    @staticmethod
    def load(path: Path | str) -> Fleet:
        """
        Read a fleet file.

        :raises ConfigError: if it is missing, malformed, or names a robot or key twice.
        """
        return load_yaml(path, Fleet)

    @cached_property
    def id(self) -> bytes:
        """Identify the fleet by its name and roster: BLAKE2b-256 of their canonical CBOR."""
        roster = [[robot.name, robot.key, robot.weight] for robot in self.robots]
        data = cbor2.dumps(['collab-robots/fleet/1', self.fleet, roster], canonical=True)
        return hashlib.blake2b(data, digest_size=FLEET_ID_BYTES).digest()

    @cached_property
    def total_weight(self) -> int:
        """The weight of the whole roster."""
        return sum(robot.weight for robot in self.robots)

    @cached_property
    def index_by_key(self) -> dict[bytes, int]:
        """Roster index of each public key."""
        return {robot.key: index for index, robot in enumerate(self.robots)}

    @cached_property
    def index_by_name(self) -> dict[str, int]:
        """Roster index of each name."""
        return {robot.name: index for index, robot in enumerate(self.robots)}

    @cached_property
    def name_by_address(self) -> dict[bytes, str]:
        """Robot name of each contract address."""
        return {robot.address: robot.name for robot in self.robots}

    def index_of(self, name: str) -> int:
        """
        Return the roster index of a robot.

        :raises ConfigError: if the roster has no such robot.
        """
        if name not in self.index_by_name:
            known = ', '.join(self.index_by_name)
            raise ConfigError(f'robot {name!r} is not in fleet {self.fleet!r}; it has: {known}')
        return self.index_by_name[name]
