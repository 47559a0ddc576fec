"""Robots join and leave: the roster changes at one final position, and nothing is lost."""

from dataclasses import dataclass, field
import random

import pytest

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.core.identity import PrivateKey
from collab_robots.sim.protocol.council import Council, vote
from collab_robots.sim.protocol.scenario import Change
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.issuer import matters
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.memory_store import MemoryStore
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.replay import Replay
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.snapshot import Attested
from collab_robots.tangle.tangle import Tangle

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
NEW = PrivateKey(b'n' * 32)
JOIN = vote(0)
LEAVE = {3: vote(1), 0: vote(2)}
RETURN = vote(3)
CHANGES = {
    0: (Change(0, joins=True), 'robot5', NEW.public),
    1: (Change(0, leaves=3), '', b''),
    2: (Change(0, leaves=0), '', b''),
    3: (Change(0, returns=3), '', b''),
}


@dataclass
class Team:
    seed: int = 1
    archive: bool = False
    interval: int = 100_000
    stores: dict = field(default_factory=dict)

    def __post_init__(self):
        self.network = MemoryNetwork(FLEET, self.seed)
        self.random = random.Random(self.seed)
        self.said = set()
        for name, key in zip(NAMES, KEYS, strict=True):
            self.start(name, key)
        self.network.run(1)

    @property
    def ledgers(self):
        return self.network.ledgers

    def start(self, name, key, **options):
        store = self.stores.setdefault(name, MemoryStore())
        config = LedgerConfig(snapshot_interval=self.interval, archive=self.archive)
        return self.network.start(
            key, store, config, state=Council(FLEET, CHANGES), name=name, **options
        )

    def talk(self, seconds, *names):
        for _ in range(seconds):
            for name in names or list(self.ledgers):
                call = b'said by %s: %d' % (name.encode(), self.random.randrange(1 << 40))
                self.ledgers[name].submit(call)
                self.said.add(call)
            self.network.run(1)

    def vote(self, what, *names):
        for name in names:
            self.ledgers[name].submit(what)

    def settle(self, seconds=30):
        self.network.run(seconds, self.is_settled)
        assert self.is_settled()

    def is_settled(self):
        robots = [one for one in self.ledgers.values() if one.index not in one.fleet.left]
        seen = {
            (ledger.fleet.epoch, ledger.order.final, ledger.order.final_digest, ledger.dag.digest)
            for ledger in robots
        }
        return len(seen) == 1 and not any(
            matters(entry) for ledger in robots for entry in ledger.order.tentative
        )

    def epochs(self):
        return {name: ledger.fleet.epoch for name, ledger in self.ledgers.items()}


def watch(team):
    """Note what becomes final on each robot, in order; how far they agree is asserted."""
    final = {}

    def note(name):
        return lambda entry: final.setdefault(name, []).append(entry)

    for name, ledger in team.ledgers.items():
        ledger.on_final(note(name))
    return final


def check_prefixes(final):
    longest = max(final.values(), key=len)
    for entries in final.values():
        assert [entry.id for entry in entries] == [entry.id for entry in longest[: len(entries)]]


def test_a_robot_joins_and_its_weight_counts():
    team = Team()
    final = watch(team)
    newcomer = team.start('robot5', NEW)
    team.talk(5, *NAMES)
    assert newcomer.index == -1
    team.vote(JOIN, *NAMES[:2])
    team.talk(5, *NAMES)
    assert set(team.epochs().values()) == {0}  # half of the weight decides nothing
    team.vote(JOIN, NAMES[2])
    team.talk(10, *NAMES)
    assert set(team.epochs().values()) == {1}
    assert newcomer.index == 4 and newcomer.dag.members == 5
    team.talk(10)
    team.settle()
    check_prefixes(final)
    own = [entry for entry in newcomer.dag.chains[4] if entry.record.calls]
    assert own and all(entry.position >= 0 for entry in own)

    # Four of five are a quorum, three of five are none any more.
    team.network.stop(NAMES[0])
    before = newcomer.order.final
    team.talk(10)
    assert newcomer.order.final > before + 20
    team.network.stop(NAMES[1])
    team.network.run(3)
    before = newcomer.order.final
    team.talk(10)
    assert newcomer.order.final == before


