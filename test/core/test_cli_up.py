"""``collab-robots up``: what it would start, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
import shlex

import pytest
from typer.testing import CliRunner

from collab_robots.cli import app, BAD_INPUT, OK
from collab_robots.explorer.fleets import make_fleet

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_simulation_is_planned_and_nothing_is_written(tmp_path: Path) -> None:
    words = ['--sim', '--robots', '3', '--tf', 'prefixed', '--set', 'slow:=2', '--set', 'seed:=7']
    shown = RUNNER.invoke(app, ['up', *words, '--dry-run'])
    assert shown.exit_code == OK
    planned = json.loads(RUNNER.invoke(app, ['up', *words, '--json']).stdout)
    assert [each['name'] for each in planned] == ['simulator', 'robot1', 'robot2', 'robot3']
    simulator, robot, *_ = planned
    assert simulator['parameters']['seed'] == 7 and simulator['parameters']['robots'] == 3
    assert simulator['parameters']['frame_prefixes'] is True and simulator['vital']
    assert robot['parameters']['slow'] == 2.0 and robot['parameters']['use_sim_time'] is True
    assert robot['namespace'] == '/robot1' and not robot['vital']
    commands = [shlex.split(line) for line in shown.stdout.splitlines()]
    assert [command[:3] for command in commands] == [each['command'][:3] for each in planned]
    assert not list(tmp_path.iterdir())


def test_robots_of_a_fleet_are_planned_with_their_files(tmp_path: Path) -> None:
    make_fleet(tmp_path / 'site', ('robot1', 'robot2'), name='test')
    (tmp_path / 'site' / 'robot2' / 'params.yaml').touch()
    (tmp_path / 'all.yaml').touch()
    words = ['up', '--fleet', 'site/fleet.yaml', '--json', '--params', 'all.yaml']
    planned = json.loads(RUNNER.invoke(app, [*words, '--all']).stdout)
    assert [each['files'] for each in planned] == [
        ['all.yaml'],
        ['site/robot2/params.yaml', 'all.yaml'],
    ]
    (one,) = json.loads(RUNNER.invoke(app, [*words, '--robot', 'robot2']).stdout)
    assert one['parameters']['key'] == 'site/robot2/key'
    assert ['radio/tx/block', '/fleet/block'] in one['remappings']


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        ('', 'say what is to start'),
        ('--sim --all', 'say what is to start'),
        ('--all', 'whose robots?'),
        ('--fleet none.yaml --all', 'none.yaml: cannot be read'),
        ('--fleet site/fleet.yaml --robot robot9', "robot 'robot9' is not in fleet 'test'"),
        ('--fleet site/fleet.yaml --all --set seed:=3', "there is no parameter 'seed'"),
        ('--sim --set sped:=3', "is it 'speed'?"),
        ('--sim --set speed', 'expected NAME:=VALUE'),
        ('--sim --set speed:=fast', "expected a number from 0.01 to 100, got 'fast'"),
        ('--sim --set key:=a', "there is no parameter 'key'"),
        ('--sim --params none.yaml', 'none.yaml: there is no such parameter file'),
        ('--sim --world moon', "no world 'moon' comes with the project, only office, store"),
        ('--sim --robots 60', 'robots need'),
        ('--sim --log-level loud', "'debug', 'info'"),
        ('--sim --folder site', 'exists and is not an empty folder'),
    ],
)
def test_wrong_input_is_refused_in_words(words: str, told: str, tmp_path: Path) -> None:
    make_fleet(tmp_path / 'site', ('robot1', 'robot2'), name='test')
    result = RUNNER.invoke(app, ['up', *words.split()], env={'COLUMNS': '200', 'NO_COLOR': '1'})
    assert result.exit_code == BAD_INPUT
    assert told in ' '.join(result.stderr.split()) and 'Traceback' not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['site'], 'nothing is written'


def test_help_shows_examples() -> None:
    assert 'collab-robots up --sim --robots 2' in RUNNER.invoke(app, ['up', '--help']).stdout
