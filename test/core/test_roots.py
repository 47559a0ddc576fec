"""Records that name what is final for long: nobody needs to read them, nobody waits for them."""

import pytest

from collab_robots.core.clock import SECOND
from collab_robots.tangle import roots
from collab_robots.tangle.block import block_id, GENESIS
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.settings import LedgerConfig

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
WINDOW = 20  # final records
CONFIG = LedgerConfig(snapshot_interval=60)


def talk(network: MemoryNetwork, until: int) -> None:
    """Go on until so many records are final, then rest."""
    ledger = network.ledgers[NAMES[0]]
    while ledger.order.final < until:
        ledger.submit(b'a call')
        network.run(0.5)
    network.run(10)
    assert network.agree()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> MemoryNetwork:
    """Return three robots of four that made many records final and rest."""
    monkeypatch.setattr(roots, 'ROOT_WINDOW', WINDOW)
    network = MemoryNetwork(FLEET, 1)
    for key in KEYS[:3]:
        network.start(key, config=CONFIG)
    talk(network, until=100)
    return network


def old_record(network: MemoryNetwork) -> Entry:
    """Return a final record that is no root and still held by all."""
    ledger = network.ledgers[NAMES[0]]
    held, kept = ledger.order.entries, ledger.tangle._root_ids
    return next(entry for entry in held if entry.issuer == 0 and entry.id not in kept)


def speak(network: MemoryNetwork, parents: list[bytes], previous: bytes = GENESIS) -> bytes:
    """Let the fourth robot make its first record, or its second; return its id."""
    now = network.clock.now_ns() + SECOND
    seq = int(previous != GENESIS)
    record = sign_record(KEYS[3], FLEET.id, seq, [previous, *parents], now, (b'a call',))
    raw = encode_record(record)
    network.transport(NAMES[3]).broadcast_block(raw)
    return block_id(raw)


def is_silent(network: MemoryNetwork) -> bool:
    """Tell whether nobody says anything in ten seconds from now."""
    before = [ledger.dag.heights() for ledger in network.ledgers.values()]
    network.run(10)
    return before == [ledger.dag.heights() for ledger in network.ledgers.values()]


def test_a_record_that_names_what_is_final_for_long_keeps_nobody_awake(network) -> None:
    identity = speak(network, [old_record(network).id])
    network.run(10)
    held = [ledger.dag.entries[identity] for ledger in network.ledgers.values()]
    assert all(entry.stale and entry.position < 0 for entry in held)
    assert is_silent(network)


def test_a_record_that_names_what_is_new_becomes_final(network) -> None:
    identity = speak(network, [next(iter(network.ledgers[NAMES[0]].dag.tips))])
    network.run(10)
    held = [ledger.dag.entries[identity] for ledger in network.ledgers.values()]
    assert all(entry.position >= 0 and not entry.stale for entry in held)
    assert is_silent(network)


def test_a_record_that_names_again_what_is_final_keeps_nobody_awake(network) -> None:
    tip = next(iter(network.ledgers[NAMES[0]].dag.tips))
    first = speak(network, [tip])
    network.run(10)
    identity = speak(network, [tip], first)
    network.run(10)
    held = [ledger.dag.entries[identity] for ledger in network.ledgers.values()]
    assert all(entry.stale and entry.position < 0 for entry in held)
    assert is_silent(network)


def test_what_an_equivocator_said_and_only_a_stale_record_names_keeps_nobody_awake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roots, 'ROOT_WINDOW', WINDOW)
    fleet, keys = make_team(7)
    network = MemoryNetwork(fleet, 1)
    for key in keys[:5]:
        network.start(key, config=CONFIG)
    talk(network, until=130)

    def say(robot: int, parents: list[bytes], call: bytes) -> bytes:
        now = network.clock.now_ns() + SECOND
        record = sign_record(keys[robot], fleet.id, 0, [GENESIS, *parents], now, (call,))
        network.transport('anybody').broadcast_block(encode_record(record))
        network.run(0.5)
        return block_id(encode_record(record))

    for ledger in network.ledgers.values():
        ledger.hold = True
    one = say(5, [], b'one')
    stale = say(6, [one, old_record(network).id], b'stale')
    say(5, [], b'other')
    for ledger in network.ledgers.values():
        assert ledger.dag.entries[stale].stale and not ledger.dag.entries[one].stale
        assert set(ledger.proofs) == {5}
        ledger.hold = False
    network.run(10)
    assert is_silent(network)
    assert all(ledger.dag.entries[one].position < 0 for ledger in network.ledgers.values())


def test_what_is_stale_to_one_counts_when_another_builds_on_it(network) -> None:
    late = network.ledgers[NAMES[0]]
    early = network.ledgers[NAMES[1]]
    early.tangle._cut_at = 0  # so that it is not old there
    identity = speak(network, [old_record(network).id])
    network.run(0.2)
    assert not early.dag.entries[identity].stale
    network.run(10)
    assert late.dag.entries[identity].position >= 0
    assert is_silent(network)


def test_what_is_stale_is_dropped_when_others_could_not_read_it_any_more(network) -> None:
    identity = speak(network, [old_record(network).id])
    network.run(1)
    assert all(identity in ledger.dag.entries for ledger in network.ledgers.values())
    talk(network, until=200)
    assert all(ledger.order.base for ledger in network.ledgers.values())
    assert not any(identity in ledger.dag.entries for ledger in network.ledgers.values())
    assert not any(ledger.raw_block(identity) for ledger in network.ledgers.values())


def test_a_stale_record_does_not_hide_what_it_names(network) -> None:
    first, _, third = network.ledgers.values()
    for ledger in network.ledgers.values():
        ledger.hold = ledger is not third
    old = old_record(network).id
    third.submit(b'a call')
    network.run(0.3)
    said = third.dag.newest(2)
    assert said is not None and said.id in first.dag.tips
    speak(network, [said.id, old])
    network.run(0.5)
    assert said.children
    first.hold = False
    network.run(1)
    newest = first.dag.newest(0)
    assert newest is not None and newest.sees(said)
