"""What is measured follows what happens, and is not led astray by what is no measurement."""

import io
import math

from hypothesis import given, settings, strategies
import numpy as np
from PIL import Image
import pytest

from collab_robots.core.clock import ManualClock, SECOND
from collab_robots.core.errors import RefusedError
from collab_robots.inference.options import Kind, LOCAL, Option
from collab_robots.inference.payload import decode_picture, encode_picture
from collab_robots.inference.profile.energy import EnergyModel, joules, measure_energy, spent
from collab_robots.inference.profile.link import Link, LinkEstimate
from collab_robots.inference.profile.times import (
    helper_steps,
    Jobs,
    own_steps,
    PREPARE,
    stage,
    Step,
    Times,
)

SPLIT = Option(Kind.SPLIT, 2, 4)
WHOLE = stage(0, 4)


def make_times():
    """Return four equal layers of 10 ms; cutting costs 1 ms."""
    heads = {stage(0, cut): 0.01 * cut for cut in range(1, 5)}
    tails = {stage(cut, 4): 0.01 * (4 - cut) + 0.001 for cut in range(1, 4)}
    return Times({PREPARE: 0.002, **heads, **tails})


def test_load_slows_all_steps_alike():
    times = make_times()
    for _ in range(9):
        times.add([stage(0, 2)], 0.16)
    assert times.load == pytest.approx(8.0)
    assert times.whole == pytest.approx(0.32)
    assert times[PREPARE] == pytest.approx(0.016)


@given(strategies.lists(strategies.floats(1e-6, 500.0), max_size=4))
def test_outliers_do_not_move_the_load(outliers):
    times = make_times()
    for seconds in [0.02] * 5 + outliers:
        times.add([stage(0, 2)], seconds)
    assert 0.5 < times.load < 2.0
    assert times.load == pytest.approx(1.0, rel=0.25)


def test_one_step_that_takes_longer_than_measured_is_learnt():
    times = make_times()
    for _ in range(200):
        times.add([WHOLE], 0.04)
        times.add([PREPARE], 0.004)
        times.add([stage(2, 4)], 0.021)
    assert times[PREPARE] == pytest.approx(0.004, rel=0.1)
    assert times.whole == pytest.approx(0.04, rel=0.1)


def test_a_stage_between_two_cuts_is_told_from_heads():
    times = make_times()
    assert times[stage(1, 3)] == pytest.approx(0.021)
    assert stage(1, 9) not in times
    with pytest.raises(KeyError):
        times[stage(1, 9)]


def test_a_helper_is_as_quick_as_it_says():
    times = make_times()
    for _ in range(9):
        times.add([WHOLE], 0.08)
    helper = times.like(0.004)
    assert helper.whole == pytest.approx(0.004)
    assert helper[stage(2, 4)] == pytest.approx(0.0021)
    assert helper.load == 1.0


@given(strategies.lists(strategies.floats(1e-3, 1.0), min_size=1, max_size=20))
def test_rows_of_jobs_are_sums_of_steps(measured):
    times = make_times()
    jobs = Jobs(((PREPARE, stage(0, 2)), (), (stage(1, 3),), (stage(3, 9),)))
    for seconds in measured:
        times.add([stage(0, 3)], seconds)
        vector = times.vector(jobs)
        assert vector[:3] == pytest.approx([times.of(row) for row in jobs.rows[:3]])
        assert vector[3] == math.inf


@pytest.mark.parametrize('seconds', [0.0, -1.0, math.nan, math.inf, 1e9, True, '1'])
def test_what_is_no_time_is_refused(seconds):
    times = make_times()
    for refuse in (
        lambda: Times({PREPARE: seconds}),
        lambda: times.add([PREPARE], seconds),
        lambda: times.like(seconds),
    ):
        with pytest.raises(RefusedError):
            refuse()
    assert times.load == 1.0


def test_the_steps_of_an_option_are_the_whole_model():
    asked, rest = own_steps(Option(Kind.SPLIT, 3, 4, exit=2), 4)
    assert asked[:2] == (PREPARE, stage(0, 2))
    assert rest[0] == stage(2, 3)
    assert helper_steps(Option(Kind.SPLIT, 3, 4, exit=2), 4)[-1] == stage(3, 4)
    assert own_steps(LOCAL, 4) == ((PREPARE, WHOLE), ())
    assert helper_steps(LOCAL, 4) == ()
    jpeg = Option(Kind.JPEG, quality=75)
    assert helper_steps(jpeg, 4)[-1] == WHOLE
    # What is sent is decoded: both ends name it alike, whatever exit was asked.
    plain = Option(Kind.SPLIT, 3, 4)
    assert rest[-1].what == helper_steps(plain, 4)[0].what == plain


