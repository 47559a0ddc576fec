"""Snapshots: the same on all, pruning behind them, and robots that begin with one."""

from dataclasses import replace
import random

import cbor2
import pytest

from collab_robots.contract.calls.common import Kind
from collab_robots.contract.calls.tasks import propose
from collab_robots.contract.runner import Runner
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.block import block_id
from collab_robots.tangle.issuer import matters
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import encode_record, MAX_TIME, sign_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.snapshot import Attested, Snapshot
from collab_robots.tangle.store import Store
from collab_robots.tangle.tangle import Tangle

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
CONFIG = LedgerConfig(snapshot_interval=700)


class Team:
    """Four robots that talk; ``keep`` one of them that never prunes, to compare with."""

    def __init__(self, seed=1):
        self.network = MemoryNetwork(FLEET, seed)
        self.stores = {}
        self.random = random.Random(seed)
        for key in KEYS:
            self.start(key)
        self.network.run(1)

    def start(self, key, store=None, **options):
        name = FLEET.robots[FLEET.index_by_key[key.public]].name
        self.stores[name] = store or MemoryStore()
        return self.network.start(key, self.stores[name], CONFIG, **options)

    def talk(self, seconds):
        for _ in range(seconds):
            for ledger in self.network.ledgers.values():
                ledger.submit(b'%d' % self.random.randrange(1 << 30))
            self.network.run(1)

    def rest(self, seconds=15):
        return self.network.run(seconds, lambda: self.settled())

    def settled(self):
        digests = {
            (ledger.order.final, ledger.order.final_digest, ledger.dag.digest)
            for ledger in self.network.ledgers.values()
        }
        return len(digests) == 1 and not any(
            matters(entry)
            for ledger in self.network.ledgers.values()
            for entry in ledger.order.tentative
        )


@pytest.fixture(scope='module')
def snapshot():
    """Return the bytes of a snapshot that a team attested."""
    team = Team()
    team.talk(150)
    stored = {team.stores[name].snapshot() for name in NAMES}
    assert len({index for index, _ in stored}) == 1
    bodies = {Attested.decode(data, FLEET)[0].body for _, data in stored}
    assert len(bodies) == 1  # byte for byte the same on all
    return stored.pop()[1]


def test_what_is_held_stays_bounded():
    team = Team()
    held = []
    for _ in range(5):
        team.talk(60)
        held.append([len(ledger.dag.entries) for ledger in team.network.ledgers.values()])
    assert all(ledger.order.base > 1_000 for ledger in team.network.ledgers.values())
    assert max(max(row) for row in held) < 3 * CONFIG.snapshot_interval + 500
    assert all(len(store._rows) < 3_000 for store in team.stores.values())


def test_a_robot_without_anything_begins_with_a_snapshot():
    team = Team()
    team.talk(120)
    team.network.stop(NAMES[3])
    team.talk(60)
    ledger = team.start(KEYS[3], fresh=False)
    team.rest()
    assert ledger.order.base > 0
    assert not ledger.proofs
    team.talk(30)
    team.rest()
    assert team.settled()
    assert any(entry.record.calls and entry.position >= 0 for entry in ledger.dag.chains[3])


def test_one_honest_robot_is_enough_to_begin():
    team = Team()
    team.talk(120)
    team.network.stop(NAMES[3])
    team.talk(30)
    team.network.hear_if(
        lambda receiver, sender: (
            {receiver, sender} != {NAMES[3], NAMES[0]}
            and {receiver, sender} != {NAMES[3], NAMES[1]}
        )
    )
    ledger = team.start(KEYS[3], fresh=True)
    team.network.run(10)
    assert ledger.order.base > 0
    assert ledger.dag.digest == team.network.ledgers[NAMES[2]].dag.digest


def test_a_robot_that_was_away_for_long_keeps_what_it_said_meanwhile():
    team = Team()
    team.talk(30)
    team.network.split(NAMES[:1], NAMES[1:])
    lonely = team.network.ledgers[NAMES[0]]
    height = lonely.dag.heights()[0]
    team.talk(200)
    said = {entry.id for entry in lonely.dag.chains[0] if entry.record.seq >= height}
    assert len(said) > 150
    others = team.network.ledgers[NAMES[1]]
    assert others.tangle.pruned[1] > lonely.dag.heights()[1]  # blocks alone do not bring it on
    final = set()
    others.on_final(lambda entry: final.add(entry.id))
    team.network.heal()
    team.rest(40)
    assert team.settled()
    assert said <= final


def test_a_restart_begins_with_the_own_snapshot(tmp_path):
    team = Team()
    path = tmp_path / 'ledger.db'
    team.network.stop(NAMES[3])
    ledger = team.start(KEYS[3], Store(path, FLEET, NAMES[3]))
    team.talk(150)
    final, digest = ledger.order.final, ledger.order.final_digest
    team.network.stop(NAMES[3])
    team.stores[NAMES[3]].close()
    again = team.start(KEYS[3], Store(path, FLEET, NAMES[3]), fresh=False)
    assert again.order.base > 0
    assert again.order.final >= final - 20  # what was not on the disk yet
    if again.order.final == final:
        assert again.order.final_digest == digest
    team.talk(10)
    team.rest()
    assert team.settled()


