"""
Both machines give the same on the whole suite.

``python -m benchmarks.contract --part equal`` does this with 1,000 sequences.
"""

from collections import Counter
from random import Random

from contract_history import FLEET
import pytest

from benchmarks.contract import REVERTED, sequence
from collab_robots.contract.artifact import suite
from collab_robots.contract.deployment import Deployment
from collab_robots.contract.evm import PyrevmEvm
from collab_robots.contract.pyevm import PyEvm

pytest.importorskip('pyrevm', reason='has wheels for x86-64 only')


@pytest.mark.parametrize('seed', range(8))
def test_random_sequences_are_equal_on_both_machines(seed):
    pair = [Deployment(suite(), FLEET, machine()) for machine in (PyrevmEvm, PyEvm)]
    done = Counter()
    assert sequence(pair, FLEET, Random(seed), done)
    assert done.total() - done[REVERTED] > 5 < done[REVERTED]


def test_a_difference_is_found():
    pair = [Deployment(suite(), FLEET, PyrevmEvm()) for _ in range(2)]
    pair[1].close_epoch(100)
    assert not sequence(pair, FLEET, Random(1), Counter())
