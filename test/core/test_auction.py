"""The auction of each robot's ledger: what is not on the ledger, and intents as calls."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from collab_robots.contract.artifact import suite
from collab_robots.contract.calls import tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.evm import make_evm
from collab_robots.contract.facts import Facts
from collab_robots.contract.views.tasks import TasksView
from collab_robots.core.clock import SECOND
from collab_robots.tangle.memory import make_team
from collab_robots.tasks.auction import ABSENT_AFTER, Auction
from collab_robots.tasks.intents import (
    Award,
    Bid,
    Complete,
    Intent,
    Propose,
    Release,
    Renew,
    to_call,
)

FLEET, _ = make_team(3)
A, B, C = NAMES = [robot.name for robot in FLEET.robots]
KEYS = [tasks.task_key(Kind.EXPLORE, x, 0, 0) for x in range(3)]


class Table:
    """A runner's state that calls are made on directly, for :class:`TasksView`."""

    def __init__(self) -> None:
        self.fleet, self.version = FLEET, 0
        self._deployment, self._facts = Deployment(suite(), FLEET, make_evm()), Facts()
        self.view = TasksView(self)  # type: ignore[arg-type]  # it asks a runner no more than this
        for key in range(3):
            self.say(A, 100, Propose(Kind.EXPLORE, (key, 0), 0))

    def tentative(self) -> Deployment:
        return self._deployment

    def facts(self) -> Facts:
        self._facts.refresh(self._deployment)
        return self._facts

    def say(self, robot: str, at: int, *intents: Intent) -> None:
        me = FLEET.robots[NAMES.index(robot)].address
        for intent in intents:
            assert self._deployment.call(me, to_call(intent, me), at).ok
            self._facts.touch(self._deployment.touched(self._deployment.evm.logs()))
            self.version += 1


def given(auction: Auction, at: float, present: Sequence[str] | None = None) -> dict[int, str]:
    """Return who should do which task, by its number."""
    found = auction.assign(round(at * SECOND), present)
    return {KEYS.index(key): robot for key, robot in found.items()}


def test_every_robot_asks_as_if_it_were_free() -> None:
    table = Table()
    table.say(A, 100, Bid(KEYS[0], 1.0), Bid(KEYS[1], 2.0))
    table.say(B, 100, Bid(KEYS[1], 3.0))
    table.say(A, 102, Award(KEYS[0], 100 * SECOND))
    assert given(Auction(A, table.view), 103) == {1: A}, 'it is about to be'
    assert given(Auction(B, table.view), 103) == {1: B}


def test_robots_that_are_not_heard_get_nothing() -> None:
    table = Table()
    table.say(A, 100, Bid(KEYS[0], 1.0))
    table.say(B, 100, Bid(KEYS[0], 2.0))
    auction = Auction(C, table.view)
    assert given(auction, 102) == given(auction, 102, [A]) == {0: A}
    assert given(auction, 102, [B]) == {0: B}
    assert given(Auction(A, table.view), 102, [B]) == {0: A}, 'who does not hear itself'


def test_the_auction_does_not_wait_for_the_dead() -> None:
    """A robot that never takes what it is given stops counting; a new bid revives it."""
    table = Table()
    table.say(A, 100, Bid(KEYS[0], 5.0))
    table.say(B, 100, Bid(KEYS[0], 1.0))
    auction = Auction(A, table.view)
    now = 101.0
    while given(auction, now) == {0: B}:
        now += 0.5
    assert given(auction, now) == {0: A}
    assert ABSENT_AFTER / SECOND < now - 102 <= ABSENT_AFTER / SECOND + 1
    table.say(B, 107, Bid(KEYS[0], 0.9))
    assert given(auction, 108) == {0: B}


def test_who_takes_one_task_is_not_dead_for_the_next() -> None:
    table = Table()
    for key in KEYS[:2]:
        table.say(B, 100, Bid(key, 1.0))
    auction = Auction(A, table.view)
    for at in (102, 104):
        assert set(given(auction, at).values()) == {B}
    table.say(B, 104, Award(KEYS[0], 100 * SECOND))
    for at in (105, 107):
        assert given(auction, at) == {}, 'it is busy'
    table.say(B, 108, Complete(KEYS[0]))
    assert given(auction, 109) == {1: B}


@pytest.mark.parametrize(
    ('intent', 'call'),
    [
        (Propose(Kind.INSPECT, (-1, 2), 3), tasks.propose(Kind.INSPECT, -1, 2, 3)),
        (Bid(KEYS[1], 1.2346), tasks.bid(KEYS[1], 1235)),
        (Award(KEYS[1], 7 * SECOND + 5), tasks.award(KEYS[1], b'm' * 20, 7)),
        (Renew(KEYS[1]), tasks.renew(KEYS[1])),
        (Complete(KEYS[1]), tasks.complete(KEYS[1])),
        (Release(KEYS[1]), tasks.release(KEYS[1])),
    ],
)
def test_intents_are_calls(intent: Intent, call: bytes) -> None:
    assert to_call(intent, b'm' * 20) == call
