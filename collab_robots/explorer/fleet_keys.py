"""Which keys lie in a fleet's folder, and whose they are; no private key is ever shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collab_robots.core.errors import KeyFileError
from collab_robots.core.fleet import Fleet
from collab_robots.core.identity import PrivateKey, unused_marker
from collab_robots.explorer.doctor.files import look_at_key
from collab_robots.explorer.doctor.finding import fail, Finding, Level
from collab_robots.explorer.doctor.robot import FLEET_FILE, read_robot

KEY = 'key'


@dataclass(frozen=True)
class Key:
    """
    A robot's key file, or the lack of one.

    :param robot: the folder's name.
    :param public: in hex; empty if the file is not there or cannot be used.
    :param owner: whose it is in the fleet file; empty: nobody's there.
    :param mode: of the file, in octal; empty if it is not there.
    :param used: whether something may have been signed with it; None if it is not there.
    :param finding: whether it is as it should be.
    """

    robot: str
    path: Path
    public: str
    owner: str
    mode: str
    used: bool | None
    finding: Finding

    @property
    def is_good(self) -> bool:
        """Tell whether nothing is wrong with it."""
        return self.finding.level is Level.OK

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            'robot': self.robot,
            'path': str(self.path),
            'public_key': self.public or None,
            'owner': self.owner or None,
            'mode': self.mode or None,
            'used': self.used,
            'problem': None if self.is_good else self.finding.message,
            'fix': self.finding.fix or None,
        }


def list_keys(directory: Path) -> list[Key]:
    """
    Return the keys of a fleet's folder: one for each robot, and those of other folders in it.

    :param directory: where ``fleet.yaml`` and the robots' folders are.
    :raises ConfigError: if there is no fleet file that can be read.
    """
    fleet = Fleet.load(directory / FLEET_FILE)
    here = {path.parent.name for path in directory.glob(f'*/{KEY}')}
    return [_look(directory, fleet, name) for name in sorted(here | set(fleet.index_by_name))]


def _look(directory: Path, fleet: Fleet, name: str) -> Key:
    path = directory / name / KEY
    if not path.is_file():
        fix = (
            'bring its folder here; if the key is lost: collab-robots fleet rekey '
            f'{name} --key-folder {directory / f"{name}_b"}'
        )
        return Key(name, path, '', '', '', None, fail('key', f'{path}: is not here', fix))
    mode = f'{path.stat().st_mode & 0o777:04o}'
    used = not unused_marker(path).exists()
    finding = look_at_key(read_robot(path.parent)[0])
    try:
        public = PrivateKey.load(path).public
    except KeyFileError:
        return Key(name, path, '', '', mode, used, finding)
    index = fleet.index_by_key.get(public)
    owner = '' if index is None else fleet.robots[index].name
    return Key(name, path, public.hex(), owner, mode, used, finding)
