"""The systemd unit's command line, run as systemd runs it: a robot from its folder's files."""

from __future__ import annotations

import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import pytest

from collab_robots.explorer.doctor.robot import ENVIRONMENT_FILE
from collab_robots.explorer.fleets import make_fleet
from collab_robots.explorer.robot_files import Network, ROBOT_FILES, write_robot_files

UNIT = Path(__file__).resolve().parents[2] / 'config' / 'systemd' / 'collab-robots@.service'
DOMAIN = 125
START = 60.0  # s that a robot may take on a busy machine
PROGRAM = Path(sys.executable).with_name('collab-robots')

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason=f'no {PROGRAM}')


def test_a_robot_starts_from_its_folder_and_ends(tmp_path: Path) -> None:
    network = Network('multicast', domain=DOMAIN)
    make_fleet(tmp_path, ('robot1', 'robot2'), 'unit')
    write_robot_files(tmp_path / 'robot1', network.texts(*ROBOT_FILES))
    lines = (tmp_path / 'robot1' / ENVIRONMENT_FILE).read_text().splitlines()
    environment = dict(line.split('=', 1) for line in lines if line and line[0] != '#')
    environment |= {
        'COLLAB_ROBOTS': str(PROGRAM),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': str(tmp_path / 'robot1' / 'log'),
        'PATH': '/usr/bin:/bin',  # as little as systemd gives
        'HOME': str(tmp_path),
    }
    (script,) = re.findall(r"^ExecStart=/bin/bash -c '(.*)'$", UNIT.read_text(), re.MULTILINE)
    with (tmp_path / 'log').open('w+') as log:
        process = subprocess.Popen(
            ['/bin/bash', '-c', script.replace('%i', 'robot1')],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + START
            while not (tmp_path / 'robot1' / 'ledger.db').exists():
                log.seek(0)
                assert process.poll() is None and time.monotonic() < deadline, log.read()
                time.sleep(0.1)  # of a new file the system tells nobody
            process.send_signal(signal.SIGINT)  # as KillSignal, to the main process only
            assert process.wait(START) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
