"""A robot without the libraries that have no aarch64 wheel, or that only a workstation needs."""

import json
import os
from pathlib import Path
import platform
import re
import subprocess
import sys

from packaging.requirements import Requirement
import pytest
from without import NO_ROBOT, X86_ONLY

CORE = Path(__file__).parent
ROOT = CORE.parents[1]


def digests(*hidden: str) -> dict[str, str | int]:
    """Return what a robot computes from which these libraries are hidden."""
    folders = (ROOT, CORE, CORE.parent / 'inference')
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, folders))}
    # The calls are drawn from a list whose order comes from a set.
    environment['PYTHONHASHSEED'] = '0'
    run = subprocess.run(
        [sys.executable, CORE / 'without.py', ','.join(hidden), 'robot_digest'],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.skipif(platform.machine() != 'x86_64', reason='has no library to hide')
@pytest.mark.timeout(300)
def test_a_robot_without_them_computes_the_same():
    whole, bare = digests('none'), digests(*X86_ONLY, *NO_ROBOT)
    assert (whole.pop('evm'), bare.pop('evm')) == ('PyrevmEvm', 'PyEvm')
    assert whole['reverted'] > 0 and whole['order'] != whole['state']
    assert bare == whole


def test_requirements_leave_out_what_has_no_aarch64_wheel():
    lines = {
        line
        for path in ROOT.glob('requirements*.txt')
        for line in path.read_text(encoding='utf-8').splitlines()
        if re.match('[a-z]', line)
    }
    wanted = [Requirement(line) for line in lines]
    for arch in ('x86_64', 'aarch64'):
        there = {'platform_machine': arch, 'python_version': '3.11'}
        names = {each.name for each in wanted if not each.marker or each.marker.evaluate(there)}
        assert {'py-evm', 'numpy'} <= names
        for library in X86_ONLY:
            assert (library.replace('_', '-') in names) == (arch == 'x86_64')
