"""RViz files for certain robots, from those with placeholders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from collab_robots.bringup.displays import displays, GROUP, NEED_TF
from collab_robots.core.errors import ConfigError

FOLDER = Path(__file__).parents[2] / 'config' / 'rviz'


def shown(name: str, robots: list[str], tf: bool) -> list[dict[str, Any]]:
    config = yaml.safe_load(displays(FOLDER / name, robots, tf))
    assert config['Visualization Manager']['Global Options']['Fixed Frame'] == 'map'
    return config['Visualization Manager']['Displays']


def test_a_fleet_has_a_group_for_each_robot_and_one_for_the_team() -> None:
    found = shown('fleet.rviz', ['robot1', 'hall/robot2'], tf=True)
    groups = {one['Name']: one['Displays'] for one in found if one['Class'] == GROUP}
    assert list(groups) == ['Team', 'robot1', 'hall/robot2']
    for robot in ('robot1', 'hall/robot2'):
        assert {one['Topic']['Value'].rpartition(f'/{robot}/')[1] for one in groups[robot]} == {
            f'/{robot}/'
        }
    (first,) = [one for one in found if one['Class'] == 'rviz_default_plugins/Map']
    assert (first['Name'], first['Topic']['Value']) == ('Map of robot1', '/robot1/map')


def test_what_needs_transforms_that_rviz_does_not_get_is_left_out() -> None:
    def classes(tf: bool) -> set[str]:
        found = shown('fleet.rviz', ['robot1'], tf)
        return {each['Class'] for one in found for each in (one, *one.get('Displays', ()))}

    assert classes(tf=True) & NEED_TF
    assert classes(tf=True) - classes(tf=False) == classes(tf=True) & NEED_TF


@pytest.mark.parametrize('name', ['robot.rviz', 'fleet.rviz'])
def test_no_placeholder_is_left(name: str) -> None:
    text = displays(FOLDER / name, ['robot7'], tf=True)
    assert '<robot' not in text
    assert '/robot7/scan' in text


@pytest.mark.parametrize('text', ['{', 'a: 1', '[1]', 'Visualization Manager: {Displays: [1]}'])
def test_a_file_that_is_none_of_rviz_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'wrong.rviz'
    file.write_text(text)
    with pytest.raises(ConfigError, match="is not one of RViz' files"):
        displays(file, ['robot1'], tf=True)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'absent\.rviz: cannot be read'):
        displays(tmp_path / 'absent.rviz', ['robot1'], tf=True)
