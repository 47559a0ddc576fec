"""Fetching a snapshot: of whom, for how long, and that nobody is silenced meanwhile."""

import pytest

from collab_robots.core.clock import SECOND
from collab_robots.tangle.checkpoints import Catchup
from collab_robots.tangle.memory import make_team, MemoryNetwork
from collab_robots.tangle.peers import Peer
from collab_robots.tangle.settings import LedgerConfig
from collab_robots.tangle.sync import Chunk, Have, MAX_CHUNK_COUNT, Request

FLEET, KEYS = make_team(4)
NAMES = [robot.name for robot in FLEET.robots]
CONFIG = LedgerConfig()


def peer(heard_at: int = 0) -> Peer:
    return Peer(heard_at, (0,) * 4, snapshot=5)


def poll(catchup: Catchup, now: float, peers: dict[str, Peer]) -> str:
    """Return who is asked at ``now`` (s), if anybody."""
    request = catchup.poll(round(now * SECOND), peers, lambda peer: True)
    return request.target if request is not None else ''


def test_only_who_was_heard_lately_is_asked_for_a_snapshot() -> None:
    peers = {NAMES[1]: peer(), NAMES[2]: peer(heard_at=5 * SECOND)}
    catchup = Catchup(NAMES[0], CONFIG)
    assert poll(catchup, 6.0, peers) == NAMES[2]
    assert not poll(Catchup(NAMES[0], CONFIG), 8.0, peers)


def test_who_sends_for_too_long_is_left_for_another() -> None:
    peers = {NAMES[1]: peer()}
    catchup = Catchup(NAMES[0], CONFIG)
    assert poll(catchup, 0.0, peers) == NAMES[1]
    step = CONFIG.request_timeout / 2
    for number in range(MAX_CHUNK_COUNT - 1):
        now = number * step
        peers[NAMES[1]].heard_at = round(now * SECOND)
        peers[NAMES[2]] = peer(heard_at=round(now * SECOND))
        target = poll(catchup, now, peers)
        if target:
            break
        chunk = Chunk(NAMES[1], 5, number, MAX_CHUNK_COUNT, bytes(32), b'piece')
        catchup.take(chunk, round(now * SECOND))
    assert target == NAMES[2]
    assert CONFIG.snapshot_timeout <= now < CONFIG.snapshot_timeout + 2 * step


class Trickler:
    """Claims to have a snapshot, and sends it as slowly as anybody waits for."""

    def __init__(self, name: str, network: MemoryNetwork, snapshot: int = 5) -> None:
        self._name = name
        self._snapshot = snapshot
        self.heights = (1_000_000,) * 4
        self._transport = network.transport(name)
        self._number = 0
        self.asked = 0

    def tick(self) -> None:
        self._transport.broadcast_have(
            Have(self._name, FLEET.id, self.heights, bytes(32), snapshot=self._snapshot)
        )
        chunk = Chunk(self._name, 5, self._number, MAX_CHUNK_COUNT, bytes(32), b'piece')
        self._transport.broadcast_chunk(chunk)
        self._number = (self._number + 1) % MAX_CHUNK_COUNT

    def receive_block(self, raw: bytes, sender: str) -> None: ...
    def receive_have(self, have: Have) -> None: ...
    def receive_chunk(self, chunk: Chunk) -> None: ...

    def receive_request(self, request: Request) -> None:
        self.asked += bool(request.snapshot and request.target == self._name)


@pytest.mark.parametrize(('snapshot', 'asks'), [(0, False), (1, True), (5, True)])
def test_a_snapshot_of_what_is_not_final_here_is_fetched(snapshot: int, asks: bool) -> None:
    network = MemoryNetwork(FLEET, 1)
    network.start(KEYS[0])
    peer = Trickler(NAMES[3], network, snapshot)
    network.join(NAMES[3], peer)
    network.run(3)
    assert bool(peer.asked) is asks


@pytest.mark.parametrize(('snapshot', 'speaks'), [(0, True), (1, False)])
def test_who_lost_its_ledger_is_silent_while_others_are_ahead(snapshot: int, speaks: bool) -> None:
    network = MemoryNetwork(FLEET, 1)
    ledger = network.start(KEYS[0], fresh=False)
    ledger.submit(b'a call')
    for name in NAMES[1:]:
        peer = Trickler(name, network, snapshot)
        peer.heights = (0,) * 4
        network.join(name, peer)
    network.run(3)
    assert bool(ledger.dag.heights()[0]) is speaks
    assert ('waiting to hear 3 more' in ledger.status().alarm) is not speaks


def test_a_liar_who_claims_a_snapshot_silences_nobody() -> None:
    network = MemoryNetwork(FLEET, 1)
    for key in KEYS[:3]:
        network.start(key)
    liar = Trickler(NAMES[3], network)
    network.join(NAMES[3], liar)
    network.run(5)
    assert liar.asked
    ledger = network.ledgers[NAMES[0]]
    ledger.submit(b'a call')
    network.run(10)
    assert ledger.dag.heights()[0]
    assert all(one.order.final for one in network.ledgers.values())
    assert not ledger.status().alarm
