"""``collab-robots fleet`` without robots: what it makes, and what it refuses, in words."""

from __future__ import annotations

from importlib.abc import MetaPathFinder
from pathlib import Path
import sys

import pytest
from typer.testing import CliRunner

from collab_robots.cli import app
from collab_robots.cli.common import BAD_INPUT
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.rosters import changes_in_words

RUNNER = CliRunner()


class NoRos(MetaPathFinder):
    def find_spec(self, name: str, *rest: object) -> None:
        if name == 'rclpy':
            raise ModuleNotFoundError(f'no module named {name}', name=name)


@pytest.fixture
def no_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take ROS away, as on a machine that has none."""
    for name in list(sys.modules):
        if name.startswith(('collab_robots.nodes.', 'rclpy.')) or name == 'rclpy':
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, 'meta_path', [NoRos(), *sys.meta_path])


def refused(*words: str) -> str:
    result = RUNNER.invoke(app, ['fleet', *words])
    assert result.exit_code == BAD_INPUT, result.output
    return result.stderr


def test_without_ros_it_says_what_is_missing(tmp_path: Path, no_ros: None) -> None:
    make_fleet(tmp_path, ('robot1', 'robot2'), name='test')
    fleet = ('--fleet', str(tmp_path / 'fleet.yaml'))
    for words in (
        ('admit', 'robot3'),
        ('remove', 'robot1'),
        ('reweigh', 'robot1', '3'),
        ('reinstate', 'robot1'),
        ('rekey', 'robot1', '--key-folder', str(tmp_path / 'new')),
        ('show',),
    ):
        assert 'ROS 2 is needed to talk to robots, and rclpy is not here' in refused(
            *words, *fleet
        )
    for folder in ('robot3', 'new'):
        key = PrivateKey.load(tmp_path / folder / 'key')
        assert (tmp_path / folder / 'key.unused').exists()
        refused('admit', 'robot4', '--key-folder', str(tmp_path / folder), *fleet)
        assert (
            PrivateKey.load(tmp_path / folder / 'key').public == key.public
        )  # it goes on with it


def test_wrong_input_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    make_fleet(tmp_path, ('robot1', 'robot2'), name='test')
    fleet = ('--fleet', str(tmp_path / 'fleet.yaml'))
    assert 'fleet.yaml' in refused('remove', 'robot1', '--fleet', str(tmp_path / 'no/fleet.yaml'))
    assert 'expected 64 hex' in refused('admit', 'robot3', '--public-key', 'ab', *fleet)
    assert 'expected 64 hex' in refused('rekey', 'robot1', '--public-key', 'x' * 64, *fleet)
    assert 'where the new key is to be' in refused('rekey', 'robot1', *fleet)
    assert 'name a ledger with --db' in refused('show')
    assert 'expected a name like' in refused('admit', 'Robot3', *fleet)
    assert '--weight' in refused('admit', 'robot3', '--weight', '1000001', *fleet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['fleet.yaml', 'robot1', 'robot2']
    open_key = tmp_path / 'robot1' / 'key'
    open_key.chmod(0o644)
    assert 'chmod 600' in refused('admit', 'robot1', *fleet)


def test_changes_of_the_roster_in_words() -> None:
    keys = [bytes([number]) * 32 for number in range(1, 5)]
    fleet = Fleet.model_validate(
        {
            'fleet': 'test',
            'robots': [
                {'name': name, 'public_key': key.hex(), 'weight': 2}
                for name, key in zip('abc', keys, strict=False)
            ],
        }
    )
    (a, b, c), d = ((name, key) for name, key in zip('abc', keys, strict=False)), keys[3]
    steps = [
        ([(*a, 2), (*b, 2), (*c, 0)], 'c leaves or is expelled'),
        ([(*a, 5), (*b, 2), (*c, 2)], 'a has weight 5, not 2, c is reinstated'),
        ([(*a, 5), (*b, 0), (*c, 2), ('b', d, 2)], 'b has another key'),
        ([(*a, 5), (*b, 0), (*c, 2), ('b', d, 2), ('e', b'e' * 32, 1)], 'e joins with weight 1'),
    ]
    for epoch, (robots, words) in enumerate(steps, 1):
        later = fleet.later(epoch, robots)
        assert changes_in_words(fleet, later) == words
        fleet = later
