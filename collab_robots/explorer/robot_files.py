"""What a robot has in its folder beside its key: its parameters and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
import textwrap

from collab_robots.bringup.processes import in_yaml, PARAMETER_FILE
from collab_robots.bringup.tables import ROBOT
from collab_robots.bringup.values import Pose
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.doctor.robot import ENVIRONMENT_FILE
from collab_robots.explorer.settings import shipped

ROUTER_FILE = 'zenoh-router.env'
LAPTOP_FILE = 'laptop.env'  # beside fleet.yaml
ROBOT_FILES = (ENVIRONMENT_FILE, ROUTER_FILE)
PROFILES = {
    'multicast': {ENVIRONMENT_FILE: 'multicast.env', LAPTOP_FILE: 'multicast.env'},
    'fastdds': {ENVIRONMENT_FILE: 'fastdds-robot.env', LAPTOP_FILE: 'fastdds-laptop.env'},
    'zenoh': {
        ENVIRONMENT_FILE: 'zenoh-robot.env',
        ROUTER_FILE: ROUTER_FILE,
        LAPTOP_FILE: 'zenoh-laptop.env',
    },
}
"""Network profiles: what each file comes from, in config/env/."""

BASE = 'base.local'  # the base station in the profiles
PROGRAM = '/opt/collab-robots/.venv/bin/collab-robots'
DOMAIN = 'ROS_DOMAIN_ID'
ORIGIN: Pose = (0.0, 0.0, 0.0)
COMMON = (
    *('lidar_pose', 'camera_pose', 'navigator', 'mapper', 'image_transport', 'uplink'),
    *('share', 'objective', 'archive', 'rest_port'),
)
"""Parameters that differ most often from robot to robot; they are shown as comments."""

_WIDTH = 90
_HEAD = """\
# Parameters of {name}; all others: docs/parameters.md.
# Paths are relative to the folder of fleet.yaml, so that it may lie anywhere: ros2 launch finds
# them by itself, and a robot that is started in another way is started in that folder.
/**:
  ros__parameters:
"""


def own_values(name: str, pose: Pose = ORIGIN) -> dict[str, object]:
    """Return the parameters that each robot has its own of; paths from the fleet's folder."""
    return {
        'name': name,
        'fleet': 'fleet.yaml',
        'key': f'{name}/key',
        'store': f'{name}/ledger.db',
        'pose_file': f'{name}/pose.json',
        'initial_pose': list(pose),
    }


def parameter_text(values: Mapping[str, object]) -> str:
    """Return a ROS parameter file with these values, and what else may be chosen as comments."""
    lines = [_HEAD.format(name=values['name'])]
    lines += [f'    {name}: {in_yaml(value)}\n' for name, value in values.items()]
    for name in COMMON:
        parameter = ROBOT[name]
        text = f'{parameter.text} Expected: {parameter.allowed}.'
        comment = textwrap.indent(textwrap.fill(text, _WIDTH), '    # ')
        lines.append(f'\n{comment}\n')
        lines.append(f'    # {name}: {in_yaml(parameter.default)}\n')
    return ''.join(lines)


@dataclass(frozen=True)
class Network:
    """
    How a fleet's machines find one another.

    :param profile: one of ``PROFILES``.
    :param base: the base station's name or address.
    :param domain: the ROS domain.
    """

    profile: str = 'multicast'
    base: str = BASE
    domain: int = 0

    def text(self, file: str) -> str | None:
        """
        Return what such a file says, for a shell or systemd; None if the profile has no such file.

        :raises ConfigError: if the profile did not come with this installation.
        """
        source = PROFILES[self.profile].get(file)
        if source is None:
            return None
        text = shipped(f'config/env/{source}').read_text(encoding='utf-8')
        text = text.replace(f'{DOMAIN}=0', f'{DOMAIN}={self.domain}').replace(BASE, self.base)
        program = f'# What starts the robot at boot.\nCOLLAB_ROBOTS={PROGRAM}\n'
        return text + (program if file == ENVIRONMENT_FILE else '')

    def texts(self, *files: str) -> dict[str, str]:
        """Return those of these files that the profile has."""
        texts = {file: self.text(file) for file in files}
        return {file: text for file, text in texts.items() if text is not None}


def write_robot_files(
    folder: Path, environment: Mapping[str, str], pose: Pose = ORIGIN
) -> list[Path]:
    """
    Write a robot's parameters and environment; what is there already stays as it is.

    :param folder: named like the robot.
    :param environment: text of each file.
    :returns: what was written.
    :raises ConfigError: if it cannot be written.
    """
    parameters = parameter_text(own_values(folder.name, pose))
    return write_new(folder, {PARAMETER_FILE: parameters, **environment})


def write_new(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """
    Write those of these files that are not there.

    :returns: what was written.
    :raises ConfigError: if it cannot be written.
    """
    written = []
    for file, text in texts.items():
        path = folder / file
        try:
            with path.open('x', encoding='utf-8') as opened:
                opened.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError(f'{path}: cannot be written: {error.strerror}') from None
        written.append(path)
    return written


def read_environment(directory: Path) -> dict[str, str]:
    """
    Return the environment files of a robot of a fleet, which are the same for all its robots.

    :param directory: where ``fleet.yaml`` is.
    :returns: text of each file; of the usual network if no robot has any.
    """
    for path in sorted(directory.glob(f'*/{ENVIRONMENT_FILE}')):
        files = (path, path.with_name(ROUTER_FILE))
        return {file.name: file.read_text('utf-8') for file in files if file.is_file()}
    return Network().texts(*ROBOT_FILES)
