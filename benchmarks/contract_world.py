"""A fleet of 64 robots in which every call of the suite meets the worst that can be stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from collab_robots.contract.artifact import suite
from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import encode, Kind
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.evm import make_evm, SYSTEM
from collab_robots.core.fleet import Fleet
from collab_robots.tangle.memory import make_team

ROBOTS = 64
TIME = 1_000  # s
BATCH = 32  # Tasks.MAX_BATCH, Maps.MAX_TILES
VOTES = 4  # Fleet.MAX_VOTES
QUORUM = 43  # of 64 robots
SKETCHES = 3  # Maps.MAX_SKETCHES
KEY = tasks.task_key(Kind.EXPLORE, 1, 1, 1)
KEYS = [tasks.task_key(Kind.EXPLORE, 1, 2, round_) for round_ in range(BATCH)]
SALT = b's' * 32
TERMS = tasks.Terms(7, TIME + 1000, 1, False)
ALL = (1 << 256) - 1
PLACE = (3, 4)  # of the region


@dataclass(frozen=True)
class Case:
    """
    A call at its worst.

    :param robot: who calls; None for the ledger.
    """

    name: str
    what: str
    data: bytes
    robot: int | None = 0

    @property
    def call(self) -> str:
        """Of the contract's, with what is special about it."""
        return f'{self.name}, {self.what}' if self.what else self.name


