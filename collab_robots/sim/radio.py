"""The radio between robots: range, walls, rate, delay, loss and scripted outages."""

from __future__ import annotations

from collections.abc import Sequence
import heapq
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from collab_robots.core.clock import SECOND
from collab_robots.core.config import Strict
from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import Array
from collab_robots.sim.world import first_half, World

KINDS = ('block', 'have', 'request', 'chunk', 'tile', 'work', 'reply', 'offer')

Seconds = Annotated[float, Field(ge=0.0, le=1e6)]
Matrix = npt.NDArray[np.bool_]


class Outage(Strict):
    """From ``start`` to ``end`` (s) robots of different groups cannot hear one another."""

    start: Seconds
    end: Seconds
    groups: Annotated[tuple[tuple[str, ...], ...], Field(max_length=64)]

    @model_validator(mode='after')
    def _sensible(self) -> Outage:
        names = [name for group in self.groups for name in group]
        if self.end <= self.start:
            raise ValueError(f'an outage ends after it starts, not {self.start} to {self.end} s')
        if len(names) != len(set(names)):
            raise ValueError('a robot is in at most one group of an outage')
        return self


class RadioConfig(Strict):
    """
    The radio's figures; units in ``config/radio.yaml``.

    A link holds while distance + ``wall`` × (walls crossed) ≤ ``range``; furniture counts for
    nothing. A sender sends one message after another at ``rate``; each goes to all who hear it,
    is lost for each with probability ``loss``, and arrives ``delay`` after its last byte left.
    """

    range: Annotated[float, Field(gt=0.0, le=1e5)] = 35.0
    wall: Annotated[float, Field(ge=0.0, le=1e5)] = 2.0
    rate: Annotated[float, Field(ge=100.0, le=1e9)] = 1e6
    delay: Annotated[float, Field(ge=0.0, le=10.0)] = 0.010
    loss: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    queue: Annotated[int, Field(ge=1, le=1 << 26)] = 1 << 18
    outages: Annotated[tuple[Outage, ...], Field(max_length=100)] = ()

    def with_split(self, split: str, robots: Sequence[str]) -> RadioConfig:
        """
        Return the same radio, with the two halves of the robots apart for a time.

        :param split: 'A:B' in seconds, or empty for none.
        :param robots: all names, in order.
        :raises ConfigError: if the text is not two growing numbers.
        """
        if not split:
            return self
        half = first_half(len(robots))
        try:
            start, end = (float(part) for part in split.split(':'))
            outage = Outage(
                start=start, end=end, groups=(tuple(robots[:half]), tuple(robots[half:]))
            )
        except ValueError:
            raise ConfigError(
                f'split: expected START:END in seconds with 0 <= START < END, like 40:80; '
                f'got {split!r:.80}'
            ) from None
        return self.model_copy(update={'outages': (*self.outages, outage)})


class Traffic:
    """Bytes and messages of one kind since the start; delivered and lost count per receiver."""

    def __init__(self) -> None:
        self.sent = self.delivered = self.lost = 0
        self.messages = 0


