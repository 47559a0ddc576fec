"""A team of ledgers in one process: what they agree on, survive, and keep silent about."""

from dataclasses import replace
import logging

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import CallError, ConfigError, Refusal, StoreError
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.approval import accepted_heights, Status
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.memory import make_team, MemoryNetwork, Weather
from collab_robots.tangle.record import encode_record, MAX_CALL_BYTES, MAX_CALLS, sign_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Row, Store
from collab_robots.tangle.sync import Have, Range, Request

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]


def start(count=4, seed=1, settle=2.5, **kwargs):
    network = MemoryNetwork(FLEET, seed, kwargs.pop('weather', None))
    for key in KEYS[:count]:
        network.start(key, config=LedgerConfig(**kwargs))
    network.run(settle)
    return network, list(network.ledgers.values())


def foreign_record(seq=0, parents=(GENESIS,), at=1_000 * SECOND, key=KEYS[3], calls=(b'x',)):
    """Return the block of a record that no ledger made."""
    return encode_record(sign_record(key, FLEET.id, seq, parents, at, calls))


# Speaking


def test_a_call_reaches_all_is_accepted_and_then_all_are_silent():
    network, ledgers = start()
    assert all(ledger.status().blocks == 0 for ledger in ledgers)
    solid = []
    ledgers[1].on_solid(solid.append)
    ledgers[0].submit(b'first')
    ledgers[0].submit(b'second')
    network.run(0.2)
    entry = ledgers[0].order.entries[0]
    assert entry.record.calls == (b'first', b'second')
    assert solid[0].id == entry.id
    network.run(0.8)
    assert all(ledger.status_of(entry.id) is Status.FINAL for ledger in ledgers)
    assert all(ledger.is_accepted(entry.id) for ledger in ledgers)
    network.run(8)
    blocks = ledgers[0].status().blocks
    network.run(60)
    assert ledgers[0].status().blocks == blocks <= 16
    assert network.agree()


def test_status_of_what_is_not_there():
    _, ledgers = start(1)
    assert ledgers[0].status_of(bytes(32)) is None
    assert not ledgers[0].is_accepted(bytes(32))


def test_calls_are_bounded():
    network, (ledger,) = start(1, max_queue=40)
    for call in (b'', bytes(MAX_CALL_BYTES + 1)):
        with pytest.raises(CallError):
            ledger.submit(call)
    for _ in range(40):
        ledger.submit(b'\xff' * MAX_CALL_BYTES)
    with pytest.raises(CallError, match='40 calls wait'):
        ledger.submit(b'x')
    network.run(3)
    assert [len(entry.record.calls) for entry in ledger.order.entries][:14] == [3] * 13 + [1]
    for _ in range(MAX_CALLS + 1):
        ledger.submit(b'x')
    network.run(0.3)
    assert [len(entry.record.calls) for entry in ledger.order.entries][-2:] == [MAX_CALLS, 1]


def test_a_key_outside_the_roster_is_refused():
    network, _ = start(1)
    with pytest.raises(ConfigError, match='not in fleet'):
        Ledger(
            FLEET,
            PrivateKey(bytes(32)),
            Store(':memory:', FLEET, NAMES[1]),
            network.clock,
            network.transport(NAMES[1]),
        )


def test_hold_silences_and_sync_goes_on():
    network, ledgers = start()
    ledgers[0].hold = True
    ledgers[0].submit(b'later')
    ledgers[1].submit(b'now')
    network.run(10)
    assert ledgers[0].dag.heights()[0] == 0
    assert ledgers[0].dag.heights()[1] > 0
    ledgers[0].hold = False
    network.run(0.5)
    assert ledgers[3].dag.heights()[0] > 0


def test_own_time_never_goes_back():
    network, ledgers = start(2)
    ahead = foreign_record(at=network.clock.now_ns() + 4 * SECOND)
    ledgers[0].receive_block(ahead, NAMES[3])
    ledgers[0].submit(b'x')
    network.run(0.5)
    times = [entry.record.issued_at for entry in ledgers[0].dag.chains[0]]
    assert times[0] > network.clock.now_ns() + 3 * SECOND
    network.run(2)
    times = [entry.record.issued_at for entry in ledgers[0].dag.chains[0]]
    assert times == sorted(set(times))


# Approval


