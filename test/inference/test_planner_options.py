"""Plans are the best there is for the numbers that they were made from, and say why."""

import itertools
import math

from hypothesis import given, settings, strategies
import numpy as np
import pytest

from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.inference.options import Kind, LOCAL, NO_EXIT, Option
from collab_robots.inference.planner import (
    ALONE,
    ENERGY,
    HelperState,
    LATENCY,
    Objective,
    Planner,
    THROUGHPUT,
)
from collab_robots.inference.planner.plan import HOLD
from collab_robots.inference.profile.energy import EnergyModel
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.profile.sheet import Row, Sheet
from collab_robots.inference.profile.times import (
    Do,
    helper_steps,
    own_steps,
    payload,
    PREPARE,
    stage,
    Step,
    Times,
)

LAST = 5
POWER = EnergyModel(3.0, 1e-6, 'test')
OPTIONS = (
    *(Option(Kind.LOCAL, exit=exit_) for exit_ in (NO_EXIT, 2, 3)),
    *(Option(Kind.JPEG, quality=quality) for quality in (75, 90)),
    Option(Kind.RAW),
    *(
        Option(Kind.SPLIT, cut, bits, bottleneck, exit=exit_)
        for cut in range(1, LAST)
        for bits in (8, 4)
        for bottleneck in (False, True)
        for exit_ in (NO_EXIT, 2, 3)
        if exit_ <= cut
    ),
)


def make_sheet(rng):
    """Return random bytes and accuracies; finer codes and pictures are larger."""
    rows = {}
    for option in OPTIONS:
        mean = float(rng.uniform(200, 30_000)) if option.remote else 0.0
        rows[option] = Row(
            bytes_mean=mean,
            bytes_high=mean * float(rng.uniform(1.0, 2.0)),
            accuracy=0.85 if option == LOCAL else 0.85 - float(rng.uniform(-0.002, 0.02)),
            agreement=0.9,
            exit_share=0.0 if option.exit == NO_EXIT else float(rng.uniform(0.0, 0.9)),
        )
    return Sheet(bytes(32), LAST, 100, True, rows)


def make_times(rng, speed=1.0):
    """Return the times of a robot; speed: how much slower than a usual one."""
    layers = rng.uniform(0.001, 0.01, LAST)
    base = {PREPARE: 0.002}
    for cut in range(1, LAST + 1):
        base[stage(0, cut)] = float(layers[:cut].sum())
        base[stage(cut, LAST)] = float(layers[cut:].sum()) + 1e-4
        base[Step(Do.EXIT, end=cut)] = 0.0003
    del base[stage(LAST, LAST)]
    for option in OPTIONS:
        if option.remote:
            base[Step(Do.ENCODE, what=payload(option))] = float(rng.uniform(1e-4, 2e-3))
            base[Step(Do.DECODE, what=payload(option))] = float(rng.uniform(1e-4, 2e-3))
    return Times({step: seconds * speed for step, seconds in base.items()})


def make_helper(rng, name, **link):
    link = {
        'rate_bps': float(10 ** rng.uniform(5, 8)),
        'delay_s': float(rng.uniform(0.001, 0.02)),
        'burst': float(rng.choice([0, 4000])),
        'loss': float(rng.choice([0.0, 0.2])),
        **link,
    }
    return HelperState(name, LinkEstimate(**link), float(rng.uniform(0.0, 0.03)), make_times(rng))


