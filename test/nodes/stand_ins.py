"""
Launch files run for real, with stand-ins for programs that are neither on PyPI nor in Debian.

A stand-in writes down how it was called and waits for Ctrl-C. That shows the launch file's part,
and nothing of what the program makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml

pytest.importorskip('launch_ros', reason="ROS 2's launch is not installed")

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0  # s
STAND_IN = """#!{python}
import json, os, signal, sys
from pathlib import Path
files = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == '--params-file']
call = {{
    'program': Path(sys.argv[0]).name,
    'arguments': sys.argv[1:],
    'parameters': [Path(file).read_text() for file in files],
    'models': os.environ.get('GZ_SIM_RESOURCE_PATH', ''),
}}
with open({log!r}, 'a') as log:
    log.write(json.dumps(call) + '\\n')
if call['program'] != 'create':  # which ends when the robot is there
    signal.sigwait([signal.SIGINT, signal.SIGTERM])
"""
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [tuple(word.split(':=', 1)) for word in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""
Call = dict[str, Any]


def make_prefix(folder: Path, programs: Iterable[tuple[str, str]]) -> Path:
    """Make a prefix in a folder with packages and their programs, all of them stand-ins."""
    prefix = folder / 'prefix'
    for package, program in programs:
        index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / package
        path = prefix / 'lib' / package / program
        for each in (index, path):
            each.parent.mkdir(parents=True, exist_ok=True)
        index.touch()
        path.write_text(STAND_IN.format(python=sys.executable, log=str(folder / 'calls')))
        path.chmod(0o755)
    return prefix


def start(folder: Path, name: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a launch file of this package; it finds the folder's stand-ins before all else."""
    prefix = folder / 'prefix'

    def first(variable: str, *places: Path) -> str:
        return os.pathsep.join([*map(str, places), os.environ.get(variable, '')])

    return subprocess.Popen(
        [sys.executable, '-c', LAUNCH, str(ROOT / 'launch' / name), *arguments],
        env={
            **os.environ,
            'AMENT_PREFIX_PATH': first('AMENT_PREFIX_PATH', prefix),
            'PATH': first('PATH', *prefix.glob('lib/*')),
            'ROS_LOG_DIR': str(folder / 'log'),
        },
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def launched(folder: Path, count: int, name: str, *arguments: str) -> Iterator[list[Call]]:
    """
    Launch until so many programs were called, and give the calls; then press Ctrl-C.

    It has to end with exit code 0.
    """
    log = folder / 'calls'
    log.touch()
    process = start(folder, name, *arguments)
    deadline = time.monotonic() + PATIENCE
    while len(log.read_text().splitlines()) < count and process.poll() is None:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)  # nothing tells that a file grew
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    try:
        yield calls
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal: Gazebo sits behind a shell
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and len(calls) == count, output


def refused(folder: Path, name: str, *arguments: str) -> str:
    """Launch what cannot be; return what it says."""
    process = start(folder, name, *arguments)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode and not (folder / 'calls').exists(), output
    return output


def parameters(call: Call) -> dict[str, Any]:
    """Return the parameters that a call hands over in files, into which launch writes tuples."""
    result: dict[str, Any] = {}
    for text in call['parameters']:
        for value in yaml.full_load(text).values():
            result |= value['ros__parameters']
    return result


def remappings(call: Call) -> dict[str, str]:
    """Return the remappings of a call."""
    words = call['arguments']
    rules = [words[index + 1] for index, word in enumerate(words) if word == '-r']
    return dict(rule.split(':=', 1) for rule in rules)
