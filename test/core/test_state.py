"""The state as bytes: one form only, and nothing malformed is taken over."""

import cbor2
from contract_history import ADDRESSES, FLEET, History, KEY, NAMES, PROPOSE
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from collab_robots.contract import state
from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import encode
from collab_robots.contract.evm import ROW_BYTES
from collab_robots.contract.runner import Runner
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.memory import make_team


def executed():
    """Return a runner whose whole order is final, with something in every part of its state."""
    history = History()
    history.say(0, 100, PROPOSE, tasks.bid(KEY, 5))
    history.say(1, 101, maps.submit_tiles([(1, 2, b'd' * 32)]), tasks.bid(KEY, 9))
    history.say(0, 103, *(tasks.award(KEY, ADDRESSES[robot], 100) for robot in (0, 1)))
    history.say(2, 104, maps.report_sighting(1, 900, 5, 6), encode('offer', b'm' * 32, True))
    order, runner = history.order(), Runner(FLEET)
    order.finalise(history.entries)
    runner.update(order)
    return runner


STATE = executed().state_at(4)
FIELDS = cbor2.loads(STATE)
VERSION, FLEET_ID, CODE, STORAGE, IDS, HEADS, LEASES = FIELDS
FIRST = STORAGE[0]  # Fleet's
ROBOTS = IDS[0]  # its facts


