"""A planner that knows links only from their traffic does almost as well as one that is told."""

import math

import numpy as np
import pytest

from collab_robots.core.clock import SECOND
from collab_robots.inference.options import Kind, LOCAL, Option
from collab_robots.inference.planner import HelperState, Planner
from collab_robots.inference.profile.link import Link, LinkEstimate
from collab_robots.inference.profile.sheet import Row, Sheet
from collab_robots.inference.profile.times import (
    Do,
    helper_steps,
    own_steps,
    PREPARE,
    stage,
    Step,
    Times,
)

LAST = 16
SLOW = 8.0  # times slower than its helper
RATES = (5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8)  # bit/s
HOLD_NS = 5 * SECOND  # between two changes of the rate
BURST, DELAY = 4000.0, 0.003
STATIC = (
    LOCAL,
    Option(Kind.JPEG, quality=75),
    Option(Kind.RAW),
    Option(Kind.SPLIT, 8, 4, bottleneck=True),
)


def make_sheet():
    """Return what a small image network's options send."""
    sizes = {STATIC[1]: 9600, Option(Kind.JPEG, quality=90): 16_000, STATIC[2]: 150_528}
    sizes |= {
        Option(Kind.SPLIT, cut, bits): 100_000 / cut**1.2 * bits / 8
        for cut in range(1, LAST)
        for bits in (8, 6, 4)
    }
    sizes[STATIC[3]] = 1300
    rows = {
        option: Row(bytes_mean=size, bytes_high=1.5 * size, accuracy=0.87, agreement=0.97)
        for option, size in sizes.items()
    }
    return Sheet(bytes(32), LAST, 300, True, {LOCAL: Row(accuracy=0.87, agreement=1.0), **rows})


SHEET = make_sheet()


def make_times(slow):
    """Return a robot's times: 8 ms for the whole network, at its quickest."""
    base = {PREPARE: 0.001} | {stage(0, cut): 0.0005 * cut for cut in range(1, LAST + 1)}
    coding = {
        Step(do, what=option): 0.001
        for option in SHEET.rows
        if option.remote
        for do in (Do.ENCODE, Do.DECODE)
    }
    return Times({step: slow * seconds for step, seconds in (base | coding).items()})


class World:
    """
    A robot and its helper while the rate between them changes every 5 s.

    :param trace: what that is drawn with.
    """

    def __init__(self, trace):
        draw = np.random.default_rng(trace)
        self.rates = draw.choice(RATES, 100)
        self.noise = np.random.default_rng(trace + 1)
        self.own, self.helper = make_times(SLOW), make_times(1.0)
        self.now = 0

    @property
    def link(self):
        """The truth about the link now."""
        return LinkEstimate(float(self.rates[self.now // HOLD_NS]), DELAY, BURST)

    def frame(self, option):
        """Return (seconds, bytes, seconds on the wire) of a frame; pictures differ in bytes."""
        spent = sum(self.own.of(steps) for steps in own_steps(option, LAST))
        spent += self.helper.of(helper_steps(option, LAST))
        size, wire = SHEET.rows[option].bytes_mean, 0.0
        if option.remote:
            size *= 1.0 if option.kind is Kind.RAW else math.exp(self.noise.normal(0.0, 0.3))
            wire = float(self.link.seconds(size)) * math.exp(self.noise.normal(0.0, 0.05))
        return spent + wire, int(size), wire

    def run(self, choose, seconds=20):
        """Return the mean time of a frame."""
        taken = []
        while self.now < seconds * SECOND:
            taken.append(choose())
            self.now += round(taken[-1] * SECOND)
        return float(np.mean(taken))


def told(trace):
    """Run a planner that is told the rate."""
    world, planner = World(trace), Planner()

    def choose():
        helper = HelperState('helper', world.link, 0.0, world.helper)
        return world.frame(planner.plan(world.own, SHEET, [helper]).option)[0]

    return world.run(choose)


def measuring(trace):
    """Run a planner that knows the link from its frames and probes."""
    world, planner, link = World(trace), Planner(), Link()

    def choose():
        helper = HelperState('helper', link.estimate(world.now), 0.0, world.helper)
        plan = planner.plan(world.own, SHEET, [helper])
        done = [world.frame(choice.option) for choice in (plan.chosen, plan.probe) if choice]
        soonest = min(seconds for seconds, _, _ in done)
        for _, size, wire in done:
            if wire > 0.0:
                link.add(size, wire, world.now + round(soonest * SECOND))
        return soonest

    return world.run(choose)


def static(trace, option):
    """Do always the same."""
    world = World(trace)
    return world.run(lambda: world.frame(option)[0])


@pytest.mark.parametrize('trace', [0, 20, 40])
def test_measuring_is_almost_as_good_as_knowing(trace):
    ours = measuring(trace)
    assert ours <= 1.05 * told(trace)
    assert ours < 1.01 * min(static(trace, option) for option in STATIC)
