"""All options of a sheet as columns of numbers, so that pricing them is a few array operations."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import Refusal, RefusedError
from collab_robots.inference.options import Kind
from collab_robots.inference.planner.objective import Objective
from collab_robots.inference.profile.energy import EnergyModel
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import helper_steps, Jobs, own_steps, Times

Column = npt.NDArray[np.float64]  # one number per option
MAX_QUEUE_S = 3600.0


@dataclass(frozen=True)
class HelperState:
    """
    A robot that offers to help, as far as it is known here.

    :param name: its robot.
    :param link: to it and back.
    :param queue_s: how long a frame waits there, as announced.
    :param times: what its work takes.
    :raises RefusedError: if it announced what cannot be.
    """

    name: str
    link: LinkEstimate
    queue_s: float
    times: Times

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        number = isinstance(self.queue_s, (int, float)) and not isinstance(self.queue_s, bool)
        if not self.name or not number or not 0.0 <= self.queue_s <= MAX_QUEUE_S:
            raise RefusedError(
                Refusal.MALFORMED, f'{self.name!r:.80} cannot queue {self.queue_s!r:.40} s'
            )


@dataclass(frozen=True, eq=False)
class Prices:
    """
    What every option costs with one helper, or alone: a column each, means over many pictures.

    :param own_s: this robot's work.
    :param wire_s: on the link.
    :param queue_s: waiting at the helper.
    :param tail_s: the helper's work.
    :param total_s: until the answer.
    :param slow_s: until the answer of a picture with many bytes that no exit answers.
    :param joule: that this robot spends.
    :param cost: as the objective weighs it; infinite where the option is none here.
    """

    own_s: Column
    wire_s: Column
    queue_s: Column
    tail_s: Column
    total_s: Column
    slow_s: Column
    joule: Column
    cost: Column


class Table:
    """
    The options of a sheet, and which of them an objective allows.

    A SPLIT is a candidate only if its code is smaller than the smallest picture that is still
    accurate enough (the rule of dynamic split computing, https://arxiv.org/abs/2205.11269, with
    coded sizes in place of raw ones): else sending that picture keeps link and robot busy for
    less time. Only where the helper is slower than this robot could such a split be the better
    one, and then doing all of it here is better still.

    :param sheet: what was measured.
    :param max_loss: share of the pictures more than the whole model's that may be named wrong.
    """

    def __init__(self, sheet: Sheet, max_loss: float) -> None:
        self.sheet = sheet
        self.max_loss = max_loss
        self.options = tuple(sorted(sheet.rows))
        self.places = {option: place for place, option in enumerate(self.options)}
        rows = [sheet.rows[option] for option in self.options]
        self.remote = np.array([option.remote for option in self.options])
        self.mean = np.array([row.bytes_mean for row in rows])
        self.high = np.array([row.bytes_high for row in rows])
        self.loss = np.array([sheet.loss(option) for option in self.options])
        self.asked = 1.0 - np.array([row.exit_share for row in rows])  # no exit has answered
        self.accurate = self.loss <= max_loss
        self.coded_input = sheet.coded_input(max_loss)
        split = np.array([option.kind is Kind.SPLIT for option in self.options])
        self.small = ~split | (self.mean < sheet.rows[self.coded_input].bytes_mean)
        own = [own_steps(option, sheet.last) for option in self.options]
        self._first = Jobs(tuple(first for first, _ in own))
        self._then = Jobs(tuple(then for _, then in own))
        self._tail = Jobs(tuple(helper_steps(option, sheet.last) for option in self.options))

    def price(
        self, own: Times, helper: HelperState | None, objective: Objective, energy: EnergyModel
    ) -> Prices:
        """
        Price all options with one helper, or those that need none.

        :param own: what this robot's work takes.
        """
        first, then = own.vector(self._first), own.vector(self._then)
        zero = np.zeros_like(first)
        if helper is None:
            fits, wire, high, queue, tail, flight = ~self.remote, zero, zero, zero, zero, zero
        else:
            fits, tail = self.remote, helper.times.vector(self._tail)
            wire, high, flight = helper.link.seconds(np.stack([self.mean, self.high, zero]))
            queue = np.full_like(first, helper.queue_s)
        with np.errstate(invalid='ignore'):  # 0 * infinity, where a time is not known
            own_s = first + self.asked * then
            wire_s, queue_s, tail_s = self.asked * wire, self.asked * queue, self.asked * tail
            total_s = own_s + wire_s + queue_s + tail_s
            slow_s = first + then + high + queue + tail
            busy = np.stack([own_s, self.asked * (wire - flight), queue_s + tail_s])
            joule = energy.cpu_w * own_s + energy.radio_j_per_byte * self.asked * self.mean
            cost = (
                objective.latency * total_s
                + objective.period * busy.max(axis=0)
                + objective.energy * joule
                + objective.accuracy * self.loss
            )
        cost = np.where(fits & np.isfinite(total_s), cost, math.inf)
        return Prices(own_s, wire_s, queue_s, tail_s, total_s, slow_s, joule, cost)