def exchange(rng, size, rate, burst=4000, delay=0.003):
    noise = float(np.exp(rng.normal(0.0, 0.04)))
    return (delay + 8.0 * max(size - burst, 0) / rate) * noise


@pytest.mark.parametrize('rate', [5e5, 2e6, 1e7, 5e7])
@pytest.mark.parametrize('seed', range(3))
def test_a_link_foretells_sizes_from_others(rate, seed):
    rng = np.random.default_rng(seed)
    link, now = Link(), 0
    for size in [3000, 9000, 20_000, 14_000] * 5:
        seconds = exchange(rng, size, rate)
        now += int((seconds + 0.03) * SECOND)
        link.add(size, seconds, now)
    estimate = link.estimate(now)
    for size in (2000, 6000, 11_000, 30_000):
        true = 0.003 + 8.0 * max(size - 4000, 0) / rate
        assert float(estimate.seconds(size)) == pytest.approx(true, rel=0.25, abs=0.0015)


@given(
    strategies.sampled_from([(5e7, 5e5), (5e5, 5e7), (2e6, 2e7), (2e7, 2e6), (1e6, 4e6)]),
    strategies.integers(0, 2**32 - 1),
)
@settings(max_examples=30, deadline=None)
def test_a_new_rate_is_known_after_four_exchanges(rates, seed):
    rng = np.random.default_rng(seed)
    link, now = Link(), 0
    for count, rate in zip((25, 4), rates, strict=True):
        for _ in range(count):
            size = int(rng.integers(8000, 20_000))
            seconds = exchange(rng, size, rate)
            now += int((seconds + 0.1) * SECOND)
            link.add(size, seconds, now)
    true = 0.003 + 8.0 * 8000 / rates[1]
    assert float(link.estimate(now).seconds(12_000)) == pytest.approx(true, rel=0.3)


@given(strategies.floats(1e-4, 100.0))
@settings(max_examples=30, deadline=None)
def test_one_odd_exchange_moves_no_link(odd):
    rng = np.random.default_rng(5)
    link, now = Link(), 0
    for _ in range(30):
        size = int(rng.integers(5000, 20_000))
        now += int(0.03 * SECOND)
        link.add(size, exchange(rng, size, 5e6), now)
    before = link.estimate(now)
    link.add(12_000, odd, now + int(0.03 * SECOND))
    after = link.estimate(now + int(0.03 * SECOND))
    assert float(after.seconds(12_000)) == pytest.approx(float(before.seconds(12_000)), rel=0.2)


@pytest.mark.parametrize('rate', [5e5, 1e6, 2e6])
@pytest.mark.parametrize('seed', range(5))
def test_small_exchanges_that_pass_at_once_tell_of_no_huge_rate(rate, seed):
    rng = np.random.default_rng(seed)
    link, now = Link(), 0
    for _ in range(20):  # one after the other: of the burst little has come back each time
        size = int(rng.integers(5000, 17_000))
        seconds = exchange(rng, size, rate, burst=2000, delay=0.008)
        now += int((seconds + 0.05) * SECOND)
        link.add(size, seconds, now)
    for _ in range(10):
        now += SECOND // 10
        link.add(2600, exchange(rng, 2600, rate), now)
        assert link.estimate(now).rate_bps < 2e7


def test_an_answer_that_does_not_come_slows_a_link():
    link, now = Link(), 0
    for _ in range(10):
        now += SECOND // 10
        link.add(12_000, 0.005, now)
    for _ in range(2):
        now += SECOND
        link.add(12_000, 1.0, now, arrived=False)
    assert float(link.estimate(now).seconds(12_000)) > 0.2


def test_what_is_lost_is_sent_again():
    link = Link()
    assert link.estimate(0).loss == 0.0
    for _ in range(60):
        link.lost(10, 3)
    estimate = link.estimate(0)
    assert estimate.loss == pytest.approx(0.3, abs=0.01)


def test_all_of_many_chunks_arrive_after_more_rounds_than_one():
    clean, lossy = LinkEstimate(1e6, 0.01), LinkEstimate(1e6, 0.01, loss=0.3)
    more = [float(lossy.seconds(size)) - 8e-6 * size / 0.7 for size in (1000, 4000, 400_000)]
    assert more[0] == pytest.approx(more[1]) == pytest.approx(0.01 + 0.3 / 0.7 * 0.03)
    assert more[2] > more[1] + 3 * 0.03
    assert float(clean.seconds(4000)) == pytest.approx(0.01 + 0.032)


