"""Bytes from outside: nothing but a counted refusal comes of them, and what is taken is exact."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.core.clock import ManualClock
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.record import encode_record, sign_record
from fuzz.ledgers import quiet_ledger, START
from fuzz.seeds import seeds
from fuzz.targets import CORPUS, FLEET, KEYS, TARGETS, try_out

GOOD = {
    target: sorted(path.read_bytes() for path in (CORPUS / target).iterdir()) for target in TARGETS
}


@pytest.mark.parametrize('target', TARGETS)
def test_what_was_found_once_stays_harmless(target):
    outcomes = {try_out(target, data) for data in GOOD[target]}
    assert True in outcomes, 'good input is among it'


def test_good_input_is_taken():
    for target, inputs in seeds().items():
        assert all(try_out(target, data) for data in inputs), target


@pytest.mark.parametrize('target', TARGETS)
def test_garbage_is_refused_at_most(target):
    @given(st.binary(max_size=600))
    @settings(max_examples=150, deadline=None)
    def check(data):
        try_out(target, data)

    check()


@pytest.mark.parametrize('target', TARGETS)
def test_good_input_with_changes_is_refused_at_most(target):
    @given(st.sampled_from(GOOD[target]), st.integers(0, 1 << 32))
    @settings(max_examples=150, deadline=None)
    def check(data, seed):
        try_out(target, mutate(data, random.Random(seed)))

    check()


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change, drop, repeat and add some bytes."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(changed) + 1)
        length = rng.choice((1, 1, 2, 4, 32))
        match rng.randrange(5):
            case 0:
                changed[at : at + length] = rng.randbytes(length)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = rng.randbytes(length)
            case 3:
                changed[at:at] = changed[at : at + length]
            case _:
                if at < len(changed):
                    changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_a_fault_is_not_taken_for_a_refusal(monkeypatch):
    good = seeds()['block'][0]
    monkeypatch.setattr('fuzz.targets.encode_block', lambda *fields: b'other bytes')
    with pytest.raises(AssertionError):
        try_out('block', good)
    monkeypatch.setattr('fuzz.targets.decode_block', lambda data: data[99999])
    with pytest.raises(IndexError):
        try_out('block', b'')


def test_a_record_goes_on_when_the_clients_block_that_it_names_is_posted_here():
    """Found by fuzzing: what a robot attached itself did not wake what waited for it."""
    clock = ManualClock(START)
    ledger = quiet_ledger(FLEET, KEYS[0], clock)
    foreign = encode_block([GENESIS], b'client', b'hello')
    first = sign_record(KEYS[1], FLEET.id, 0, [GENESIS], START)
    second = sign_record(
        KEYS[1], FLEET.id, 1, [block_id(encode_record(first)), block_id(foreign)], START
    )
    for record in (first, second):
        ledger.receive_block(encode_record(record), FLEET.robots[1].name)
    assert ledger.status().heights[1] == 1
    ledger.post(foreign)
    clock.advance(5.0)
    ledger.tick()
    assert ledger.status().heights[1] == 2
