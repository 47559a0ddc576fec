"""Calls: their bytes, what is refused before it is sent, and what people read."""

from eth_abi import decode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.contract import calls
from collab_robots.contract.artifact import artifact
from collab_robots.contract.calls import Kind
from collab_robots.core.errors import CallError

KEY = calls.task_key(Kind.EXPLORE, 5, -7, 2)
ROBOT = bytes(range(20))
NAMES = {KEY: 'explore (5, -7) round 2', ROBOT: 'robot_00'}
DIGEST = b'\x11' * 32


def test_task_key_is_the_hash_of_the_identity():
    words = (1, 5, (1 << 256) - 7, 2)
    assert keccak(b''.join(word.to_bytes(32, 'big') for word in words)) == KEY


def test_bytes_are_pinned():
    assert calls.bid(KEY, 12_300) == keccak(text='bid(bytes32,uint32)')[:4] + KEY + (
        12_300
    ).to_bytes(32, 'big')
    assert calls.award(KEY, ROBOT)[:4] == keccak(text='award(bytes32,address)')[:4]
    tiles = calls.submit_tiles([(3, -4, DIGEST)])
    assert tiles[:4] == keccak(text='submitTiles((int16,int16,bytes32)[])')[:4]
    assert decode(['(int16,int16,bytes32)[]'], tiles[4:]) == (((3, -4, DIGEST),),)


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (calls.propose(Kind.EXPLORE, 5, -7, 2), 'propose explore (5, -7) round 2'),
        (calls.bid(KEY, 12_300), 'bid 12.3 m on explore (5, -7) round 2'),
        (calls.award(KEY, ROBOT), 'award explore (5, -7) round 2 to robot_00'),
        (calls.renew(KEY), 'renew explore (5, -7) round 2'),
        (calls.complete(KEY), 'complete explore (5, -7) round 2'),
        (calls.release(KEY), 'release explore (5, -7) round 2'),
        (calls.submit_tiles([(1, 2, DIGEST)] * 3), 'submit 3 tiles'),
        (
            calls.report_sighting(281, 870, 1500, -20),
            'saw class 281 (87 %) at (1.50, -0.02) m',
        ),
        (calls.renew(b'\xab' * 32), 'renew 0xabababab'),
        (calls.bid(KEY, 1)[:50], 'bid with malformed arguments'),
        (b'\x01\x02\x03\x04', 'unknown call 0x01020304'),
        (b'', 'unknown call 0x'),
    ],
)
def test_words(data, words):
    assert calls.describe(data, NAMES) == words


@pytest.mark.parametrize(
    'wrong',
    [
        lambda: calls.propose(0, 1, 1, 0),
        lambda: calls.propose(5, 1, 1, 0),
        lambda: calls.propose(Kind.EXPLORE, 1 << 31, 1, 0),
        lambda: calls.propose(Kind.EXPLORE, 1, -(1 << 31) - 1, 0),
        lambda: calls.propose(Kind.EXPLORE, 1, 1, -1),
        lambda: calls.propose(Kind.EXPLORE, 1.5, 1, 0),
        lambda: calls.bid(KEY, -1),
        lambda: calls.bid(KEY, 1 << 32),
        lambda: calls.bid(KEY[:31], 1),
        lambda: calls.award(KEY, ROBOT[:19]),
        lambda: calls.renew(b''),
        lambda: calls.submit_tiles([]),
        lambda: calls.submit_tiles([(0, 0, DIGEST)] * (calls.MAX_TILES + 1)),
        lambda: calls.submit_tiles([(0, 0, bytes(32))]),
        lambda: calls.submit_tiles([(0, 0, DIGEST[:8])]),
        lambda: calls.submit_tiles([(1 << 15, 0, DIGEST)]),
        lambda: calls.report_sighting(1 << 16, 0, 0, 0),
        lambda: calls.report_sighting(0, 1001, 0, 0),
        lambda: calls.report_sighting(0, -1, 0, 0),
        lambda: calls.report_sighting(0, 0, 1 << 31, 0),
    ],
)
def test_refused_before_it_is_sent(wrong):
    with pytest.raises(CallError):
        wrong()


def test_every_error_of_the_contract_has_words():
    for signature in artifact().errors.values():
        fillers = [bytes(32) for _ in signature.types]
        words = calls.describe_error(signature.selector + b''.join(fillers))
        assert words != signature.name and '{' not in words
    refusal = next(item for item in artifact().errors.values() if item.name == 'NotABidder')
    output = refusal.selector + KEY + bytes(12) + ROBOT
    assert calls.describe_error(output, NAMES) == 'robot_00 has not bid on explore (5, -7) round 2'
    assert calls.describe_error(b'') == 'malformed arguments'


@given(st.sampled_from([b'', *artifact().calls, *artifact().errors]), st.binary(max_size=200))
def test_any_bytes_can_be_described(head, tail):
    assert calls.describe(head + tail)
    assert calls.describe_error(head + tail)
    assert calls.describe_event([head + tail]) == ''
    key = calls.key_of(head + tail)
    assert key is None or len(key) == 32


def test_the_limits_are_the_contracts(contract_constant):
    assert contract_constant('MAX_TILES') == calls.MAX_TILES
    assert contract_constant('KINDS') == len(Kind) == max(Kind)


@pytest.fixture
def contract_constant():
    from contract_history import execute

    machine = execute([])._evm

    def ask(name):
        return int.from_bytes(machine.read(keccak(text=f'{name}()')[:4]), 'big')

    return ask