def test_accepted_heights_need_two_thirds_of_the_active_weight():
    seen = [(5, 3, 0), (4, 4, 0), (2, 3, 1)]
    assert accepted_heights(seen, [1, 1, 1], {0, 1, 2}, {}) == (4, 3, 0)
    assert accepted_heights(seen, [1, 1, 1], {0}, {}) == (5, 3, 0)
    assert accepted_heights(seen, [1, 1, 1], {0, 1}, {}) == (4, 3, 0)
    assert accepted_heights(seen, [1, 1, 4], {0, 1, 2}, {}) == (2, 3, 1)
    assert accepted_heights([(5, 0, 0), None, None], [1, 1, 1], {0, 1, 2}, {}) == (0, 0, 0)
    assert accepted_heights(seen, [1, 1, 1], {0, 1, 2}, {0: 1}) == (1, 3, 0)


def test_each_side_of_a_split_accepts_after_the_window_and_never_calls_it_final():
    network, ledgers = start()
    network.split(NAMES[:1], NAMES[1:])
    ledgers[0].submit(b'left')
    ledgers[1].submit(b'right')
    network.run(2)
    left, right = ledgers[0].dag.newest(0), ledgers[1].dag.newest(1)
    assert not ledgers[0].is_accepted(left.id)  # it still counts the others
    assert ledgers[2].is_accepted(right.id)  # three of four
    network.run(6)
    assert ledgers[0].is_accepted(left.id)
    assert ledgers[0].status().final == 0
    assert ledgers[2].status_of(right.id) is Status.FINAL
    network.heal()
    network.run(2)
    assert network.agree()
    assert all(ledger.is_accepted(left.id) for ledger in ledgers)


# Agreement, whatever happens


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    steps=st.lists(
        st.tuples(st.sampled_from(['talk', 'split', 'line', 'heal', 'crash']), st.integers(0, 15)),
        max_size=12,
    ),
)
def test_any_history_ends_in_one_order(seed, loss, steps):
    network = MemoryNetwork(FLEET, seed, Weather((0.0, 0.2), loss, duplication=0.1))
    stores = {name: Store(':memory:', FLEET, name) for name in NAMES}
    for name, key in zip(NAMES, KEYS, strict=True):
        network.start(key, stores[name])
    network.run(2.5)
    issued = {}
    for ledger in network.ledgers.values():
        ledger.on_solid(lambda entry: issued.setdefault(entry.id, entry))
    for action, number in steps:
        if action == 'split':
            groups = [name for index, name in enumerate(NAMES) if number >> index & 1]
            network.split(groups, [name for name in NAMES if name not in groups])
        elif action == 'line':
            network.hear_if(lambda a, b: abs(NAMES.index(a) - NAMES.index(b)) == 1)
        elif action == 'heal':
            network.heal()
        elif action == 'crash':
            name = NAMES[number % 4]
            network.stop(name)
            stores[name]._added.clear()  # what was not committed is gone
            network.start(KEYS[number % 4], stores[name])
        else:
            for index, ledger in enumerate(network.ledgers.values()):
                if number >> index & 1:
                    ledger.submit(f'{index}'.encode())
        network.run(number / 5)
    network.heal()
    network.run(60, network.agree)
    orders = [[entry.id for entry in ledger.order.entries] for ledger in network.ledgers.values()]
    assert all(order == orders[0] for order in orders)
    assert set(orders[0]) >= set(issued)  # nothing is lost
    for ledger in network.ledgers.values():
        assert ledger.dag.forks == {}
        assert ledger.status().waiting == 0
        assert not set(ledger.status().refused) - {Refusal.FLOOD}


def test_same_seed_same_run():
    runs = []
    for _ in range(2):
        network, ledgers = start(weather=Weather(loss=0.2, duplication=0.2), seed=5)
        ledgers[2].submit(b'x')
        network.run(5)
        runs.append((ledgers[0].status(), dict(network.sent)))
    assert runs[0] == runs[1]


# What others may send


