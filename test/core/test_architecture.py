"""What holds for all files: who may import whom, which Python, no traces of one machine."""

import ast
import os
from pathlib import Path
import re
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'collab_robots'
# Put together so that this file does not contain them.
MACHINE_PATHS = [rf'(?<!\w)/{folder}/'.encode() for folder in ('work', 'root')]
ROS_PACKAGES = {'builtin_interfaces', 'launch', 'launch_ros', 'rclpy', 'ament_index_python'}


def tracked_files() -> list[Path]:
    """Return all files of the project, without what was made on this machine."""
    command = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('not a git checkout')
    paths = [ROOT / os.fsdecode(name) for name in listed.split(b'\0') if name]
    return [path for path in paths if path.is_file()]


def imported(path: Path) -> set[str]:
    """Return the names of all top-level packages that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or '').partition('.')[0])
    return names


def test_import_layers():
    command = [Path(sys.executable).with_name('lint-imports'), '--no-cache']
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_only_nodes_import_ros():
    # The contract for import-linter names each part; this one also sees parts it does not name.
    for path in PACKAGE.rglob('*.py'):
        if PACKAGE / 'nodes' not in path.parents:
            ros = {name for name in imported(path) if name in ROS_PACKAGES or name[-5:] == '_msgs'}
            assert not ros, f'{path.relative_to(ROOT)} imports {ros}'


def test_every_python_file_is_python_3_10():
    for path in tracked_files():
        if path.suffix == '.py':
            source = path.read_text(encoding='utf-8')
            ast.parse(source, filename=str(path), feature_version=(3, 10))


def test_no_file_names_a_place_on_one_machine():
    for path in tracked_files():
        data = path.read_bytes()
        for place in MACHINE_PATHS:
            found = re.search(place, data)
            assert found is None, f'{path.relative_to(ROOT)} contains {found}'
