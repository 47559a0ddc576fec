"""A fleet with tasks on a chain, for the tests of Tasks.sol: times are s, robots are indices."""

from __future__ import annotations

from enum import IntEnum

from solidity import address, calldata, Chain, SYSTEM

A, B, C, D = range(4)
NOBODY = bytes(20)
NEVER = (1 << 40) - 1
LEASE, OPEN_FOR, BIDDING, REVEALING, MAX_BATCH = 10, 20, 1, 2, 32
ALL = (1 << 256) - 1
WALL = (1 << 64) - 1  # four of sixteen rows of a sketch


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


def terms_of(
    priority: int = 0, deadline: int = 0, capabilities: int = 0, sealed: bool = False
) -> tuple:
    return priority, deadline, capabilities, sealed


WHAT = (Kind.EXPLORE, 5, -7, 0)
KEY = key_of(*WHAT)


class Crew:
    """
    Robots with equal weights, and the contracts that they use for tasks.

    :param robots: how many, or their addresses by index.
    """

    def __init__(self, robots: int | list[bytes] = 4) -> None:
        self.chain = Chain()
        self.robots = [address(n) for n in range(robots)] if isinstance(robots, int) else robots
        self.fleet = self.chain.deploy('Fleet', self.robots, [1] * len(self.robots))
        self.maps = self.chain.deploy('Maps', self.fleet)
        self.tasks = self.chain.deploy('Tasks', self.fleet, self.maps)
        self.ids: set[tuple] = set()

    def say(self, robot: int, at: int, call: str, *arguments: object) -> list[tuple]:
        """Let a robot call; return the events."""
        done = self.attempt(robot, at, call, *arguments)
        assert done.ok, (call, done.error, done.halt)
        return done.events

    def refused(self, robot: int, at: int, call: str, *arguments: object) -> tuple:
        """Let a robot call what changes nothing; return the error."""
        before = self.facts()
        done = self.attempt(robot, at, call, *arguments)
        assert not done.ok and self.facts() == before
        return done.error

    def attempt(self, robot: int, at: int, call: str, *arguments: object):
        contract = self.maps if call == 'submitSketch' else self.tasks
        done = self.chain.call(self.robots[robot], contract, call, *arguments, at=at)
        self.ids |= {(contract, event[1]) for event in done.events}
        return done

    def facts(self) -> dict:
        """Return all facts that calls were about, by contract and id."""
        return {(contract.name, key): self.chain.fact(contract, key) for contract, key in self.ids}

    def propose(self, robot: int, at: int, what: tuple = WHAT, **terms: int) -> bytes:
        self.say(robot, at, 'propose', *what, terms_of(**terms))
        return key_of(*what)

    def award(self, robot: int, at: int, winner: int, key: bytes = KEY) -> list[tuple]:
        return self.say(robot, at, 'award', key, self.robots[winner], 0)

    def auction(self, at: int = 100, key: bytes = KEY) -> None:
        """Let A bid 3 m, B 1 m, C 2 m, and A award the task to B two seconds later."""
        for robot, cost in ((A, 3000), (B, 1000), (C, 2000)):
            self.say(robot, at, 'bid', key, cost)
        self.award(A, at + 2, B, key)

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

    def question(self, view: str, *arguments: object) -> bytes:
        """Return the bytes that ask a view of Tasks."""
        items = (item for item in self.tasks.abi if item.get('name') == view)
        return calldata(next(items), arguments)

    def assign(self, keys: list[bytes], at: int, absent: int = 0, busy: int = 0) -> dict:
        """Return robots by key."""
        keys = sorted(keys)
        found = self.chain.view(self.tasks, 'assign', keys, absent, busy, at)
        pairs = zip(keys, found, strict=True)
        return {key: self.robots.index(robot) for key, robot in pairs if robot != NOBODY}

    def sketch(self, robot: int, at: int, wall: bool, x: int = 0, y: int = 0) -> None:
        """Let a robot map a region: free, or with a wall. The two conflict."""
        masks = (ALL ^ WALL, WALL) if wall else (ALL, 0)
        self.say(robot, at, 'submitSketch', x, y, *masks)

    def convict(self, robot: int, at: int = 50) -> None:
        """Let all others contradict a robot in a region of its own."""
        for other in range(len(self.robots)):
            self.sketch(other, at, wall=other == robot, x=-robot, y=-9)

    def close_epoch(self) -> None:
        convicted = self.chain.view(self.maps, 'convicted')
        assert self.chain.call(SYSTEM, self.fleet, 'closeEpoch', convicted).ok
