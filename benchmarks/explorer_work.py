"""What a team says in hours of work: tasks from proposal to completion, tiles, sketches, lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import random

from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.core.fleet import Fleet

REGIONS = 20  # along a side of the building
CELLS = 12  # map cells between two places of tasks
EVERY_TASK, EVERY_TILE, EVERY_SKETCH, EVERY_SIGHTING = 2.0, 2.0, 10.0, 20.0  # s
CLASSES = 1_000
FULL = (1 << 256) - 1
_WALLS = 2**128 - 2**112  # one row of a sketch
_LIE = 2**64 - 1  # four rows that are not there

Say = Callable[[float, int, bytes], None]
"""Seconds from now, roster index, call."""


class Work:
    """
    Plans calls one interval at a time.

    :param say: takes each call.
    :param seed: of where and when all happens.
    """

    def __init__(self, fleet: Fleet, say: Say, seed: int) -> None:
        self._addresses = [robot.address for robot in fleet.robots]
        self._say = say
        self._random = random.Random(seed)
        self._rounds: dict[tuple[int, int], int] = {}

    def plan(self, seconds: float, sides: Sequence[Sequence[int]], liar: int | None) -> None:
        """
        Plan what happens in the next seconds.

        :param sides: the robots that work, by who hears whom.
        :param liar: who invents walls.
        """
        for side in sides:
            share = len(side) / len(self._addresses)
            for at in self._times(seconds, EVERY_TASK / share):
                self._task(at, side)
            for robot in side:
                self._map(seconds, robot, robot == liar)

    def accuse(self, liar: int, others: Sequence[int]) -> None:
        """Let the others sketch a region that somebody lied about."""
        for robot in (liar, *others):
            self._say(self._random.uniform(0, 1), robot, _sketch(0, 0, robot == liar))

    def _times(self, seconds: float, every: float) -> list[float]:
        count = round(seconds / every)
        return sorted(self._random.uniform(0, seconds) for _ in range(count))

    def _task(self, at: float, side: Sequence[int]) -> None:
        """Plan a task's whole life: in a split, both sides may do the same one."""
        draw = self._random
        kind = draw.choices((Kind.EXPLORE, Kind.INSPECT), (3, 1))[0]
        place = draw.randrange(REGIONS) * CELLS, draw.randrange(REGIONS) * CELLS
        round_ = self._rounds.get(place, 0)
        key = tasks.task_key(kind, *place, round_)
        proposer = draw.choice(side)
        self._say(at, proposer, tasks.propose(kind, *place, round_))
        bids = {robot: draw.randrange(500, 40_000) for robot in side if draw.random() < 0.9}
        for robot, cost in bids.items():
            self._say(at + draw.uniform(0.3, 1.2), robot, tasks.bid(key, cost))
        if not bids:
            return
        winner = min(bids, key=lambda robot: bids[robot])
        self._say(at + 2.5, proposer, tasks.award(key, self._addresses[winner], 0))
        begin, length = at + 3.0, 2 + bids[winner] / 1_000  # drives 1 m/s
        for number in range(1, 1 + int(length / 5)):
            self._say(begin + 5 * number, winner, tasks.renew(key))
        done = draw.random() < 0.95
        self._say(begin + length, winner, tasks.complete(key) if done else tasks.release(key))
        if done:
            self._rounds[place] = round_ + 1

    def _map(self, seconds: float, robot: int, lies: bool) -> None:
        draw = self._random
        for at in self._times(seconds, EVERY_TILE):
            x, y = draw.randrange(REGIONS), draw.randrange(REGIONS)
            self._say(at, robot, maps.submit_tiles([(x, y, draw.randbytes(32))]))
        for at in self._times(seconds, EVERY_SKETCH):
            x, y = draw.randrange(REGIONS), draw.randrange(REGIONS)
            self._say(at, robot, _sketch(x, y, lies))
        for at in self._times(seconds, EVERY_SIGHTING):
            where = draw.randrange(REGIONS * 3_200), draw.randrange(REGIONS * 3_200)
            kind, confidence = draw.randrange(CLASSES), draw.randrange(600, 1_000)
            self._say(at, robot, maps.report_sighting(kind, confidence, *where))


def _sketch(x: int, y: int, lies: bool) -> bytes:
    """Return what a region looks like: some have a wall."""
    occupied = (_WALLS if (x * 7 + y * 3) % 4 == 0 else 0) | (_LIE if lies else 0)
    return maps.submit_sketch(x, y, FULL ^ occupied, occupied)
