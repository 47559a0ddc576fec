"""Robots that share nothing but a TIP-25 node: another robot, or something as odd as HORNET."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
import time
from typing import Any

from odd_node import OddNode
import pytest
from rest_team import FLEET, KEYS, rest_team, TOKEN

from collab_robots.core.clock import Clock, SECOND
from collab_robots.core.errors import ConfigError, Refusal
from collab_robots.tangle.approval import Status
from collab_robots.tangle.block import block_id, encode_block, GENESIS
from collab_robots.tangle.hornet.node import HttpNode
from collab_robots.tangle.hornet.transport import HornetConfig, HornetTransport
from collab_robots.tangle.hornet.walk import OVERHEAD
from collab_robots.tangle.ledger import Ledger
from collab_robots.tangle.record import encode_record, sign_record
from collab_robots.tangle.store import Store

PATIENCE = 20.0  # s
QUICK = HornetConfig(
    poll_interval=0.05, audit_interval=0.5, retry=0.2, backoff=0.05, max_backoff=0.4, patience=0.3
)


class WallClock:
    def now_ns(self) -> int:
        return time.monotonic_ns() + 1_000 * SECOND


class Robot:
    """A ledger whose only way to others is a node."""

    def __init__(
        self,
        index: int,
        url: str,
        store: Path | str = ':memory:',
        token: str | None = None,
        config: HornetConfig = QUICK,
        fresh: bool = True,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or WallClock()
        self.node = HttpNode(url, token, timeout=2.0)
        self.node.start()
        self.transport = HornetTransport(self.node, clock, config)
        name = FLEET.robots[index].name
        self.store = Store(store, FLEET, name)
        self.ledger = Ledger(FLEET, KEYS[index], self.store, clock, self.transport, fresh=fresh)
        self.transport.attach(self.ledger)
        self._tick_at = 0.0

    def step(self) -> None:
        self.transport.poll()
        if time.monotonic() >= self._tick_at:
            self._tick_at = time.monotonic() + 0.1
            self.ledger.tick()

    def crash(self) -> None:
        self.node.close()
        self.store.close()

    def knows(self, *others: Robot) -> bool:
        return all(self.ledger.dag.digest == other.ledger.dag.digest for other in others)


def wait(
    robots: list[Robot],
    condition: Callable[[], Any],
    beside: Callable[[], None] = lambda: None,
    patience: float = PATIENCE,
) -> Any:
    """Let robots go on until the condition holds; return its value."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        for robot in robots:
            robot.step()
        beside()
        time.sleep(0.002)  # lets the threads of nodes and clients run
    raise AssertionError(f'did not happen within {patience:g} s')


def call(number: int) -> bytes:
    return b'call %d' % number


@pytest.fixture
def node() -> Iterator[OddNode]:
    node = OddNode()
    yield node
    node.close()


@pytest.fixture
def robots(node: OddNode) -> Iterator[list[Robot]]:
    robots = [Robot(index, node.url) for index in range(3)]
    yield robots
    for robot in robots:
        robot.crash()


def all_final(robots: list[Robot], count: int) -> bool:
    """Tell whether so many calls are final on all robots, in one order."""
    orders = []
    for robot in robots:
        order = robot.ledger.order
        final = order.entries[: order.final - order.base]
        orders.append([one for entry in final for one in entry.record.calls])
    return all(len(order) >= count for order in orders) and all(
        order == orders[0] for order in orders
    )


def test_robots_agree_over_a_teammates_rest_node() -> None:
    with rest_team() as team:
        for name in ('robot_00', 'robot_01'):  # these two are reached over HTTP only
            team.network.stop(name)
        team.api._ledger = team.ledgers[2]
        robots = [
            Robot(index, team.url, token=TOKEN, clock=team.network.clock) for index in (0, 1)
        ]
        for number in range(6):
            robots[number % 2].ledger.submit(call(number))
            team.ledgers[2].submit(call(100 + number))
        served = [*robots, *(as_robot(ledger) for ledger in team.ledgers[2:])]
        wait(robots, lambda: all_final(served, 12), team.step)
        assert robots[0].transport.posted >= 1
        assert [robot.transport.alarm for robot in robots] == ['', '']
        for robot in robots:
            robot.crash()