def brute_force(own, sheet, helpers, objective):
    """Price everything, one by one, in plain words."""
    smallest = min(
        (row.bytes_mean for option, row in sheet.rows.items()
         if option.kind in (Kind.JPEG, Kind.RAW) and sheet.loss(option) <= objective.max_loss),
        default=min(row.bytes_mean for option, row in sheet.rows.items()
                    if option.kind in (Kind.JPEG, Kind.RAW)),
    )  # fmt: skip
    costs = {}
    for option, row in sheet.rows.items():
        if sheet.loss(option) > objective.max_loss:
            continue
        if option.kind is Kind.SPLIT and row.bytes_mean >= smallest:
            continue
        first, then = own_steps(option, sheet.last)
        go_on = 1.0 - row.exit_share
        head = sum(own[step] for step in first) + go_on * sum(own[step] for step in then)
        joule = POWER.cpu_w * head + POWER.radio_j_per_byte * go_on * row.bytes_mean
        for helper in helpers if option.remote else (None,):
            wire = high = queue = tail = flight = 0.0
            if helper:
                wire = float(helper.link.seconds(row.bytes_mean))
                high = float(helper.link.seconds(row.bytes_high))
                flight = float(helper.link.seconds(0))
                queue = helper.queue_s
                tail = sum(helper.times[step] for step in helper_steps(option, sheet.last))
            total = head + go_on * (wire + queue + tail)
            slow = sum(own[step] for step in (*first, *then)) + high + queue + tail
            busiest = max(head, go_on * (wire - flight), go_on * (queue + tail))
            cost = (
                objective.latency * total
                + objective.period * busiest
                + objective.energy * joule
                + objective.accuracy * sheet.loss(option)
            )
            costs[option, helper.name if helper else ALONE] = (cost, slow)
    in_time = {key: cost for key, (cost, slow) in costs.items() if slow <= objective.deadline_s}
    return in_time or {key: slow for key, (_, slow) in costs.items()}


OBJECTIVES = strategies.builds(
    Objective,
    latency=strategies.sampled_from([1.0, 0.1]),
    period=strategies.sampled_from([0.0, 2.0]),
    energy=strategies.sampled_from([0.0, 0.5]),
    accuracy=strategies.sampled_from([0.0, 3.0]),
    max_loss=strategies.sampled_from([0.0, 0.01, 1.0]),
    deadline_s=strategies.sampled_from([math.inf, 0.03, 0.001]),
)
SEEDS = strategies.integers(0, 2**32 - 1)


@given(SEEDS, strategies.integers(0, 3), strategies.sampled_from([1.0, 8.0]), OBJECTIVES)
@settings(max_examples=80, deadline=None)
def test_no_other_option_with_any_helper_costs_less(seed, count, speed, objective):
    rng = np.random.default_rng(seed)
    sheet, own = make_sheet(rng), make_times(rng, speed)
    helpers = [make_helper(rng, f'helper{index}') for index in range(count)]
    plan = Planner(POWER).plan(own, sheet, helpers, objective)
    costs = brute_force(own, sheet, helpers, objective)
    assert costs[plan.option, plan.helper] == pytest.approx(min(costs.values()), rel=1e-9)
    parts = plan.chosen
    added = parts.head_s + parts.wire_s + parts.queue_s + parts.tail_s
    assert parts.total_s == pytest.approx(added)
    assert plan.why().startswith(str(plan.option))


