"""The file that says where the contracts of a fleet are on a public chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from collab_robots.anchor.signatures import Address, Bytes32, unhex
from collab_robots.anchor.statement import Place
from collab_robots.core.config import load_yaml, parse, Strict
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet

FILE = 'anchor.json'


class Deployed(Strict):
    """
    Where the contracts of a fleet are; it holds no secret.

    :param contracts: addresses by name; ``Anchor`` is the last that is deployed.
    """

    chain_id: Annotated[int, Field(ge=1, lt=1 << 64)]
    fleet: Bytes32
    contracts: dict[str, Address]

    @property
    def place(self) -> Place:
        """
        Where robots' signatures count.

        :raises ConfigError: if the deployment stopped before that.
        """
        if 'Anchor' not in self.contracts:
            raise ConfigError('the deployment stopped before Anchor.sol; deploy again')
        return Place(self.chain_id, unhex(self.contracts['Anchor']))

    @staticmethod
    def named(chain_id: int, anchor: str, fleet: Fleet) -> Deployed:
        """
        Return what a person says instead of the file.

        :param anchor: address of Anchor.sol.
        :raises ConfigError: if it is none.
        """
        data = {'chain_id': chain_id, 'fleet': fleet.id.hex(), 'contracts': {'Anchor': anchor}}
        return parse(Deployed, data, 'Anchor.sol')

    @staticmethod
    def load(path: Path, fleet: Fleet) -> Deployed:
        """
        Read the file.

        :raises ConfigError: if it is missing, malformed, or of another fleet.
        """
        found = load_yaml(path, Deployed)
        if found.fleet != fleet.id.hex():
            raise ConfigError(f'{path}: is of fleet {found.fleet}, not of {fleet.fleet!r}')
        return found


def deployment_file(given: Path | None, fleet: Path) -> Path:
    """
    Return the path of the file.

    :param given: None for where it is if nobody says another place.
    :param fleet: path of the fleet file.
    """
    return given or fleet.with_name(FILE)
