"""What a ledger file says the fleet agreed on, at any height that it reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from collab_robots.anchor.roster import Robot, roster_on_ledger, signed_on_ledger, signers_of
from collab_robots.anchor.statement import Signers, Statement
from collab_robots.contract.runner import Runner
from collab_robots.core.errors import ConfigError, RefusedError, StoreError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer.files import read_file
from collab_robots.tangle import replay as tangle
from collab_robots.tangle.block import ID_BYTES
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.order import chain_digest, Order


class Agreed(NamedTuple):
    """
    What the fleet agreed on at a height.

    :param robots: who is in the fleet there.
    :param signed: the newest height that each robot had signed by then, and its signature.
    """

    statement: Statement
    robots: tuple[Robot, ...]
    signed: Mapping[str, tuple[int, bytes]]

    @property
    def signers(self) -> Signers:
        """Who may sign."""
        return signers_of(self.statement.fleet, self.statement.height, self.robots)


class Replay:
    """
    The final order in one ledger file.

    A height is how many records are final. Of two honest robots one's final order begins with the
    other's, so at a height that both have reached both say the same. A pruned ledger begins with a
    snapshot; it cannot say anything of heights below.

    :param db: a robot's ledger.db; the robot may run.
    :raises ConfigError: if it is of another fleet.
    :raises StoreError: if it is missing or damaged.
    """

    def __init__(self, db: Path, fleet: Fleet) -> None:
        self._fleet = fleet
        found = tangle.Replay(fleet, read_file(db, fleet), Runner(fleet))
        self._begins = found.begins
        self.first = found.base
        """The lowest height that it knows: 0, or that of its snapshot."""
        self.final = found.final
        """The highest."""
        first = found.begins[0].cut.final_digest if self.first else bytes(ID_BYTES)
        self._digests = [first]  # by height, from the first on
        self._entries: Sequence[Entry] = found.entries[: self.final - self.first]
        for entry in self._entries:
            self._digests.append(chain_digest(self._digests[-1], entry.id))

    def digest(self, height: int) -> bytes:
        """
        Return the digest of the final order up to a height, 32 bytes.

        :raises ConfigError: if the file does not reach so far, up or down.
        """
        if height < self.first:
            raise ConfigError(
                f'height {height} is pruned: this ledger begins with a snapshot at {self.first}'
            )
        if height > self.final:
            raise ConfigError(f'height {height} is not final here: this ledger has {self.final}')
        return self._digests[height - self.first]

    def at(self, height: int) -> Agreed:
        """
        Execute the final order up to a height.

        :raises ConfigError: see :meth:`digest`.
        :raises StoreError: if the snapshot cannot be read.
        """
        digest, runner, base = self.digest(height), Runner(self._fleet), 0
        for begin in self._begins:
            if begin.cut.position <= height:
                base = begin.cut.position
                try:
                    runner.restore(base, begin.state, begin.fleet)
                except RefusedError as error:
                    raise StoreError(f'the stored snapshot cannot be read: {error}') from None
        order = Order(base, self.digest(base))
        for entry in self._entries[base - self.first : height - self.first]:
            order.insert(entry)
            order.finalise([entry])
        runner.update(order)
        with runner.final() as deployment:
            (epoch,) = deployment.ask('Fleet', 'epoch')
            robots = roster_on_ledger(deployment, runner.fleet)
            signed = signed_on_ledger(deployment, robots)
        statement = Statement(self._fleet.id, epoch, height, digest, runner.final_root())
        return Agreed(statement, robots, signed)