def test_the_state_is_pinned():
    """A change here makes old snapshots unreadable: raise the version."""
    assert STATE == executed().state_at(4)
    assert state.encode_state(state.decode_state(STATE, FLEET), FLEET) == STATE
    assert (VERSION, FLEET_ID, len(CODE)) == (2, FLEET.id, 32)
    assert [len(rows) % ROW_BYTES for rows in STORAGE] == [0] * 4
    assert [len(ids) // 32 for ids in IDS] == [5, 2, 1, 1]
    assert [head[0] for head in HEADS] == [2, 1, 1, 0]
    assert [row[:2] for row in LEASES] == sorted([KEY, ADDRESSES[robot]] for robot in (0, 1))


def swap(index, value):
    return [*FIELDS[:index], value, *FIELDS[index + 1 :]]


def first(index, value):
    """Return a state with other storage or ids of the first contract."""
    return cbor2.dumps(swap(index, [value, *FIELDS[index][1:]]))


BAD = {
    'empty': b'',
    'no CBOR': b'\xff',
    'cut off': STATE[:-1],
    'more after it': STATE + b'\0',
    'deep': b'\x81' * 100_000,
    'a number': cbor2.dumps(7),
    'too few fields': cbor2.dumps(FIELDS[:6]),
    'too many fields': cbor2.dumps([*FIELDS, 0]),
    'another version': cbor2.dumps(swap(0, 1)),
    'another fleet': cbor2.dumps(swap(1, make_team(4, 'another')[0].id)),
    'another contract': cbor2.dumps(swap(2, bytes(32))),
    'storage is text': cbor2.dumps(swap(3, 'no')),
    'storage of three contracts': cbor2.dumps(swap(3, STORAGE[:3])),
    'a contract without bytes': first(3, 7),
    'half a row': first(3, FIRST[:-1]),
    'row twice': first(3, FIRST[:ROW_BYTES] + FIRST),
    'rows swapped': first(3, FIRST[ROW_BYTES:] + FIRST[:ROW_BYTES]),
    'a zero value': first(3, bytes(ROW_BYTES)),
    'ids are a number': cbor2.dumps(swap(4, 7)),
    'ids of five contracts': cbor2.dumps(swap(4, [*IDS, b''])),
    'ids in a list': first(4, []),
    'half an id': first(4, ROBOTS[:-1]),
    'an id twice': first(4, ROBOTS[:32] + ROBOTS),
    'ids swapped': first(4, ROBOTS[32:] + ROBOTS[:32]),
    'an id of nothing': first(4, ROBOTS + b'z' * 32),
    'ids without storage': first(4, b''.join(bytes([0, *[9] * 30, n]) for n in range(200))),
    'too few heads': cbor2.dumps(swap(5, HEADS[:3])),
    'no heads': cbor2.dumps(swap(5, 7)),
    'a head is no row': cbor2.dumps(swap(5, [*HEADS[:3], 7])),
    'a head without id': cbor2.dumps(swap(5, [*HEADS[:3], [1, b'', False]])),
    'an id without length': cbor2.dumps(swap(5, [*HEADS[:3], [0, bytes(32), False]])),
    'a length out of range': cbor2.dumps(swap(5, [*HEADS[:3], [1 << 33, bytes(32), False]])),
    'a length that is a bool': cbor2.dumps(swap(5, [*HEADS[:3], [True, bytes(32), False]])),
    'void is a number': cbor2.dumps(swap(5, [*HEADS[:3], [0, b'', 0]])),
    'leases swapped': cbor2.dumps(swap(6, LEASES[::-1])),
    'a lease twice': cbor2.dumps(swap(6, [*LEASES, LEASES[-1]])),
    'a lease of nobody': cbor2.dumps(swap(6, [[KEY, b'', bytes(32), 0]])),
    'a lease of no record': cbor2.dumps(swap(6, [[KEY, bytes(20), b'', 0]])),
    'a lease of no task': cbor2.dumps(swap(6, [[b'', bytes(20), bytes(32), 0]])),
    'a lease without end': cbor2.dumps(swap(6, [[KEY, bytes(20), bytes(32), 1 << 70]])),
    'not canonical': cbor2.dumps(FIELDS).replace(b'\x87\x02', b'\x87\x18\x02', 1),
    'indefinite': b'\x9f' + cbor2.dumps(FIELDS)[1:] + b'\xff',
}


@pytest.mark.parametrize('data', BAD.values(), ids=BAD.keys())
def test_malformed_states_are_refused_and_nothing_changes(data):
    runner = executed()
    before = (runner.state_root(), runner.final_root(), runner.state_at(4), dict(runner.receipts))
    with pytest.raises(RefusedError) as caught:
        runner.restore(4, data, FLEET)
    assert caught.value.reason is Refusal.SNAPSHOT
    after = (runner.state_root(), runner.final_root(), runner.state_at(4), runner.receipts)
    assert after == before


def test_too_large_is_refused_unread(monkeypatch):
    monkeypatch.setattr(state, 'MAX_STATE_BYTES', len(STATE) - 1)
    with pytest.raises(RefusedError, match='at most'):
        Runner(FLEET).restore(4, STATE, FLEET)


def test_storage_that_no_calls_could_make_is_refused():
    """A fact that claims to be endless would be read for ever."""
    refused = 0
    for number, storage in enumerate(STORAGE):
        rows = [storage[at : at + ROW_BYTES] for at in range(0, len(storage), ROW_BYTES)]
        for index, row in enumerate(rows):
            huge = b''.join([*rows[:index], row[:32] + b'\xff' * 32, *rows[index + 1 :]])
            storages = [*STORAGE[:number], huge, *STORAGE[number + 1 :]]
            try:
                Runner(FLEET).restore(4, cbor2.dumps(swap(3, storages)), FLEET)
            except RefusedError as error:
                assert error.reason is Refusal.SNAPSHOT
                refused += 1
    assert refused


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(STATE) - 1), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_are_refused_or_a_state(at, junk):
    data = STATE[:at] + junk + STATE[at + len(junk) :]
    try:
        found = state.decode_state(data, FLEET)
    except RefusedError as error:
        assert error.reason is Refusal.SNAPSHOT
    else:
        assert state.encode_state(found, FLEET) == data


def test_a_restored_runner_knows_what_the_first_one_does():
    runner, late = executed(), Runner(FLEET)
    late.restore(4, STATE, FLEET)
    assert late.state_root() == late.final_root() == runner.final_root()
    assert late.facts().known == late.final_facts().known == runner.final_facts().known
    assert late.award_record(KEY, NAMES[1]) == runner.award_record(KEY, NAMES[1])
