"""Faults of a robot's files and its computer: each is named, with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
import re
import shutil
import socket
import subprocess

from doctor_findings import bad, LIMITS, only
import pytest
from typer.testing import CliRunner

from collab_robots.cli import app, BAD_INPUT, FAILED, OK
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet
from collab_robots.explorer import doctor
from collab_robots.explorer.doctor.computer import (
    look_at_chrony,
    look_at_computer,
    look_at_environment,
    look_at_memory,
    RANGE,
    SERVER,
)
from collab_robots.explorer.doctor.files import look_at_disk, look_at_files
from collab_robots.explorer.doctor.finding import Finding, Level, Limits
from collab_robots.explorer.doctor.robot import read_parameters, read_robot
from collab_robots.explorer.fleets import make_fleet
from collab_robots.inference.classifier import model_path, MODELS_VARIABLE
from collab_robots.tangle.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of robot1, in a fleet of three."""
    make_fleet(tmp_path, ('robot1', 'robot2', 'robot3'), 'test')
    return tmp_path / 'robot1'


def local(folder: Path, limits: Limits = LIMITS) -> list[Finding]:
    """Return what is wrong with a robot's files."""
    robot, findings = read_robot(folder)
    return bad([*findings, *look_at_files(robot, limits), *look_at_computer(limits)])


def store(folder: Path, robot: str = 'robot1') -> Store:
    fleet = Fleet.load(folder.parent / 'fleet.yaml')
    return Store(folder / 'ledger.db', fleet, robot)


def test_nothing_is_wrong_with_a_new_robot(folder: Path) -> None:
    assert local(folder) == []


def test_nothing_is_wrong_with_one_that_ran(folder: Path) -> None:
    (folder / 'key.unused').unlink()
    store(folder).close()
    assert local(folder) == []


# Keys


def test_a_key_that_others_can_read(folder: Path) -> None:
    (folder / 'key').chmod(0o644)
    only(local(folder), 'key', Level.FAIL, 'mode 0644', f'chmod 600 {folder}/key')


def test_the_key_of_another_robot(folder: Path) -> None:
    shutil.copy(folder.parent / 'robot2' / 'key', folder / 'key')
    only(local(folder), 'key', Level.FAIL, 'is the key of robot2, not of robot1', 'put the key of')


def test_a_key_that_nobody_knows(folder: Path) -> None:
    (folder / 'key').write_text('7' * 64 + '\n')
    only(local(folder), 'key', Level.WARN, 'is not in the fleet file', 'collab-robots fleet admit')


def test_a_key_that_is_missing(folder: Path) -> None:
    (folder / 'key').unlink()
    only(local(folder), 'key', Level.FAIL, 'No such file', 'bring the folder of robot1')


# Fleet and parameters


def test_a_fleet_file_that_is_missing(folder: Path) -> None:
    (folder.parent / 'fleet.yaml').unlink()
    only(local(folder), 'fleet', Level.FAIL, 'No such file', 'copy fleet.yaml from another')


def test_a_fleet_file_that_is_malformed(folder: Path) -> None:
    (folder.parent / 'fleet.yaml').write_text('fleet: test\nrobots: [{name: robot1}]\n')
    only(local(folder), 'fleet', Level.FAIL, 'public_key: Field required', '')


def test_a_robot_that_is_not_in_the_fleet_file(folder: Path) -> None:
    folder = folder.rename(folder.with_name('robot9'))
    (folder / 'key').write_text('7' * 64 + '\n')
    first, second = local(folder)
    only([first], 'fleet', Level.WARN, 'robot9 is not in fleet', 'fleet show')
    assert second.check == 'key'


@pytest.mark.parametrize(
    ('text', 'message', 'fix'),
    [
        ('/**: [', 'not YAML', 'correct it'),
        ('- 1', 'expected a mapping', 'correct it'),
        ('/**: {ros__parameters: {tick_period: 99.0}}', 'from 0.01 to 1 s', 'docs/parameters.md'),
        ('/**: {ros__parameters: {tick_periot: 0.1}}', "is it 'tick_period'?", 'docs/parameters'),
        ('/**: {ros__parameters: 7}', 'expected parameters', 'correct it'),
        ('robot2: {ledger: {ros__parameters: {archive: true}}}', 'no section', "begin it with '/"),
        ('ledger: {ros__parameters: {archive: true}}', 'no section', "begin it with '/**:'"),
    ],
)
def test_wrong_parameters(folder: Path, text: str, message: str, fix: str) -> None:
    (folder / 'params.yaml').write_text(text)
    (found,) = local(folder)
    assert found.check == 'parameters'
    assert message in found.message
    assert fix in found.fix