class Radio:
    """
    Carries messages between robots. Same inputs and seed: same deliveries.

    Not modelled: interference between senders, and loss that grows with distance or size.

    :param world: its walls attenuate.
    :param config: the figures.
    :param robots: names; senders and receivers are indexes into it.
    :param seed: of the losses.
    :raises ConfigError: if an outage names a robot that is not there.
    """

    def __init__(
        self, world: World, config: RadioConfig, robots: Sequence[str], seed: int
    ) -> None:
        count = len(robots)
        self.robots = tuple(robots)
        self.config = config
        self.traffic = {kind: Traffic() for kind in KINDS}
        self._rng = np.random.default_rng([seed, 0x7261])
        lines = [(box.centre, box.half, box.turn) for box in world.wall_boxes]
        middle = np.array([centre for centre, _, _ in lines])
        along = np.array(
            [[np.cos(turn) * half[0], np.sin(turn) * half[0]] for _, half, turn in lines]
        )
        self._walls = middle - along, middle + along  # ends of the centre lines, (w, 2) each
        self._links: Matrix = np.ones((count, count), dtype=bool)
        self._free_at = [0] * count  # ns, when each sender has sent all it has
        self._due: list[tuple[int, int, int, str, bytes]] = []
        self._number = 0
        self._outages = []
        for outage in config.outages:
            unknown = {name for group in outage.groups for name in group} - set(robots)
            if unknown:
                raise ConfigError(f'an outage names unknown robots: {", ".join(sorted(unknown))}')
            group = [
                next(
                    (1 + at for at, names in enumerate(outage.groups) if name in names), -1 - index
                )
                for index, name in enumerate(robots)
            ]
            together = np.equal.outer(group, group)
            self._outages.append(
                (round(outage.start * SECOND), round(outage.end * SECOND), together)
            )

    def move(self, poses: Sequence[Array]) -> None:
        """
        Tell where the robots are now; until the first call all are in range.

        :param poses: one (3,) per robot.
        """
        points = np.array([pose[:2] for pose in poses])
        count = len(points)
        a, b = np.repeat(points, count, axis=0), np.tile(points, (count, 1))
        walls = crossings(a, b, *self._walls).sum(axis=1)
        cost = np.hypot(*(a - b).T) + self.config.wall * walls
        self._links = (cost <= self.config.range).reshape(count, count)

    def hears(self, now_ns: int) -> Matrix:
        """Return (n, n): whether the robot of the row hears that of the column."""
        result: Matrix = self._links.copy()
        for start, end, together in self._outages:
            if start <= now_ns < end:
                result &= together
        np.fill_diagonal(result, True)
        return result

    def offer(self, now_ns: int, sender: int, kind: str, payload: bytes) -> None:
        """
        Hand a message to a robot's sender.

        :param kind: one of :data:`KINDS`.
        """
        traffic = self.traffic[kind]
        traffic.sent += len(payload)
        traffic.messages += 1
        leaves = max(now_ns, self._free_at[sender])
        waiting = (leaves - now_ns) / SECOND * self.config.rate
        leaves += round(len(payload) / self.config.rate * SECOND)
        receivers = self.hears(leaves)[:, sender]
        missed = self._rng.random(len(self.robots)) < self.config.loss
        full = waiting + len(payload) > self.config.queue
        if not full:
            self._free_at[sender] = leaves
        for receiver in np.flatnonzero(receivers).tolist():
            if receiver == sender:
                continue
            if full or missed[receiver]:
                traffic.lost += len(payload)
                continue
            self._number += 1
            arrives = leaves + round(self.config.delay * SECOND)
            heapq.heappush(self._due, (arrives, self._number, receiver, kind, payload))

    def due(self, now_ns: int) -> list[tuple[int, str, bytes]]:
        """Return the (receiver, kind, payload) that have arrived by now, in order of arrival."""
        result = []
        while self._due and self._due[0][0] <= now_ns:
            _, _, receiver, kind, payload = heapq.heappop(self._due)
            self.traffic[kind].delivered += len(payload)
            result.append((receiver, kind, payload))
        return result


def crossings(a: Array, b: Array, c: Array, d: Array) -> Matrix:
    """
    Tell which lines of sight cross which walls.

    :param a: (n, 2) and ``b`` (n, 2): ends of the lines of sight.
    :param c: (w, 2) and ``d`` (w, 2): ends of the walls.
    :returns: (n, w).
    """

    def side(p: Array, q: Array, r: Array) -> Array:
        return np.asarray(
            (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1])
            - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
        )

    a, b = a[:, None], b[:, None]
    return np.asarray(
        ((side(a, b, c) > 0) != (side(a, b, d) > 0)) & ((side(c, d, a) > 0) != (side(c, d, b) > 0))
    )