class World:
    """
    The suite with much in it.

    :param convicted: all robots convict one another; otherwise nobody is.
    """

    def __init__(self, convicted: bool) -> None:
        self.fleet, _ = make_team(ROBOTS)
        self.addresses = [robot.address for robot in self.fleet.robots]
        self.deployment = Deployment(suite(), self.fleet, make_evm())
        for robot in range(ROBOTS):
            self.say(robot, encode('setCapabilities', 15))
        self._tasks()
        self._sketches(convicted)
        self._models()
        self._votes()

    def say(self, robot: int, data: bytes, time: int = TIME) -> None:
        """
        Execute a call that has to be successful.

        :raises RuntimeError: if it is not.
        """
        result = self.deployment.call(self.addresses[robot], data, time)
        if not result.ok:
            raise RuntimeError(f'{suite().calls[data[:4]].name}: {result}')

    def cases(self) -> Iterator[Case]:
        """Yield every call of the suite at its worst, those of the ledger included."""
        last = ROBOTS - 1
        award = tasks.award(KEY, self.addresses[last], 0)
        others = [(key, self.addresses[last], 0) for key in KEYS]
        fresh = tasks.task_key(Kind.INSPECT, 9, 9, 0)
        commitment = tasks.commitment_of(KEY, self.addresses[0], 7, SALT)
        yield Case('propose', '', tasks.propose(Kind.EXPLORE, 8, 8, 3, TERMS))
        yield Case('bid', '', tasks.bid(fresh, 7))
        yield Case('bidSealed', '', tasks.bid_sealed(fresh, commitment))
        yield Case('reveal', '', tasks.reveal(KEYS[1], 7, SALT), 1)
        yield Case('award', f'{ROBOTS} leases', award)
        yield Case('awardBatch', f'{BATCH} tasks', tasks.award_batch(others))
        yield Case('renew', f'{ROBOTS} leases', tasks.renew(KEY))
        yield Case('release', '', tasks.release(KEY))
        yield Case('reassign', '', tasks.reassign(KEY, self.addresses[last]))
        yield Case('complete', '', tasks.complete(KEY))
        tiles = [(x, 1, b'd' * 32) for x in range(BATCH)]
        yield Case('submitTiles', f'{BATCH} tiles', maps.submit_tiles(tiles))
        yield Case('reportSighting', '', maps.report_sighting(1, 900, 5, 6))
        yield Case('submitSketch', f'against {SKETCHES * last}', sketch(2), last)
        yield Case('permit', '', encode('permit', (b'm' * 32, 0, 0, b'e' * 32), (1 << 64) - 1))
        yield Case('offer', '', encode('offer', b'q' * 32, True))
        yield Case('audit', '', encode('audit', self.addresses[1], b'p' * 32, 9, 3))
        yield Case('setCapabilities', '', encode('setCapabilities', 7))
        yield Case('registerSigner', '', encode('registerSigner', b's' * 20))
        yield Case('signAnchor', '', encode('signAnchor', (9, 27, b'r' * 32, b's' * 32)))
        yield Case('vote', f'the {VOTES}th', encode('vote', rekeying(999)), last)
        yield Case('withdraw', f'the {VOTES}th', encode('withdraw', self._last_change))
        yield Case('closeEpoch', f'{VOTES} new keys', encode('closeEpoch', 0), None)
        most = (1 << last) - 1
        yield Case('closeEpoch', f'{last} expelled', encode('closeEpoch', most), None)

    def views(self) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
        """Yield views at their worst: contract, function, what is special, arguments."""
        yield 'Tasks', 'judge', f'{ROBOTS} leases', (KEY, TIME + 1)
        yield 'Maps', 'convicted', '', ()
        yield 'Maps', 'disputedSince', f'{ROBOTS} robots', PLACE
        yield 'Maps', 'evidence', f'{ROBOTS} robots', (1, *PLACE)
        yield 'Fleet', 'roster', f'{ROBOTS} robots', ()
        yield 'Fleet', 'pending', f'{ROBOTS * VOTES} votes', (0,)

    def _tasks(self) -> None:
        before = tasks.task_key(Kind.EXPLORE, 1, 1, 0)
        early = TIME - 5  # when nobody may be awarded yet
        self.say(0, tasks.propose(Kind.EXPLORE, 1, 1, 0), early)
        for key in [before, *KEYS]:
            self.say(0, tasks.bid(key, 5), early)
        commitment = tasks.commitment_of(KEYS[1], self.addresses[1], 7, SALT)
        self.say(1, tasks.bid_sealed(KEYS[1], commitment))
        self.say(0, tasks.award(before, self.addresses[0], 0))
        self.say(0, tasks.complete(before))
        for robot in range(ROBOTS):
            self.say(robot, tasks.propose(Kind.EXPLORE, 1, 1, 1, TERMS), early)
            self.say(robot, tasks.bid(KEY, 100 + robot), early)
        for robot in range(ROBOTS - 1, -1, -1):  # the last word of robot 0 is about itself
            self.say(0, tasks.award(KEY, self.addresses[robot], 0))

    def _sketches(self, convicted: bool) -> None:
        for robot in range(ROBOTS - 1):
            for number in range(SKETCHES):
                self.say(robot, sketch(robot % 2 if convicted else 0, number))
        for number in range(SKETCHES - 1):
            self.say(ROBOTS - 1, sketch(0, number))

    def _models(self) -> None:
        for robot in range(ROBOTS):
            self.say(robot, encode('permit', (b'm' * 32, 0, 0, b'd' * 32), (1 << 64) - 1))

    def _votes(self) -> None:
        """Let VOTES changes pass when the epoch closes, and every other vote be alone."""
        for robot in range(ROBOTS):
            own = ROBOTS * robot if robot >= QUORUM else 0
            for number in range(VOTES - (robot == ROBOTS - 1)):
                self.say(robot, encode('vote', rekeying(own + number)))
        (self._last_change,) = self.deployment.ask('Fleet', 'changeId', rekeying(VOTES - 1))


def rekeying(number: int) -> tuple[Any, ...]:
    """Return the change that gives a robot another key."""
    return 3, number % ROBOTS, 0, 0, (number + 1).to_bytes(32, 'little'), bytes(32)


def sketch(wall: int, number: int = 0) -> bytes:
    """Return a call with a sketch; those of unlike walls conflict, in their last window only."""
    occupied = 0x7F << (16 * (15 - wall) + 9)
    unknown = 1 << number
    return encode('submitSketch', *PLACE, ALL & ~occupied & ~unknown, occupied)


def sender(case: Case, fleet: Fleet) -> bytes:
    """Return the address that a call comes from."""
    return SYSTEM if case.robot is None else fleet.robots[case.robot].address
