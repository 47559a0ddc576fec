from pathlib import Path

import pytest

from collab_robots.core import resources
from collab_robots.core.errors import ConfigError


def test_source_tree_comes_first(tmp_path, monkeypatch):
    installed = tmp_path / 'share' / 'collab_robots' / 'worlds'
    installed.mkdir(parents=True)
    (installed / 'office.yaml').touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    tree = Path(__file__).resolve().parents[2]
    assert resources.resource('worlds/office.yaml') == tree / 'worlds' / 'office.yaml'


@pytest.mark.parametrize('where', ['ament', 'prefix'])
def test_installed_file_is_found_without_a_source_tree(tmp_path, monkeypatch, where):
    file = tmp_path / where / 'share' / 'collab_robots' / 'config' / 'x.yaml'
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(resources, '_TREE', tmp_path / 'site-packages')
    ament = [str(tmp_path / 'other'), str(tmp_path / 'ament')] if where == 'ament' else []
    monkeypatch.setenv('AMENT_PREFIX_PATH', ':'.join(ament))
    monkeypatch.setattr('sys.prefix', str(tmp_path / 'prefix'))
    assert resources.resource('config/x.yaml') == file


def test_a_folder_beside_an_installed_package_is_not_ours(tmp_path, monkeypatch):
    (tmp_path / 'worlds').mkdir()  # some other package's, in site-packages
    monkeypatch.setattr(resources, '_TREE', tmp_path)
    monkeypatch.setenv('AMENT_PREFIX_PATH', '')
    monkeypatch.setattr('sys.prefix', str(tmp_path))
    with pytest.raises(ConfigError):
        resources.resource('worlds')


def test_missing_file_names_the_places(tmp_path, monkeypatch):
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    with pytest.raises(ConfigError, match=r'worlds/no\.yaml is not part') as error:
        resources.resource('worlds/no.yaml')
    assert str(tmp_path / 'share' / 'collab_robots' / 'worlds' / 'no.yaml') in str(error.value)
