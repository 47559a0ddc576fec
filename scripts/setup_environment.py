"""
Make what the project needs, inside the tree: `.venv/` with libraries, messages and model.

Called by make; standard library only. Each step leaves a stamp with a hash of what went into it
and into the steps before it, so a second call does nothing, and a call after an interruption or
a failure goes on with the step that did not finish.

ROS 2 comes from wheels, unless one from apt is sourced: then that one is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
import fcntl
from functools import partial
import hashlib
from importlib.util import find_spec
import os
from pathlib import Path
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
STAMPS = VENV / '.setup'
PYTHON = VENV / 'bin' / 'python'
PIP_INSTALL = (
    *(str(PYTHON), '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input'),
    *('--progress-bar', 'off'),
)
OLDEST, NEWEST = (3, 10), (3, 12)
# Debian packages that one can do without, by what there is only with them.
OPTIONAL_PACKAGES = {
    'camera pictures': ('libegl1', 'libgl1-mesa-dri', 'libglx-mesa0'),
    'check of the files for Gazebo': ('libsdformat12-12',),
    'tests of the pages in a browser': ('chromium',),
}
# What goes with the numpy of a ROS 2 from apt.
NUMPY_1 = ROOT / 'constraints-numpy1.txt'
# Where the ROS wheels were built; their CMake files still say so.
WHEEL_BUILD_PATH = re.compile(
    r'/opt/python/cp3\d+-cp3\d+/(?:(include/python3\.\d+)|lib/python3\.\d+/site-packages)'
)
# In a terminal the line is rewritten twice a second; in a log a new line comes this often (s).
LOG_PERIOD = 15.0


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


@dataclass
class Step:
    """One part of the environment and what it is made from."""

    name: str
    title: str
    make: Callable[[], None]
    inputs: Sequence[Path | str]

    def key(self, before: str) -> str:
        """Hash the inputs, folders with all they hold, and the key of the step before."""
        digest = hashlib.sha256(before.encode())
        for item in self.inputs:
            if isinstance(item, Path):
                for path in sorted(item.rglob('*')) if item.is_dir() else [item]:
                    if path.is_file():
                        digest.update(f'\0{path.relative_to(ROOT)}\0'.encode())
                        digest.update(path.read_bytes())
            else:
                digest.update(f'\0{item}\0'.encode())
        return digest.hexdigest()


class Progress:
    """Runs commands and shows which step it is, for how long, and the command's last line."""

    def __init__(self) -> None:
        self.label = ''
        self._began = 0.0
        self._shown = 0.0

    def start(self, label: str) -> None:
        """Begin a step."""
        self.label, self._began = label, time.monotonic()
        self._shown = self._began
        print(f'{label} ...', flush=True)

    def finish(self) -> None:
        """End the step."""
        self._clear()
        print(f'{self.label}: done in {time.monotonic() - self._began:.0f} s', flush=True)

    def run(self, *command: str | Path, **environment: str) -> None:
        """
        Run a command in the tree's root.

        :param environment: variables to set, or to remove where the value is empty.
        :raises SetupError: if it fails, with the end of its output.
        """
        env = {**os.environ, **environment}
        env = {name: value for name, value in env.items() if value or name not in environment}
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                while process.poll() is None:
                    self._show(_tail(log, 1))
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0.1)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            self._clear()
            if process.returncode:
                shown = ' '.join(str(part) for part in command[:4])
                raise SetupError(f'{_tail(log, 30)}\n{shown} ... failed ({process.returncode})')

    def _show(self, line: str) -> None:
        now = time.monotonic()
        if now - self._shown < (0.5 if sys.stdout.isatty() else LOG_PERIOD):
            return
        self._shown = now
        text = f'{self.label}: {now - self._began:.0f} s  {line.strip()}'
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
            print(f'\r\033[K{text[: width - 1]}', end='', flush=True)
        else:
            print(text[:120], flush=True)

    def _clear(self) -> None:
        if sys.stdout.isatty():
            print('\r\033[K', end='', flush=True)


