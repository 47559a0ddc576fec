"""
The fleet: which robots there are, their keys and weights.

It begins with the fleet file, which every robot has. What the fleet decides later about who is in
it begins a new epoch, with a roster that goes on from the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
import hashlib
from pathlib import Path
import re
from typing import Annotated

import cbor2
from pydantic import Field, field_validator, model_validator, PrivateAttr

from collab_robots.core.config import load_yaml, Strict
from collab_robots.core.errors import ConfigError
from collab_robots.core.identity import address, PUBLIC_KEY_BYTES

FLEET_ID_BYTES = 32
MAX_ROBOTS = 64
MAX_WEIGHT = 1_000_000
ROBOT_NAME = r'^[a-z][a-z0-9_]{0,31}$'  # also a valid ROS namespace


class Member(Strict):
    """One robot of the roster."""

    name: Annotated[str, Field(pattern=ROBOT_NAME)]
    public_key: Annotated[str, Field(pattern=r'^[0-9a-f]{64}$', description='Ed25519, hex')]
    weight: Annotated[int, Field(ge=1, le=MAX_WEIGHT)] = 1

    @cached_property
    def key(self) -> bytes:
        """The public key, 32 bytes."""
        return bytes.fromhex(self.public_key)

    @cached_property
    def address(self) -> bytes:
        """The address that contracts see, 20 bytes."""
        return address(self.key)


class Fleet(Strict):
    """
    The roster of one epoch.

    Robots of the fleet file are sorted by name, and robots that join later come after them, so
    an index means the same on every robot and for ever. Who has left keeps its index and has
    weight 0; a robot with a new key has a new index.
    """

    fleet: Annotated[str, Field(pattern=r'^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$')]
    robots: Annotated[tuple[Member, ...], Field(min_length=1, max_length=MAX_ROBOTS)]
    _genesis: Fleet | None = PrivateAttr(None)
    _epoch: int = PrivateAttr(0)

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

    def later(self, epoch: int, robots: Sequence[tuple[str, bytes, int]]) -> Fleet:
        """
        Return the fleet of a later epoch; it keeps its id.

        :param robots: name, public key and weight of each; those known before come first.
        :raises ValueError: if it does not go on from this roster.
        """
        members = tuple(
            Member.model_construct(name=name, public_key=key.hex(), weight=weight)
            for name, key, weight in robots
        )
        named = [member.name for member in members if member.weight]
        before = [(member.name, member.public_key) for member in self.robots]
        if (
            [(member.name, member.public_key) for member in members][: len(before)] != before
            or len(members) > MAX_ROBOTS
            or len({member.public_key for member in members}) < len(members)
            or len(set(named)) < len(named)
            or not named
            or not all(
                re.match(ROBOT_NAME, name)
                and len(key) == PUBLIC_KEY_BYTES
                and 0 <= weight <= MAX_WEIGHT
                for name, key, weight in robots
            )
        ):
            raise ValueError(f'not a roster that goes on from that of epoch {self.epoch}')
        fleet = Fleet.model_construct(fleet=self.fleet, robots=members)
        fleet._genesis, fleet._epoch = self._genesis or self, epoch
        return fleet

    @property
    def founders(self) -> tuple[Member, ...]:
        """The robots of the fleet file."""
        return (self._genesis or self).robots

    @property
    def epoch(self) -> int:
        """How often the roster changed since the fleet file."""
        return self._epoch

    @cached_property
    def id(self) -> bytes:
        """Identify the fleet by its name and first roster: BLAKE2b-256 of their canonical CBOR."""
        if self._genesis is not None:
            return self._genesis.id
        roster = [[robot.name, robot.key, robot.weight] for robot in self.robots]
        data = cbor2.dumps(['collab-robots/fleet/1', self.fleet, roster], canonical=True)
        return hashlib.blake2b(data, digest_size=FLEET_ID_BYTES).digest()

    @cached_property
    def total_weight(self) -> int:
        """The weight of the whole roster."""
        return sum(robot.weight for robot in self.robots)

    @cached_property
    def left(self) -> frozenset[int]:
        """Roster indexes of robots that were in the fleet and are not any more."""
        return frozenset(index for index, robot in enumerate(self.robots) if not robot.weight)

    @cached_property
    def index_by_key(self) -> dict[bytes, int]:
        """Roster index of each public key."""
        return {robot.key: index for index, robot in enumerate(self.robots)}

    @cached_property
    def index_by_name(self) -> dict[str, int]:
        """Roster index of each name; of several with one name, the one that did not leave."""
        weighed = sorted(enumerate(self.robots), key=lambda item: bool(item[1].weight))
        indexes = {robot.name: index for index, robot in weighed}
        return dict(sorted(indexes.items(), key=lambda item: item[1]))

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
