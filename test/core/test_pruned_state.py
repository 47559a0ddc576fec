"""Robots that prune, restart and join late execute what the others do."""

from contextlib import closing

from contract_history import FLEET, KEY, KEYS, NAMES, PROPOSE
import pytest

from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.runner import Runner
from collab_robots.contract.views.tasks import TasksView
from collab_robots.explorer.book.book import Book
from collab_robots.explorer.book.index import Index
from collab_robots.explorer.book.open import silent
from collab_robots.explorer.ledgers import read_history
from collab_robots.tangle.memory import MemoryNetwork
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Store

CONFIG = LedgerConfig(snapshot_interval=20)


class Team:
    """Robots with their runners and files."""

    def __init__(self, folder):
        self.folder = folder
        self.network = MemoryNetwork(FLEET, seed=3)
        self.ledgers, self.runners = {}, {}

    def path(self, robot):
        return self.folder / f'{NAMES[robot]}.db'

    def start(self, robot, fresh=True):
        runner = self.runners[robot] = Runner(FLEET)
        store = Store(self.path(robot), FLEET, NAMES[robot])
        self.ledgers[robot] = self.network.start(
            KEYS[robot], store, CONFIG, state=runner, fresh=fresh
        )
        runner.update(self.ledgers[robot].order)

    def stop(self, robot):
        self.network.stop(NAMES[robot])
        self.ledgers.pop(robot).close()

    def run(self, seconds):
        """Let time pass; every robot says something now and then."""
        for _ in range(round(seconds * 2)):
            for robot, ledger in self.ledgers.items():
                ledger.submit(tasks.bid(KEY, len(ledger.order) + robot))
                ledger.submit(maps.submit_tiles([(len(ledger.order) % 50, robot, b'd' * 32)]))
            self.network.run(0.5)
            for robot, ledger in self.ledgers.items():
                self.runners[robot].update(ledger.order)

    def settle(self):
        self.network.run(8)
        for robot, ledger in self.ledgers.items():
            self.runners[robot].update(ledger.order)


@pytest.fixture
def team(tmp_path):
    team = Team(tmp_path)
    for robot in range(3):
        team.start(robot)
    team.ledgers[0].submit(PROPOSE)
    team.run(15)
    return team


def test_a_late_joiner_and_a_restarted_robot_have_the_same_states(team):
    assert all(ledger.order.base for ledger in team.ledgers.values())
    team.start(3)
    team.run(6)
    team.stop(1)
    team.run(3)
    team.start(1, fresh=False)
    team.run(6)
    team.settle()
    assert team.ledgers[3].order.base > 0  # it took a snapshot
    orders = [ledger.order for ledger in team.ledgers.values()]
    assert len({(order.final, order.final_digest, len(order)) for order in orders}) == 1
    runners = list(team.runners.values())
    assert len({runner.final_root() for runner in runners}) == 1
    assert len({runner.state_root() for runner in runners}) == 1
    now = team.network.clock.now_ns()
    views = [TasksView(runner, final=True) for runner in runners]
    assert all(view.tasks(now) == views[0].tasks(now) for view in views)
    for robot, ledger in team.ledgers.items():
        assert len(team.runners[robot].receipts) <= len(ledger.order.entries)


def test_a_pruned_file_is_read_on_from_its_snapshot(team):
    team.settle()
    for robot in range(3):
        team.stop(robot)
    root = team.runners[0].state_root().hex()
    for robot in range(3):
        with closing(Store.read(team.path(robot))) as store, closing(Index(None, {})) as index:
            told = Book('', FLEET, store, index, silent).overview()
        assert told.final >= told.pruned > 0
        assert told.state_root == f'0x{root}'
        assert told.final_root == f'0x{team.runners[robot].final_root().hex()}'
    known = {}
    one = read_history(team.path(0), FLEET, NAMES[0], (), known)
    assert one.calls and len(known) == 1