def _tail(log: IO[bytes], lines: int) -> str:
    """Return the last lines of an open log, without moving the writer's position."""
    size = os.fstat(log.fileno()).st_size
    text = os.pread(log.fileno(), 16384, max(0, size - 16384)).decode(errors='replace')
    return '\n'.join(text.strip().splitlines()[-lines:])


progress = Progress()


def check_machine() -> str:
    """
    Return where ROS comes from: 'wheels', or the distribution that is sourced.

    :raises SetupError: if this Python, machine or ROS cannot be used.
    """
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = [f'python3.{minor}' for minor in range(OLDEST[1], NEWEST[1] + 1)]
        found = [name for name in found if shutil.which(name)]
        advice = f'make PYTHON={found[-1]} ...' if found else 'install one of them first'
        raise SetupError(
            f'Python 3.10, 3.11 or 3.12 is needed, but {sys.executable} is '
            f'{platform.python_version()}. Try: {advice}'
        )
    if sys.platform != 'linux':
        raise SetupError(f'Linux is needed, this is {sys.platform}')
    distribution = os.environ.get('ROS_DISTRO')
    if distribution:
        spec = find_spec('rclpy')
        version = f'python{sys.version_info[0]}.{sys.version_info[1]}'
        if spec is None or version not in str(spec.origin):
            raise SetupError(
                f'ROS 2 {distribution} is sourced, but {sys.executable} ({version}) is not its '
                'Python. Try: make PYTHON=/usr/bin/python3 ...'
            )
    elif platform.machine() != 'x86_64':
        raise SetupError(
            f'there are no ROS 2 wheels for {platform.machine()}: install ROS 2 Jazzy from apt, '
            'source /opt/ros/jazzy/setup.bash, and try again'
        )
    ros = distribution or 'wheels'
    made_for = STAMPS / 'ros'
    if made_for.is_file() and made_for.read_text() != ros:
        raise SetupError(
            f'.venv was made for ROS 2 from {made_for.read_text()}, and now it would come from '
            f'{ros}: open a shell with the same ROS as then, or start anew with: make clean'
        )
    return ros


def missing_packages() -> dict[str, list[str]]:
    """Return the missing Debian packages by what there is only with them; '': anything."""
    version = f'python3.{sys.version_info[1]}'
    needed = []
    if find_spec('ensurepip') is None:
        needed.append(f'{version}-venv')
    if not Path(sysconfig.get_path('include'), 'Python.h').is_file():
        needed.append(f'{version}-dev')
    if not shutil.which('g++'):
        needed.append('g++')
    groups = {'': needed}
    if shutil.which('dpkg-query'):
        query = ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n']
        query += [name for names in OPTIONAL_PACKAGES.values() for name in names]
        found = subprocess.run(query, capture_output=True, text=True, check=False).stdout
        for purpose, names in OPTIONAL_PACKAGES.items():
            groups[purpose] = [name for name in names if f'{name} installed' not in found]
    return {purpose: names for purpose, names in groups.items() if names}


def system_packages() -> None:
    """
    Install missing Debian packages when root, else print the line that does it.

    :raises SetupError: if something is still missing that we cannot do without.
    """
    missing = missing_packages()
    if not missing:
        return
    apt = ['apt-get', 'install', '-y', '--no-install-recommends']
    lines = {purpose: ' '.join([*apt, *names]) for purpose, names in missing.items()}
    tried = STAMPS / 'apt'
    all_lines = '\n'.join(lines.values())
    can = os.geteuid() == 0 and shutil.which('apt-get') is not None
    if can and not (tried.is_file() and tried.read_text() == all_lines):
        progress.start('System packages')
        for command in (['apt-get', 'update'], *([*apt, *names] for names in missing.values())):
            try:
                progress.run(*command, DEBIAN_FRONTEND='noninteractive')
            except SetupError as error:
                print(error)
        progress.finish()
        missing = missing_packages()
        STAMPS.mkdir(parents=True, exist_ok=True)
        tried.write_text(all_lines)
    for purpose in missing:
        if not purpose:
            raise SetupError(f'missing system packages. Run as root: {lines[purpose]}')
        print(f'No {purpose} without system packages. Run as root: {lines[purpose]}', flush=True)


