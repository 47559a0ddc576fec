"""Attestations of snapshots: which are counted, and that a restart forgets none."""

from collab_robots.tangle.attestation import attestation
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.settings import LedgerConfig

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
INTERVAL = 100


class Team:
    """
    Four robots, of whom the first makes calls.

    :param mute: those that attest nothing: their queue of calls is full.
    """

    def __init__(self, mute: tuple[int, ...] = ()) -> None:
        self.network = MemoryNetwork(FLEET, 1)
        self.stores = [MemoryStore() for _ in KEYS]
        for robot in range(len(KEYS)):
            self.start(robot, robot not in mute)

    def start(self, robot: int, attests: bool = True) -> None:
        """Start a robot with what is in its store."""
        config = LedgerConfig(snapshot_interval=INTERVAL, max_queue=1_024 if attests else 0)
        self.network.start(KEYS[robot], self.stores[robot], config)

    def restart(self, robot: int, attests: bool = True) -> None:
        """Stop a robot when all that it knows is on its disk, and start it again."""
        self.stores[robot].commit()
        self.network.stop(NAMES[robot])
        self.start(robot, attests)

    def ledger(self, robot: int) -> Ledger:
        return self.network.ledgers[NAMES[robot]]

    def talk(self, cuts: int) -> None:
        """Go on until all have come to so many places where snapshots are due, then rest."""
        while self.ledger(0).order.final < cuts * INTERVAL:
            self.ledger(0).submit(b'a call')
            self.network.run(0.5)
        self.network.run(10)
        assert self.network.agree()
        assert all(
            ledger.order.final // INTERVAL == cuts for ledger in self.network.ledgers.values()
        )

    def stored(self) -> list[int]:
        """Return the index of the snapshot before each robot's newest attested one."""
        return [ledger.status().snapshot for ledger in self.network.ledgers.values()]


def test_a_robot_that_attests_all_sorts_of_things_takes_up_no_memory():
    team = Team()
    liar = team.ledger(3)
    for number in range(300):
        liar.submit(attestation(1 + number % 3, number.to_bytes(32, 'big')))
        liar.submit(attestation(1_000 + number, bytes(32)))
    team.talk(2)
    votes = team.ledger(0)._checkpoints._votes
    assert sum(map(len, votes.values())) <= len(KEYS)
    assert team.stored() == [1] * 4


def test_snapshots_go_on_after_many_that_too_few_attested():
    team = Team(mute=(2, 3))
    team.talk(5)
    team.restart(2)
    team.network.run(5)
    team.talk(6)
    assert team.stored()[0] == 5


def test_a_restart_forgets_no_attestation():
    team = Team()
    team.talk(2)
    assert team.stored() == [1] * 4
    team.restart(2, attests=False)
    team.restart(3, attests=False)
    team.talk(3)
    assert team.stored() == [1] * 4  # two of four are too few for the third
    team.restart(0)
    team.network.run(5)
    team.restart(2)
    team.network.run(5)
    assert team.ledger(0).status().snapshot == 2


def test_a_restart_keeps_what_came_after_the_stored_snapshot():
    team = Team()
    team.talk(3)
    before = team.ledger(0)
    team.restart(0)
    assert team.ledger(0).status().snapshot == before.status().snapshot == 2
    assert team.ledger(0).dag.entries.keys() == before.dag.entries.keys()
    assert team.ledger(0).tangle.pruned == before.tangle.pruned