@pytest.mark.parametrize(
    ('raw', 'reason'),
    [
        (bytes(40_000), Refusal.TOO_LARGE),
        (b'', Refusal.MALFORMED),
        (b'\x03' + foreign_record()[1:], Refusal.VERSION),
        (foreign_record(key=PrivateKey(bytes(32))), Refusal.ISSUER),
        (foreign_record()[:-80] + bytes(64) + foreign_record()[-16:], Refusal.MALFORMED),
        (
            encode_record(
                replace(sign_record(KEYS[0], FLEET.id, 0, [GENESIS], 1), signature=bytes(64))
            ),
            Refusal.SIGNATURE,
        ),
        (encode_record(sign_record(KEYS[0], bytes(32), 0, [GENESIS], 1)), Refusal.FLEET),
    ],
)
def test_bad_block_is_counted_and_life_goes_on(raw, reason):
    network, ledgers = start(2)
    ledgers[0].receive_block(raw, NAMES[3])
    assert ledgers[0].status().refused == {reason: 1}
    ledgers[0].submit(b'x')
    network.run(1)
    assert ledgers[1].status().blocks > 0


def test_block_from_the_future_waits():
    network, ledgers = start(1)
    raw = foreign_record(at=network.clock.now_ns() + 8 * SECOND)
    ledgers[0].receive_block(raw, NAMES[3])
    ledgers[0].receive_block(raw, NAMES[3])
    status = ledgers[0].status()
    assert (status.blocks, status.waiting, status.refused) == (0, 1, {Refusal.FUTURE: 1})
    assert status.alarm.startswith(f'records of {NAMES[3]} are dated 8 s ahead')
    assert 'chronyc tracking' in status.alarm
    network.run(2.8)
    assert ledgers[0].status_of(block_id(raw)) is None
    network.run(0.4)
    assert ledgers[0].status_of(block_id(raw)) is not None
    assert ledgers[0].status().waiting == 0


def test_blocks_from_the_far_future_do_not_pile_up():
    network, ledgers = start(1, max_early=10)
    for n in range(50):
        at = network.clock.now_ns() + (100 + n) * SECOND
        parent = GENESIS if n == 0 else n.to_bytes(32, 'big')
        ledgers[0].receive_block(foreign_record(n, [parent], at), NAMES[3])
    assert ledgers[0].status().waiting == 10
    network.run(97)
    assert ledgers[0].status().blocks > 0  # the nearest were kept


def test_child_first_then_parent():
    _network, ledgers = start(1)
    first = foreign_record()
    second = foreign_record(1, [block_id(first)])
    third = foreign_record(2, [block_id(second)])
    for raw in (third, second):
        ledgers[0].receive_block(raw, NAMES[3])
    assert ledgers[0].status().waiting == 2
    ledgers[0].receive_block(first, NAMES[3])
    assert ledgers[0].status().waiting == 0
    assert ledgers[0].dag.heights()[3] == 3


def test_waiting_blocks_are_bounded_per_robot():
    _network, ledgers = start(1, max_waiting=40)
    for n in range(1, 101):
        ledgers[0].receive_block(foreign_record(n, [n.to_bytes(32, 'big')[::-1]], n), NAMES[3])
    status = ledgers[0].status()
    assert (status.waiting, status.refused) == (10, {Refusal.FLOOD: 90})
    assert len(ledgers[0]._intake.missing()) == 10
    honest = foreign_record(key=KEYS[1])
    ledgers[0].receive_block(foreign_record(1, [block_id(honest)], key=KEYS[1]), NAMES[1])
    ledgers[0].receive_block(honest, NAMES[1])
    assert ledgers[0].dag.heights()[1] == 2


def test_descendants_of_a_refused_block_go_with_it():
    _network, ledgers = start(1)
    good = foreign_record()
    bad = foreign_record(2, [block_id(good)])  # skips one
    child = foreign_record(3, [block_id(bad)])
    grandchild = foreign_record(0, [GENESIS, block_id(child)], key=KEYS[2])
    for raw in (grandchild, child, bad):
        ledgers[0].receive_block(raw, NAMES[3])
    assert ledgers[0].status().waiting == 3
    ledgers[0].receive_block(good, NAMES[3])
    status = ledgers[0].status()
    assert (status.heights[2:], status.waiting) == ((0, 1), 0)
    assert status.refused == {Refusal.SEQUENCE: 1, Refusal.PARENTS: 2}
    assert ledgers[0]._intake.missing() == {}
    ledgers[0].receive_block(foreign_record(4, [block_id(child)]), NAMES[3])
    assert ledgers[0].status().waiting == 0  # and it does not wait for what never comes
    assert ledgers[0].status().refused[Refusal.PARENTS] == 3