def test_the_contract_goes_on_from_a_snapshot():
    network = MemoryNetwork(FLEET, 3)
    runners = {}

    def start(key, **options):
        runner = Runner(FLEET)
        name = FLEET.robots[FLEET.index_by_key[key.public]].name
        runners[name] = runner
        return network.start(key, MemoryStore(), CONFIG, state=runner, **options)

    for key in KEYS:
        start(key)
    for step in range(130):
        for index, ledger in enumerate(network.ledgers.values()):
            ledger.submit(propose(Kind.EXPLORE, step, index, 0))
        network.run(1)
        for name, ledger in network.ledgers.items():
            runners[name].update(ledger.order)
        if step == 100:
            network.stop(NAMES[3])
            start(KEYS[3], fresh=False)
    network.run(10)
    for name, ledger in network.ledgers.items():
        runners[name].update(ledger.order)
    assert network.ledgers[NAMES[3]].order.base > 0
    assert len({runner.state_root() for runner in runners.values()}) == 1
    assert len({runner.final_root() for runner in runners.values()}) == 1


def test_a_snapshot_needs_more_than_a_third(snapshot):
    attested, _ = Attested.decode(snapshot, FLEET)
    assert Attested(attested.body, attested.blocks[:2]).encode()
    Attested.decode(Attested(attested.body, attested.blocks[:2]).encode(), FLEET)
    for blocks in (attested.blocks[:1], attested.blocks[:1] * 2, ()):
        with pytest.raises(RefusedError, match='attested by weight'):
            Attested.decode(Attested(attested.body, blocks).encode(), FLEET)


def test_roots_are_no_tips_again_when_who_names_one_is_taken_out(snapshot):
    _, found = Attested.decode(snapshot, FLEET)
    tangle = Tangle(FLEET)
    tangle.install(found)
    tips = dict(tangle.dag.tips)
    assert [tip.position for tip in tips.values()] == [found.cut.position - 1]
    own = tangle.dag.newest(0)
    for parents in ([own.id, found.cut.roots[0].id], [own.id, *tips]):
        record = sign_record(KEYS[0], FLEET.id, own.record.seq + 1, parents, MAX_TIME)
        tangle.add(tangle.dag.place(block_id(encode_record(record)), record, 0))
        tangle.detach(lambda entry: True)
        assert tangle.dag.tips == tips


def test_an_attestation_of_something_else_is_refused(snapshot):
    attested, found = Attested.decode(snapshot, FLEET)
    other = replace(found, cut=replace(found.cut, position=found.cut.position + 1))
    with pytest.raises(RefusedError, match='no attestation of it'):
        Attested.decode(Attested(other.encode(), attested.blocks).encode(), FLEET)


def test_malformed_snapshots_are_refused(snapshot):
    attested, _ = Attested.decode(snapshot, FLEET)
    head, rest = map(cbor2.loads, cbor2.loads(attested.body))

    def whole(head, rest):
        return cbor2.dumps([cbor2.dumps(head, canonical=True), cbor2.dumps(rest, canonical=True)])

    def in_head(position, value):
        return whole([*head[:position], value, *head[position + 1 :]], rest)

    def body(position, value):
        return whole(head, [*rest[:position], value, *rest[position + 1 :]])

    def root(position, value):
        rows = [list(row) for row in rest[5]]
        rows[3][position] = value
        return body(5, rows)

    roster = [list(row) for row in head[3]]
    joined = [*roster, ['robot9', b'9' * 32, 1]]
    bad = [
        b'',
        attested.body[:-1],
        attested.body + b'\0',
        cbor2.dumps([b'', b'']),
        cbor2.dumps([5, b'']),
        whole(head[:-1], rest),
        whole(head, rest[:-1]),
        in_head(0, 1),
        in_head(1, bytes(32)),
        in_head(2, -1),
        in_head(2, 2),
        in_head(3, joined),
        in_head(3, 5),
        in_head(3, [['robot1', b'', 1]]),
        in_head(4, -1),
        whole([*head[:2], 1, joined, head[4]], rest),  # the heights are of four
        body(0, 1 << 70),
        body(1, b'short'),
        body(4, [0, 0, 0]),
        body(4, [0, 0, 0, -1]),
        body(5, 5),
        body(6, 'text'),
        root(0, b'short'),
        root(1, 4),
        root(2, 1 << 40),
        root(7, 1),
        root(9, b'unknown'),
        root(10, [0, 0, 0]),
        root(10, [0, 0, 0, ['nothing']]),
        body(5, [rest[5][0], rest[5][0]]),
    ]
    for data in bad:
        with pytest.raises(RefusedError) as caught:
            Snapshot.decode(data, FLEET)
        assert caught.value.reason is Refusal.SNAPSHOT
