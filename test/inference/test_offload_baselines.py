"""The rules of others that inference is compared with choose and pack as published."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from benchmarks.baselines import dsc, dyno, neurosurgeon
from benchmarks.baselines.offload import Candidate
from collab_robots.core.errors import RefusedError
from collab_robots.inference.options import Kind, LOCAL, Option

PACKINGS = [(dyno, bits) for bits in dyno.BITS] + [(dsc, dsc.BITS)]


@pytest.mark.parametrize(('packing', 'bits'), PACKINGS)
@given(shape=st.tuples(*[st.integers(1, 9)] * 3), seed=st.integers(0, 99))
def test_what_is_packed_comes_back_within_half_a_step(packing, bits, shape, seed):
    tensor = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    found = packing.decode(packing.encode(tensor, bits), shape, bits)
    step = (tensor.max() - tensor.min()) / (2**bits - 1)
    assert found.lost == 0
    assert np.abs(found.tensor - tensor).max() <= 0.501 * step + 1e-6


@pytest.mark.parametrize(('packing', 'bits'), PACKINGS)
def test_a_packed_tensor_that_is_not_whole_is_refused(packing, bits):
    tensor = np.random.default_rng(1).standard_normal((60, 40, 40)).astype(np.float32)
    chunks = packing.encode(tensor, bits)
    for broken in ([None, *chunks[1:]], [*chunks[:-1], chunks[-1][:-9]], []):
        with pytest.raises(RefusedError):
            packing.decode(broken, tensor.shape, bits)


def test_equal_numbers_cost_lz4_almost_nothing():
    assert sum(map(len, dyno.encode(np.zeros((64, 14, 14), np.float32), 8))) < 100


def test_natural_bottlenecks_are_a_running_minimum_below_the_picture():
    shapes = [(3, 10, 10), (4, 10, 10), (2, 10, 10), (2, 10, 10), (3, 9, 9), (99,), (5,)]
    assert dsc.bottlenecks(shapes) == [2, 5]


SPLIT = {bits: Option(Kind.SPLIT, 3, bits) for bits in (32, 8, 2)}
CANDIDATES = [
    Candidate(LOCAL, 0.080, 0, 0.0, 0.88),
    Candidate(Option(Kind.RAW), 0.001, 150_000, 0.010, 0.88),
    Candidate(SPLIT[32], 0.040, 60_000, 0.005, 0.88),
    Candidate(SPLIT[8], 0.041, 12_000, 0.005, 0.88),
    Candidate(SPLIT[2], 0.041, 3_000, 0.005, 0.50),
]


@pytest.mark.parametrize(
    ('rate', 'split', 'dynamic', 'packed'),
    [
        (1e5, LOCAL, LOCAL, LOCAL),
        (4e6, LOCAL, SPLIT[8], SPLIT[8]),
        (1e8, Option(Kind.RAW), Option(Kind.RAW), SPLIT[8]),
    ],
)
def test_each_chooses_the_fastest_of_what_it_may(rate, split, dynamic, packed):
    assert neurosurgeon.choose(CANDIDATES, rate, 0.0).option == split
    assert dsc.choose(CANDIDATES, [3], rate, 0.0).option == dynamic
    assert dyno.choose(CANDIDATES, rate, 0.0, 0.87).option == packed


def test_the_accuracy_wanted_is_kept_by_dyno():
    assert dyno.choose(CANDIDATES, 1e6, 0.0, 0.4).option == SPLIT[2]
    assert dyno.choose(CANDIDATES, 1e6, 0.0, 0.6).option == LOCAL
