"""The command line: what it refuses, and how."""

from pathlib import Path
import stat
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from collab_robots import __version__
from collab_robots.cli import app, BAD_INPUT, OK
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import mark_used, PrivateKey, unused_marker
from collab_robots.explorer.run import Kill, Options, prepare, robot_command, simulator_command
from collab_robots.explorer.settings import default_world, parse_kill, parse_slow, parse_split

RUNNER = CliRunner()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--split', '80:40'], 'the end has to come after the start'),
        (['--split', '40'], 'expected A:B'),
        (['--split', 'a:b'], "expected seconds, got 'a'"),
        (['--split', 'nan:inf'], 'expected seconds'),
        (['--split=-5:40'], 'expected seconds'),
        (['--duration', '60'], 'ends after the run of 60 s'),
        (['--world', 'nowhere.yaml'], 'nowhere.yaml: cannot be read'),
        (['--robots', '0'], '--robots'),
        (['--robots', '9'], '--robots'),
        (['--robots', 'many'], '--robots'),
        (['--seed', '-1'], '--seed'),
        (['--duration', 'nan'], '--duration'),
        (['--speed', '0'], '--speed'),
        (['--domain', '200'], '--domain'),
        (['--kill', 'robot9:50'], "no robot 'robot9'"),
        (['--kill', 'robot2'], 'expected ROBOT:A'),
        (['--kill', 'robot2:70:60'], 'expected A before B'),
        (['--kill', 'robot2:500'], 'within 140 s'),
        (['--slow', 'robot9:2'], "no robot 'robot9'"),
        (['--slow', 'robot1'], 'expected ROBOT:FACTOR'),
        (['--slow', 'robot1:0.5'], 'a factor of 1 to 1000'),
        (['--slow', 'robot1:nan'], 'a factor of 1 to 1000'),
        (['--colour'], '--colour'),
    ],
)
def test_wrong_input_is_refused_in_words(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = RUNNER.invoke(app, ['demo', *arguments], env={'COLUMNS': '200', 'NO_COLOR': '1'})
    assert result.exit_code == BAD_INPUT
    assert words in ' '.join(result.stderr.split())
    assert 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir()), 'nothing is written for a run that cannot be'


def test_a_malformed_world_is_refused(tmp_path: Path) -> None:
    world = tmp_path / 'world.yaml'
    world.write_text('name: x\nsize: [1, .inf]\n')
    result = RUNNER.invoke(app, ['demo', '--world', str(world), '--out', str(tmp_path / 'out')])
    assert result.exit_code == BAD_INPUT
    assert 'walls' in result.stderr and 'Traceback' not in result.stderr


def test_a_run_is_never_mixed_with_another(tmp_path: Path) -> None:
    (tmp_path / 'old').write_text('run')
    result = RUNNER.invoke(app, ['demo', '--out', str(tmp_path)])
    assert result.exit_code == BAD_INPUT
    assert 'not an empty folder' in result.stderr


def test_help_answers_at_once_and_shows_examples() -> None:
    result = subprocess.run(
        [
            sys.executable,
            '-c',
            'import sys; from collab_robots.cli import main; sys.argv[1:] = ["demo", "--help"]; '
            'import atexit; atexit.register(lambda: print("heavy:", *[m for m in '
            '("numpy", "rclpy", "scipy", "matplotlib", "mujoco") if m in sys.modules])); main()',
        ],
        capture_output=True,
        text=True,
        check=True,
        env={'COLUMNS': '120'},
        cwd=Path(__file__).parents[2],
    )
    assert 'Examples:' in result.stdout and '--split' in result.stdout
    assert result.stdout.rstrip().endswith('heavy:')


def test_version() -> None:
    assert RUNNER.invoke(app, ['--version']).stdout == f'collab-robots {__version__}\n'


@pytest.mark.parametrize(
    ('text', 'robots', 'expected'),
    [('40:80', 4, (40.0, 80.0)), ('none', 4, None), ('40:80', 1, None), ('0:1.5', 2, (0.0, 1.5))],
)
def test_split(text: str, robots: int, expected: tuple[float, float] | None) -> None:
    assert parse_split(text, 120.0, robots) == expected


def test_kill() -> None:
    assert parse_kill('robot2:50:65', 120.0) == Kill('robot2', 50.0, 65.0)
    assert parse_kill('robot2:50', 120.0) == Kill('robot2', 50.0, None)
    with pytest.raises(ConfigError, match='expected A before B'):
        parse_kill('robot2:50:50', 120.0)


def test_slow() -> None:
    assert parse_slow(None) == {'robot1': 8.0}
    assert parse_slow(['none']) == {}
    assert parse_slow(['robot2:4', 'robot3:1.5']) == {'robot2': 4.0, 'robot3': 1.5}


def test_a_run_is_prepared_with_keys_that_only_their_owner_reads(tmp_path: Path) -> None:
    options = Options(3, 7, (40.0, 80.0), default_world(), 120.0, out=tmp_path / 'run')
    run = prepare(options)
    assert run.names == ('robot1', 'robot2', 'robot3')
    assert run.timeline.split is not None
    assert run.timeline.split.halves == (('robot1', 'robot2'), ('robot3',))
    keys = [PrivateKey.load(run.folder(robot) / 'key').public for robot in run.names]
    assert keys == [robot.key for robot in Fleet.load(run.directory / 'fleet.yaml').robots]
    assert stat.S_IMODE((run.folder('robot1') / 'key').stat().st_mode) == 0o600
    again = prepare(Options(3, 7, None, default_world(), 120.0, out=tmp_path / 'again'))
    assert again.fleet.robots[0].key != keys[0], 'keys do not come from the seed'


def test_children_are_told_everything_by_parameters(tmp_path: Path) -> None:
    run = prepare(Options(2, 7, (40.0, 80.5), default_world(), 120.0, out=tmp_path / 'it'))
    simulator, robot = simulator_command(run), robot_command(run, 1)
    assert "split:='40:80.5'" in simulator and 'speed:=1.0' in simulator
    assert 'cameras:=true' in simulator and 'robots:=2' in simulator
    assert '__ns:=/robot2' in robot and "name:='robot2'" in robot and 'use_sim_time:=true' in robot
    assert f"store:='{tmp_path}/it/robot2/ledger.db'" in robot
    assert any(part.startswith('initial_pose:=[10.15') for part in robot)


def test_fleet_init_makes_keys_once(tmp_path: Path) -> None:
    arguments = ['fleet', 'init', str(tmp_path), '--robots', 'scout, mule']
    assert RUNNER.invoke(app, arguments).exit_code == OK
    assert list(Fleet.load(tmp_path / 'fleet.yaml').index_by_name) == ['mule', 'scout']
    for robot in ('scout', 'mule'):
        assert 'has signed nothing yet' in unused_marker(tmp_path / robot / 'key').read_text()
        assert sorted(path.name for path in (tmp_path / robot).glob('key*')) == [
            *('key', 'key.unused')
        ]
        for _ in range(2):  # a second time, after a crash, is no error
            mark_used(tmp_path / robot / 'key')
            assert not unused_marker(tmp_path / robot / 'key').exists()
    again = RUNNER.invoke(app, arguments)
    assert again.exit_code == BAD_INPUT and 'never overwritten' in again.stderr


@pytest.mark.parametrize('robots', ['a,a', 'Scout', 'a,,b', ''])
def test_fleet_init_refuses_wrong_names_before_it_writes(robots: str, tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ['fleet', 'init', str(tmp_path / 'f'), '--robots', robots])
    assert result.exit_code == BAD_INPUT
    assert not (tmp_path / 'f').exists()
