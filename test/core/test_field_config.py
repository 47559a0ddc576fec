"""Files for the field: units that systemd takes, clocks that chrony takes, profiles that fit."""

from __future__ import annotations

from pathlib import Path
import re
import shutil
import subprocess

import pytest

import collab_robots
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.doctor.robot import ENVIRONMENT_FILE
from collab_robots.explorer.robot_files import BASE, Network, PROFILES, PROGRAM
from collab_robots.explorer.settings import shipped

CONFIG = Path(__file__).resolve().parents[2] / 'config'
UNITS = sorted((CONFIG / 'systemd').iterdir())
CHRONYD = shutil.which('chronyd', path='/usr/sbin:/usr/bin')


@pytest.mark.skipif(shutil.which('systemd-analyze') is None, reason='no systemd-analyze')
@pytest.mark.parametrize('unit', UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path) -> None:
    done = subprocess.run(
        ['systemd-analyze', 'verify', '--man=no', unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')


def test_the_unit_takes_what_the_robots_files_give() -> None:
    unit = (CONFIG / 'systemd' / 'collab-robots@.service').read_text()
    assert f'/%i/{ENVIRONMENT_FILE}\n' in unit
    assert 'exec "$COLLAB_ROBOTS" up' in unit
    assert f'\nCOLLAB_ROBOTS={PROGRAM}\n' in (Network().text(ENVIRONMENT_FILE) or '')


@pytest.mark.skipif(CHRONYD is None, reason='no chronyd')
@pytest.mark.parametrize('file', sorted((CONFIG / 'chrony').iterdir()), ids=lambda file: file.name)
def test_chrony_takes_the_file(file: Path) -> None:
    done = subprocess.run([CHRONYD, '-p', '-f', file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_profile_has_its_files_and_every_file_its_profile() -> None:
    used = {source for files in PROFILES.values() for source in files.values()}
    assert used == {path.name for path in (CONFIG / 'env').iterdir()}
    for profile in PROFILES:
        text = Network(profile, domain=9).text(ENVIRONMENT_FILE)
        assert text is not None and text.count('ROS_DOMAIN_ID=9') == 1


def test_the_base_station_has_one_name_and_one_port_everywhere() -> None:
    texts = {path.name: path.read_text() for path in CONFIG.glob('*/*') if path.is_file()}
    for name, text in texts.items():
        for address in re.findall(r'[\w.]+\.local\b', text):
            assert address == BASE or name == 'zenoh-router.env', (name, address)
    servers = {
        port
        for text in texts.values()
        for port in re.findall(r'(?:base\.local:|--udp-port |port )(\d+)', text)
    }
    assert servers == {'11811', '7447'}


def test_files_are_found_where_pip_and_colcon_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / 'lib' / 'python3.12' / 'site-packages' / 'collab_robots' / '__init__.py'
    monkeypatch.setattr(collab_robots, '__file__', str(package))
    with pytest.raises(
        ConfigError, match=r'config/env/multicast\.env is not in this installation'
    ):
        shipped('config/env/multicast.env')
    file = tmp_path / 'share' / 'collab_robots' / 'config' / 'env' / 'multicast.env'
    file.parent.mkdir(parents=True)
    file.touch()
    assert shipped('config/env/multicast.env') == file
