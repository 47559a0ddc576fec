"""What ``kill -9`` at random moments costs real processes: benchmarks/kill.py in short."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from benchmarks import kill


@pytest.mark.timeout(180)
def test_nothing_is_lost_and_nobody_speaks_twice(tmp_path: Path) -> None:
    outcome = kill.run(tmp_path, domain=73, seconds=25.0, kills=5, seed=3)
    assert outcome.records > 100
    assert (outcome.lost, outcome.twice, outcome.equivocators) == (0, 0, ())
    assert len(outcome.synced) + outcome.interrupted == 5
    assert median(outcome.synced) < 2 * kill.LIMIT  # twice, for tests share the machine
