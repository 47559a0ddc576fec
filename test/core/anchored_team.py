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
_LATER = 60  # s; a network's time begins anew, and records must not be from the future
NAMES = [robot.name for robot in FLEET.robots]
SIGNERS = [signer(key) for key in KEYS]


class Team:
    """
    Robots with their files: ``<robot>/ledger.db``, ``<robot>/key``, and one ``fleet.yaml``.

    :param folder: empty, or as another team left it: then this one goes on from there.
    :param seed: of the network's accidents; another one makes another order.
    :param interval: records between two snapshots.
    """

    def __init__(self, folder: Path, seed: int = 3, interval: int = 2000) -> None:
        self.folder = folder
        self.network = MemoryNetwork(FLEET, seed)
        self.ledgers, self.runners = [], []
        self.roots: dict[int, bytes] = {}
        """State roots that the first robot had, by how many records were final."""
        fresh = not self.db(NAMES[0]).exists()
        if fresh:
            self._prepare()
        else:
            self.network.run(_LATER)
        for name, key in zip(NAMES, KEYS, strict=True):
            runner, store = Runner(FLEET), Store(self.db(name), FLEET, name)
            config = LedgerConfig(snapshot_interval=interval)
            self.runners.append(runner)
            self.ledgers.append(self.network.start(key, store, config, state=runner, fresh=fresh))
        self._execute()

    def db(self, robot: str) -> Path:
        """Return the path of a robot's ledger."""
        return self.folder / robot / 'ledger.db'

    def key(self, robot: str) -> Path:
        """Return the path of a robot's key."""
        return self.folder / robot / 'key'

    def register(self, *robots: int) -> None:
        """Let robots say who signs for them."""
        call = suite().call_by_name['registerSigner']
        for robot in robots:
            self.ledgers[robot].submit(call.encode(SIGNERS[robot]))

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

    def _prepare(self) -> None:
        roster = yaml.safe_dump(FLEET.model_dump(mode='json'))
        (self.folder / 'fleet.yaml').write_text(roster, encoding='utf-8')
        for number, name in enumerate(NAMES, start=1):
            self.db(name).parent.mkdir()
            self.key(name).write_text(f'{number:064x}\n', encoding='ascii')
            self.key(name).chmod(0o600)

    def _execute(self) -> None:
        for ledger, runner in zip(self.ledgers, self.runners, strict=True):
            runner.update(ledger.order)
        self.roots[self.ledgers[0].order.final] = self.runners[0].final_root()