def test_the_age_counts_from_what_told_the_rate():
    link = Link()
    assert link.estimate(0).age_s == math.inf
    link.add(30_000, 0.05, SECOND)
    link.add(1, 0.003, 3 * SECOND)
    assert link.estimate(4 * SECOND).age_s == pytest.approx(3.0)


@pytest.mark.parametrize(
    ('size', 'seconds'), [(0, 1.0), (-5, 1.0), (1 << 40, 1.0), (9, 0.0), (9, math.nan), (9, 1e9)]
)
def test_what_is_no_exchange_is_refused(size, seconds):
    with pytest.raises(RefusedError):
        Link().add(size, seconds, 0)


@pytest.mark.parametrize(('sent', 'lost'), [(0, 0), (1, 2), (5, -1)])
def test_more_than_was_sent_cannot_be_lost(sent, lost):
    with pytest.raises(RefusedError):
        Link().lost(sent, lost)


@pytest.mark.parametrize(
    'fields',
    [
        {'rate_bps': 0.0},
        {'rate_bps': math.nan},
        {'rate_bps': math.inf},
        {'rate_bps': 1e6, 'delay_s': -1.0},
        {'rate_bps': 1e6, 'loss': 1.5},
        {'rate_bps': 1e6, 'burst': math.nan},
    ],
)
def test_what_is_no_link_is_refused(fields):
    with pytest.raises(RefusedError):
        LinkEstimate(**fields)


def counters(folder, zones):
    for name, (counter, wraps) in zones.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / 'energy_uj').write_text(f'{counter}\n')
        (folder / name / 'max_energy_range_uj').write_text(f'{wraps}\n')


def test_energy_comes_from_the_sockets_counters(tmp_path):
    counters(tmp_path, {'intel-rapl:0': (9_000_000, 10_000_000), 'intel-rapl:0:0': (5, 10)})
    clock = ManualClock()

    def use(watts, seconds):
        before = joules(tmp_path)[tmp_path / 'intel-rapl:0'][0]
        after = int(before + watts * seconds * 1e6) % 10_000_000
        counters(tmp_path, {'intel-rapl:0': (after, 10_000_000)})
        clock.advance(seconds)

    model = measure_energy(lambda: use(7.0, 0.1), lambda s: use(2.5, s), clock, tmp_path)
    assert model.cpu_w == pytest.approx(4.5, rel=0.01)
    assert 'RAPL' in model.source


def test_without_readable_counters_energy_is_as_stated(tmp_path):
    def never(*_):
        raise AssertionError('nothing to measure')

    (tmp_path / 'intel-rapl:0').mkdir()
    assert measure_energy(never, never, ManualClock(), tmp_path) == EnergyModel()
    # What the published tables say: 45.887 ms cost 98.4 mJ.
    assert EnergyModel().cpu_w * 0.045887 == pytest.approx(0.0984)


def test_a_counter_begins_again(tmp_path):
    zone = tmp_path / 'intel-rapl:0'
    assert spent({zone: (90, 100)}, {zone: (30, 100)}) == pytest.approx(40e-6)


@given(strategies.sampled_from([(64, 48), (224, 224), (301, 97)]), strategies.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_pixels_arrive_as_they_were(size, seed):
    width, height = size
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    raw = Option(Kind.RAW)
    assert (
        decode_picture(encode_picture(rgb, raw, (height, width)), raw, (height, width)) == rgb
    ).all()
    jpeg = Option(Kind.JPEG, quality=75)
    back = decode_picture(encode_picture(rgb, jpeg, (32, 40)), jpeg, (32, 40))
    assert back.shape == (32, 40, 3)


def picture(size, kind='JPEG'):
    buffer = io.BytesIO()
    Image.new('RGB', size).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ('option', 'data'),
    [
        (Option(Kind.RAW), bytes(32 * 40 * 3 - 1)),
        (Option(Kind.RAW), b''),
        (Option(Kind.JPEG, quality=75), b''),
        (Option(Kind.JPEG, quality=75), picture((40, 32))[:-200]),
        (Option(Kind.JPEG, quality=75), picture((4000, 4000))),
        (Option(Kind.JPEG, quality=75), b'\xff\xd8' + bytes(500)),
    ],
)
def test_what_is_no_such_picture_is_refused(option, data):
    with pytest.raises(RefusedError):
        decode_picture(data, option, (32, 40))


def test_steps_are_what_times_are_kept_for():
    assert Step(*PREPARE) == PREPARE
    assert PREPARE in make_times()