def test_a_foreign_block_passes_through_a_teammates_rest_node() -> None:
    with rest_team() as team:
        team.network.stop('robot_00')
        team.api._ledger = team.ledgers[2]
        robot = Robot(0, team.url, token=TOKEN, clock=team.network.clock)
        identity = robot.ledger.post(encode_block([GENESIS], b'tag', b'data'))
        robot.ledger.submit(call(0))
        served = [robot.ledger, *team.ledgers[1:]]
        wait([robot], lambda: all(identity in one.dag.entries for one in served), team.step)
        wait([robot], lambda: all(one.dag.heights()[0] for one in served), team.step)
        wait([robot], lambda: all(one.order.final > 1 for one in served), team.step)
        robot.crash()


def as_robot(ledger: Ledger) -> Any:
    return type('Served', (), {'ledger': ledger})


def test_robots_agree_over_a_node_that_is_no_robot(node: OddNode, robots: list[Robot]) -> None:
    for number in range(12):
        robots[number % 3].ledger.submit(call(number))
    wait(robots, lambda: all_final(robots, 12))
    wait(robots, lambda: robots[0].knows(*robots[1:]))


def test_records_are_found_below_blocks_of_strangers_which_stay_out(
    node: OddNode, robots: list[Robot]
) -> None:
    node.crowd = True
    for number in range(6):
        robots[number % 3].ledger.submit(call(number))
    wait(robots, lambda: all_final(robots, 6))
    assert any(decode == 7 for decode in (raw[38] for raw in node.blocks.values()))
    for robot in robots:
        assert all(entry.issuer >= 0 for entry in robot.ledger.dag.entries.values())
        assert robot.ledger.status().refused == {}


@pytest.mark.parametrize('fault', ['busy', 'garbled', 'gone'])
def test_nothing_is_lost_while_the_node_fails(
    node: OddNode, robots: list[Robot], fault: str
) -> None:
    robots[0].ledger.submit(call(0))
    wait(robots, lambda: all_final(robots, 1))
    setattr(node, fault, True)
    for number in range(1, 4):
        robots[number % 3].ledger.submit(call(number))
    wait(robots, lambda: all(robot.transport.alarm for robot in robots))
    assert 'wait to be posted' in robots[1].transport.alarm
    asked = sum(node.asked.values())
    started = time.monotonic()
    wait(robots, lambda: time.monotonic() - started > 1.0)
    assert sum(node.asked.values()) - asked <= 3 * 6  # it is not hammered
    assert not robots[0].knows(robots[1])
    if fault == 'gone':
        node.blocks.clear()  # and it comes back with an empty disk
    setattr(node, fault, False)
    wait(robots, lambda: all_final(robots, 4))
    wait(robots, lambda: not any(robot.transport.alarm for robot in robots))


def test_a_slow_node_keeps_nobody_waiting(node: OddNode, robots: list[Robot]) -> None:
    node.delay = 1.0
    robots[0].ledger.submit(call(0))
    longest = 0.0

    def measured() -> bool:
        nonlocal longest
        started = time.perf_counter()
        robots[1].step()
        longest = max(longest, time.perf_counter() - started)
        return all_final(robots, 1)

    wait(robots, measured)
    assert longest < 0.8


def test_a_node_that_speaks_only_json(node: OddNode, robots: list[Robot]) -> None:
    node.only_json = True
    robots[0].ledger.submit(call(0))
    wait(robots, lambda: all_final(robots, 1))
    assert node.answered[415] == 3  # each robot learns it once


def test_a_node_that_lost_its_disk_gets_everything_again(
    node: OddNode, robots: list[Robot]
) -> None:
    for number in range(5):
        robots[number % 3].ledger.submit(call(number))
    wait(robots, lambda: all_final(robots, 5) and robots[0].knows(*robots[1:]))
    held = set(robots[0].ledger.dag.entries)
    node.blocks.clear()
    wait(robots, lambda: held <= node.blocks.keys())


def test_what_was_not_posted_before_a_crash_is_posted_after_it(
    node: OddNode, tmp_path: Path
) -> None:
    robot = Robot(0, node.url, tmp_path / 'ledger.db')
    node.busy = True
    robot.ledger.submit(call(1))
    wait([robot], lambda: len(robot.ledger.dag.entries) == 1)
    robot.crash()
    assert not node.blocks
    node.busy = False
    robot = Robot(0, node.url, tmp_path / 'ledger.db', fresh=False)
    wait([robot], lambda: len(node.blocks) >= 1)
    assert set(robot.ledger.dag.entries) & node.blocks.keys()
    robot.crash()


