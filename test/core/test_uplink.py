"""Who may send when: priority, the rate, what waits and what is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.uplink import BURST_S, DEBT_S, HOLD_S, Traffic, Uplink

LEDGER, SNAPSHOT, TILES, ANSWERS, TENSORS = Traffic
RATE = 10_000
BURST = BURST_S * RATE


class Sent(NamedTuple):
    at: int
    kind: Traffic
    size: int
    number: int
    behind: dict[Traffic, int]


class HastyClock(ManualClock):
    """Time goes on while somebody works."""

    def now_ns(self) -> int:
        self.advance(0.001)
        return super().now_ns()


class Bench:
    """An uplink, and what it let through."""

    def __init__(self, rate: float = RATE, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock(SECOND)
        self.uplink = Uplink(self.clock)
        self.uplink.limit(rate)
        self.sent: list[Sent] = []
        self.offered: Counter[Traffic] = Counter()
        self.count = 0

    def send(self, kind: Traffic, size: int, about: Hashable = None) -> int:
        number = self.count
        self.count += 1
        self.offered[kind] += size

        def go() -> None:
            waiting = dict(self.uplink.waiting)
            self.sent.append(Sent(self.clock.now_ns(), kind, size, number, waiting))

        self.uplink.send(kind, size, go, about)
        return number

    def wait(self, seconds: float, step: float = 0.01) -> None:
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.uplink.send_due()

    def numbers(self, kind: Traffic) -> list[int]:
        return [sent.number for sent in self.sent if sent.kind is kind]


def test_without_a_limit_all_goes_at_once():
    bench = Bench(rate=0)
    for kind in reversed(Traffic):
        bench.send(kind, 10**6)
    assert [sent.kind for sent in bench.sent] == list(reversed(Traffic))
    assert bench.uplink.sent == dict.fromkeys(Traffic, 10**6)


def test_what_waits_goes_by_priority_then_by_age():
    bench = Bench()
    first = bench.send(TENSORS, 2_000)  # more than the burst: the others wait
    for kind in (TENSORS, ANSWERS, TILES, SNAPSHOT, TILES, TENSORS):
        bench.send(kind, 100)
    assert bench.numbers(TENSORS) == [first]
    bench.wait(0.5)
    assert [sent.kind for sent in bench.sent[1:]] == [
        *(SNAPSHOT, TILES, TILES, ANSWERS, TENSORS, TENSORS)
    ]
    assert bench.numbers(TILES) == [3, 5]


def test_the_ledger_goes_at_once_and_the_others_pay_for_it():
    bench = Bench()
    bench.wait(1.0)
    bench.send(LEDGER, RATE // 2)
    bench.send(TILES, 1)
    bench.send(LEDGER, 1)
    assert bench.numbers(LEDGER) == [0, 2]
    bench.wait(0.5 - BURST_S - 0.01)
    assert bench.numbers(TILES) == []
    bench.wait(0.03)
    assert bench.numbers(TILES) == [1]


def test_what_the_ledger_owes_is_bounded_and_forgives_nobody_else():
    bench = Bench()
    bench.send(LEDGER, 100 * RATE)
    bench.send(TILES, 3 * RATE)
    bench.wait(DEBT_S + 0.02)
    assert bench.numbers(TILES) == [1]
    bench.send(LEDGER, RATE)  # the tile's debt is larger already
    bench.send(TILES, 1)
    bench.wait(2.9)
    assert bench.numbers(TILES) == [1]
    bench.wait(0.2)
    assert bench.numbers(TILES) == [1, 3]


def test_a_kind_has_a_limit_of_its_own_within_the_whole():
    bench = Bench()
    bench.uplink.limit(RATE / 10, TENSORS)
    for _ in range(20):
        bench.send(TENSORS, 100)
    assert bench.uplink.sent == {TENSORS: 100}
    bench.send(ANSWERS, 100)
    assert bench.uplink.sent == {TENSORS: 100, ANSWERS: 100}
    bench.wait(1.0)
    assert bench.uplink.sent[TENSORS] == pytest.approx(RATE / 10 * (1 + BURST_S), abs=100)


def test_time_that_passes_while_it_works_is_earned_once():
    bench = Bench(clock=HastyClock(SECOND))
    for _ in range(200):
        bench.send(TILES, 100)
    bench.wait(0.3)
    seconds = bench.clock.now_ns() / SECOND - 1.0
    assert bench.uplink.waiting[TILES]
    assert bench.uplink.sent[TILES] <= BURST + RATE * seconds + 100


def test_a_limit_may_be_lifted_while_something_waits():
    bench = Bench(rate=1.0)
    for _ in range(3):
        bench.send(TILES, 1)
    assert bench.numbers(TILES) == [0]
    bench.uplink.limit(0)
    bench.uplink.send_due()
    assert bench.numbers(TILES) == [0, 1, 2]


def test_the_oldest_is_lost_and_counted_where_there_is_no_room():
    bench = Bench()
    bench.send(TILES, RATE)
    room = round(HOLD_S * RATE)
    waiting = [bench.send(TILES, room // 4) for _ in range(6)]
    assert bench.uplink.lost == {TILES: 2}
    assert bench.uplink.waiting[TILES] == room
    bench.send(TENSORS, 10 * room)  # one always has room, and takes none of the others'
    assert bench.uplink.lost == {TILES: 2}
    bench.wait(HOLD_S + 1.0)
    assert bench.numbers(TILES) == [0, *waiting[2:]]


def test_news_about_the_same_take_the_place_of_what_waits():
    bench = Bench()
    bench.send(TILES, RATE)
    bench.send(TILES, 100, about='here')
    there = bench.send(TILES, 100, about='there')
    here = bench.send(TILES, 300, about='here')
    assert bench.uplink.waiting == {TILES: 400}
    bench.wait(2.0)
    assert bench.numbers(TILES) == [0, here, there]
    assert not bench.uplink.lost


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Traffic),
            st.integers(0, 3 * RATE),
            st.sampled_from([0.0, 0.0, 0.001, 0.03, 0.5]),
        ),
        max_size=60,
    )
)
def test_whatever_is_sent_keeps_to_rate_order_and_room(says):
    bench = Bench()
    uplink = bench.uplink
    for kind, size, pause in says:
        bench.send(kind, size)
        for waiting in list(uplink.waiting.values()):
            assert waiting <= max(HOLD_S * RATE, 3 * RATE)
        bench.wait(pause, step=0.001)
    others = [sent for sent in bench.sent if sent.kind is not LEDGER]
    for first, begin in enumerate(others):  # in no window more than was earned
        total = 0
        for sent in others[first:]:
            earned = RATE * (sent.at - begin.at) / SECOND
            assert total <= BURST + earned + 1  # before it, so beyond the last one
            total += sent.size
    for sent in others:  # nobody overtakes who is more important
        assert not any(sent.behind.get(kind, 0) for kind in Traffic if kind < sent.kind)
    for kind in Traffic:
        assert bench.numbers(kind) == sorted(bench.numbers(kind))
        assert sum(sent.size for sent in bench.sent if sent.kind is kind) == uplink.sent[kind]
    assert uplink.sent[LEDGER] == bench.offered[LEDGER]
    bench.wait(40.0, step=BURST_S)
    assert len(bench.sent) + sum(uplink.lost.values()) == bench.count
