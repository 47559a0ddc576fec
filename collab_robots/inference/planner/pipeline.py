"""How a line of robots shares a model so that most frames a second go through."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import ConfigError

MAX_ROBOTS = 8  # that one frame passes: the hops of a message
Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


class Share(NamedTuple):
    """
    What one robot of a line does.

    :param robot: its index.
    :param start: the cut whose tensor it gets.
    :param end: the cut whose tensor it hands on; the last one: the answer.
    """

    robot: int
    start: int
    end: int


@dataclass(frozen=True)
class Line:
    """
    Robots that a frame passes one after another.

    :param shares: in order; together they make the whole model.
    :param period_s: of the busiest robot or link: one over the frames a second.
    :param latency_s: of one frame that waits nowhere.
    """

    shares: tuple[Share, ...]
    period_s: float
    latency_s: float


def pipeline(work: Array, wire: Array, flight: Array) -> Line:
    """
    Find the line of the shortest period and, of all such, of the least latency.

    Every order of the robots behind the first and every choice of cuts is covered, by dynamic
    programming over (robots used, the last of them, cut): once for the period, then for the
    latency without what takes longer than that. Links are taken to be independent, and a robot to
    compute while it sends. A robot that would not help is left out. Of more than eight robots the
    quickest are looked at.

    :param work: (k, c, c) s; ``[r, a, b]``: robot r from the tensor of cut a to that of cut b > a,
        decoding and encoding included; ``[0, 0, 0]``: coding the picture itself. Robot 0 has it.
        Infinity where something cannot be.
    :param wire: (k, k, c) s; ``[r, s, a]``: for how long the tensor of cut a keeps the link from
        robot r to robot s busy.
    :param flight: (k, k) s; until what has been sent is there: part of the latency alone.
    :raises ConfigError: if these do not fit, hold NaN or negative numbers, or allow no line.
    """
    if (
        work.ndim != 3
        or wire.shape != (len(work), *work.shape[:2])
        or flight.shape != wire.shape[:2]
        or work.shape[1] != work.shape[2]
        or work.shape[1] < 2
        or not (work >= 0.0).all()
        or not (wire >= 0.0).all()
        or not (flight >= 0.0).all()
    ):
        raise ConfigError(f'no times of a line: {work.shape}, {wire.shape}')
    whole = work[1:, 0, -1]
    chosen = np.array([0, *(1 + np.sort(np.argsort(whole, kind='stable')[: MAX_ROBOTS - 1]))])
    work, wire = work[chosen], wire[np.ix_(chosen, chosen)]
    flight = flight[np.ix_(chosen, chosen)][:, :, None]
    period, _ = _best(work, wire, np.maximum)
    if period == math.inf:
        raise ConfigError('no line of robots makes the whole model')
    latency, shares = _best(
        np.where(work <= period, work, math.inf),
        np.where(wire <= period, wire + flight, math.inf),
        np.add,
    )
    named = tuple(share._replace(robot=int(chosen[share.robot])) for share in shares)
    return Line(named, period, latency)


def _best(work: Array, wire: Array, join: np.ufunc) -> tuple[float, tuple[Share, ...]]:
    """
    Find the line whose times, joined, are least.

    :param join: maximum for the period, sum for the latency.
    """
    robots, last = len(work), work.shape[1] - 1
    # Of (robots used, the last of them): the value at each cut.
    values = {(1, 0): work[0, 0]}
    # Of the same, for each cut: where that robot began, and who was before it.
    begun: dict[tuple[int, int], tuple[Index, Index]] = {}
    later = np.where(np.tri(last + 1, dtype=bool), math.inf, work)
    for used in range(1, 1 << robots, 2):
        ends = [robot for robot in range(robots) if (used, robot) in values]
        held = np.stack([values[used, robot] for robot in ends])  # (ends, c)
        for robot in (robot for robot in range(robots) if not used >> robot & 1):
            arriving = join(held, wire[ends, robot])
            who = arriving.argmin(axis=0)
            passing = join(arriving.min(axis=0)[:, None], later[robot])  # (c, c)
            where = passing.argmin(axis=0)
            state = (used | 1 << robot, robot)
            values[state] = passing.min(axis=0)
            begun[state] = where, np.array(ends)[who[where]]
    used, robot = min(values, key=lambda state: float(values[state][last]))
    best, cut, shares = float(values[used, robot][last]), last, []
    while robot:
        where, who = begun[used, robot]
        shares.append(Share(robot, int(where[cut]), cut))
        used, robot, cut = used & ~(1 << robot), int(who[cut]), int(where[cut])
    return best, (Share(0, 0, cut), *reversed(shares))