def make_venv(ros: str) -> None:
    """Create the virtual environment, or keep one of this Python and place that works."""
    options = ['--system-site-packages'] if ros != 'wheels' else []
    config, pip = VENV / 'pyvenv.cfg', VENV / 'bin' / 'pip'
    same = (
        config.is_file()
        and pip.is_file()
        and str(VENV) in pip.read_text().partition('\n')[0]
        and f'{sys.version_info[0]}.{sys.version_info[1]}.' in config.read_text()
        and f'include-system-site-packages = {str(bool(options)).lower()}' in config.read_text()
    )
    if not same:
        options.append('--clear')
    progress.run(sys.executable, '-m', 'venv', *options, VENV)
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / 'ros').write_text(ros)


def with_numpy(version: str, constraints: str, older: str) -> str:
    """
    Return constraints that hold to a given numpy.

    :param older: pins of what else has to be another version where that numpy is 1.x.
    """
    pins = [f'numpy=={version}']
    if version.startswith('1.'):
        pins += [line for line in older.splitlines() if line and not line.startswith('#')]
    names = '|'.join(re.escape(pin.partition('==')[0]) for pin in pins)
    return re.sub(rf'(?m)^({names})==.*\n', '', constraints) + '\n'.join(pins) + '\n'


def install_libraries(ros: str) -> None:
    """Install the pinned Python libraries, and ROS where it comes from wheels."""
    constraints = ROOT / 'constraints.txt'
    wanted = ['-r', 'requirements.txt', '-r', 'requirements-dev.txt']
    if ros == 'wheels':
        wanted += ['-r', 'requirements-ros.txt']
    else:
        # ROS is compiled against the system's numpy; and .venv/lib must be found at run time,
        # which is all that this one small wheel does.
        show = [sys.executable, '-c', 'import numpy; print(numpy.__version__)']
        version = subprocess.check_output(show, text=True).strip()
        text = with_numpy(version, constraints.read_text(), NUMPY_1.read_text())
        constraints = VENV / 'constraints.txt'
        constraints.write_text(text, encoding='utf-8')
        wanted += ['ros-wheels-bootstrapper']
    progress.run(*PIP_INSTALL, '-c', constraints, *wanted)


def point_cmake_here() -> None:
    """Make the CMake files of the ROS wheels name this Python instead of their build machine's."""
    show = 'import sysconfig as s; print(s.get_path("include"), s.get_path("purelib"), sep="\\n")'
    paths = subprocess.check_output([PYTHON, '-c', show], text=True).splitlines()
    include, packages = paths
    for path in (VENV / 'share').glob('*/cmake/*.cmake'):
        text = path.read_text()
        new = WHEEL_BUILD_PATH.sub(lambda match: include if match[1] else packages, text)
        if new != text:
            path.write_text(new)


def build_messages(ros: str, package: Path) -> None:
    """
    Build a message package into the virtual environment, whose lib/ needs no search path.

    :raises SetupError: if it does not build, or cannot be loaded afterwards.
    """
    prefix = str(VENV)
    generator: tuple[str, ...] = ()
    if ros == 'wheels':
        point_cmake_here()
        generator = ('-G', 'Ninja')
    else:
        prefix = os.pathsep.join([prefix, os.environ.get('AMENT_PREFIX_PATH', '')])
    build = VENV / 'build' / package.name
    environment = {
        'AMENT_PREFIX_PATH': prefix,
        'CMAKE_PREFIX_PATH': prefix,
        'PATH': os.pathsep.join([str(VENV / 'bin'), os.environ['PATH']]),
    }
    progress.run(
        *('cmake', '-S', str(package), '-B', str(build), *generator),
        *('-DCMAKE_BUILD_TYPE=Release', '-DBUILD_TESTING=OFF'),
        f'-DCMAKE_INSTALL_PREFIX={VENV}',
        f'-DPython3_EXECUTABLE={VENV}/bin/python3',
        '-DPython3_FIND_VIRTUALENV=ONLY',
        **environment,
    )
    progress.run('cmake', '--build', build, '--parallel', str(os.cpu_count()), **environment)
    progress.run('cmake', '--install', build, **environment)
    load = (
        'import importlib, inspect, sys\n'
        'for part in sys.argv[1:]:\n'
        '    for _, kind in inspect.getmembers(importlib.import_module(part), inspect.isclass):\n'
        '        kind.__import_type_support__()\n'
        '        assert kind._TYPE_SUPPORT is not None, kind\n'
    )
    parts = [part for part in ('action', 'msg') if (package / part).is_dir()]
    progress.run(PYTHON, '-c', load, *(f'{package.name}.{part}' for part in parts))


