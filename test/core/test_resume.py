"""A robot whose process comes back knows where it is, unless odometry began anew."""

from pathlib import Path

import numpy as np
import pytest

from collab_robots.core.geometry import pose
from collab_robots.mapping.resume import resume, save

ODOM = pose(3.0, 4.0, 1.0)


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    path = tmp_path / 'pose.json'
    save(path, pose(1, 2, 0.5), ODOM)
    save(path, pose(1, 2, 0.6), ODOM)
    back = resume(path, ODOM + 0.1)
    assert back is not None
    assert back == pytest.approx([1, 2, 0.6])
    assert [file.name for file in tmp_path.iterdir()] == ['pose.json']


def test_odometry_that_began_anew_is_noticed(tmp_path: Path) -> None:
    save(tmp_path / 'pose.json', pose(1, 2, 0.5), ODOM)
    assert resume(tmp_path / 'pose.json', pose(0, 0, 0)) is None


@pytest.mark.parametrize(
    'text',
    [
        '',
        '{',
        '[]',
        '{"odom": [0, 0, 0]}',
        '{"odom": [0, 0], "map_to_odom": [0, 0, 0]}',
        '{"odom": [0, 0, 0], "map_to_odom": [0, NaN, 0]}',
        '{"odom": "x", "map_to_odom": [0, 0, 0]}',
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'pose.json'
    path.write_text(text)
    assert resume(path, np.zeros(3)) is None
    assert resume(tmp_path / 'none.json', np.zeros(3)) is None
