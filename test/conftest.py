"""What all tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What `colcon test` leaves to `make test`: real processes, and the files that took longest
# (`pytest --durations=0`): of test/core, 49 of 114 with nine tenths of the time.
SLOW_FOLDERS = ('browser', 'launch', 'scenarios')
SLOW = frozenset(
    """
    agent anchor_ledger anchor_notary benchmarks book_blocks book_find book_follow
    book_index book_moments book_splits checkpoints classifier cli cli_contract cli_infer
    cli_ledger doctor epochs explorer_remote explorer_web export export_bag graph hornet
    intel_log ledger managed mapper maps_verdicts merge_safety nav2 nav2_robot protocol_sim
    prove pruned_state repair repair_team report rest_fuzz roots roster_orders rule1 runner
    runner_memory skew snapshot solidity_scripts solidity_suite store_damage sync
    tasks_assign tasks_orders top verify verify_flips
    """.split()
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow."""
    for item in items:
        slow = item.path.stem.removeprefix('test_') in SLOW
        if slow or item.path.parent.name in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Find recorded data that the project does not carry; a test that wants it skips without."""
    folder = Path(os.environ.get('COLLAB_SHARED_DATA', ROOT.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no recorded data at {folder} (COLLAB_SHARED_DATA names another folder)')
    return folder


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how many tests were skipped, even when none was."""
    count = len(terminalreporter.stats.get('skipped', ()))
    terminalreporter.write_line(f'skipped: {count}')
