"""A fleet with tasks on a chain, for the tests of Tasks.sol: times are s, robots are indices."""

from __future__ import annotations

from enum import IntEnum

from solidity import address, Chain, compile_source, SYSTEM

A, B, C, D = range(4)
NOBODY = bytes(20)
NEVER = (1 << 40) - 1
NOTHING = (0, 0, 0, False)  # terms
LEASE, OPEN_FOR, BIDDING, REVEALING, MAX_BATCH = 10, 20, 1, 2, 32
MAPS = """\
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
contract Maps {
    uint64 public convicted;
    mapping(int16 => mapping(int16 => uint40)) public disputedSince;
    function convict(uint64 mask) external { convicted = mask; }
    function dispute(int16 x, int16 y, uint40 since) external { disputedSince[x][y] = since; }
}
"""


class Kind(IntEnum):
    EXPLORE = 1
    INSPECT = 2
    VERIFY = 3
    INFER = 4


class State(IntEnum):
    UNKNOWN = 0
    OPEN = 1
    HELD = 2
    DONE = 3
    STALE = 4
    MISSED = 5


class Form(IntEnum):
    NONE = 0
    OPEN = 1
    SEALED = 2
    REVEALED = 3


class Reason(IntEnum):
    HOLDER = 0
    OUTBID = 1
    NOT_AWARDED = 2
    BIDDING_OPEN = 3
    AWARDED_TOO_EARLY = 4
    NO_BID = 5
    NOT_REVEALED = 6
    NOT_SEALED = 7
    LAPSED = 8
    RELEASED = 9
    INCAPABLE = 10
    CONVICTED = 11
    INACTIVE = 12
    PARTY = 13
    HAS_DONE = 14
    CLOSED = 15


class Why(IntEnum):
    NOT_PROPOSED = 0
    ROUND_BEFORE = 1
    NO_BIDS = 2
    BIDDING_OPEN = 3
    NOT_AWARDED = 4
    HELD = 5
    COMPLETED = 6
    FORGOTTEN = 7
    DEADLINE_PASSED = 8


def key_of(kind: int, x: int, y: int, round_: int = 0) -> bytes:
    low = (1 << 32) - 1
    return (kind << 96 | (x & low) << 64 | (y & low) << 32 | round_).to_bytes(32, 'big')


WHAT = (Kind.EXPLORE, 5, -7, 0)
KEY = key_of(*WHAT)


class Crew:
    """Robots with equal weights, and the contracts that they use for tasks."""

    def __init__(self, robots: int = 4) -> None:
        self.chain = Chain()
        self.robots = [address(number) for number in range(robots)]
        self.fleet = self.chain.deploy('Fleet', self.robots, [1] * robots)
        self.maps = self.chain.deploy(compile_source(MAPS)['Maps'])
        self.tasks = self.chain.deploy('Tasks', self.fleet, self.maps)
        self.ids: set[bytes] = set()

    def say(self, robot: int, at: int, call: str, *arguments: object) -> list[tuple]:
        """Let a robot call; return the events."""
        done = self.chain.call(self.robots[robot], self.tasks, call, *arguments, at=at)
        assert done.ok, (call, done.error, done.halt)
        self.ids |= {event[1] for event in done.events}
        return done.events

    def refused(self, robot: int, at: int, call: str, *arguments: object) -> tuple:
        """Let a robot call what changes nothing; return the error."""
        before = self.facts()
        done = self.chain.call(self.robots[robot], self.tasks, call, *arguments, at=at)
        assert not done.ok and self.facts() == before
        return done.error

    def facts(self) -> dict[bytes, bytes]:
        return {key: self.chain.fact(self.tasks, key) for key in self.ids}

    def propose(self, robot: int, at: int, what: tuple = WHAT, **terms: int) -> bytes:
        self.say(robot, at, 'propose', *what, terms_of(**terms))
        return key_of(*what)

    def award(self, robot: int, at: int, winner: int, key: bytes = KEY) -> list[tuple]:
        return self.say(robot, at, 'award', key, self.robots[winner], 0)

    def judge(self, at: int, key: bytes = KEY):
        return self.chain.view(self.tasks, 'judge', key, at)

    def state(self, at: int, key: bytes = KEY) -> tuple[State, Why]:
        found = self.judge(at, key)
        return State(found.state), Why(found.why)

    def holder(self, at: int, key: bytes = KEY) -> int | None:
        found = self.judge(at, key)
        return found.holder if found.state == State.HELD else None

    def reasons(self, at: int, key: bytes = KEY) -> dict[int, Reason]:
        return {part.robot: Reason(part.reason) for part in self.judge(at, key).opinions}

    def completed(self, at: int, key: bytes = KEY) -> dict[int, int]:
        parts = self.judge(at, key).opinions
        return {part.robot: part.completedAt for part in parts if part.reason == Reason.HAS_DONE}

    def assign(self, keys: list[bytes], at: int, absent: int = 0, busy: int = 0) -> dict:
        """Return robots by key."""
        keys = sorted(keys)
        found = self.chain.view(self.tasks, 'assign', keys, absent, busy, at)
        pairs = zip(keys, found, strict=True)
        return {key: self.robots.index(robot) for key, robot in pairs if robot != NOBODY}

    def convict(self, *robots: int) -> None:
        mask = sum(1 << robot for robot in robots)
        assert self.chain.call(self.robots[0], self.maps, 'convict', mask).ok

    def dispute(self, x: int, y: int, since: int) -> None:
        assert self.chain.call(self.robots[0], self.maps, 'dispute', x, y, since).ok

    def close_epoch(self, convicted: int) -> None:
        assert self.chain.call(SYSTEM, self.fleet, 'closeEpoch', convicted).ok


def terms_of(
    priority: int = 0, deadline: int = 0, capabilities: int = 0, sealed: bool = False
) -> tuple:
    return priority, deadline, capabilities, sealed