def test_a_clients_block_is_no_record_of_a_robot_that_is_still_to_join():
    team = Team()
    newcomer = team.start('robot5', NEW)
    posted = team.ledgers[NAMES[0]].post(encode_block([GENESIS], b'tag', b'of a client'))
    team.talk(5, *NAMES)
    assert newcomer.index == -1 and posted in newcomer.dag.entries
    team.vote(JOIN, *NAMES[:3])
    team.talk(10, *NAMES)
    assert newcomer.index == 4
    team.talk(10)
    assert newcomer.dag.newest(4) is not None, newcomer.status().alarm


def test_votes_count_that_are_older_than_what_is_held():
    team = Team(interval=600)
    team.start('robot5', NEW)
    team.vote(JOIN, *NAMES[:2])
    team.talk(160, *NAMES)
    assert all(team.ledgers[name].order.base > 100 for name in NAMES)
    team.vote(JOIN, NAMES[2])
    team.talk(10, *NAMES)
    assert set(team.epochs().values()) == {1}


def test_a_robot_leaves_and_the_rest_go_on_with_fewer():
    team = Team()
    final = watch(team)
    team.talk(5)
    team.vote(LEAVE[3], *NAMES[:3])
    team.talk(10)
    assert set(team.epochs().values()) == {1}
    gone = team.ledgers[NAMES[3]]
    team.network.run(10)
    length = len(gone.dag.chains[3])
    gone.submit(b'still here')
    team.network.run(10)
    assert len(gone.dag.chains[3]) == length  # it knows that it left
    team.network.stop(NAMES[3])
    team.network.stop(NAMES[2])
    ledger = team.ledgers[NAMES[0]]
    team.network.run(5)
    before = ledger.order.final
    team.talk(5)
    assert ledger.order.final > before  # two of three
    check_prefixes(final)


@pytest.mark.parametrize('crash', [False, True])
@pytest.mark.parametrize('seed', range(4))
def test_who_comes_back_goes_on_with_what_it_signed_before_it_knew_that_it_had_left(seed, crash):
    team = Team(seed)
    final = watch(team)
    team.talk(3)
    away, signed = team.ledgers[NAMES[3]], {}
    away.on_solid(lambda entry: signed.setdefault(entry.id, entry.issuer == 3))
    team.network.hear_if(lambda receiver, sender: sender != NAMES[3])  # it hears, and is not heard
    team.vote(LEAVE[3], *NAMES[:3])
    team.talk(8)
    assert set(team.epochs().values()) == {1}
    team.network.heal()
    team.network.run(5)
    own = {identity for identity, is_own in signed.items() if is_own}
    assert own - team.ledgers[NAMES[0]].dag.entries.keys()  # nobody else has what came last
    if crash:
        team.stores[NAMES[3]].crash()
        team.network.stop(NAMES[3])
        away = team.start(NAMES[3], KEYS[3], fresh=False)
    team.vote(RETURN, *NAMES[:3])
    team.talk(10)
    assert set(team.epochs().values()) == {2}
    assert not away.status().alarm
    team.settle()
    assert not any(ledger.proofs for ledger in team.ledgers.values())
    assert own <= {entry.id for entry in final[NAMES[0]]}
    decided = {call for entry in final[NAMES[0]] for call in entry.record.calls}
    assert crash or team.said <= decided  # else what waited in memory to be said is gone
    check_prefixes(final)


@pytest.mark.parametrize('seed', range(4))
def test_nothing_is_lost_where_a_split_meets_a_handover(seed):
    team = Team(seed)
    final = watch(team)
    team.start('robot5', NEW)
    team.talk(3, *NAMES)
    team.network.split([*NAMES[:3], 'robot5'], NAMES[3:])
    team.vote(JOIN, *NAMES[:3])
    team.talk(12)
    assert team.epochs() == dict.fromkeys(NAMES[:3], 1) | {NAMES[3]: 0, 'robot5': 1}
    team.network.heal()
    team.talk(3)
    team.settle()
    assert set(team.epochs().values()) == {1}
    decided = {call for entry in final[NAMES[0]] for call in entry.record.calls}
    assert team.said <= decided
    check_prefixes({name: ids for name, ids in final.items() if name != NAMES[3]})
    assert not any(ledger.proofs for ledger in team.ledgers.values())


