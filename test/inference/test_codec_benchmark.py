"""The coders that the codec is compared with: each gives back what it got."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest

codec = pytest.importorskip('benchmarks.codec', reason='constriction has wheels for x86-64 only')

LEVELS = arrays.array_shapes(min_dims=2, max_dims=2, max_side=20).flatmap(
    lambda shape: arrays.arrays(np.int32, shape, elements=st.integers(-600, 600))
)


@pytest.mark.parametrize('coder', codec.coders(), ids=lambda coder: coder.name)
@given(levels=LEVELS)
def test_levels_come_back(coder, levels):
    assert (coder.unpack(coder.pack(levels), *levels.shape) == levels).all()


@pytest.mark.parametrize('name', codec.QUANTISERS)
def test_more_bits_are_closer(name):
    x = np.random.default_rng(3).normal(size=(20, 100)).astype(np.float32)
    errors = [np.abs(codec.QUANTISERS[name](x, bits).values - x).mean() for bits in (8, 4, 3, 2)]
    assert errors == sorted(errors)
