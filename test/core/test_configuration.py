"""What a person writes: YAML, fleet files and key files, and how each mistake is answered."""

from pathlib import Path
import stat

import pytest
import yaml

from collab_robots.core.config import load_yaml, MAX_CONFIG_BYTES
from collab_robots.core.errors import ConfigError, KeyFileError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import address, PrivateKey, verify

KEYS = ['11' * 32, '22' * 32]


def robots(*names: str) -> list[dict[str, str]]:
    return [{'name': name, 'public_key': key} for name, key in zip(names, KEYS, strict=False)]


def write(path: Path, data: object) -> Path:
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding='utf-8')
    return path


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        ('a: [1', 'not YAML'),
        ('- 1', 'expected a mapping'),
        ({'fleet': 'lab', 'robots': []}, 'robots'),
        ({'fleet': 'lab'}, 'robots: Field required'),
        ({'fleet': 'la b', 'robots': robots('a', 'b')}, 'fleet: String should match'),
        ({'fleet': 'lab', 'robots': robots('Robot 1')}, 'robots.0.name'),
        ({'fleet': 'lab', 'robots': robots('a', 'a')}, 'same name: a'),
        ({'fleet': 'lab', 'robots': robots('a') + robots('b')}, 'same public_key'),
        ({'fleet': 'lab', 'robots': [{'name': 'a', 'public_key': 'xy'}]}, 'public_key'),
        ({'fleet': 'lab', 'robots': robots('a'), 'speed': 1}, 'speed: Extra inputs'),
        ({'fleet': 'lab', 'robots': [{**robots('a')[0], 'weight': 0}]}, 'weight'),
        ('x' * (MAX_CONFIG_BYTES + 1), 'larger than'),
    ],
)
def test_a_wrong_fleet_file_is_refused_in_words(tmp_path: Path, data: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        Fleet.load(write(tmp_path / 'fleet.yaml', data))
    assert 'fleet.yaml' in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'nowhere\.yaml: cannot be read'):
        load_yaml(tmp_path / 'nowhere.yaml', Fleet)


def test_fleet_id_depends_on_the_roster_and_not_on_its_order(tmp_path: Path) -> None:
    one = Fleet.load(write(tmp_path / '1.yaml', {'fleet': 'lab', 'robots': robots('a', 'b')}))
    turned = {'fleet': 'lab', 'robots': robots('a', 'b')[::-1]}
    other = {'fleet': 'lab', 'robots': robots('b', 'a')}
    assert Fleet.load(write(tmp_path / '2.yaml', turned)).id == one.id
    assert Fleet.load(write(tmp_path / '3.yaml', other)).id != one.id
    assert one.index_of('b') == 1
    with pytest.raises(ConfigError, match="'c' is not in fleet 'lab'"):
        one.index_of('c')


def test_golden_fleet_id_and_address(tmp_path: Path) -> None:
    fleet = Fleet.load(write(tmp_path / 'f.yaml', {'fleet': 'lab', 'robots': robots('a', 'b')}))
    assert fleet.id.hex() == 'f97b0d96d44f0834abfc62f2a159885d86d0f2c48b4309f56f2f303fdc5c719e'
    assert fleet.robots[0].address.hex() == '875570af061acbf0b950ad752ff0f9463fe13ad5'
    assert address(bytes.fromhex(KEYS[0])) == fleet.robots[0].address


def test_key_round_trip_and_mode(tmp_path: Path) -> None:
    key = PrivateKey.generate(tmp_path / 'robot.key')
    assert stat.S_IMODE((tmp_path / 'robot.key').stat().st_mode) == 0o600
    again = PrivateKey.load(tmp_path / 'robot.key')
    assert again.public == key.public
    assert verify(key.public, b'm', again.sign(b'm'))
    assert not verify(key.public, b'n', again.sign(b'm'))
    with pytest.raises(ConfigError, match='never overwritten'):
        PrivateKey.generate(tmp_path / 'robot.key')


def test_bad_key_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'robot.key'
    with pytest.raises(KeyFileError, match='cannot be read'):
        PrivateKey.load(path)
    path.write_text('not a key')
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match='64 hexadecimal'):
        PrivateKey.load(path)
    path.write_text('ab' * 32)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match=r'mode 0640 .* chmod 600'):
        PrivateKey.load(path)
