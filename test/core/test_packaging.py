"""What an installed package holds, as colcon and pip install it, and what it says it needs."""

import ast
from importlib.metadata import packages_distributions, requires
import json
from pathlib import Path
import re
import subprocess
import sys

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
import pytest

from scripts.setup_environment import with_numpy

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'collab_robots'
MANIFESTS = [ROOT / 'package.xml', ROOT / 'collab_robots_msgs' / 'package.xml']
# colcon asks setup.py in the same way.
ASK = """
import json
import setuptools
from distutils.core import run_setup
told = run_setup('setup.py', stop_after='init')
print(json.dumps({
    'data_files': told.data_files,
    'version': told.get_version(),
    'scripts': told.entry_points['console_scripts'],
    'package_data': told.package_data,
}))
"""


@pytest.fixture(scope='module')
def setup() -> dict:
    """Return what setup.py tells whoever installs the package."""
    command = [sys.executable, '-W', 'ignore', '-c', ASK]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(told.stdout)


def manifest(path: Path) -> str:
    return re.sub(r'(?s)<!--.*?-->', '', path.read_text(encoding='utf-8'))


def declared(path: Path) -> set[str]:
    """Return the packages that a package.xml names, whatever for."""
    return set(re.findall(r'<\w*depend[^>]*>([^<]+)</', manifest(path)))


def imported(*folders: Path) -> set[str]:
    names = set()
    for path in (path for folder in folders for path in folder.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition('.')[0])
    return names - set(sys.stdlib_module_names) - {'collab_robots'}


@pytest.mark.parametrize('folder', ['launch', 'config', 'worlds', 'contracts/build'])
def test_every_file_is_installed_in_its_place(setup, folder):
    installed = {file: place for place, files in setup['data_files'] for file in files}
    files = [
        path.relative_to(ROOT)
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    ]
    assert files
    for file in files:
        assert installed.get(str(file)) == f'share/collab_robots/{file.parent}', file


def test_every_file_that_is_no_module_is_part_of_its_package(setup):
    held = {
        path
        for package in (path.parent for path in PACKAGE.rglob('__init__.py'))
        for name, patterns in setup['package_data'].items()
        if name in ('', '.'.join(package.relative_to(ROOT).parts))
        for pattern in patterns
        for path in package.glob(pattern)
    }
    for path in PACKAGE.rglob('*.*'):
        if path.is_file() and path.suffix not in ('.py', '.pyc'):
            assert path in held, path.relative_to(ROOT)


def test_every_node_is_an_executable(setup):
    told = dict(re.split(r'\s*=\s*', script) for script in setup['scripts'])
    assert told.pop('collab-robots') == 'collab_robots.cli:main'
    found = {
        path.stem
        for path in (PACKAGE / 'nodes').glob('*.py')
        if re.search(r'(?m)^def main\(', path.read_text(encoding='utf-8'))
    }
    assert 'ledger_node' in found
    assert told == {name: f'collab_robots.nodes.{name}:main' for name in found}


def test_every_ros_package_that_is_imported_is_declared():
    used = imported(PACKAGE / 'nodes', ROOT / 'launch')
    ros = {name for name in used if re.search('_msgs$|^rclpy|^launch|^ament_|_interfaces$', name)}
    assert {'rclpy', 'launch_ros', 'collab_robots_msgs'} <= ros
    assert ros <= declared(MANIFESTS[0])


def test_every_library_that_is_imported_is_declared():
    lines = (ROOT / 'requirements.txt').read_text(encoding='utf-8').splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith('#')]
    here = [each.name for each in wanted if each.marker is None or each.marker.evaluate()]
    # One of ours may bring it: web3 brings requests.
    brought = [Requirement(line).name for name in here for line in requires(name) or ()]
    known = {canonicalize_name(name) for name in [*here, *brought]}
    assert {'numpy', 'requests'} <= known
    distributions = packages_distributions()
    for name in imported(PACKAGE) - declared(MANIFESTS[0]) - {'pyrevm'}:
        assert {canonicalize_name(each) for each in distributions.get(name, [name])} & known, name


@pytest.mark.parametrize('path', MANIFESTS, ids=lambda path: path.parent.name)
def test_manifests_say_the_same_as_setup(setup, path):
    text = manifest(path)
    assert f'<version>{setup["version"]}</version>' in text
    assert 'Apache-2.0</license>' in text
    parse = pytest.importorskip('catkin_pkg.package', reason='comes with ROS 2').parse_package
    warnings: list[str] = []
    parse(str(path), warnings=warnings)
    assert not warnings


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_a_robot_needs_no_simulator():
    package = pytest.importorskip('catkin_pkg.package', reason='comes with ROS 2')
    told = package.parse_package(str(MANIFESTS[0]))
    for headless in ('', '1'):
        told.evaluate_conditions({'COLLAB_ROBOTS_HEADLESS': headless})
        names = {each.name for each in told.exec_depends if each.evaluated_condition}
        assert ('ros_gz_sim' in names) == ('rviz2' in names) == (headless == '')
        assert 'nav2_msgs' in names


def test_what_goes_with_the_numpy_of_ros_from_apt():
    pins = 'lz4==4.4.5\nnumpy==2.2.6 ; python_version < "3.11"\nscipy==1.18.1\nzstandard==0.25.0\n'
    older = '# why\nscipy==1.17.1\n'
    assert with_numpy('1.26.4', pins, older).splitlines() == [
        *('lz4==4.4.5', 'zstandard==0.25.0', 'numpy==1.26.4', 'scipy==1.17.1'),
    ]
    assert 'scipy==1.18.1' in with_numpy('2.2.4', pins, older)
    pinned = (ROOT / 'constraints.txt').read_text(encoding='utf-8')
    for line in (ROOT / 'constraints-numpy1.txt').read_text(encoding='utf-8').splitlines():
        assert line.startswith('#') or re.search(rf'(?m)^{line.partition("==")[0]}==', pinned)
