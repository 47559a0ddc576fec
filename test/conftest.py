"""What all tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
