"""A robot's files: its key, its ledger, the disk they lie on, its network's model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
import errno
import os
from pathlib import Path
import tempfile

from collab_robots.core.errors import ConfigError, StoreError
from collab_robots.core.identity import PrivateKey, unused_marker
from collab_robots.explorer.doctor.finding import fail, failed, Finding, Limits, MIB, ok, warn
from collab_robots.explorer.doctor.robot import Robot
from collab_robots.explorer.rosters import read_rosters
from collab_robots.inference.classifier import EXPORT_COMMAND, model_path
from collab_robots.inference.model import Model
from collab_robots.inference.outfit import load_times, TIMES_FILE, TRAINED
from collab_robots.inference.profile.sheet import Sheet, SHEET_FILE
from collab_robots.tangle.store import Store

MIN_FILES = 100  # that a disk has to have room for


def look_at_files(robot: Robot, limits: Limits) -> Iterator[Finding]:
    """Yield what is wrong with a robot's files."""
    yield look_at_key(robot)
    yield look_at_ledger(robot)
    yield look_at_disk(Path(robot.values['store']), limits)
    yield look_at_model(robot)


def look_at_key(robot: Robot) -> Finding:
    """Say whether its key is its own, and nobody else can read it."""
    path = Path(robot.values['key'])
    try:
        key = PrivateKey.load(path).public
    except ConfigError as error:
        fix = (
            f'bring the folder of {robot.name} to this computer; if it is here, run this as the '
            'user of the robot'
        )
        return failed('key', error, fix)
    if robot.fleet is None:
        return ok('key', f'{path}: mode 0600')
    index = robot.fleet.index_by_key.get(key)
    if index is not None and robot.fleet.robots[index].name != robot.name:
        owner = robot.fleet.robots[index].name
        return fail(
            'key',
            f'{path}: is the key of {owner}, not of {robot.name}',
            f'put the key of {robot.name} there; never run two robots with one key',
        )
    if index is None and key not in _voted_in(robot):
        return warn(
            'key',
            f'{path}: is not in the fleet file, nor does the ledger here know it',
            'put the right key there; if the robot is to join with this one, let the fleet vote: '
            'collab-robots fleet admit',
        )
    return ok('key', f'{path}: of {robot.name}, mode 0600')


def _voted_in(robot: Robot) -> frozenset[bytes]:
    """Return the keys that the fleet decided on later, as far as the ledger here knows."""
    assert robot.fleet is not None
    try:
        roster = read_rosters(Path(robot.values['store']), robot.fleet).roster
    except (ConfigError, StoreError):
        return frozenset()
    return frozenset(one.key for one in roster.robots if one.name == robot.name)


def look_at_ledger(robot: Robot) -> Finding:
    """Say whether its ledger file is whole, and its own."""
    path = Path(robot.values['store'])
    if not path.exists():
        if unused_marker(Path(robot.values['key'])).exists():
            return ok('ledger', f'{path}: will be made; the key has signed nothing yet')
        return warn(
            'ledger',
            f'{path}: is not here, but the key was used: the ledger is lost',
            'start the robot near all others; it says nothing before it heard every one',
        )
    try:
        with closing(Store.read(path)) as store:
            store.check()
            meta, blocks, incomplete = store.meta, store.count(), store.incomplete
    except StoreError as error:
        return failed('ledger', error, f'collab-robots ledger repair {path}')
    fleet_id = robot.fleet.id.hex() if robot.fleet is not None else meta['fleet_id']
    if (meta['robot'], meta['fleet_id']) != (robot.name, fleet_id):
        return fail(
            'ledger',
            f'{path}: is of {meta["robot"]} in fleet {meta["fleet"]} ({meta["fleet_id"][:12]})',
            f'move it away and bring that of {robot.name} in the fleet of its fleet.yaml',
        )
    if incomplete:
        return warn(
            'ledger',
            f'{path}: {meta.get("incomplete", "its end is lost")}',
            'let the robot run near the others; it says nothing before it has again what it said',
        )
    return ok('ledger', f'{path}: {blocks} blocks, whole')


def look_at_disk(store: Path, limits: Limits) -> Finding:
    """Say whether the ledger can grow where it lies."""
    folder = store.parent
    fix = f'make room on the disk of {folder.resolve()}: old logs, bags and docker images go first'
    try:
        disk = os.statvfs(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(disk.f_frsize))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return fail('disk', f'{folder}: is full', fix)
        fix = f'let the user that runs the robot write there: chown -R USER {folder.resolve()}'
        return fail('disk', f'{folder}: cannot be written to: {error.strerror}', fix)
    free = disk.f_bavail * disk.f_frsize
    told = f'{folder}: {free // MIB} MiB free'
    if free < limits.free_disk:
        return fail('disk', f'{told}, less than {limits.free_disk // MIB}', fix)
    if disk.f_files and disk.f_favail < MIN_FILES:
        return fail('disk', f'{folder}: room for {disk.f_favail} more files only', fix)
    if free < 4 * limits.free_disk:
        return warn('disk', f'{told}, soon less than {limits.free_disk // MIB}', fix)
    return ok('disk', f'{told}, can be written')


def look_at_model(robot: Robot) -> Finding:
    """Say whether the network is here, and what it costs was measured."""
    path = model_path()
    profile = robot.values['profile']
    if not path.exists():
        return fail('model', f'{path}: there is no model', f'make it: {EXPORT_COMMAND}')
    try:
        model = Model.load(path)
        Sheet.load((Path(profile) if profile else TRAINED) / SHEET_FILE, model.hash)
        times = load_times((Path(profile) if profile else path.parent) / TIMES_FILE, model.hash)
    except ConfigError as error:
        fix = f'make it again: {EXPORT_COMMAND}; a profile of another model does not fit'
        return failed('model', error, fix)
    if times is None:
        return warn(
            'model',
            f'{path}: how long it takes on this computer is not measured',
            'nothing: the robot measures it at its next start, which then takes longer',
        )
    return ok('model', f'{path}: {sum(1 for _ in times.items())} times measured')
