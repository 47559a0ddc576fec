"""What a wrong clock of one robot of four may do: delay its calls, and lose none."""

from __future__ import annotations

import pytest

from benchmarks.skew import measure
from collab_robots.tangle.settings import LedgerConfig

TOLERANCE = LedgerConfig().future_tolerance  # s


@pytest.mark.parametrize('skew', [0.0, 4.0, -4.0])
def test_within_the_tolerance_nothing_is_held_up(skew: float) -> None:
    figures = measure(skew, 5.0, 1.0, [1])
    assert figures['calls'] == 20
    assert (figures['open'], figures['lost'], figures['put_off']) == (0, 0, 0)
    assert figures['same']
    assert figures['wrong']['final']['median'] < 1e3


@pytest.mark.parametrize('skew', [7.0, -7.0])
def test_beyond_it_only_that_robot_waits(skew: float) -> None:
    figures = measure(skew, 5.0, 1.0, [1])
    assert figures['put_off'] > 0
    assert (figures['open'], figures['lost']) == (0, 0)
    late = 1e3 * (abs(skew) - TOLERANCE)
    assert figures['wrong']['accepted']['median'] == pytest.approx(late, rel=0.25)
    assert figures['right']['final']['median'] < 1e3


def test_far_behind_it_has_to_be_set_and_then_nothing_is_lost() -> None:
    figures = measure(-10.0, 3.0, 1.0, [1])
    assert figures['open'] == 3
    assert figures['lost'] == 0
    assert figures['same']
