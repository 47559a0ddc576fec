"""What was chosen, what else there was, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
import math

import numpy as np

from collab_robots.inference.options import Kind, Option
from collab_robots.inference.planner.objective import Objective
from collab_robots.inference.planner.table import HelperState, Prices, Table
from collab_robots.inference.profile.link import LinkEstimate

ALONE = ''


@dataclass(frozen=True)
class Choice:
    """
    An option with a helper, priced: means over many pictures.

    :param option: what is done.
    :param helper: who helps; empty: nobody.
    :param head_s: this robot's work.
    :param wire_s: on the link.
    :param queue_s: waiting at the helper.
    :param tail_s: the helper's work.
    :param total_s: until the answer.
    :param slow_s: until the answer of a picture with many bytes that no exit answers.
    :param bytes: sent.
    :param joule: that this robot spends.
    :param accuracy: share of the pictures named right.
    :param cost: as the objective weighs it.
    """

    option: Option
    helper: str
    head_s: float
    wire_s: float
    queue_s: float
    tail_s: float
    total_s: float
    slow_s: float
    bytes: float
    joule: float
    accuracy: float
    cost: float


@dataclass(frozen=True, eq=False)
class Basis:
    """All that a plan was made from: to look at it later costs nothing now."""

    table: Table
    helpers: tuple[HelperState | None, ...]  # the first is None: alone
    prices: tuple[Prices, ...]
    objective: Objective

    def where(self, option: Option, helper: str) -> tuple[int, int] | None:
        """Return the row and the place of an option with a helper; None if there is none."""
        names = [state.name if state else ALONE for state in self.helpers]
        if option not in self.table.places or helper not in names:
            return None
        return names.index(helper), self.table.places[option]

    def choice(self, row: int, place: int) -> Choice:
        """Return one option with one helper."""
        table, prices, helper = self.table, self.prices[row], self.helpers[row]
        option = table.options[place]
        return Choice(
            option,
            helper.name if helper else ALONE,
            head_s=float(prices.own_s[place]),
            wire_s=float(prices.wire_s[place]),
            queue_s=float(prices.queue_s[place]),
            tail_s=float(prices.tail_s[place]),
            total_s=float(prices.total_s[place]),
            slow_s=float(prices.slow_s[place]),
            bytes=float(table.asked[place] * table.mean[place]),
            joule=float(prices.joule[place]),
            accuracy=table.sheet.rows[option].accuracy,
            cost=float(prices.cost[place]),
        )

    def link(self, helper: str) -> LinkEstimate | None:
        """Return the link to a helper; None for nobody's."""
        return next((state.link for state in self.helpers if state and state.name == helper), None)


@dataclass(frozen=True)
class Plan:
    """
    What to do with the next frame.

    :param chosen: the option and its helper.
    :param probe: what to do with this frame as well, if anything, so that a link that was not
        measured lately is: whichever answer is there first counts.
    :param reason: why this one.
    """

    chosen: Choice
    probe: Choice | None
    reason: str
    _basis: Basis = field(repr=False, compare=False)

    @property
    def option(self) -> Option:
        """What is done."""
        return self.chosen.option

    @property
    def helper(self) -> str:
        """Who helps; empty: nobody."""
        return self.chosen.helper

    @cached_property
    def runners_up(self) -> tuple[Choice, ...]:
        """The best of each other kind of option with each helper, the cheapest first."""
        basis = self._basis
        found: dict[tuple[int, Kind, int], Choice] = {}
        for row, prices in enumerate(basis.prices):
            for place in np.argsort(prices.cost, kind='stable'):
                option = basis.table.options[place]
                key = (row, option.kind, option.exit)
                if prices.cost[place] == math.inf:
                    break
                if basis.table.accurate[place] and basis.table.small[place]:
                    found.setdefault(key, basis.choice(row, int(place)))
        others = (choice for choice in found.values() if choice != self.chosen)
        return tuple(sorted(others, key=lambda choice: choice.cost))

    def why(self, runners_up: int = 5) -> str:
        """
        Explain it in words and a table: the choice, the next ones, what would change it.

        :param runners_up: how many of the next ones.
        """
        table, objective = self._basis.table, self._basis.objective
        present = (~table.accurate).sum(), (table.accurate & ~table.small).sum()
        smallest = table.sheet.rows[table.coded_input].bytes_mean
        shown = self.runners_up[:runners_up]
        lines = [
            f'{_name(self.chosen)}: {self.reason}.',
            f'{len(table.options)} options, of {table.sheet.pictures} pictures; {present[0]} left '
            f'out because they name more than {100 * objective.max_loss:g} in 100 pictures more '
            f'wrong than the whole model, {present[1]} splits because their code is no smaller '
            f'than {table.coded_input} ({smallest:,.0f} B).',
            '',
            f'{"":34}  {"here":>6} {"link":>7} {"waits":>6} {"there":>6} {"ms":>7}'
            f' {"bytes":>8} {"mJ":>7} {"right":>6}',
            *(_row(choice) for choice in (self.chosen, *shown)),
        ]
        changes = [change for choice in shown if (change := self._change(choice))]
        return '\n'.join(lines + (['', *changes] if changes else []))

    def _change(self, other: Choice) -> str:
        """Say when another choice would be as good; empty if neither rate nor queue does it."""
        weight = self._basis.objective.latency
        more = other.cost - self.chosen.cost
        if weight <= 0.0 or more <= 0.0:
            return ''
        moved = other.helper or self.chosen.helper
        link = self._basis.link(moved)
        if link is None:
            return ''
        # What of either's time goes with the bytes on that link, seconds times bit/s.
        goes = [
            (choice.wire_s - float(link.seconds(0)) * self._sent(choice)) * link.rate_bps
            if choice.helper == moved
            else 0.0
            for choice in (self.chosen, other)
        ]
        if goes[0] != goes[1]:
            slowness = 1.0 / link.rate_bps + more / (weight * (goes[0] - goes[1]))
            if slowness > 0.0:
                side = 'above' if slowness < 1.0 / link.rate_bps else 'below'
                there, now = _rate(1.0 / slowness), _rate(link.rate_bps)
                return f'{_name(other)} if the link had {side} {there}; it has {now}'
        if other.queue_s * weight > more:
            left = 1e3 * (other.queue_s - more / weight)
            return f'{_name(other)} if it waited less than {left:.1f} ms there'
        return ''

    def _sent(self, choice: Choice) -> float:
        """Return the share of the frames that are sent."""
        table = self._basis.table
        return float(table.asked[table.places[choice.option]])


def _name(choice: Choice) -> str:
    return f'{choice.option}' + (f' with {choice.helper}' if choice.helper else '')


def _row(choice: Choice) -> str:
    parts = (choice.head_s, choice.wire_s, choice.queue_s, choice.tail_s, choice.total_s)
    own, wire, queue, tail, total = (1e3 * seconds for seconds in parts)
    return (
        f'{_name(choice):34.34}  {own:6.1f} {wire:7.1f} {queue:6.1f} {tail:6.1f} {total:7.1f}'
        f' {choice.bytes:8,.0f} {1e3 * choice.joule:7.2f} {100 * choice.accuracy:5.1f}%'
    )


def _rate(bps: float) -> str:
    return f'{bps / 1e6:.3g} Mbit/s'
