"""What robots say while they work: the contract calls of one task after another."""

from __future__ import annotations

import random

from collab_robots.contract.calls import maps, tasks
from collab_robots.contract.calls.common import Kind
from collab_robots.core.fleet import Fleet

DIGEST = bytes(range(1, 33))


class Workload:
    """
    Calls in a circle: a task from proposal to completion, a sighting, and map tiles.

    :param seed: of where tasks, sightings and tiles are.
    :param places: how many different ones there are; 0: as good as never the same one twice. The
        contract's facts only grow, so only a bounded number of them has a bounded state.
    """

    def __init__(self, fleet: Fleet, seed: int, places: int = 0) -> None:
        self._places = places
        self._addresses = [robot.address for robot in fleet.robots]
        self._random = random.Random(seed)
        self._state = [(0, b'')] * len(fleet.robots)  # step and the task's key

    def call(self, robot: int) -> bytes:
        """Return a robot's next call."""
        step, key = self._state[robot]
        if self._places:
            x, y, round_ = self._random.randrange(self._places), 0, 0
        else:
            x, y = self._random.randrange(-500, 500), self._random.randrange(-500, 500)
            round_ = self._random.randrange(1 << 16)
        if step == 0:
            key = tasks.task_key(Kind.EXPLORE, x, y, round_)
            data = tasks.propose(Kind.EXPLORE, x, y, round_)
        elif step == 1:
            data = tasks.bid(key, self._random.randrange(1, 100_000))
        elif step == 2:
            data = tasks.award(key, self._addresses[robot], 0)
        elif step == 3:
            data = tasks.renew(key)
        elif step == 4:
            data = tasks.complete(key)
        elif step == 5:
            data = maps.report_sighting(robot, 900, 10 * x, 10 * y)
        else:
            data = maps.submit_tiles([(x % 64, y % 64, DIGEST)])
        self._state[robot] = ((step + 1) % 7, key)
        return data
