"""A team with ledger files whose final orders can be anchored."""

from __future__ import annotations

from pathlib import Path

import yaml

from collab_robots.anchor.keys import signer
from collab_robots.contract.artifact import suite
from collab_robots.contract.runner import Runner
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
SIGNERS = [signer(key) for key in KEYS]


class Team:
    """
    Robots with their files: ``<robot>/ledger.db``, ``<robot>/key``, and one ``fleet.yaml``.

    :param interval: records between two snapshots.
    """

    def __init__(self, folder: Path, interval: int = 2000) -> None:
        self.folder = folder
        self.network = MemoryNetwork(FLEET, seed=3)
        self.ledgers, self.runners = [], []
        roster = yaml.safe_dump(FLEET.model_dump(mode='json'))
        (folder / 'fleet.yaml').write_text(roster, encoding='utf-8')
        for index, (name, key) in enumerate(zip(NAMES, KEYS, strict=True), start=1):
            self.db(name).parent.mkdir()
            self.key(name).write_text(f'{index:064x}\n', encoding='ascii')
            self.key(name).chmod(0o600)
            self.runners.append(Runner(FLEET))
            self.ledgers.append(
                self.network.start(
                    key,
                    Store(self.db(name), FLEET, name),
                    LedgerConfig(snapshot_interval=interval),
                    state=self.runners[-1],
                )
            )
            self._execute()

    def db(self, robot: str) -> Path:
        """Return the path of a robot's ledger."""
        return self.folder / robot / 'ledger.db'

    def key(self, robot: str) -> Path:
        """Return the path of a robot's key."""
        return self.folder / robot / 'key'

    def register(self) -> None:
        """Let every robot say who signs for it."""
        call = suite().call_by_name['registerSigner']
        for ledger, address in zip(self.ledgers, SIGNERS, strict=True):
            ledger.submit(call.encode(address))

    def work(self, seconds: float) -> None:
        """Let time pass; robots change the state all the while, and then fall silent."""
        call = suite().call_by_name['setCapabilities']
        for _ in range(round(seconds * 2)):
            for number, ledger in enumerate(self.ledgers):
                ledger.submit(call.encode(len(ledger.order) % 16 + number))
            self.network.run(0.5)
            self._execute()
        self.network.run(8)
        self._execute()

    @property
    def final(self) -> int:
        """How many records are final, on all robots."""
        (final,) = {ledger.order.final for ledger in self.ledgers}
        return final

    def close(self) -> None:
        """Close all files."""
        for ledger in self.ledgers:
            ledger.close()

    def _execute(self) -> None:
        for ledger, runner in zip(self.ledgers, self.runners, strict=True):
            runner.update(ledger.order)
