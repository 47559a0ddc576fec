"""Coming together again: what is asked, of whom, what is answered, and what it costs."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.tangle.answerer import Answerer, Budget
from collab_robots.tangle.fetcher import Fetcher
from collab_robots.tangle.memory import make_team, MemoryNetwork, Weather
from collab_robots.tangle.peers import Peer
from collab_robots.tangle.record import encode_record
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.store import Row, Store
from collab_robots.tangle.sync import (
    check_have,
    check_request,
    Have,
    lacking,
    MAX_IDS,
    MAX_RANGES,
    Range,
    Request,
)

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
CONFIG = LedgerConfig()
HAVE = Have('robot_01', FLEET.id, (0, 1, 2, 3), bytes(32))
REQUEST = Request('robot_01', 'robot_00', (Range(0, 0, 5),), (bytes(32),))
OTHER = make_team(4, 'other')[0]


# Messages


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'fleet': OTHER.id}, Refusal.FLEET),
        ({'fleet': b''}, Refusal.FLEET),
        ({'sender': 'stranger'}, Refusal.ISSUER),
        ({'sender': ''}, Refusal.ISSUER),
        ({'heights': ()}, Refusal.MALFORMED),
        ({'heights': (0,) * 65}, Refusal.MALFORMED),
        ({'heights': (0, 1, 2, -1)}, Refusal.MALFORMED),
        ({'heights': (0, 1, 2, 2**32 + 1)}, Refusal.MALFORMED),
        ({'set_digest': bytes(31)}, Refusal.MALFORMED),
    ],
)
def test_bad_announcement_is_refused(change, reason):
    check_have(HAVE, FLEET)
    check_have(replace(HAVE, heights=(0,) * 5), FLEET)  # of a later epoch
    with pytest.raises(RefusedError) as refused:
        check_have(replace(HAVE, **change), FLEET)
    assert refused.value.reason is reason


def test_refusal_of_another_fleet_names_both():
    with pytest.raises(RefusedError, match=f"fleet {OTHER.id.hex()}; ours is 'twin'.*files"):
        check_have(replace(HAVE, fleet=OTHER.id), FLEET)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'sender': 'stranger'}, Refusal.ISSUER),
        ({'ranges': (Range(0, 0, 0),) * (MAX_RANGES + 1)}, Refusal.TOO_LARGE),
        ({'ids': (bytes(32),) * (MAX_IDS + 1)}, Refusal.TOO_LARGE),
        ({'ids': (bytes(31),)}, Refusal.MALFORMED),
        ({'ranges': (Range(64, 0, 0),)}, Refusal.MALFORMED),
        ({'ranges': (Range(-1, 0, 0),)}, Refusal.MALFORMED),
        ({'ranges': (Range(0, 2, 1),)}, Refusal.MALFORMED),
        ({'ranges': (Range(0, -1, 1),)}, Refusal.MALFORMED),
        ({'ranges': (Range(0, 0, 2**32),)}, Refusal.MALFORMED),
    ],
)
def test_bad_request_is_refused(change, reason):
    check_request(REQUEST, FLEET)
    with pytest.raises(RefusedError) as refused:
        check_request(replace(REQUEST, **change), FLEET)
    assert refused.value.reason is reason


# What is lacking

HEIGHTS = st.lists(st.integers(0, 30), min_size=3, max_size=3)


@given(
    HEIGHTS,
    st.lists(st.sets(st.integers(0, 30)), min_size=3, max_size=3),
    HEIGHTS,
    st.integers(1, 40),
)
def test_lacking_is_the_difference_lowest_first(own, waiting, have, limit):
    ranges = lacking(own, waiting, have, limit)
    asked = [(r.issuer, seq) for r in ranges for seq in range(r.first, r.last + 1)]
    wanted = [
        (issuer, seq)
        for issuer in range(3)
        for seq in range(own[issuer], have[issuer])
        if seq not in waiting[issuer]
    ]
    assert len(asked) == len(set(asked)) <= max(limit, 3)
    assert set(asked) <= set(wanted)
    assert len(ranges) <= MAX_RANGES
    for issuer in range(3):
        mine = [seq for robot, seq in asked if robot == issuer]
        all_of_it = [seq for robot, seq in wanted if robot == issuer]
        assert mine == all_of_it[: len(mine)]
        assert bool(mine) == bool(all_of_it)  # nobody starves
    if limit >= 3 * len(wanted) and len(ranges) < 20:
        assert asked == wanted


def test_a_huge_claim_costs_little():
    ranges = lacking([0] * 4, [set()] * 4, [2**32] * 4, 128)
    assert ranges == tuple(Range(issuer, 0, 31) for issuer in range(4))


# Whom to ask


class Asking:
    """A fetcher and what it knows; time in seconds."""

    def __init__(self):
        self.fetcher = Fetcher('robot_00', CONFIG)
        self.peers = {name: Peer(0, (0, 4, 4, 4)) for name in NAMES[1:]}
        self.own, self.waiting, self.missing = [0, 0, 0, 0], [set() for _ in NAMES], {}

    def at(self, time):
        now = round(time * SECOND)
        for peer in self.peers.values():
            peer.heard_at = now
        request = self.fetcher.poll(now, self.own, self.waiting, self.missing, self.peers, ())
        return request and request.target


def test_one_request_at_a_time_then_another_robot_then_back_off():
    asking = Asking()
    assert asking.at(0) == 'robot_01'
    assert asking.at(0.4) is None
    assert asking.at(0.5) == 'robot_02'
    assert asking.at(1.0) == 'robot_03'
    assert asking.at(1.5) == 'robot_01'  # alone for 0.5 s, then for 1 s
    asked = [asking.at(t / 10) for t in range(16, 1016)]
    assert 3 * 100 / 2.5 * 0.8 < len([name for name in asked if name]) < 3 * 100 / 2.5 * 1.2


def test_progress_keeps_the_robot_and_ends_the_request():
    asking = Asking()
    assert asking.at(0) == 'robot_01'
    asking.own[1] = 2
    assert asking.at(0.4) is None
    assert asking.at(0.8) is None
    assert asking.at(0.9) == 'robot_01'  # the rest was lost on the way, not refused
    asking.own = [0, 4, 4, 4]
    assert asking.at(0.95) is None
    asking.peers['robot_02'].heights = (0, 4, 4, 5)
    assert asking.at(0.96) == 'robot_02'


def test_missing_parents_are_asked_of_who_brought_the_child():
    asking = Asking()
    asking.own = [0, 4, 4, 4]
    asking.missing = {b'p' * 32: 'robot_03'}
    assert asking.at(0) == 'robot_03'
    assert asking.at(0.5) == 'robot_01'
    asking.missing = {}
    assert asking.at(0.6) is None


def test_who_is_away_is_not_asked():
    asking = Asking()
    for peer in asking.peers.values():
        peer.heard_at = 0
    now = round(3 * SECOND)
    assert asking.fetcher.poll(now, asking.own, asking.waiting, {}, asking.peers, ()) is None


# What is answered


def test_budget_is_a_rate_with_a_burst():
    budget = Budget(rate=100, burst=50)
    assert budget.take(0, 50)
    assert not budget.take(0, 1)
    assert not budget.take(SECOND // 10, 11)
    assert budget.take(SECOND // 10, 10)
    assert not budget.take(100 * SECOND, 51)
    assert budget.take(100 * SECOND, 50)


def filled_store(count, size=100):
    store = Store(':memory:', FLEET, NAMES[0])
    for seq in range(count):
        identity = seq.to_bytes(32, 'big')
        store.add(Row(identity, bytes(size), 0, seq, seq, 0, seq + 1))
    return store


def test_answer_is_ordered_limited_and_sent_once():
    answerer = Answerer(filled_store(1_000), CONFIG)
    everything = replace(REQUEST, ranges=(Range(0, 5, 2**32 - 1),), ids=(bytes(32),))
    rows = list(answerer.answer(everything, {}, 0))
    assert [row.seq for row in rows] == [0, *range(5, 260)]
    for row in rows:
        answerer.note_sent(row.id, 0)
    again = replace(everything, sender='robot_02')
    assert list(answerer.answer(again, {}, SECOND // 10)) == []  # robot_02 heard it too
    assert len(list(answerer.answer(again, {}, SECOND))) == 256  # it says it did not


def test_flood_of_requests_brings_no_more_than_the_budget():
    answerer = Answerer(filled_store(200, size=10_000), CONFIG)
    sent = refused = 0
    for step in range(1_000):  # 10 s
        now = step * SECOND // 100
        try:
            for row in answerer.answer(replace(REQUEST, ranges=(Range(0, 0, 199),)), {}, now):
                answerer.note_sent(row.id, now)
                sent += len(row.raw)
        except RefusedError as error:
            assert error.reason is Refusal.FLOOD
            refused += 1
    assert refused > 500
    assert sent <= CONFIG.answer_burst + 10 * CONFIG.answer_rate
    list(
        answerer.answer(replace(REQUEST, sender='robot_02'), {}, 10 * SECOND)
    )  # others do not suffer


# Whole teams


def talk(network, seconds, every=1.0):
    """Let every robot say something now and then."""
    for _ in range(round(seconds / every)):
        for name, ledger in network.ledgers.items():
            ledger.submit(f'{name} says something'.encode())
        network.run(every)


def start(seed=1, weather=None, keys=KEYS, **config):
    network = MemoryNetwork(FLEET, seed, weather)
    for key in keys:
        network.start(key, config=LedgerConfig(**config))
    network.run(2.5)
    return network


@pytest.mark.parametrize('seed', range(5))
def test_split_heals_within_a_second(seed):
    network = start(seed)
    talk(network, 5)
    network.run(5, network.agree)
    network.split(NAMES[:2], NAMES[2:])
    talk(network, 30)
    before = {name: set(ledger.dag.entries) for name, ledger in network.ledgers.items()}
    assert len({frozenset(ids) for ids in before.values()}) >= 2
    network.run(seed / 5)
    network.heal()
    assert network.run(10, network.agree) < 0.7
    for ledger in network.ledgers.values():
        assert set(ledger.dag.entries) >= set().union(*before.values())
        assert not ledger.status().refused


@pytest.mark.parametrize('split', [10, 100])
def test_healing_costs_what_differs(split):
    """Bytes are proportional to the difference, whatever the common history."""
    network = start()
    talk(network, 50)
    network.run(5, network.agree)
    network.split(NAMES[:2], NAMES[2:])
    talk(network, split)
    for ledger in network.ledgers.values():
        ledger.hold = True
    network.run(5)
    left, right = network.ledgers[NAMES[0]].dag, network.ledgers[NAMES[2]].dag
    differing = set(left.entries) ^ set(right.entries)
    known = {**left.entries, **right.entries}
    lacked = sum(len(encode_record(known[identity].record)) for identity in differing)
    assert len(differing) > 3 * split
    before = dict(network.sent)
    network.heal()
    network.run(10, network.agree)
    assert network.agree()
    sent = {kind: network.sent[kind] - before[kind] for kind in before}
    assert lacked <= sent['block'] <= 1.2 * lacked
    assert sum(sent.values()) <= 1.2 * lacked + 3_000


def test_line_of_robots_converges():
    """Only neighbours hear each other; announcements carry blocks on."""
    network = start()
    network.hear_if(lambda a, b: abs(NAMES.index(a) - NAMES.index(b)) == 1)
    talk(network, 10)
    assert network.run(10, network.agree) < 5
    heights = network.ledgers[NAMES[3]].dag.heights()
    assert all(height >= 10 for height in heights)


def test_late_joiner_catches_up():
    network = start(keys=KEYS[:3])
    talk(network, 200, every=0.5)
    network.run(3, network.agree)
    assert len(network.ledgers[NAMES[0]].dag.entries) >= 1_200
    network.start(KEYS[3])
    assert network.run(20, network.agree) < 5
    assert network.agree()
    assert network.ledgers[NAMES[3]].status().waiting == 0


@pytest.mark.parametrize('seed', range(3))
def test_bad_radio(seed):
    """30 % of all messages are lost, 20 % come twice, and they overtake one another."""
    network = start(seed, Weather(delay=(0.0, 0.5), loss=0.3, duplication=0.2))
    talk(network, 20)
    network.split(NAMES[:1], NAMES[1:])
    talk(network, 20)
    network.heal()
    assert network.run(60, network.agree) < 30
    assert network.agree()


def test_liar_about_what_it_has_does_not_stop_the_others():
    network = start(keys=KEYS[:3])
    talk(network, 3)
    liar = network.transport(NAMES[3])
    network.split(NAMES[:1], [NAMES[1], NAMES[2]])
    talk(network, 20)
    network.heal()
    for _ in range(20):
        liar.broadcast_have(Have(NAMES[3], FLEET.id, (2**32,) * 4, b'\xff' * 32))
        network.run(0.2)
    assert network.agree()
    assert network.ledgers[NAMES[0]].dag.heights()[1] > 20


def test_ids_that_nobody_has_do_not_keep_out_the_others():
    """A liar's records may name parents that do not exist."""
    asking = Asking()
    asking.own = [4, 4, 4, 4]
    asking.missing = {bytes([n]) * 32: 'robot_01' for n in range(200)}
    asked = set()
    for step in range(80):
        asking.peers = {name: replace(peer, failures=0) for name, peer in asking.peers.items()}
        now = step * 3 * SECOND
        for peer in asking.peers.values():
            peer.heard_at, peer.not_before = now, 0
        request = asking.fetcher.poll(
            now, asking.own, asking.waiting, asking.missing, asking.peers, ()
        )
        if request is not None:
            asked.update(request.ids)
    assert asked == set(asking.missing)