def install_project() -> None:
    """Install the project itself, so that edits count at once."""
    progress.run(*PIP_INSTALL, '--no-deps', '--no-build-isolation', '-e', ROOT)


def build_pages() -> None:
    """Build the web pages; without them all else works, and it says so."""
    try:
        progress.run(PYTHON, 'scripts/build_frontend.py')
    except SetupError as error:
        print(error, flush=True)


def export_model() -> None:
    """Write the vision model that robots run."""
    progress.run(PYTHON, '-m', 'collab_robots.inference.export')


def time_model() -> None:
    """Measure what each piece of the model takes here: robots plan with it from their start."""
    progress.run(VENV / 'bin' / 'collab-robots', 'infer', 'plan', 'efficientnet_lite0')


def plan(ros: str) -> list[Step]:
    """Return all steps in their order."""
    version = '.'.join(str(part) for part in sys.version_info[:2])
    pinned = sorted([*ROOT.glob('requirements*.txt'), *ROOT.glob('constraints*.txt')])
    messages = [ROOT / 'collab_robots_msgs']
    if ros == 'wheels':
        messages[:0] = [ROOT / 'third_party' / name for name in ('tf2_msgs', 'nav2_msgs')]
    project = [ROOT / name for name in ('setup.py', 'setup.cfg', 'package.xml')]
    inference = ROOT / 'collab_robots' / 'inference'
    parts = ('export.py', 'classifier.py', 'model.py', 'graph/cuts.py', 'graph/trace.py')
    model = [inference / part for part in parts]
    frontend = ROOT / 'frontend'
    pages: list[Path | str] = [
        *(frontend / part for part in ('src', 'public', 'index.html', 'package-lock.json')),
        *frontend.glob('*.ts'),
        shutil.which('npm') or 'no npm',
    ]
    return [
        Step('venv', 'Virtual environment', partial(make_venv, ros), [version, str(VENV), ros]),
        Step('libraries', 'Python libraries', partial(install_libraries, ros), pinned),
        *(
            Step(path.name, f'Messages: {path.name}', partial(build_messages, ros, path), [path])
            for path in messages
        ),
        Step('project', 'This project', install_project, project),
        Step('model', 'Vision model', export_model, model),
        Step('times', 'Times of the model', time_model, [inference / 'outfit.py']),
        Step('pages', 'Web pages', build_pages, pages),
    ]


def main() -> int:
    """Do what is left to do; return the exit status."""
    began = time.monotonic()
    try:
        ros = check_machine()
        lock = os.open(ROOT, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('Another set-up of this tree is running; waiting for it ...', flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        system_packages()
        steps, key, did = plan(ros), '', False
        for number, step in enumerate(steps, 1):
            key = step.key(key)
            stamp = STAMPS / step.name
            if stamp.is_file() and stamp.read_text() == key:
                continue
            progress.start(f'[{number}/{len(steps)}] {step.title}')
            stamp.unlink(missing_ok=True)
            step.make()
            stamp.write_text(key)
            progress.finish()
            did = True
        if did:
            print(f'Set-up complete in {time.monotonic() - began:.0f} s', flush=True)
    except SetupError as error:
        print(f'make setup: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted. The next call goes on from here.', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
