"""Start, watch and end the processes of a run; find them a network of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
import ctypes
from dataclasses import dataclass
import fcntl
import os
from pathlib import Path
import re
import signal
import socket
import subprocess
import tempfile
import time

import collab_robots
from collab_robots.bringup.processes import ENVIRONMENT
from collab_robots.core.errors import ConfigError

DOMAINS = range(20, 100)  # ROS domains to choose from; beyond 101 they meet Linux' own ports
HERE = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
TAIL_LINES = 15
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_PSS = re.compile(rb'^Pss:\s+(\d+) kB', re.MULTILINE)


class Domain:
    """
    A ROS domain that no other demo and no running node of this host uses, until closed.

    :param wanted: take this one, used or not; None looks for a free one.
    :raises ConfigError: if none is free.
    """

    def __init__(self, wanted: int | None = None) -> None:
        self._lock: int | None = None
        self.id = self._claim() if wanted is None else wanted

    def _claim(self) -> int:
        for number in DOMAINS:
            path = Path(tempfile.gettempdir()) / f'collab_robots_domain_{number}.lock'
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except OSError:
                continue  # another user's
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                continue
            if _unused(number):
                self._lock = lock
                return number
            os.close(lock)
        raise ConfigError('no free ROS domain found; name one with --domain')

    def close(self) -> None:
        """Give the domain back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _unused(domain: int) -> bool:
    """Tell whether the first DDS participant's port of a domain is free (RTPS 9.6.1.1)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', 7400 + 250 * domain + 10))
        except OSError:
            return False
    return True


def environment(domain: int | None = None) -> dict[str, str]:
    """
    Return the environment of the children, which find this package wherever it is.

    :param domain: their ROS domain, on this host only; None: as ROS is told from outside.
    """
    package = str(Path(collab_robots.__file__).resolve().parents[1])
    paths = [package, *filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep))]
    alone = {} if domain is None else {'ROS_DOMAIN_ID': str(domain), **HERE}
    return {
        **ENVIRONMENT,
        **os.environ,
        **alone,
        'PYTHONPATH': os.pathsep.join(dict.fromkeys(paths)),
    }


@dataclass
class Child:
    """One started process, and its log if it has one."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None
    ended_on_purpose: bool = False

    def tail(self) -> str:
        """Return the last lines of its log."""
        if self.log is None:
            return ''
        with self.log.open(errors='replace') as lines:
            return ''.join(deque(lines, TAIL_LINES)).rstrip()


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Children:
    """
    The processes of a run, each in a process group of its own.

    :param env: their environment.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._running: dict[str, Child] = {}

    def start(self, name: str, command: Sequence[str], log: Path | None = None) -> Child:
        """
        Start one process.

        :param log: its output is appended there; None: the child's ``process.stdout`` has it.
        """
        with nullcontext(subprocess.PIPE) if log is None else log.open('ab') as output:
            process = subprocess.Popen(
                list(command),
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        child = self._running[name] = Child(name, process, log)
        return child

    def alive(self, name: str) -> bool:
        """Tell whether a process runs."""
        return name in self._running and self._running[name].process.poll() is None

    def pid(self, name: str) -> int:
        """Return the number of a process that was started."""
        return self._running[name].process.pid

    def failed(self) -> list[Child]:
        """Return the processes that ended although nobody told them to."""
        return [
            child
            for child in self._running.values()
            if child.process.poll() is not None and not child.ended_on_purpose
        ]

    def kill(self, name: str) -> None:
        """End one process as a power cut would: SIGKILL."""
        child = self._running[name]
        child.ended_on_purpose = True
        _signal(child, signal.SIGKILL)
        child.process.wait()

    def stop(self, grace: float, first: int = signal.SIGINT) -> list[str]:
        """
        End all: one signal first, and SIGKILL for what still runs after a while.

        :param grace: how long to wait in between, s.
        :returns: names of those that had to be killed.
        """
        children = [child for child in self._running.values() if child.process.poll() is None]
        for child in children:
            child.ended_on_purpose = True
            _signal(child, first)
        deadline = time.monotonic() + grace
        killed = []
        try:
            for child in children:
                try:
                    child.process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    killed.append(child.name)
        finally:  # also when a person is out of patience
            for child in children:
                if child.process.poll() is None:
                    _signal(child, signal.SIGKILL)
                    child.process.wait()
        return killed

    def memory(self) -> int:
        """Return the memory of all of them and of this process, bytes, shared pages split."""
        return sum(map(_pss, [os.getpid(), *(c.process.pid for c in self._running.values())]))


def _signal(child: Child, number: int) -> None:
    try:
        os.killpg(child.process.pid, number)
    except ProcessLookupError:
        pass  # it went by itself


def _pss(pid: int) -> int:
    try:
        found = _PSS.search(Path(f'/proc/{pid}/smaps_rollup').read_bytes())
    except OSError:
        return 0  # gone, or not Linux
    return int(found.group(1)) * 1024 if found else 0
