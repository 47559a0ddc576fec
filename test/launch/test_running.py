"""Robots started by ``ros2 launch``; ``launch_testing`` runs in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

from installed import install, ROOT
import pytest

pytest.importorskip('launch_testing', reason="ROS 2's launch_testing is not installed")

LAUNCH_TEST = 'from launch_testing.launch_test import main; main()'
DOMAIN = 115


@pytest.mark.timeout(600)
def test_simulated_robots_share_a_map_survive_a_power_cut_and_end(tmp_path: Path) -> None:
    env = install(tmp_path / 'prefix')
    env['ROS_DOMAIN_ID'] = str(DOMAIN)
    env['PYTHONPATH'] += f'{os.pathsep}{ROOT / "test" / "scenarios"}'
    file = Path(__file__).with_name('launch_sim.py')
    done = subprocess.run(
        [sys.executable, '-c', LAUNCH_TEST, str(file)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