def test_another_fleet_joins_nobody_and_is_told_once(caplog):
    network, ledgers = start(2)
    other, _keys = make_team(4, 'other')
    with caplog.at_level(logging.WARNING):
        stranger = network.transport(NAMES[3])
        for _ in range(5):
            stranger.broadcast_have(Have(NAMES[3], other.id, (0,) * 4, bytes(32)))
            network.run(1)
    assert ledgers[0].status().refused == {Refusal.FLEET: 5}
    assert NAMES[3] not in ledgers[0].status().peers
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2  # one of each robot
    assert all(other.id.hex() in text and FLEET.id.hex() in text for text in texts)


def test_bad_announcements_and_requests_are_counted():
    _network, ledgers = start(1)
    ledgers[0].receive_have(Have('stranger', FLEET.id, (0,) * 4, bytes(32)))
    ledgers[0].receive_have(Have(NAMES[1], FLEET.id, (0,) * 65, bytes(32)))
    ledgers[0].receive_request(Request(NAMES[1], NAMES[0], (Range(64, 0, 0),)))
    ledgers[0].receive_request(Request(NAMES[1], NAMES[2], (Range(64, 0, 0),)))  # not for it
    assert ledgers[0].status().refused == {Refusal.ISSUER: 1, Refusal.MALFORMED: 2}


def test_equivocation_is_shown_and_breaks_nothing():
    network, ledgers = start(3)
    first, twin = foreign_record(calls=(b'one',)), foreign_record(calls=(b'two',))
    ledgers[0].receive_block(first, NAMES[3])
    ledgers[1].receive_block(twin, NAMES[3])
    ledgers[0].submit(b'x')
    ledgers[1].submit(b'y')
    network.run(12)
    assert network.agree()
    for ledger in ledgers:
        status = ledger.status()
        assert status.forked == (NAMES[3],)
        assert f'{NAMES[3]} signed two records with seq 0' in status.alarm
        # Two robots had named one each before they knew: both stand, and end in the one order.
        assert ledger.status_of(block_id(first)) is Status.FINAL
        assert ledger.status_of(block_id(twin)) is Status.FINAL
        assert ledger.is_accepted(ledger.dag.chains[0][0].id)
    blocks = ledgers[0].status().blocks
    network.run(30)
    assert ledgers[0].status().blocks == blocks  # silent nevertheless


# Disk


def test_restart_goes_on_where_it_stopped(tmp_path):
    network, ledgers = start(3)
    path = tmp_path / 'ledger.db'
    ledger = network.start(KEYS[3], Store(path, FLEET, NAMES[3]))
    network.run(3)
    for _ in range(5):
        ledger.submit(b'x')
        network.run(0.5)
    network.stop(NAMES[3])
    ledger._store.close()
    ledgers[0].submit(b'meanwhile')
    network.run(3)
    order = [entry.id for entry in ledger.order.entries]
    height = ledger.dag.heights()[3]
    ledger = network.start(KEYS[3], Store(path, FLEET, NAMES[3]))
    assert {entry.id for entry in ledger.order.entries} <= set(order)
    assert ledger.dag.heights()[3] == height
    ledger.submit(b'again')
    network.run(3)
    assert network.agree()
    assert ledger.dag.heights()[3] > height
    assert all(robot.dag.forks == {} for robot in network.ledgers.values())
    ledger._store.close()


@pytest.mark.parametrize('seed', range(4))
def test_lost_disk_gets_its_own_history_back_before_it_speaks(seed):
    network, ledgers = start(seed=seed)
    for _ in range(100):
        ledgers[3].submit(b'x')
        network.run(0.1)
    network.stop(NAMES[3])
    ledger = network.start(KEYS[3], fresh=False)
    ledger.submit(b'with an empty disk')
    network.run(8)
    assert network.agree()
    assert ledger.dag.heights()[3] > 90
    assert ledger.dag.forks == {}
    assert any(b'with an empty disk' in entry.record.calls for entry in ledger.dag.chains[3])


