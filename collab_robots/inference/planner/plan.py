"""Which option answers the next frame, with whom, and why."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np

from collab_robots.core.errors import ConfigError, Refusal, RefusedError
from collab_robots.inference.options import LOCAL, Option
from collab_robots.inference.planner.choice import Basis, Choice, Plan
from collab_robots.inference.planner.objective import LATENCY, Objective
from collab_robots.inference.planner.table import HelperState, Table
from collab_robots.inference.profile.energy import EnergyModel
from collab_robots.inference.profile.link import INFORMS
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import Times

HOLD = 0.03  # how much less another option must cost to take the present one's place
MAX_HELPERS = 64  # the first of them, in the order given; more are not looked at
PROBE_SHARE = 0.1  # of the link's time
PROBE_AFTER_S, PROBE_WITHIN_S = 0.5, 5.0  # between two


class Planner:
    """
    The cheapest of all options with all helpers, anew for each frame.

    It looks at every one (some hundred options, at most 64 helpers), so it finds the best there
    is for the numbers it gets, and follows rates, loads and the roster at once. It stays with
    what it has unless another costs 3 % less, so noise in the estimates does not make it flutter,
    and what it does costs at most 1 / 0.97 of the best.

    :param energy: what this robot spends.
    """

    def __init__(self, energy: EnergyModel | None = None) -> None:
        self._energy = energy or EnergyModel()
        self._table: Table | None = None
        self._present: tuple[Option, str] | None = None

    def plan(
        self,
        own: Times,
        sheet: Sheet,
        helpers: Sequence[HelperState] = (),
        objective: Objective = LATENCY,
    ) -> Plan:
        """
        Choose for the next frame.

        :param own: what this robot's work takes.
        :param sheet: bytes and accuracy of the options.
        :param helpers: who may be asked, each once.
        :raises ConfigError: if it is not known what the whole model takes here.
        :raises RefusedError: if two helpers have one name.
        """
        basis = self._basis(own, sheet, helpers, objective)
        table = basis.table
        costs = np.stack([prices.cost for prices in basis.prices])
        costs[:, ~(table.accurate & table.small)] = math.inf
        slow = np.stack([prices.slow_s for prices in basis.prices])
        in_time = np.where(slow <= objective.deadline_s, costs, math.inf)
        reason = 'the least cost'
        if np.isfinite(in_time).any():
            costs = in_time
        else:
            costs = np.where(np.isfinite(costs), slow, math.inf)
            reason = f'nothing answers within {1e3 * objective.deadline_s:g} ms, this is soonest'
        row, place = divmod(int(costs.argmin()), len(table.options))
        held = basis.where(*self._present) if self._present else None
        if held is not None and costs[row, place] >= (1.0 - HOLD) * costs[held]:
            if held != (row, place):
                saved = 100.0 * (1.0 - costs[row, place] / costs[held])
                reason = f'kept, another would save only {saved:.1f} %'
            row, place = held
        chosen = basis.choice(row, place)
        self._present = (chosen.option, chosen.helper)
        return Plan(chosen, self._probe(basis, chosen), reason, basis)

    def price(
        self,
        option: Option,
        helper: str,
        own: Times,
        sheet: Sheet,
        helpers: Sequence[HelperState] = (),
        objective: Objective = LATENCY,
    ) -> Plan:
        """
        Return the plan that does this option with this helper, whatever it costs.

        :raises ConfigError: if there is no such option or helper, or the price is not known.
        :raises RefusedError: if two helpers have one name.
        """
        basis = self._basis(own, sheet, helpers, objective)
        found = basis.where(option, helper)
        if found is None or basis.prices[found[0]].cost[found[1]] == math.inf:
            raise ConfigError(f'{option} with {helper or "nobody"}: what it costs is not known')
        return Plan(basis.choice(*found), None, 'asked for', basis)

    def _basis(
        self, own: Times, sheet: Sheet, helpers: Sequence[HelperState], objective: Objective
    ) -> Basis:
        table = self._table
        if table is None or table.sheet is not sheet or table.max_loss != objective.max_loss:
            table = self._table = Table(sheet, objective.max_loss)
        states = (None, *helpers[:MAX_HELPERS])
        if len({state.name for state in states if state}) < len(states) - 1:
            raise RefusedError(Refusal.MALFORMED, 'two helpers of one name')
        prices = tuple(table.price(own, state, objective, self._energy) for state in states)
        if prices[0].cost[table.places[LOCAL]] == math.inf:
            raise ConfigError('it is not known what the whole model takes on this robot')
        return Basis(table, states, prices, objective)

    @staticmethod
    def _probe(basis: Basis, chosen: Choice) -> Choice | None:
        """
        Return what measures the link that was not measured for longest, if one is due.

        Links are probed the more seldom the slower they are, so that it takes little of their
        time. The payload is the smallest one that meets the rate.
        """
        found: tuple[float, Choice] | None = None
        for row, (state, prices) in enumerate(zip(basis.helpers, basis.prices, strict=True)):
            if state is None:
                continue
            table, link = basis.table, state.link
            large = table.mean > INFORMS * link.burst
            usable = large & table.accurate & table.small & np.isfinite(prices.cost)
            if not usable.any():
                continue
            sizes = np.where(usable, table.mean, math.inf)
            choice = basis.choice(row, int(np.lexsort((prices.cost, sizes))[0]))
            takes = choice.wire_s / PROBE_SHARE
            due = link.age_s >= min(max(takes, PROBE_AFTER_S), PROBE_WITHIN_S)
            if due and choice != chosen and (found is None or link.age_s > found[0]):
                found = (link.age_s, choice)
        return None if found is None else found[1]
