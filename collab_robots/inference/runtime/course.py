"""What to do with a frame: the plan as the requester takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from collab_robots.inference.options import Option
from collab_robots.inference.planner.choice import Choice, Plan
from collab_robots.inference.planner.objective import LATENCY, Objective
from collab_robots.inference.planner.plan import Planner
from collab_robots.inference.planner.table import HelperState
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import Times
from collab_robots.inference.runtime.messages import Hop

ANSWER_BITS = 8  # of a number of an answer


class Course(NamedTuple):
    """
    What to do with a frame.

    :param option: what this robot does, and sends.
    :param route: who computes the rest, in order; empty: this robot.
    :param probe: what is sent as well while this robot computes alone, and to whom, so that the
        link is measured; the first answer counts.
    :param plan: that this comes from, for the report.
    """

    option: Option
    route: tuple[Hop, ...] = ()
    probe: tuple[Option, tuple[Hop, ...]] | None = None
    plan: Plan | None = None


Chooser = Callable[[Times, Sequence[HelperState]], Course]
"""Called for each frame: with what this robot's work takes, and who may be asked."""


def chooser(
    planner: Planner,
    sheet: Sheet,
    last: int,
    objective: Objective = LATENCY,
    waiting: Callable[[], int] = lambda: 0,
) -> Chooser:
    """
    Return what asks a planner.

    :param last: the model's last cut.
    :param waiting: tells how many frames are in progress. Each waits for what is busiest with the
        one that is planned, so its time counts that often more.
    """

    def choose(own: Times, helpers: Sequence[HelperState]) -> Course:
        period = objective.period + objective.latency * waiting()
        crowded = replace(objective, period=period)
        return follow(planner.plan(own, sheet, helpers, crowded), last)

    return choose


def follow(plan: Plan, last: int) -> Course:
    """Return the course that a plan says; ``last``: the model's last cut."""
    probe = (plan.probe.option, _route(plan.probe, last)) if plan.probe else None
    return Course(plan.option, _route(plan.chosen, last), probe, plan)


def _route(choice: Choice, last: int) -> tuple[Hop, ...]:
    return (Hop(choice.helper, last, ANSWER_BITS),) if choice.option.remote else ()
