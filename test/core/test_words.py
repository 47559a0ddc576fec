"""What people read: every call, error and event of the suite has words, whatever its bytes are."""

from random import Random

from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st
import pytest

from benchmarks.calls import RandomCalls
from collab_robots.contract.artifact import CODEC, suite
from collab_robots.contract.calls import fleet, maps, models, tasks, words
from collab_robots.contract.calls.common import encode, Kind
from collab_robots.contract.calls.words import describe, describe_error, describe_event, key_of
from collab_robots.contract.evm import Log
from collab_robots.tangle.record import LEDGER_CALL

KEY = tasks.task_key(Kind.EXPLORE, 5, -7, 2)
ROBOT, OTHER = bytes(range(20)), bytes(range(20, 40))
NAMES = {ROBOT: 'robot_00', OTHER: 'robot_01'}
DIGEST = b'\x11' * 32
ALL = {
    'call': list(suite().calls.values()),
    'error': [e for contract in suite().contracts.values() for e in contract.errors],
    'event': [e for contract in suite().contracts.values() for e in contract.events],
}
TABLES = {'call': words.CALLS, 'error': words.ERRORS, 'event': words.EVENTS}
ITEMS = [(kind, item) for kind, items in ALL.items() for item in items]


def nothing(kind):
    """Return the zero of an ABI type."""
    if kind.endswith(']'):
        return ()
    return CODEC.decode([kind], bytes(32 * 16))[0]


@pytest.mark.parametrize(
    ('kind', 'item'), ITEMS, ids=[f'{item.contract}.{item.name}' for _, item in ITEMS]
)
def test_everything_has_words_that_fit_its_arguments(kind, item):
    said = words.say(TABLES[kind][item.name], item, tuple(map(nothing, item.types)), {})
    assert '{' not in said and said == said.strip()
    assert said or kind == 'event'


@pytest.mark.parametrize('kind', ALL)
def test_there_are_no_words_for_what_does_not_exist(kind):
    assert {item.name for item in ALL[kind]} >= set(TABLES[kind])
    tables = [getattr(module, f'{kind.upper()}S') for module in (fleet, maps, models, tasks)]
    assert sum(map(len, tables)) == len({name for table in tables for name in table})


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        (tasks.propose(Kind.EXPLORE, 5, -7, 2), 'propose explore (5, -7) round 2'),
        (tasks.bid(KEY, 12_300), 'bid 12.3 m on explore (5, -7) round 2'),
        (tasks.award(KEY, ROBOT, 100), 'award explore (5, -7) round 2 to robot_00'),
        (maps.submit_tiles([(1, 2, DIGEST)] * 3), 'submit 3 tiles'),
        (maps.report_sighting(281, 870, 1500, -200), 'saw class 281 (87 %) at (1.5 m, -0.2 m)'),
        (
            encode('vote', (1, 0, 0, 3, b'k' * 32, b'robot_new'.ljust(32, b'\0'))),
            'vote to let robot_new join with weight 3',
        ),
        (encode('vote', (2, 7, 0, 0, b'', b'|a{0}')), 'vote that robot 7 leaves'),
        (encode('vote', (9, 0, 0, 0, b'', b'')), 'vote 9'),
        (
            encode('vote', (1, 0, 0, 3, b'k' * 32, b'a|b{0}')),
            'vote to let a?b?0? join with weight 3',
        ),
        (
            encode('permit', (b'm' * 32, 1, 4, b'd' * 32), 5),
            ('permit the head of model 0x6d6d6d6d at cut 4 to robots 0, 2'),
        ),
        (tasks.renew(b'\xab' * 32), 'renew 0xabababab'),
        (tasks.bid(KEY, 1)[:50], 'bid with malformed arguments'),
        (b'\x01\x02\x03\x04', 'unknown call 0x01020304'),
        (b'', 'unknown call 0x'),
        (LEDGER_CALL + b'attest', 'for the ledger, 6 bytes'),
    ],
)
def test_calls(data, said):
    assert describe(data, NAMES) == said


@pytest.mark.parametrize(
    ('output', 'said'),
    [
        (b'', 'malformed arguments'),
        (b'\x01\x02\x03\x04\x05', 'reverted: 0x0102030405'),
        (
            keccak(text='NotABidder(bytes32,address)')[:4] + KEY + bytes(12) + ROBOT,
            'robot_00 has not bid on explore (5, -7) round 2',
        ),
        (keccak(text='NotABidder(bytes32,address)')[:4] + KEY, 'NotABidder'),
        (
            keccak(text='NoSuchCall(bytes4)')[:4] + b'abcd' + bytes(28),
            'no contract has a call 0x61626364',
        ),
    ],
)
def test_errors(output, said):
    assert describe_error(output, NAMES) == said


def test_events_that_only_repeat_their_call_have_no_words():
    told = keccak(text='Superseded(bytes32,address,address)')
    topics = (told, KEY, bytes(12) + ROBOT, bytes(12) + OTHER)
    assert describe_event(Log(b'', topics, b''), NAMES) == (
        'robot_00 is superseded by robot_01 on explore (5, -7) round 2'
    )
    repeats = keccak(text='Released(bytes32,address)')
    assert describe_event(Log(b'', (repeats, KEY, bytes(12) + ROBOT), b''), NAMES) == ''


def test_keys_of_tasks():
    assert key_of(tasks.propose(Kind.EXPLORE, 5, -7, 2)) == KEY
    assert key_of(tasks.bid(KEY, 1)) == key_of(tasks.renew(KEY)) == KEY
    assert key_of(tasks.award_batch([(KEY, ROBOT, 1)])) is None
    assert key_of(maps.submit_tiles([(1, 2, DIGEST)])) is None
    assert key_of(tasks.bid(KEY, 1)[:30]) is key_of(b'') is None
    propose = tasks.propose(Kind.EXPLORE, 5, -7, 2)
    assert key_of(propose[:40]) is key_of(propose[:35] + b'\x09' + propose[36:]) is None


@given(st.sampled_from([b'', *suite().calls]), st.binary(max_size=300))
def test_no_bytes_are_beyond_words(head, tail):
    assert describe(head + tail)
    key_of(head + tail)


@given(st.sampled_from([b'', *suite().errors]), st.binary(max_size=300))
def test_no_revert_is_beyond_words(head, tail):
    assert describe_error(head + tail)


def test_random_calls_of_the_whole_suite_have_words():
    source = RandomCalls([ROBOT, OTHER], Random(4))
    seen = {
        words.call_name(data) for data in (source.call() for _ in range(2000)) if describe(data)
    }
    assert seen == {*suite().call_by_name, words.UNKNOWN}