@pytest.mark.parametrize(
    'section',
    ['/**', '/robot1/**', '/robot1/ledger', '/*/ledger', '/**/ledger', 'robot1/*'],
)
def test_sections_that_ros_applies_to_a_robot(tmp_path: Path, section: str) -> None:
    file = tmp_path / 'params.yaml'
    file.write_text(f'{section}:\n  ros__parameters:\n    archive: true\n    a: {{b: 1}}\n')
    assert read_parameters(file, '/robot1') == {'archive': True, 'a.b': 1}


def test_paths_in_parameters_are_from_the_fleet_file_on(folder: Path) -> None:
    key = folder.rename(folder.with_name('safe')) / 'key'
    folder.mkdir()
    (folder / 'params.yaml').write_text('/**: {ros__parameters: {key: safe/key}}')
    robot, _ = read_robot(folder)
    assert robot.values['key'] == str(key)
    assert robot.values['store'] == str(folder / 'ledger.db')


# Ledger and disk


def test_a_ledger_that_is_damaged(folder: Path) -> None:
    store(folder).close()
    (folder / 'ledger.db').write_bytes(b'SQLite format 3\x00' + b'\xff' * 5000)
    only(local(folder), 'ledger', Level.FAIL, 'damaged', 'ledger repair')


def test_a_ledger_whose_end_is_lost(folder: Path) -> None:
    with closing(store(folder)) as made:
        made.mark_incomplete('its end is lost')
    only(
        local(folder), 'ledger', Level.WARN, 'its end is lost', 'says nothing before it has again'
    )


def test_a_ledger_that_is_lost(folder: Path) -> None:
    (folder / 'key.unused').unlink()
    only(local(folder), 'ledger', Level.WARN, 'the ledger is lost', 'near all others')


def test_the_ledger_of_another_robot(folder: Path) -> None:
    store(folder, 'robot2').close()
    only(local(folder), 'ledger', Level.FAIL, 'is of robot2', 'bring that of robot1')


