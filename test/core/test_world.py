"""The office, and every way in which a person can get a world wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import FREE, OCCUPIED, UNKNOWN
from collab_robots.sim.truth import reachable, visible_walls
from collab_robots.sim.world import load_world, ROBOT_RADIUS

OFFICE = Path(__file__).parents[2] / 'worlds' / 'office.yaml'


def room(**changes: Any) -> dict[str, Any]:
    """Return a room of 6 x 4 m with a partition that leaves a gap of 1 m."""
    walls = [
        {'line': [0.1, 0.1, 5.9, 0.1]},
        {'line': [5.9, 0.1, 5.9, 3.9]},
        {'line': [5.9, 3.9, 0.1, 3.9]},
        {'line': [0.1, 3.9, 0.1, 0.1]},
        {'line': [3.0, 0.1, 3.0, 3.9], 'doors': [[1.0, 1.0]]},
    ]
    poster = {'image': 'chelsea.png', 'at': [1.5, 3.85], 'facing': 270, 'labels': ['tabby']}
    starts = {'first': [[1.0, 1.0, 0]], 'second': [[5.0, 1.0, 90]]}
    return {
        'name': 'room',
        'size': [6.0, 4.0],
        'walls': walls,
        'posters': [poster],
        'starts': starts,
        **changes,
    }


def write(folder: Path, data: Any) -> Path:
    path = folder / 'world.yaml'
    path.write_text(yaml.safe_dump(data))
    return path


def test_office_has_what_the_demo_needs() -> None:
    world = load_world(OFFICE)
    assert 8 <= len(world.posters) <= 12
    for robots in (1, 2, 4, 8):
        poses = world.start_poses(robots)
        assert len(poses) == robots
        free = reachable(world.truth, poses, ROBOT_RADIUS)
        assert free.sum() >= 0.99 * (world.truth.data == FREE).sum()
    assert all(
        wall.doors == () or min(door[1] for door in wall.doors) >= 1.0 for wall in world.walls
    )


def test_halves_start_apart_and_mates_together() -> None:
    first, second = np.split(np.array(load_world(OFFICE).start_poses(8))[:, :2], 2)
    gaps = np.hypot(*(first[:, None] - second).transpose(2, 0, 1))
    assert gaps.min() > 5.0
    assert np.ptp(first, axis=0).max() < 2.0 and np.ptp(second, axis=0).max() < 2.0


def test_truth_is_occupied_free_and_unknown_where_the_file_says(tmp_path: Path) -> None:
    truth = load_world(write(tmp_path, room())).truth
    points = np.array([[1.0, 1.0], [3.0, 2.5], [3.0, 1.1], [0.02, 0.02], [3.0, 3.9]])
    rows, columns = truth.cells(points).T
    assert truth.data[rows, columns].tolist() == [FREE, OCCUPIED, FREE, UNKNOWN, OCCUPIED]


def test_a_gap_narrower_than_the_robot_ends_what_is_reachable(tmp_path: Path) -> None:
    data = room()
    data['walls'][4]['doors'] = [[1.0, 0.3]]
    world = load_world(write(tmp_path, data))
    free = reachable(world.truth, [world.start_poses(1)[0]], ROBOT_RADIUS)
    rows, columns = world.truth.cells(np.array([[0.2, 3.8], [5.0, 1.0]])).T
    assert free[rows, columns].tolist() == [True, False]
    walls = visible_walls(world.truth, free)
    rows, columns = world.truth.cells(np.array([[0.12, 2.0], [5.88, 2.0]])).T
    assert walls[rows, columns].tolist() == [True, False]


def change(**changes: Any) -> Callable[[], Any]:
    return lambda: room(**changes)


def poster(**changes: Any) -> Callable[[], Any]:
    data = room()
    data['posters'][0].update(changes)
    return lambda: data


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (change(size=[float('nan'), 4.0]), 'size.0'),
        (change(size=[6.0, 1000.0]), 'size.1'),
        (change(colour='red'), 'colour'),
        (change(walls=[]), 'walls'),
        (change(walls=[{'line': [0, 0, 0, 0]}]), 'at least 0.05 m long'),
        (change(walls=[{'line': [0.1, 0.1, 5.9, 0.1]}], posters=[]), 'lies outside'),
        (change(walls=[{'line': [0, 1, 5, 1], 'doors': [[1, 1], [1.5, 1]]}]), 'overlaps another'),
        (change(walls=[{'line': [0, 1, 7, 1]}]), 'leaves the size'),
        (
            change(furniture=[{'name': 'box', 'at': [1, 1], 'size': [1, 1]}]),
            'in a wall or furniture',
        ),
        (
            change(furniture=[{'name': 'mat', 'at': [2, 1], 'size': [1, 1], 'height': 0.1}]),
            'height',
        ),
        (change(starts={'first': []}), 'at least one start pose'),
        (change(starts={'first': [[3.0, 2.5, 0]]}), 'in a wall or furniture'),
        (change(starts={'first': [[1, 1, 0], [1.2, 1, 0]]}), 'overlap'),
        (change(starts={'first': [[1, 1, float('inf')]]}), 'starts.first.0.2'),
        (poster(image='nobody.png'), 'no picture nobody.png'),
        (poster(image='../secret.png'), 'image'),
        (poster(at=[1.5, 2.0]), 'does not hang'),
        (poster(facing=90), 'does not hang'),
        (poster(at=[5.6, 3.85]), 'does not hang'),
        (poster(at=[2.95, 1.0], facing=180), 'does not hang'),
        (poster(centre=0.3), 'below the floor'),
        (poster(centre=1.9), 'above its wall'),
        (poster(labels=[]), 'labels'),
        (lambda: [1, 2], 'expected a mapping'),
    ],
)
def test_a_wrong_world_is_refused_in_words(
    tmp_path: Path, make: Callable[[], Any], words: str
) -> None:
    path = write(tmp_path, make())
    with pytest.raises(ConfigError) as error:
        load_world(path)
    assert str(path) in str(error.value) and words in str(error.value)


def test_a_missing_or_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='cannot be read'):
        load_world(tmp_path / 'none.yaml')
    path = tmp_path / 'world.yaml'
    path.write_text('name: [')
    with pytest.raises(ConfigError, match='not YAML'):
        load_world(path)


@pytest.mark.parametrize('robots', [0, 3, 9])
def test_too_few_starts_are_refused(tmp_path: Path, robots: int) -> None:
    world = load_world(write(tmp_path, room()))
    with pytest.raises(ConfigError, match=f'{robots} robots need'):
        world.start_poses(robots)
