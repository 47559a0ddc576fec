"""A robot whose disk failed, among its teammates: it gets back what it lost and lies to nobody."""

from pathlib import Path
import shutil

import pytest

from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.repair import find_damage, repair, salvage
from collab_robots.tangle.salvage import PAGE
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]


class Team:
    """Four robots, the first with its ledger in a file; it has just lost its power."""

    def __init__(self, folder: Path, **config: int) -> None:
        self.config = LedgerConfig(**config)
        self.network = MemoryNetwork(FLEET, 1)
        self.path = folder / 'robot' / 'ledger.db'
        self.path.parent.mkdir()
        store = Store(self.path, FLEET, NAMES[0])
        self.network.start(KEYS[0], store, self.config)
        for key in KEYS[1:]:
            self.network.start(key, config=self.config)
        self.talk(15)
        self.height = self.own_height()
        assert self.height > 10 and self.network.agree()
        crashed = folder / 'crashed'
        shutil.copytree(self.path.parent, crashed)
        self.network.stop(NAMES[0])
        store.close()
        shutil.rmtree(self.path.parent)
        crashed.rename(self.path.parent)

    def talk(self, seconds: int) -> None:
        """Let each robot say something each second."""
        for second in range(seconds):
            for name, ledger in self.network.ledgers.items():
                ledger.submit(f'{name} {second}'.encode() + bytes(300))
            self.network.run(1.0)

    def own_height(self) -> int:
        """Return how many records of the first robot another one has."""
        return self.network.ledgers[NAMES[1]].status().heights[0]

    def start(self, fresh: bool = False) -> None:
        """Start the first robot on what its disk holds now."""
        store = Store(self.path, FLEET, NAMES[0])
        self.network.start(KEYS[0], store, self.config, fresh=fresh)

    def check(self) -> None:
        """Check that the robot is back, complete and honest."""
        self.talk(5)
        self.network.run(20.0)
        assert self.network.agree()
        statuses = [ledger.status() for ledger in self.network.ledgers.values()]
        assert not any(status.forked or status.alarm for status in statuses)
        assert self.own_height() > self.height
        assert not self.network.ledgers[NAMES[0]]._store.incomplete


def lose_the_end_of_the_wal(path: Path) -> None:
    wal = path.with_name('ledger.db-wal')
    wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2])


def lose_everything(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()


def damage_the_middle(path: Path) -> None:
    raw = path.read_bytes()
    middle = len(raw) // PAGE // 2 * PAGE
    path.write_bytes(raw[:middle] + bytes(range(256)) * (PAGE // 256) + raw[middle + PAGE :])


def cut_the_end(path: Path) -> None:
    damage_the_middle(path)
    path.write_bytes(path.read_bytes()[: 7 * PAGE])


def fill_the_file(path: Path) -> None:
    """Move what is in the -wal file into the main one, as time does."""
    Store(path, FLEET, NAMES[0]).close()


def repaired(path: Path) -> bool:
    if not path.exists() or not find_damage(path, FLEET):
        return False
    repair(path, FLEET, NAMES[0], salvage(path, FLEET))
    return True


@pytest.mark.parametrize(
    ('damage', 'needs_repair'),
    [
        (lose_the_end_of_the_wal, False),
        (lose_everything, False),
        (damage_the_middle, True),
        (cut_the_end, True),
    ],
)
@pytest.mark.parametrize('interval', [1_000, 20])
def test_what_is_lost_comes_back_and_nothing_is_said_twice(
    tmp_path, damage, needs_repair, interval
):
    team = Team(tmp_path, snapshot_interval=interval)
    if needs_repair:
        fill_the_file(team.path)
    damage(team.path)
    assert repaired(team.path) == needs_repair
    team.start()
    team.check()


def test_it_says_nothing_before_it_has_heard_all_others(tmp_path):
    team = Team(tmp_path)
    lose_the_end_of_the_wal(team.path)
    team.network.stop(NAMES[3])
    team.start()
    team.talk(10)
    assert team.own_height() == team.height
    first = team.network.ledgers[NAMES[0]].status()
    assert 'not issuing' in first.alarm and first.heights[1] > 20
    team.network.start(KEYS[3])
    team.check()


def test_without_the_mark_of_loss_it_would_have_lied(tmp_path):
    """The check above can fail: it is the mark that keeps the robot silent."""
    team = Team(tmp_path)
    lose_the_end_of_the_wal(team.path)
    team.network.hear_if(lambda receiver, sender: receiver != NAMES[0])
    store = Store(team.path, FLEET, NAMES[0])
    store.mark_complete()
    ledger = team.network.start(KEYS[0], store, team.config, fresh=False)
    ledger.submit(b'said twice')
    team.network.run(3.0)
    team.network.heal()
    team.network.run(5.0)
    assert team.network.ledgers[NAMES[1]].status().forked == (NAMES[0],)