def test_what_waits_for_its_parents_waits_on_in_the_next_epoch():
    team = Team()
    team.talk(3)
    record = sign_record(KEYS[2], FLEET.id, 1_000, [b'x' * 32], team.network.clock.now_ns())
    ledger = team.ledgers[NAMES[0]]
    ledger.receive_block(encode_record(record), NAMES[2])
    assert ledger.status().waiting == 1
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    assert ledger.fleet.epoch == 1
    assert ledger.status().waiting == 1


def test_what_is_held_after_a_handover_can_be_sent():
    team = Team()
    team.talk(5)
    team.ledgers[NAMES[3]].hold = True
    team.network.run(10)
    dag = team.ledgers[NAMES[0]].dag
    own, seen = dag.newest(3), dag.chains[0][0]
    now = team.network.clock.now_ns()
    record = sign_record(KEYS[3], FLEET.id, own.record.seq + 1, [own.id, seen.id], now)
    team.network.transport('anybody').broadcast_block(encode_record(record))
    stale = block_id(encode_record(record))
    team.network.run(1)
    assert all(ledger.dag.entries[stale].stale for ledger in team.ledgers.values())
    team.network.stop(NAMES[3])
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    assert set(team.epochs().values()) == {1}
    for name, ledger in team.ledgers.items():
        assert all(team.stores[name].get(identity) for identity in ledger.dag.entries)


def test_a_robot_that_slept_through_epochs_follows_the_handovers():
    team = Team()
    team.talk(3)
    team.network.stop(NAMES[3])
    team.start('robot5', NEW)
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    team.vote(LEAVE[0], *NAMES[:3], 'robot5')
    team.talk(10)
    assert team.ledgers['robot5'].fleet.epoch == 2
    team.network.stop(NAMES[0])
    late = team.start(NAMES[3], KEYS[3])
    team.network.run(15)
    assert late.fleet.epoch == 2 and late.fleet.left == {0}
    team.talk(5)
    team.settle()


def test_who_lost_its_ledger_waits_for_whoever_joined_not_for_who_left():
    team = Team()
    team.start('robot5', NEW)
    team.talk(3, *NAMES)
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    team.vote(LEAVE[0], *NAMES[1:], 'robot5')
    team.talk(10)
    assert set(team.epochs().values()) == {2}
    team.network.stop(NAMES[3])
    team.stores[NAMES[3]] = MemoryStore()
    strangers = {NAMES[3], 'robot5'}
    team.network.hear_if(lambda receiver, sender: {receiver, sender} != strangers)
    late = team.start(NAMES[3], KEYS[3], fresh=False)
    team.talk(10)
    assert late.fleet.epoch == 2
    length = late.dag.heights()[3]
    assert 'waiting to hear 1 more' in late.status().alarm
    team.network.stop(NAMES[0])
    team.network.heal()
    team.talk(10)
    assert late.dag.heights()[3] > length and not late.status().alarm.startswith('not issuing')


def test_a_crash_between_the_end_of_an_epoch_and_the_next_is_survived():
    team = Team(3)
    team.start('robot5', NEW)
    team.talk(3, *NAMES)
    team.vote(JOIN, *NAMES[:3])
    network = team.network
    network.run(20, lambda: any(ledger.tangle.is_over for ledger in team.ledgers.values()))
    ended = next(name for name, ledger in team.ledgers.items() if ledger.tangle.is_over)
    key = KEYS[NAMES.index(ended)]
    network.stop(ended)
    team.start(ended, key)
    team.talk(10)
    team.settle()
    assert set(team.epochs().values()) == {1}


def test_who_joins_learns_of_equivocations_whose_blocks_it_never_had():
    team = Team()
    team.talk(3)
    record = sign_record(KEYS[3], FLEET.id, 0, [GENESIS], team.network.clock.now_ns())
    team.network.transport('anybody').broadcast_block(encode_record(record))
    team.talk(3)
    assert all(set(ledger.proofs) == {3} for ledger in team.ledgers.values())
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    newcomer = team.start('robot5', NEW)
    team.network.run(10)
    assert newcomer.fleet.epoch == 1
    first = newcomer.dag.at(3, 0)
    assert first is not None and team.stores['robot5'].get(first.id) is None
    assert set(newcomer.proofs) == {3}