def test_a_lie_about_the_own_history_delays_but_does_not_silence():
    network, (ledger,) = start(1, settle=0)
    liar = network.transport(NAMES[1])
    liar.broadcast_have(Have(NAMES[1], FLEET.id, (1000, 0, 0, 0), bytes(32)))
    network.run(0.1)
    ledger.submit(b'x')
    for _ in range(90):
        liar.broadcast_have(Have(NAMES[1], FLEET.id, (1000, 0, 0, 0), bytes(32)))
        network.run(0.1)
    assert ledger.status().blocks == 0
    assert 'own records are missing' in ledger.status().alarm
    for _ in range(50):
        liar.broadcast_have(Have(NAMES[1], FLEET.id, (1000, 0, 0, 0), bytes(32)))
        ledger.submit(b'x')
        network.run(0.1)
    assert ledger.status().blocks > 10
    assert ledger.status().alarm == ''


def test_two_processes_with_one_key_stop_and_say_so():
    network, ledgers = start(2)
    twin = foreign_record(key=KEYS[0], calls=(b'twin',))
    ledgers[0].submit(b'x')
    network.run(0.5)
    ledgers[0].receive_block(twin, NAMES[1])
    height = ledgers[0].dag.heights()[0]
    ledgers[0].submit(b'y')
    network.run(5)
    assert ledgers[0].dag.heights()[0] <= height
    assert 'give it a new key' in ledgers[0].status().alarm


class FullStore(Store):
    """A store whose disk can be full."""

    full = False

    def commit(self):
        if self.full and self.uncommitted:
            raise StoreError('disk is full')
        super().commit()


def test_full_disk_stops_issuing_not_receiving_and_passes():
    network, ledgers = start(3)
    store = FullStore(':memory:', FLEET, NAMES[3])
    ledger = network.start(KEYS[3], store)
    network.run(2.5)
    store.full = True
    ledger.submit(b'mine')
    network.run(1)
    ledgers[0].submit(b'theirs')
    network.run(3)
    assert 'not issuing: disk is full' in ledger.status().alarm
    assert ledger.dag.heights()[3] == 0
    assert ledger.dag.heights()[0] > 0
    unpublished = store.chain(3, 0, 9)
    assert len(unpublished) == 1
    thief = Request(NAMES[0], NAMES[3], (Range(3, 0, 5),), (unpublished[0].id,))
    ledger.receive_request(thief)
    network.run(1)
    assert all(robot.dag.heights()[3] == 0 for robot in ledgers)  # not durable: not sent
    store.full = False
    network.run(2)
    assert ledger.status().alarm == ''
    assert network.agree()
    assert [row.id for row in unpublished] == [ledger.dag.chains[3][0].id]  # the very same


def test_memory_is_bounded_while_the_disk_is_full():
    _network, (ledger,) = start(1, max_uncommitted=20, settle=0)
    ledger._store.__class__ = FullStore
    ledger._store.full = True
    parent = GENESIS
    for seq in range(50):
        raw = foreign_record(seq, [parent])
        ledger.receive_block(raw, NAMES[3])
        parent = block_id(raw)
    assert ledger.dag.heights()[3] == 19  # and the own record that the disk did not take
    assert ledger._store.uncommitted == 20
    assert ledger.status().refused == {Refusal.FLOOD: 31}


def test_stored_blocks_that_do_not_fit_are_an_error(tmp_path):
    path = tmp_path / 'ledger.db'
    store = Store(path, FLEET, NAMES[0])
    for raw in (b'not a block', foreign_record(1, [b'\1' * 32])):
        store.add(Row(block_id(raw), raw, 3, 0, 0, 0, 1))
        store.commit()
        network, _ = start(1)
        with pytest.raises(StoreError, match='does not fit the others'):
            Ledger(FLEET, KEYS[0], store, network.clock, network.transport(NAMES[0]))
    store.close()


def test_status_counts_bytes_and_peers():
    network, ledgers = start(3)
    ledgers[0].submit(b'x')
    network.run(3)
    status = ledgers[0].status()
    assert status.peers == (NAMES[1], NAMES[2])
    assert status.blocks == sum(status.heights)
    assert status.blocks == status.pending + status.accepted + status.final
    assert sum(ledger.status().bytes_sent for ledger in ledgers) == sum(network.sent.values())
    network.stop(NAMES[1])
    network.run(3)
    assert ledgers[0].status().peers == (NAMES[2],)