@given(SEEDS, strategies.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_holding_on_costs_at_most_its_share(seed, count):
    rng = np.random.default_rng(seed)
    sheet, planner, switches, last = make_sheet(rng), Planner(POWER), 0, None
    own = make_times(rng, 8.0)
    helpers = [make_helper(rng, f'helper{index}') for index in range(count)]
    for _ in range(20):
        noisy = [
            HelperState(
                helper.name,
                LinkEstimate(helper.link.rate_bps * float(rng.uniform(0.7, 1.4))),
                helper.queue_s,
                helper.times,
            )
            for helper in helpers
        ]
        plan = planner.plan(own, sheet, noisy)
        best = min(brute_force(own, sheet, noisy, LATENCY).values())
        assert best <= plan.chosen.cost * (1 + 1e-9)
        assert plan.chosen.cost <= best / (1.0 - HOLD) * (1 + 1e-9)
        switches += last not in (None, (plan.option, plan.helper))
        last = (plan.option, plan.helper)


def test_noise_within_what_is_held_changes_no_plan():
    rng = np.random.default_rng(4)
    sheet, own, planner = make_sheet(rng), make_times(rng, 8.0), Planner(POWER)
    times = make_times(rng)
    chosen = set()
    for turn in range(40):
        names = ('one', 'two')
        rates = (1e7, 1e7 * (1.0 + 0.01 * (-1) ** turn))
        helpers = [
            HelperState(name, LinkEstimate(rate), 0.0, times)
            for name, rate in zip(names, rates, strict=True)
        ]
        chosen.add((plan := planner.plan(own, sheet, helpers)).helper)
        assert plan.option.remote
    assert len(chosen) == 1


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_with_no_rate_a_robot_answers_alone(seed):
    rng = np.random.default_rng(seed)
    helper = make_helper(rng, 'far', rate_bps=1.0, burst=0.0)
    plan = Planner(POWER).plan(make_times(rng, 8.0), make_sheet(rng), [helper])
    assert (plan.option.kind, plan.helper) == (Kind.LOCAL, ALONE)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_with_all_the_rate_there_is_only_work_counts(seed):
    rng = np.random.default_rng(seed)
    own, sheet = make_times(rng, 20.0), make_sheet(rng)
    helper = HelperState('near', LinkEstimate(1e15, 0.0), 0.0, make_times(rng, 0.1))
    objective = Objective(max_loss=1.0)
    plan = Planner(POWER).plan(own, sheet, [helper], objective)
    assert plan.helper == 'near'
    assert plan.chosen.wire_s == pytest.approx(0.0, abs=1e-9)
    best = min(brute_force(own, sheet, [helper], objective).values())
    assert plan.chosen.total_s == pytest.approx(best)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_more_rate_is_never_slower(seed):
    rng = np.random.default_rng(seed)
    own, sheet, times = make_times(rng, 8.0), make_sheet(rng), make_times(rng)
    totals = []
    for rate in np.geomspace(1e4, 1e9, 12):
        helper = HelperState('helper', LinkEstimate(float(rate)), 0.01, times)
        totals.append(Planner(POWER).plan(own, sheet, [helper]).chosen.total_s)
    assert all(later <= sooner * (1 + 1e-9) for sooner, later in itertools.pairwise(totals))


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_nobody_waits_at_a_helper_that_is_full(seed):
    rng = np.random.default_rng(seed)
    own, sheet = make_times(rng, 8.0), make_sheet(rng)
    free = make_helper(rng, 'free')
    full = HelperState('full', LinkEstimate(1e9), 3600.0, make_times(rng, 0.1))
    for objective in (LATENCY, THROUGHPUT, Objective(deadline_s=0.001)):
        assert Planner(POWER).plan(own, sheet, [full, free], objective).helper != 'full'


def test_work_that_is_not_known_is_not_planned():
    rng = np.random.default_rng(1)
    own, sheet = make_times(rng, 8.0), make_sheet(rng)
    stranger = HelperState('stranger', LinkEstimate(1e9), 0.0, Times({PREPARE: 0.001}))
    assert Planner(POWER).plan(own, sheet, [stranger]).helper == ALONE
    with pytest.raises(ConfigError):
        Planner(POWER).plan(Times({PREPARE: 0.001}), sheet)
    with pytest.raises(ConfigError):
        Planner(POWER).price(Option(Kind.RAW), 'stranger', own, sheet, [stranger])


@pytest.mark.parametrize('queue_s', [-1.0, math.nan, math.inf, 1e9, True, '0', None])
def test_what_cannot_be_announced_is_refused(queue_s):
    times = make_times(np.random.default_rng(0))
    with pytest.raises(RefusedError):
        HelperState('liar', LinkEstimate(1e6), queue_s, times)


def test_one_name_is_one_helper():
    rng = np.random.default_rng(1)
    twice = [make_helper(rng, 'same'), make_helper(rng, 'same')]
    with pytest.raises(RefusedError):
        Planner(POWER).plan(make_times(rng), make_sheet(rng), twice)


def test_a_robot_that_leaves_is_planned_with_no_more():
    rng = np.random.default_rng(2)
    own, sheet, planner = make_times(rng, 8.0), make_sheet(rng), Planner(POWER)
    near = HelperState('near', LinkEstimate(1e9), 0.0, make_times(rng, 0.1))
    assert planner.plan(own, sheet, [near]).helper == 'near'
    assert planner.plan(own, sheet).helper == ALONE


def test_energy_and_latency_are_different_goals():
    rng = np.random.default_rng(3)
    own, sheet = make_times(rng), make_sheet(rng)
    slow = HelperState('slow', LinkEstimate(1e8, 0.5), 0.0, make_times(rng))
    quick = Planner(POWER).plan(own, sheet, [slow], LATENCY).chosen
    frugal = Planner(POWER).plan(own, sheet, [slow], ENERGY).chosen
    assert quick.helper == ALONE
    assert frugal.helper == 'slow'
    assert frugal.joule < quick.joule
    # The answer must be there in time: then it is worth its energy.
    hurried = Objective(latency=0.0, energy=1.0, deadline_s=0.1)
    assert Planner(POWER).plan(own, sheet, [slow], hurried).helper == ALONE


def test_a_stale_link_is_measured_on_the_way():
    rng = np.random.default_rng(6)
    own, sheet = make_times(rng), make_sheet(rng)
    times = make_times(rng, 20.0)
    for age, expected in ((0.1, False), (6.0, True), (math.inf, True)):
        helper = HelperState('helper', LinkEstimate(1e6, burst=4000.0, age_s=age), 0.0, times)
        plan = Planner(POWER).plan(own, sheet, [helper])
        assert plan.helper == ALONE
        assert (plan.probe is not None) == expected
        if plan.probe:
            assert plan.probe.helper == 'helper'
            assert sheet.rows[plan.probe.option].bytes_mean > 4000  # meets the rate


def test_a_plan_can_be_asked_for():
    rng = np.random.default_rng(7)
    own, sheet, helper = make_times(rng), make_sheet(rng), make_helper(rng, 'helper')
    raw = Option(Kind.RAW)
    plan = Planner(POWER).price(raw, 'helper', own, sheet, [helper])
    assert (plan.option, plan.helper) == (raw, 'helper')
    assert plan.chosen.wire_s == pytest.approx(
        float(helper.link.seconds(sheet.rows[raw].bytes_mean))
    )
    for option, name in ((raw, ALONE), (LOCAL, 'helper'), (Option(Kind.SPLIT, 1, 2), 'helper')):
        with pytest.raises(ConfigError):
            Planner(POWER).price(option, name, own, sheet, [helper])
    with pytest.raises(ConfigError):
        Planner(POWER).price(raw, 'nobody', own, sheet, [helper])


def test_what_would_change_a_plan_changes_it():
    """The rate that why() names is where the plan turns."""
    rng = np.random.default_rng(8)
    own, sheet, times = make_times(rng, 8.0), make_sheet(rng), make_times(rng)
    helper = HelperState('helper', LinkEstimate(1e4), 0.0, times)
    plan = Planner(POWER).plan(own, sheet, [helper])
    assert plan.helper == ALONE
    line = next(line for line in plan.why().splitlines() if 'if the link had above' in line)
    name, rest = line.split(' with helper if the link had above ')
    rate = float(rest.split()[0]) * 1e6
    for factor, better in ((0.9, False), (1.1, True)):
        moved = HelperState('helper', LinkEstimate(rate * factor), 0.0, times)
        other = Planner(POWER).price(Option.parse(name), 'helper', own, sheet, [moved])
        assert (other.chosen.cost < plan.chosen.cost) == better


@pytest.mark.parametrize(
    'fields',
    [
        {'latency': -1.0},
        {'latency': 0.0},
        {'energy': math.nan},
        {'period': math.inf},
        {'max_loss': -0.1},
        {'max_loss': math.nan},
        {'deadline_s': 0.0},
        {'deadline_s': math.nan},
    ],
)
def test_what_nothing_can_be_good_at_is_an_error(fields):
    with pytest.raises(ConfigError):
        Objective(**fields)