def test_an_equivocation_is_proven_across_a_handover():
    team = Team()
    team.start('robot5', NEW)
    team.talk(3, *NAMES)
    record = sign_record(KEYS[3], FLEET.id, 0, [GENESIS], team.network.clock.now_ns())
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    assert set(team.epochs().values()) == {1}
    team.network.stop(NAMES[1])
    team.start(NAMES[1], KEYS[1])  # a restart changes nothing
    team.ledgers[NAMES[1]].receive_block(encode_record(record), 'anybody')
    team.network.run(5)
    assert all(set(ledger.proofs) == {3} for ledger in team.ledgers.values())


def test_what_waits_for_an_unproven_equivocator_becomes_solid():
    team = Team()
    team.talk(3)
    team.network.split(NAMES[:2], NAMES[2:])
    ledger = team.ledgers[NAMES[0]]
    own = ledger.dag.newest(3)
    now = team.network.clock.now_ns()
    record = sign_record(KEYS[3], FLEET.id, own.record.seq + 1, [own.id], now, (b'other face',))
    ledger.receive_block(encode_record(record), 'anybody')
    team.talk(3)
    team.network.heal()
    team.talk(3)
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    store = MemoryStore()
    store.save_snapshot(*team.stores[NAMES[0]].snapshot(), ())
    alone = team.network.start(KEYS[1], store, state=Council(FLEET, CHANGES))
    now = team.network.clock.now_ns()
    assert 3 in alone.dag.forks and not alone.proofs  # both faces are roots
    last = max(
        (one for one in alone.dag.entries.values() if one.issuer == 3),
        key=lambda one: one.record.seq,
    )
    later = sign_record(KEYS[3], FLEET.id, last.record.seq + 1, [last.id], now)
    names_it = sign_record(NEW, FLEET.id, 0, [GENESIS, block_id(encode_record(later))], now)
    for one in (names_it, later):
        alone.receive_block(encode_record(one), 'anybody')
    assert block_id(encode_record(names_it)) in alone.dag.entries


def test_handovers_of_others_are_refused():
    team = Team()
    team.start('robot5', NEW)
    team.vote(JOIN, *NAMES[:3])
    team.talk(10)
    _, data = team.stores[NAMES[0]].snapshot()
    attested, snapshot = Attested.decode(data, FLEET)
    assert not attested.handovers and snapshot.fleet.epoch == 1
    (handover,) = attested.chain(snapshot.fleet)
    assert handover.follow(FLEET) == snapshot.fleet
    assert handover.follow(snapshot.fleet) is snapshot.fleet
    for bad in (
        handover._replace(blocks=handover.blocks[:1]),
        handover._replace(rest=bytes(32)),
        handover._replace(head=handover.head[:-1]),
    ):
        with pytest.raises(RefusedError) as caught:
            bad.follow(FLEET)
        assert caught.value.reason is Refusal.SNAPSHOT
    Tangle(FLEET).install(snapshot)


@dataclass
class File:
    """What a store holds, with some of its blocks left out."""

    store: MemoryStore
    without: set = field(default_factory=set)

    @property
    def rows(self):
        return [row for row in self.store.load() if (row.issuer, row.seq) not in self.without]

    def snapshot(self):
        return self.store.snapshot()

    def proofs(self):
        return self.store.proofs()


def test_the_whole_order_is_found_again_in_an_archive():
    team = Team(archive=True)
    final = watch(team)
    team.start('robot5', NEW)
    team.talk(3, *NAMES)
    team.vote(JOIN, *NAMES[:3])
    team.talk(8)
    team.vote(LEAVE[0], *NAMES[1:], 'robot5')
    team.talk(8)
    team.settle()
    ledger, store = team.ledgers[NAMES[1]], team.stores[NAMES[1]]
    assert ledger.order.base > 0 and ledger.fleet.epoch == 2
    ends = []
    replay = Replay(FLEET, File(store), Council(FLEET, CHANGES), lambda: ends.append(1))
    assert (replay.base, replay.final, len(ends)) == (0, ledger.order.final, 2)
    assert [entry.id for entry in replay.entries[: replay.final]] == [
        entry.id for entry in final[NAMES[1]]
    ]
    assert replay.tangle.order.final_digest == ledger.order.final_digest
    later = Replay(FLEET, File(store, {(2, 0)}), Council(FLEET, CHANGES))
    assert (later.base, later.final) == (ledger.order.base, ledger.order.final)
    assert later.tangle.order.final_digest == ledger.order.final_digest
