"""Lines of robots are the best there is: compared with every line."""

import itertools
import math

from hypothesis import given, settings, strategies
import numpy as np
import pytest

from collab_robots.core.errors import ConfigError
from collab_robots.inference.options import Kind, LOCAL, Option
from collab_robots.inference.planner import ALONE, HelperState, plan_line
from collab_robots.inference.planner.pipeline import pipeline
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.profile.sheet import Row, Sheet
from collab_robots.inference.profile.times import Do, PREPARE, stage, Step, Times


def value(work, wire, flight, order, ends):
    """Return period and latency of robots in order, each up to its cut."""
    starts = (0, *ends[:-1])
    computing = [work[robot, a, b] for robot, a, b in zip(order, starts, ends, strict=True)]
    links = list(itertools.pairwise(order))
    sending = [wire[a, b, cut] for (a, b), cut in zip(links, ends, strict=False)]
    return max([*computing, *sending]), sum(
        [*computing, *sending, *(flight[link] for link in links)]
    )


def every_line(robots, cuts):
    """Yield every order of robots, the first in front, with every choice of their cuts."""
    for count in range(robots):
        for rest in itertools.permutations(range(1, robots), count):
            for ends in itertools.combinations(range(cuts - 1), count):
                yield (0, *rest), (*ends, cuts - 1)


