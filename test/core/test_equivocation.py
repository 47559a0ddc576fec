"""Proofs of equivocation: what convinces, what does not, and what becomes of the convicted."""

import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.approval import Status
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.equivocation import Proof
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.store import Store

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]


def block(call, seq=0, parents=(GENESIS,), key=KEYS[3], at=1_000 * SECOND):
    return encode_record(sign_record(key, FLEET.id, seq, parents, at, (call,)))


ONE, TWO = block(b'one'), block(b'two')


def start(count=3, seed=1):
    network = MemoryNetwork(FLEET, seed)
    for key in KEYS[:count]:
        network.start(key)
    network.run(1)
    return network, list(network.ledgers.values())


def test_two_blocks_are_a_proof_that_anybody_can_check():
    proof = Proof.of(ONE, TWO, FLEET)
    assert proof == Proof.of(TWO, ONE, FLEET)
    assert (proof.issuer, proof.seq) == (3, 0)
    assert block_id(proof.first) < block_id(proof.second)
    assert Proof.decode(proof.encode(), FLEET) == proof


@pytest.mark.parametrize(
    ('other', 'reason'),
    [
        (ONE, Refusal.EQUIVOCATION),  # the same
        (block(b'two', key=KEYS[2]), Refusal.EQUIVOCATION),  # of another robot
        (block(b'two', 1, [block_id(ONE)]), Refusal.EQUIVOCATION),  # its next one
        (ONE[:-1], Refusal.MALFORMED),
        (encode_block([GENESIS], b'tag', b'data'), Refusal.MALFORMED),  # not signed
        (TWO.replace(b'two', b'too'), Refusal.SIGNATURE),
    ],
)
def test_anything_else_is_no_proof(other, reason):
    with pytest.raises(RefusedError) as caught:
        Proof.of(ONE, other, FLEET)
    assert caught.value.reason is reason


def test_a_proof_has_one_form():
    good = Proof.of(ONE, TWO, FLEET).encode()
    first, second = Proof.of(ONE, TWO, FLEET).first, Proof.of(ONE, TWO, FLEET).second
    swapped = Proof(3, 0, second, first).encode()
    for bad in (good[:-1], good + b'\0', b'x' + good, swapped, b'', good[:40]):
        with pytest.raises(RefusedError) as caught:
            Proof.decode(bad, FLEET)
        assert caught.value.reason is Refusal.MALFORMED


def test_twins_on_two_sides_of_a_split_are_proven_when_it_heals():
    network, ledgers = start()
    network.split(NAMES[:1], NAMES[1:])
    ledgers[0].receive_block(ONE, NAMES[3])
    ledgers[1].receive_block(TWO, NAMES[3])
    network.run(5)
    assert all(not ledger.proofs for ledger in ledgers)
    network.heal()
    network.run(3)
    assert network.agree()
    for ledger in ledgers:
        assert ledger.proofs[3] == Proof.of(ONE, TWO, FLEET)
        assert ledger.status().forked == (NAMES[3],)


def test_a_twin_that_nobody_named_is_not_kept_but_proven_to_all():
    network, ledgers = start()
    for ledger in ledgers:
        ledger.hold = True  # nobody names the first
    ledgers[0].receive_block(ONE, NAMES[3])
    ledgers[0].receive_block(TWO, NAMES[3])
    network.run(3)
    assert all(3 in ledger.proofs for ledger in ledgers)
    assert all(not ledger.dag.entries for ledger in ledgers)
    assert network.agree()


def test_the_convicted_is_heard_no_more_unless_others_name_it():
    network, ledgers = start()
    for raw in (ONE, TWO):
        ledgers[0].receive_block(raw, NAMES[3])
    network.run(2)
    next_one = block(b'more', 1, [block_id(ONE)], at=1_001 * SECOND)
    for ledger in ledgers:
        ledger.receive_block(next_one, NAMES[3])
        ledger.submit(b'x')
    network.run(3)
    for ledger in ledgers:
        assert ledger.status_of(block_id(next_one)) is None
        assert ledger.status().refused[Refusal.EQUIVOCATION] >= 1
    # Robot 2 had not heard of it: its record stands, and brings along what it names.
    late = sign_record(
        KEYS[2],
        FLEET.id,
        ledgers[2].dag.heights()[2],
        [ledgers[2].dag.newest(2).id, block_id(next_one)],
        network.clock.now_ns(),
    )
    known = ledgers[0].dag.proves(ledgers[0].dag.newest(2), 3)
    ledgers[0].receive_block(encode_record(late), NAMES[2])
    network.run(1)
    status = ledgers[0].status_of(block_id(encode_record(late)))
    assert (status is None) == known


def test_its_weight_no_longer_counts_for_accepted():
    network, ledgers = start(4)
    ledgers[3].submit(b'x')
    network.run(3)
    twin = block(b'twin')
    ledgers[0].receive_block(twin, NAMES[3])
    network.run(2)
    assert all(3 in ledger.proofs for ledger in ledgers)
    network.split(NAMES[:2], NAMES[2:])
    ledgers[0].submit(b'y')
    network.run(8)
    said = next(entry for entry in ledgers[0].order.entries if entry.record.calls == (b'y',))
    assert ledgers[0].status_of(said.id) is Status.ACCEPTED  # 2 of 2 active ones


def test_a_proof_survives_a_restart(tmp_path):
    network, _ = start(2)
    store = Store(tmp_path / 'ledger.db', FLEET, NAMES[2])
    ledger = network.start(KEYS[2], store)
    for raw in (ONE, TWO):
        ledger.receive_block(raw, NAMES[3])
    network.run(1)
    network.stop(NAMES[2])
    store.close()
    again = network.start(KEYS[2], Store(tmp_path / 'ledger.db', FLEET, NAMES[2]))
    assert again.proofs[3] == Proof.of(ONE, TWO, FLEET)