def test_a_refused_block_holds_up_no_other_and_is_an_alarm(
    node: OddNode, robots: list[Robot]
) -> None:
    wait(robots, lambda: node.asked['GET tips'] >= 3)
    robots[0].ledger.submit(call(0))
    robots[0].ledger.tick()
    (bad,) = robots[0].ledger.dag.entries
    node.refuses.add(bad)
    wait(robots[:1], lambda: 'below max depth' in robots[0].transport.alarm)
    robots[1].ledger.submit(call(1))
    wait(robots, lambda: len(robots[2].ledger.dag.entries) >= 1)
    node.refuses.clear()
    wait(robots, lambda: all_final(robots, 2))
    wait(robots, lambda: not robots[0].transport.alarm)


def test_a_late_joiner_reads_a_long_history_within_its_memory(node: OddNode) -> None:
    parent, raws = GENESIS, []
    for seq in range(150):
        raw = encode_record(
            sign_record(KEYS[1], FLEET.id, seq, [parent], seq + 1, (bytes((1,)) * 300,))
        )
        raws.append(raw)
        parent = node_add(node, raw)
    small = replace(QUICK, max_held=40 * (len(raws[0]) + OVERHEAD))
    robot = Robot(0, node.url, config=small)
    wait([robot], lambda: len(robot.ledger.dag.entries) >= 150)
    assert robot.ledger.dag.heights()[1] == 150
    robot.crash()


def node_add(node: OddNode, raw: bytes) -> bytes:
    node.blocks[block_id(raw)] = raw
    return block_id(raw)


def test_forged_records_on_the_node_are_counted_and_go_no_further(
    node: OddNode, robots: list[Robot]
) -> None:
    forged = bytearray(encode_record(sign_record(KEYS[3], FLEET.id, 0, [GENESIS], 1, ())))
    forged[-20] ^= 1
    node_add(node, bytes(forged))
    node_add(node, b'\x02\x09nonsense')
    robots[0].ledger.submit(call(0))
    wait(robots, lambda: all_final(robots, 1))
    for robot in robots:
        assert robot.transport.refused[Refusal.SIGNATURE] == 1
        assert robot.ledger.dag.heights()[3] == 0


def test_a_robot_that_lost_its_disk_is_mute_until_all_others_spoke(node: OddNode) -> None:
    robots = [Robot(index, node.url) for index in range(4)]
    for number in range(4):
        robots[number].ledger.submit(call(number))
    wait(robots, lambda: all_final(robots, 4) and robots[0].knows(*robots[1:]))
    height = robots[0].ledger.dag.heights()[0]
    robots[0].crash()
    robots[0] = Robot(0, node.url, fresh=False)
    robots[0].ledger.submit(call(9))
    wait(robots, lambda: robots[0].ledger.dag.heights()[0] == height)
    assert 'not issuing' in robots[0].ledger.status().alarm
    spoken = iter(range(10, 100))
    spoke_at = time.monotonic()

    def speak() -> None:
        nonlocal spoke_at
        if time.monotonic() - spoke_at > 1.0:
            spoke_at = time.monotonic()
            robots[1 + next(spoken) % 3].ledger.submit(call(next(spoken)))

    wait(robots, lambda: robots[1].ledger.dag.heights()[0] > height, speak)
    assert all(not robot.ledger.proofs for robot in robots)
    for robot in robots:
        robot.crash()


def test_an_own_foreign_block_is_posted_with_the_record_that_names_it(
    node: OddNode, robots: list[Robot]
) -> None:
    identity = robots[0].ledger.post(encode_block([GENESIS], b'tag', b'data'))
    wait(robots, lambda: all(identity in robot.ledger.dag.entries for robot in robots))
    robots[1].ledger.submit(call(0))
    wait(robots, lambda: robots[2].ledger.status_of(identity) is Status.FINAL)


def test_a_url_that_is_none_is_refused() -> None:
    for url in ('', 'localhost:14265', 'ftp://node'):
        with pytest.raises(ConfigError, match='http'):
            HttpNode(url)
