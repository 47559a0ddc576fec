"""``collab-robots fleet init|add|keys|check``: what it makes is right, what is wrong is found."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
import shutil
import subprocess

import pytest
from typer.testing import CliRunner
import yaml

from collab_robots.bringup.tables import ROBOT
from collab_robots.bringup.values import checked
from collab_robots.cli import app
from collab_robots.cli.common import BAD_INPUT, FAILED, OK
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey
from collab_robots.explorer.robot_files import COMMON, own_values, parameter_text

RUNNER = CliRunner()
ROBOTS = 'robot1={x: 1.0, y: 2.0, yaw: 0.5}; robot2={x: 3}'


def fleet(*words: str, code: int = OK) -> str:
    result = RUNNER.invoke(app, ['fleet', *words])
    assert result.exit_code == code, result.output
    return result.output


def check(folder: Path, *words: str, code: int = FAILED) -> list[dict[str, str]]:
    return json.loads(fleet('check', str(folder), '--json', *words, code=code))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / 'site7'
    fleet('init', str(folder), '--robots', ROBOTS, '--network', 'fastdds', '--base', '10.0.0.9')
    return folder


def parameters(path: Path) -> dict[str, object]:
    return yaml.safe_load(path.read_text())['/**']['ros__parameters']


def test_what_is_made_is_right(site: Path) -> None:
    assert check(site, code=OK) == []
    values = parameters(site / 'robot1' / 'params.yaml')
    assert values == own_values('robot1', (1.0, 2.0, 0.5))
    assert checked(ROBOT, values) == values
    for name in ('fleet', 'key'):
        assert (site / str(values[name])).is_file()
    assert sorted(path.name for path in (site / 'robot2').iterdir()) == [
        *('key', 'key.unused', 'params.yaml', 'robot.env')
    ]
    assert (site / 'robot1' / 'robot.env').read_bytes() == (
        site / 'robot2' / 'robot.env'
    ).read_bytes()


def test_what_was_made_is_told_to_programs(tmp_path: Path) -> None:
    told = json.loads(fleet('init', str(tmp_path), '--robots', 'robot1,robot2', '--json'))
    made = Fleet.load(tmp_path / 'fleet.yaml')
    assert (told['fleet'], told['id']) == ('fleet', made.id.hex())
    for robot, member in zip(told['robots'], made.robots, strict=True):
        assert (robot['name'], robot['public_key']) == (member.name, member.public_key)
        assert all(Path(file).is_file() for file in robot['files'])


def test_what_is_shown_as_a_comment_may_be_used(tmp_path: Path) -> None:
    text = parameter_text(own_values('robot1'))
    for name in COMMON:
        assert f'    # {name}: ' in text
        text = text.replace(f'    # {name}: ', f'    {name}: ')
    values = yaml.safe_load(text)['/**']['ros__parameters']
    assert {name: values[name] for name in COMMON} == {
        name: ROBOT[name].default for name in COMMON
    }


@pytest.mark.parametrize(
    ('profile', 'files'),
    [('multicast', []), ('fastdds', []), ('zenoh', ['zenoh-router.env'])],
)
def test_environments_are_for_a_shell_and_for_systemd(
    profile: str, files: list[str], tmp_path: Path
) -> None:
    told = ('--network', profile, '--base', '10.0.0.9', '--domain', '7')
    fleet('init', str(tmp_path), '--robots', 'robot1', *told)
    folder = tmp_path / 'robot1'
    assert sorted(path.name for path in folder.glob('*.env')) == sorted(['robot.env', *files])
    read = 'set -aeu; for file; do . "$file"; done; env'
    paths = [*folder.glob('*.env'), tmp_path / 'laptop.env']
    for path in paths:
        done = subprocess.run(
            ['env', '-i', 'sh', '-c', read, 'sh', str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        got = dict(line.split('=', 1) for line in done.stdout.splitlines())
        lines = [one for one in path.read_text().splitlines() if one and not one.startswith('#')]
        for line in lines:  # systemd takes off one pair of quotes, as the shell does
            name, _, value = line.partition('=')
            assert got[name] == (value[1:-1] if value[0] in '\'"' else value)
        assert got.get('ROS_DOMAIN_ID', '7') == '7'
        assert 'base.local' not in path.read_text()
    if profile != 'multicast':
        assert any('10.0.0.9' in path.read_text() for path in paths)


def test_a_robot_more(site: Path) -> None:
    before = (site / 'fleet.yaml').read_bytes()
    told = json.loads(fleet('add', 'robot3={x: 5.0}', str(site), '--json'))
    assert (site / 'fleet.yaml').read_bytes() == before
    key = PrivateKey.load(site / 'robot3' / 'key').public.hex()
    assert told['public_key'] == key and told['robot'] == 'robot3'
    assert told['next'][:4] == ['collab-robots', 'fleet', 'admit', 'robot3']
    assert (site / 'robot3' / 'robot.env').read_bytes() == (
        site / 'robot1' / 'robot.env'
    ).read_bytes()
    again = json.loads(fleet('add', 'robot3', str(site), '--json'))
    assert (again['public_key'], again['files']) == (key, [])  # nothing is made twice
    (warning,) = check(site, code=OK)
    assert (warning['robot'], warning['level'], warning['check']) == ('robot3', 'warn', 'key')
    assert 'fleet admit' in warning['fix']


def test_what_is_missing_is_made_but_never_a_key(site: Path) -> None:
    (site / 'robot1' / 'params.yaml').unlink()
    (found,) = check(site, code=OK)
    assert 'params.yaml: is not here' in found['message'] and 'fleet add robot1' in found['fix']
    fleet('add', 'robot1={x: 1.0}', str(site))
    assert check(site, code=OK) == []
    (site / 'robot1' / 'key').unlink()
    assert 'fleet rekey' in fleet('add', 'robot1', str(site), code=BAD_INPUT)
    assert not (site / 'robot1' / 'key').exists()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def own(site: Path) -> Path:
    return site / 'robot1' / 'params.yaml'


def env(site: Path) -> Path:
    return site / 'robot1' / 'robot.env'


FAULTS: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    'others can read the key': (
        lambda site: (site / 'robot1' / 'key').chmod(0o644),
        *('key', 'lets others read', 'chmod 600'),
    ),
    'the key is lost': (
        lambda site: (site / 'robot1' / 'key').unlink(),
        *('key', 'is not here', 'fleet rekey robot1'),
    ),
    'the key of another robot': (
        lambda site: shutil.copy(site / 'robot2' / 'key', site / 'robot1' / 'key'),
        *('key', 'is the key of robot2', 'never run two robots with one key'),
    ),
    'half a key': (
        lambda site: edit(site / 'robot1' / 'key', '\n', 'x\n'),
        *('key', 'expected one line of 64', 'bring'),
    ),
    'a name that no parameter has': (
        lambda site: edit(own(site), '# uplink: 0.0', 'uplinc: 0.0'),
        *('parameters', "is it 'uplink'?", 'docs/parameters.md'),
    ),
    'a wrong type': (
        lambda site: edit(own(site), '# share: true', 'share: 3'),
        *('parameters', 'expected true or false, got 3', 'docs/parameters.md'),
    ),
    'out of range': (
        lambda site: edit(own(site), '# rest_port: 0', 'rest_port: 70000'),
        *('parameters', 'expected a whole number from 0 to 65535', 'docs/parameters.md'),
    ),
    'not YAML': (
        lambda site: edit(own(site), '/**:', '/**: ['),
        *('parameters', 'not YAML', 'written anew'),
    ),
    'the name of another robot': (
        lambda site: edit(own(site), "name: 'robot1'", "name: 'robot2'"),
        *('parameters', 'the name is robot2, in the folder of robot1', 'write name: robot1'),
    ),
    'the fleet file of elsewhere': (
        lambda site: edit(own(site), "fleet: 'fleet.yaml'", "fleet: '../fleet.yaml'"),
        *('parameters', 'fleet is', 'write fleet: fleet.yaml'),
    ),
    'one ledger for two': (
        lambda site: edit(own(site), 'robot1/ledger.db', 'robot2/ledger.db'),
        *('parameters', 'robot1, robot2 have one ledger', 'a ledger of its own'),
    ),
    'snapshots differ': (
        lambda site: edit(own(site), '# share: true', 'snapshot_interval: 1500'),
        *('parameters', 'snapshot_interval differs', 'the same snapshot_interval'),
    ),
    'the domain of another fleet': (
        lambda site: edit(env(site), 'ROS_DOMAIN_ID=0', 'ROS_DOMAIN_ID=5'),
        *('environment', 'ROS_DOMAIN_ID differs: robot1: 5, robot2: 0', 'the same'),
    ),
    'a domain that cannot be': (
        lambda site: edit(env(site), 'ROS_DOMAIN_ID=0', 'ROS_DOMAIN_ID=x'),
        *('environment', "ROS_DOMAIN_ID is 'x'", 'a number from 0 to 101'),
    ),
    'another server': (
        lambda site: edit(env(site), '10.0.0.9', '10.0.0.8'),
        *('environment', 'ROS_DISCOVERY_SERVER differs', 'the same'),
    ),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_each_fault_is_found_with_what_to_do(fault: str, site: Path) -> None:
    plant, name, message, fix = FAULTS[fault]
    plant(site)
    problems = check(site)
    found = [one for one in problems if one['check'] == name and message in one['message']]
    assert found, problems
    assert found[0]['level'] == 'fail' and fix in found[0]['fix']
    printed = fleet('check', str(site), code=FAILED)
    assert message in printed and fix in printed


def test_two_that_start_at_one_place_are_told_of(site: Path) -> None:
    edit(own(site), '[1.0, 2.0, 0.5]', '[3.0, 0.0, 0.0]')
    (found,) = check(site, code=OK)
    assert found['message'] == 'robot1, robot2 start at the same place: [3.0, 0.0, 0.0]'


def test_on_the_robot_its_own_folder_is_enough(site: Path) -> None:
    shutil.rmtree(site / 'robot2')
    assert 'is not here' in check(site)[0]['message']
    assert check(site, '--robot', 'robot1', code=OK) == []
    fleet('add', 'robot3', str(site))
    (found,) = check(site, '--robot', 'robot1', code=OK)
    assert 'the key of robot3 is on the computer of robot1' in found['message']
    fleet('check', str(site), '--robot', 'robot9', code=BAD_INPUT)


@pytest.mark.parametrize('command', ['check', 'keys', 'security'])
def test_without_a_fleet_file_it_says_so(command: str, tmp_path: Path) -> None:
    assert 'fleet.yaml: cannot be read' in fleet(command, str(tmp_path), code=BAD_INPUT)


def test_keys_are_listed_and_never_shown(site: Path) -> None:
    secret = (site / 'robot1' / 'key').read_text().strip()
    listed = json.loads(fleet('keys', str(site), '--json'))
    members = {one.name: one.public_key for one in Fleet.load(site / 'fleet.yaml').robots}
    assert {key['robot']: key['public_key'] for key in listed} == members
    assert all(
        (key['mode'], key['used'], key['problem']) == ('0600', False, None) for key in listed
    )
    assert secret not in json.dumps(listed) + fleet('keys', str(site))
    (site / 'robot1' / 'key.unused').unlink()
    (site / 'robot2' / 'key').chmod(0o640)
    first, second = json.loads(fleet('keys', str(site), '--json', code=FAILED))
    assert first['used'] and first['problem'] is None
    assert second['mode'] == '0640' and 'chmod 600' in second['fix']