@given(
    strategies.integers(1, 4),
    strategies.integers(2, 6),
    strategies.integers(0, 2**32 - 1),
    strategies.sampled_from([0.0, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_no_line_is_better(robots, cuts, seed, impossible):
    rng = np.random.default_rng(seed)
    # Whole numbers, so that there are ties and the latency decides among them.
    work = rng.integers(1, 9, (robots, cuts, cuts)).astype(float)
    wire = rng.integers(0, 6, (robots, robots, cuts)).astype(float)
    flight = rng.integers(0, 3, (robots, robots)).astype(float)
    work[rng.random(work.shape) < impossible] = math.inf
    work[0, 0, -1] = 9.0
    line = pipeline(work, wire, flight)
    order, ends = zip(*((share.robot, share.end) for share in line.shares), strict=True)
    best = min(value(work, wire, flight, *other) for other in every_line(robots, cuts))
    assert (line.period_s, line.latency_s) == best
    assert value(work, wire, flight, order, ends) == best
    assert [share.start for share in line.shares] == [0, *ends[:-1]]
    assert ends[-1] == cuts - 1


@pytest.mark.parametrize('robots', [1, 2, 3, 5, 7, 8, 12])
def test_equal_robots_share_equal_layers(robots):
    layers = 24
    start, end = np.indices((layers + 1, layers + 1))
    work = np.broadcast_to(np.abs(end - start) * 1.0, (robots, layers + 1, layers + 1))
    line = pipeline(work, np.zeros((robots, robots, layers + 1)), np.zeros((robots, robots)))
    assert line.period_s == math.ceil(layers / min(robots, 8))
    assert line.latency_s == layers
    assert sum(share.end - share.start for share in line.shares) == layers


def test_the_quickest_of_many_are_looked_at():
    speeds = np.array([1.0, 9, 9, 9, 9, 9, 9, 9, 9, 1.0])
    work = speeds[:, None, None] * np.abs(np.subtract(*np.indices((3, 3))))
    line = pipeline(work, np.zeros((10, 10, 3)), np.zeros((10, 10)))
    assert [share.robot for share in line.shares] == [0, 9]


@pytest.mark.parametrize(
    'spoil',
    [
        lambda work, wire, flight: (work[:, :, :2], wire, flight),
        lambda work, wire, flight: (work, wire[:1], flight),
        lambda work, wire, flight: (work, wire, flight[:1]),
        lambda work, wire, flight: (work * math.nan, wire, flight),
        lambda work, wire, flight: (work, wire - 1.0, flight),
        lambda work, wire, flight: (work, wire, flight - 1.0),
        lambda work, wire, flight: (work + math.inf, wire, flight),
    ],
)
def test_what_is_no_line_is_an_error(spoil):
    with pytest.raises(ConfigError):
        pipeline(*spoil(np.ones((2, 3, 3)), np.zeros((2, 2, 3)), np.zeros((2, 2))))


JPEG = Option(Kind.JPEG, quality=75)
FINE, COARSE = (Option(Kind.SPLIT, 2, bits) for bits in (8, 4))
SHEET = Sheet(
    bytes(32),
    4,
    100,
    True,
    {
        LOCAL: Row(accuracy=0.8, agreement=1.0),
        JPEG: Row(bytes_mean=9000.0, bytes_high=9000.0, accuracy=0.795, agreement=0.9),
        FINE: Row(bytes_mean=4000.0, bytes_high=4000.0, accuracy=0.8, agreement=0.9),
        COARSE: Row(bytes_mean=2000.0, bytes_high=2000.0, accuracy=0.792, agreement=0.9),
    },
)


def make_times(slow=1.0):
    base = {stage(0, cut): 0.01 * cut for cut in range(1, 5)} | {PREPARE: 0.001}
    for option in (JPEG, FINE, COARSE):
        base |= {Step(do, what=option): 0.001 for do in (Do.ENCODE, Do.DECODE)}
    return Times({step: seconds * slow for step, seconds in base.items()})


def helper(name, rate=1e9, slow=1.0):
    return HelperState(name, LinkEstimate(rate, 0.005), 0.0, make_times(slow))


def test_a_line_hands_on_where_it_may():
    plan = plan_line(make_times(), SHEET, [helper('mate')])
    assert [(leg.robot, leg.end, leg.send) for leg in plan.legs] == [
        (ALONE, 2, COARSE),
        ('mate', 4, None),
    ]
    assert plan.period_s == pytest.approx(0.022, abs=0.0015)
    assert plan.latency_s > 0.04 + 0.005


def test_each_of_many_codes_loses_its_part():
    plan = plan_line(make_times(), SHEET, [helper('mate'), helper('slow', slow=50.0)])
    assert [leg.send for leg in plan.legs] == [FINE, None]


def test_a_robot_without_power_hands_on_the_picture():
    plan = plan_line(make_times(100.0), SHEET, [helper('mate')])
    assert [(leg.robot, leg.end, leg.send) for leg in plan.legs] == [
        (ALONE, 0, JPEG),
        ('mate', 4, None),
    ]


def test_slow_links_end_a_line():
    plan = plan_line(make_times(), SHEET, [helper('far', rate=1e5)])
    assert [leg.robot for leg in plan.legs] == [ALONE]
    assert plan.period_s == pytest.approx(0.041)


def test_links_between_helpers_count():
    sheet = Sheet(
        bytes(32),
        4,
        100,
        True,
        {
            LOCAL: SHEET.rows[LOCAL],
            **{
                Option(Kind.SPLIT, cut, 8): Row(
                    bytes_mean=2000.0, bytes_high=2000.0, accuracy=0.8, agreement=1.0
                )
                for cut in (1, 2, 3)
            },
        },
    )
    coding = {
        Step(do, what=option): 1e-4 for do in (Do.ENCODE, Do.DECODE) for option in sheet.rows
    }
    own = Times({stage(0, cut): 0.01 * cut for cut in range(1, 5)} | {PREPARE: 0.001} | coding)
    mates = [HelperState(name, LinkEstimate(1e9), 0.0, own) for name in ('one', 'two')]
    assert len(plan_line(own, sheet, mates).legs) == 3
    walls = {pair: LinkEstimate(1e4) for pair in (('one', 'two'), ('two', 'one'))}
    assert len(plan_line(own, sheet, mates, links=walls).legs) == 2
    one_way = {('one', 'two'): LinkEstimate(1e4)}
    assert [leg.robot for leg in plan_line(own, sheet, mates, links=one_way).legs] == [
        ALONE,
        'two',
        'one',
    ]
