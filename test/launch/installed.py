"""The package as colcon installs it with links, and ``ros2 launch`` on it."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).parents[2]
PROGRAMS = ('robot', 'sim_node', 'ledger_node', 'mapper_node', 'task_node', 'inference_node')
ROS2 = 'from ros2cli.cli import main; raise SystemExit(main())'


def install(prefix: Path) -> dict[str, str]:
    """
    Make a prefix with links to this source tree.

    :returns: the environment in which ROS finds the package there, and hears this host only.
    """
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    programs = prefix / 'lib' / 'collab_robots'
    share = prefix / 'share' / 'collab_robots'
    for folder in (index, programs, share / 'launch'):
        folder.mkdir(parents=True)
    (index / 'collab_robots').touch()
    for program in PROGRAMS:
        (programs / program).symlink_to(Path(sys.executable).parent / program)
    (share / 'package.xml').symlink_to(ROOT / 'package.xml')
    for file in (ROOT / 'launch').glob('*.launch.py'):
        (share / 'launch' / file.name).symlink_to(file)
    paths = {
        'AMENT_PREFIX_PATH': [str(prefix)],
        'PYTHONPATH': [str(ROOT)],
    }
    return {
        **os.environ,
        **{
            name: os.pathsep.join([*first, *filter(None, [os.environ.get(name, '')])])
            for name, first in paths.items()
        },
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': str(prefix / 'log'),
    }


def launch(env: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``ros2 launch collab_robots …`` in a folder until it ends by itself."""
    return subprocess.run(
        [sys.executable, '-c', ROS2, 'launch', 'collab_robots', *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
    )