def test_a_disk_that_has_little_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    found = local(folder, replace(LIMITS, free_disk=2 * free))
    only(found, 'disk', Level.FAIL, 'MiB free, less than', 'make room')
    found = local(folder, replace(LIMITS, free_disk=free // 2))
    only(found, 'disk', Level.WARN, 'soon less than', 'make room')


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    place.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip('no right to mount a disk')
    try:
        yield
    finally:
        subprocess.run(['umount', str(place)], check=True)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / 'disk'):
        with pytest.raises(OSError, match='No space left'):
            (tmp_path / 'disk' / 'bag').write_bytes(bytes(1 << 20))
        found = look_at_disk(tmp_path / 'disk' / 'ledger.db', LIMITS)
        only([found], 'disk', Level.FAIL, 'is full', 'make room')


def test_a_disk_that_is_not_there(tmp_path: Path) -> None:
    found = look_at_disk(tmp_path / 'away' / 'ledger.db', LIMITS)
    only([found], 'disk', Level.FAIL, 'cannot be written to: No such file', 'chown')


# Model and computer


def test_a_model_that_is_missing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    only(local(folder), 'model', Level.FAIL, 'there is no model', 'inference.export')


def test_a_model_that_is_none(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    (tmp_path / model_path().name).write_bytes(b'no model')
    only(local(folder), 'model', Level.FAIL, 'not an ONNX model', 'inference.export')


def test_a_model_whose_times_are_not_measured(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_path()
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    (tmp_path / model.name).symlink_to(model)
    only(local(folder), 'model', Level.WARN, 'is not measured', 'measures it at its next start')


def test_too_little_memory(tmp_path: Path) -> None:
    (tmp_path / 'meminfo').write_text('MemTotal: 4000000 kB\nMemAvailable:   100000 kB\n')
    found = look_at_memory(tmp_path / 'meminfo', Limits())
    only([found], 'memory', Level.WARN, '97 MiB of memory free, less than 256', 'end what is not')


def test_no_gpu_is_no_fault() -> None:
    (gpu,) = (finding for finding in look_at_computer(LIMITS) if finding.check == 'gpu')
    assert gpu.level is Level.OK
    assert 'none is needed' in gpu.message or 'run on the CPU' in gpu.message


CHRONY = """\
Reference ID    : C0A80101 (192.168.1.1)
Stratum         : 3
Ref time (UTC)  : Sun Nov 22 21:00:00 2026
System time     : {offset} seconds {way} of NTP time
Last offset     : -0.000001234 seconds
RMS offset      : 0.000023456 seconds
Frequency       : 12.345 ppm slow
Residual freq   : -0.001 ppm
Skew            : 0.123 ppm
Root delay      : 0.012345678 seconds
Root dispersion : 0.001234567 seconds
Update interval : 64.2 seconds
Leap status     : {leap}
"""


@pytest.mark.parametrize(
    ('text', 'level', 'message'),
    [
        (CHRONY.format(offset='0.000001234', way='slow', leap='Normal'), Level.OK, '0.000001 s'),
        (CHRONY.format(offset='9.912', way='fast', leap='Normal'), Level.WARN, '9.912000 s fast'),
        (
            CHRONY.format(offset='0.0', way='fast', leap='Not synchronised'),
            Level.WARN,
            'follows no other',
        ),
        ('506 Cannot talk to daemon', Level.WARN, 'does not answer: 506 Cannot talk'),
    ],
)
def test_what_chrony_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, level: Level, message: str
) -> None:
    (tmp_path / 'told').write_text(f'{text}\n')
    command = tmp_path / 'chronyc'
    command.write_text(f'#!/bin/sh\nwhile read -r line; do echo "$line"; done < {tmp_path}/told\n')
    command.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    found = look_at_chrony(Limits())
    assert (found.check, found.level) == ('chrony', level)
    assert message in found.message


def environment(values: dict[str, str], alone: bool = True) -> list[Finding]:
    return bad(look_at_environment(values, {}, alone))


@pytest.mark.parametrize(
    ('values', 'level', 'message'),
    [
        ({'ROS_LOCALHOST_ONLY': '1'}, Level.WARN, 'ROS_LOCALHOST_ONLY=1 hides'),
        ({RANGE: 'localhost'}, Level.WARN, 'LOCALHOST hides'),
        ({RANGE: 'OFF'}, Level.FAIL, 'OFF hides'),
        ({'FASTDDS_DEFAULT_PROFILES_FILE': '/nowhere.xml'}, Level.FAIL, 'is not there'),
        ({SERVER: '127.0.0.1:9'}, Level.FAIL, 'nothing listens there (Connection refused)'),
        ({SERVER: ';UDPv4:[127.0.0.1]:9'}, Level.FAIL, 'nothing listens there'),
        ({SERVER: 'TCPv4:[127.0.0.1]:9'}, Level.FAIL, 'nothing listens there'),
        ({SERVER: 'no.such.host.invalid'}, Level.FAIL, 'nothing listens there'),
        ({SERVER: '127.0.0.1:77777'}, Level.FAIL, 'nothing listens there'),
        ({SERVER: '[]'}, Level.FAIL, 'is no address'),
    ],
)
def test_environments_that_hide_robots(values: dict, level: Level, message: str) -> None:
    (found,) = environment(values)
    assert (found.check, found.level) == ('environment', level)
    assert message in found.message
    assert 'unset' in found.fix


def test_environments_that_do_not() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(('127.0.0.1', 0))
        assert environment({SERVER: f'127.0.0.1:{server.getsockname()[1]}'}) == []
    assert environment({}) == []
    assert environment({RANGE: 'LOCALHOST'}, alone=False) == []


def test_a_shell_that_looks_elsewhere_than_the_robot() -> None:
    (found,) = bad(look_at_environment({}, {'ROS_DOMAIN_ID': '7'}, alone=False))
    assert (found.check, found.level) == ('environment', Level.WARN)
    assert "ROS_DOMAIN_ID is None here, and '7'" in found.message


# The command


def test_the_command_offline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RANGE, raising=False)
    run = CliRunner().invoke
    arguments = ['doctor', str(folder), '--offline', '--free', '0']
    done = run(app, arguments)
    assert done.exit_code == OK, done.output
    assert 'will be made' in done.output
    (folder / 'key').chmod(0o644)
    done = run(app, arguments)
    assert done.exit_code == FAILED
    assert '→ run: chmod 600' in done.output
    done = run(app, ['doctor', str(folder / 'nowhere')])
    assert done.exit_code == BAD_INPUT
    assert 'there is no such folder' in done.output
    done = run(app, [*arguments, '--namespace', '7'])
    assert done.exit_code == BAD_INPUT


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='no such folder'):
        read_robot(tmp_path / 'robot1')


def test_the_page_has_every_check() -> None:
    sources = Path(doctor.__file__).parent.glob('*.py')
    named = re.compile(r"\b(?:ok|warn|fail|failed|say)\(\s*'(\w+)'")
    checks = {check for file in sources for check in named.findall(file.read_text())}
    checks |= {'lidar', 'camera', 'odometry'}
    page = (Path(__file__).parents[2] / 'docs' / 'doctor.md').read_text()
    told = {
        name
        for row in re.findall(r'^\| (`.*?) \|', page, re.MULTILINE)
        for name in row.split(', ')
    }
    assert {f'`{check}`' for check in checks} <= told
    assert len(checks) > 20
