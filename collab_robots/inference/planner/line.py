"""A line of named robots, from what is measured of them and their links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math

import numpy as np

from collab_robots.inference.options import NO_EXIT, Option
from collab_robots.inference.planner.choice import ALONE
from collab_robots.inference.planner.pipeline import Array, pipeline
from collab_robots.inference.planner.table import HelperState
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.profile.sheet import Sheet
from collab_robots.inference.profile.times import Do, Jobs, PREPARE, stage, Step, Times


@dataclass(frozen=True)
class Leg:
    """
    One robot's share of a line.

    :param robot: its name; empty: this one.
    :param end: the cut up to which it computes; 0: it hands on the picture.
    :param send: how it codes what it hands on; None: it has the answer.
    """

    robot: str
    end: int
    send: Option | None


@dataclass(frozen=True)
class LinePlan:
    """
    Who computes from where to where, this robot first.

    :param period_s: of the busiest robot or link: one over the frames a second.
    :param latency_s: of one frame that waits nowhere.
    """

    legs: tuple[Leg, ...]
    period_s: float
    latency_s: float


def plan_line(
    own: Times,
    sheet: Sheet,
    helpers: Sequence[HelperState],
    max_loss: float = 0.01,
    links: Mapping[tuple[str, str], LinkEstimate] | None = None,
) -> LinePlan:
    """
    Plan for the most frames a second.

    At each cut the tensor gets the smallest code that loses no more than its part of ``max_loss``,
    were each helper handed one: so the losses of a line, added, stay below it.

    :param own: what this robot's work takes.
    :param links: from one helper to another; without one, the slower of their links to here.
    :raises ConfigError: if it is not known what the whole model takes here.
    """
    sends = _sends(sheet, max_loss / max(len(helpers), 1))
    cuts = range(sheet.last + 1)
    spans = [(start, end) for start in cuts for end in cuts[start + 1 :]]
    work = np.full((1 + len(helpers), len(cuts), len(cuts)), math.inf)
    work[0, 0] = own.vector(Jobs(tuple(_share(sends, 0, end, own=True) for end in cuts)))
    rest = Jobs(tuple(_share(sends, start, end, own=False) for start, end in spans))
    for row, helper in enumerate(helpers, start=1):
        work[row][tuple(np.transpose(spans))] = helper.times.vector(rest)
    wire, flight = _links(sheet, sends, helpers, links or {})
    line = pipeline(work, wire, flight)
    names = [ALONE, *(helper.name for helper in helpers)]
    legs = tuple(Leg(names[share.robot], share.end, sends.get(share.end)) for share in line.shares)
    return LinePlan(legs, line.period_s, line.latency_s)


def _sends(sheet: Sheet, max_loss: float) -> dict[int, Option]:
    """Return the smallest code at each cut that has one with no more loss than this."""
    found: dict[int, Option] = {}
    for option, row in sorted(sheet.rows.items(), key=lambda item: item[1].bytes_mean):
        plain = option.remote and option.exit == NO_EXIT and not option.bottleneck
        if plain and row.bytes_mean > 0.0 and sheet.loss(option) <= max_loss:
            found.setdefault(option.cut, option)
    return found


def _share(sends: Mapping[int, Option], start: int, end: int, *, own: bool) -> tuple[Step, ...]:
    """Return what a robot of a line does: gets, computes, hands on."""
    steps = [PREPARE] if own and end > 0 else []
    if not own and start in sends:
        steps.append(Step(Do.DECODE, what=sends[start]))
    if start < end:
        steps.append(stage(start, end))
    if end in sends:
        steps.append(Step(Do.ENCODE, what=sends[end]))
    return tuple(steps)


def _links(
    sheet: Sheet,
    sends: Mapping[int, Option],
    helpers: Sequence[HelperState],
    known: Mapping[tuple[str, str], LinkEstimate],
) -> tuple[Array, Array]:
    """Return how long each tensor keeps each link busy, and each link's delay, s."""
    sizes = np.zeros(sheet.last + 1)
    sizes[list(sends)] = [sheet.rows[option].bytes_mean for option in sends.values()]
    closed = ~np.isin(np.arange(len(sizes)), list(sends))
    wire = np.zeros((len(helpers) + 1, len(helpers) + 1, len(sizes)))
    flight = np.zeros(wire.shape[:2])
    for to, helper in enumerate(helpers, start=1):
        for via, other in enumerate((None, *helpers)):
            links = [helper.link] if other is None else [helper.link, other.link]
            if other is not None and (other.name, helper.name) in known:
                links = [known[other.name, helper.name]]
            flight[via, to] = max(float(link.seconds(0)) for link in links)
            takes = [link.seconds(sizes) - link.seconds(0) for link in links]
            wire[via, to] = np.where(closed, math.inf, np.max(takes, axis=0))
    return wire, flight
