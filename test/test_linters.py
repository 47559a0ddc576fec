"""
ROS 2's own linters over all sources, as `colcon test` runs them in any ament package.

Two are not among them: ament_copyright wants a notice in every file, and the licence is said once,
in LICENSE and package.xml; ament_xmllint fetches its schema, and a test needs no network.

ament_pep257 takes a property for a method, whose docstring has to begin with a verb (D401); ruff
knows it better, so D401 is left to it.
"""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ('benchmarks', 'collab_robots', 'fuzz', 'launch', 'scripts', 'setup.py', 'test')


LINTERS = (
    ('ament_flake8', '--config', 'setup.cfg'),
    ('ament_pep257', '--add-ignore', 'D401', '--'),
)


@pytest.mark.linter
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('linter', LINTERS, ids=lambda linter: linter[0])
def test_ament_linter(linter: tuple[str, ...]) -> None:
    name, *options = linter
    pytest.importorskip(name, reason='comes with ROS 2')
    command = [sys.executable, '-W', 'ignore', '-m', f'{name}.main', *options, *SOURCES]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = run.stdout.splitlines() + run.stderr.splitlines()
    assert run.returncode == 0, '\n'.join(
        line for line in lines if not line.startswith(('* ', 'checking '))
    )
