"""Calls: their bytes, and what is refused before it is sent. Words are in test_words.py."""

from contract_history import execute
from eth_utils import keccak
import pytest

from collab_robots.contract.artifact import CODEC
from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import encode, Kind
from collab_robots.core.errors import CallError

KEY = tasks.task_key(Kind.EXPLORE, 5, -7, 2)
ROBOT = bytes(range(20))
DIGEST = b'\x11' * 32
SALT = b's' * 32


def test_bytes_are_pinned():
    selector = keccak(text='bid(bytes32,uint32)')[:4]
    assert tasks.bid(KEY, 12_300) == selector + KEY + (12_300).to_bytes(32, 'big')
    assert tasks.award(KEY, ROBOT, 7) == (
        keccak(text='award(bytes32,address,uint40)')[:4]
        + KEY
        + ROBOT.rjust(32, b'\0')
        + (7).to_bytes(32, 'big')
    )
    tiles = maps.submit_tiles([(3, -4, DIGEST)])
    assert tiles[:4] == keccak(text='submitTiles((int16,int16,bytes32)[])')[:4]
    assert CODEC.decode(['(int16,int16,bytes32)[]'], tiles[4:]) == (((3, -4, DIGEST),),)


def test_a_key_says_what_the_contract_says():
    ask = execute([]).tentative().ask
    assert ask('Tasks', 'taskKey', Kind.EXPLORE, 5, -7, 2) == (KEY,)
    assert tasks.identity_of(KEY) == (Kind.EXPLORE, 5, -7, 2)
    assert ask('Tasks', 'commitmentOf', KEY, ROBOT, 7, SALT) == (
        tasks.commitment_of(KEY, ROBOT, 7, SALT),
    )


@pytest.mark.parametrize(
    'wrong',
    [
        lambda: tasks.propose(0, 1, 1, 0),
        lambda: tasks.propose(5, 1, 1, 0),
        lambda: tasks.propose(Kind.EXPLORE, 1 << 31, 1, 0),
        lambda: tasks.propose(Kind.EXPLORE, 1, -(1 << 31) - 1, 0),
        lambda: tasks.propose(Kind.EXPLORE, 1, 1, -1),
        lambda: tasks.propose(Kind.EXPLORE, 1.5, 1, 0),
        lambda: tasks.propose(Kind.EXPLORE, 1, 1, 0, tasks.Terms(priority=256)),
        lambda: tasks.bid(KEY, -1),
        lambda: tasks.bid(KEY, 1 << 32),
        lambda: tasks.bid(KEY[:31], 1),
        lambda: tasks.bid(b'\xff' * 32, 1),
        lambda: tasks.bid_sealed(KEY, bytes(32)),
        lambda: tasks.reveal(KEY, 1, SALT[:31]),
        lambda: tasks.award(KEY, ROBOT[:19], 0),
        lambda: tasks.award(KEY, ROBOT, -1),
        lambda: tasks.award_batch([]),
        lambda: tasks.award_batch([(KEY, ROBOT, 0)] * (tasks.MAX_BATCH + 1)),
        lambda: tasks.award_batch([(KEY, ROBOT[1:], 0)]),
        lambda: tasks.renew(b''),
        lambda: tasks.task_key(Kind.EXPLORE, 1 << 31, 0, 0),
        lambda: tasks.identity_of(bytes(32)),
        lambda: maps.submit_tiles([]),
        lambda: maps.submit_tiles([(0, 0, DIGEST)] * (maps.MAX_TILES + 1)),
        lambda: maps.submit_tiles([(0, 0, bytes(32))]),
        lambda: maps.submit_tiles([(0, 0, DIGEST[:8])]),
        lambda: maps.submit_tiles([(1 << 15, 0, DIGEST)]),
        lambda: maps.report_sighting(1 << 16, 0, 0, 0),
        lambda: maps.report_sighting(0, 1001, 0, 0),
        lambda: maps.report_sighting(0, -1, 0, 0),
        lambda: maps.report_sighting(0, 0, 1 << 31, 0),
        lambda: encode('offer', DIGEST, 7),
    ],
)
def test_refused_before_it_is_sent(wrong):
    with pytest.raises(CallError):
        wrong()


def test_the_limits_are_the_contracts():
    ask = execute([]).tentative().ask
    assert ask('Maps', 'MAX_TILES') == (maps.MAX_TILES,)
    assert ask('Tasks', 'MAX_BATCH') == (tasks.MAX_BATCH,)
