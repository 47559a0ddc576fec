"""The computer that a robot runs on: memory, processor, clock, and how it looks for others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import os
from pathlib import Path
import re
import socket
import subprocess
import sys

from collab_robots.explorer.doctor.finding import fail, Finding, Limits, MIB, ok, warn

LOCALHOST_ONLY = 'ROS_LOCALHOST_ONLY'
RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
SERVER = 'ROS_DISCOVERY_SERVER'
RMW = 'RMW_IMPLEMENTATION'
FINDS = frozenset({'ROS_DOMAIN_ID', RMW, LOCALHOST_ONLY, RANGE, SERVER})
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
SERVER_PORT = 11811
PATIENCE = 1.0  # s for one answer
CHRONY = ('chronyc', '-n', 'tracking')
GPUS = ('nvidia0', 'nvhost-gpu', 'nvgpu/igpu0', 'kfd')  # below /dev: desktop, Jetson, AMD

_AVAILABLE = re.compile(r'^MemAvailable:\s+(\d+) kB', re.MULTILINE)
_OFFSET = re.compile(r'^System time\s*: ([0-9.]+) seconds (slow|fast)', re.MULTILINE)
_SERVER = re.compile(
    r'(?:(?P<tcp>TCPv[46]:)|UDPv[46]:)?\[?(?P<host>[^\[\];]+?)\]?(?::(?P<port>\d+))?'
)


def look_at_computer(limits: Limits) -> Iterator[Finding]:
    """Yield how the computer is."""
    yield look_at_memory(Path('/proc/meminfo'), limits)
    yield look_at_processor(limits)
    yield look_at_gpu(Path('/dev'))
    yield look_at_chrony(limits)


def look_at_memory(meminfo: Path, limits: Limits) -> Finding:
    """Say how much memory is free."""
    found = _AVAILABLE.search(meminfo.read_text())
    free = int(found[1]) * 1024 if found else 0
    told = f'{free // MIB} MiB of memory free'
    if free < limits.free_memory:
        return warn(
            'memory',
            f'{told}, less than {limits.free_memory // MIB}',
            'end what is not needed (top, then M); processes will be killed when it runs out',
        )
    return ok('memory', told)


def look_at_processor(limits: Limits) -> Finding:
    """Say whether the processor keeps up."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    told = f'{load:.1f} processes want {cores} cores'
    if load > limits.load * cores:
        return warn(
            'processor', told, 'end what is not needed (top); map less often: map_period:=2.0'
        )
    return ok('processor', told)


def look_at_gpu(devices: Path) -> Finding:
    """Say whether there is a GPU; a robot does without."""
    found = [name for name in GPUS if (devices / name).exists()]
    return ok('gpu', f'{found[0]}; networks run on the CPU' if found else 'none, none is needed')


def look_at_chrony(limits: Limits) -> Finding:
    """Say how well the clock is set, where chrony sets it."""
    try:
        done = subprocess.run(CHRONY, capture_output=True, text=True, timeout=5 * PATIENCE)
    except FileNotFoundError:
        return ok('chrony', 'not installed; clocks are compared with those of teammates only')
    except (OSError, subprocess.TimeoutExpired) as error:
        return warn('chrony', f'does not answer: {error}', 'sudo systemctl restart chrony')
    offset = _OFFSET.search(done.stdout)
    if done.returncode or offset is None:
        told = ' '.join((done.stderr or done.stdout).split())
        return warn('chrony', f'does not answer: {told:.100}', 'sudo systemctl restart chrony')
    if 'Not synchronised' in done.stdout:
        return warn(
            'chrony',
            'the clock follows no other',
            'name the base station in /etc/chrony/chrony.conf: server BASE iburst; see '
            'docs/field.md',
        )
    told = f'the clock is {float(offset[1]):.6f} s {offset[2]} of its source'
    if float(offset[1]) > limits.skew:
        return warn('chrony', told, 'sudo chronyc makestep, while the robot stands')
    return ok('chrony', told)


def look_at_rmw(environment: Mapping[str, str]) -> Finding | None:
    """Return that ROS cannot start with the middleware that is chosen, if it cannot."""
    name = environment.get(RMW)
    if not name:
        return None
    # in a process of its own: rcl would end this one
    tried = subprocess.run(
        [sys.executable, '-c', 'import rclpy.impl.implementation_singleton'],
        env=dict(environment),
        capture_output=True,
        text=True,
    )
    if not tried.returncode:
        return None
    return fail(
        'rmw',
        f'{RMW}={name} cannot be loaded: {" ".join(tried.stderr.split()):.200}',
        f'install it (sudo apt install ros-jazzy-{name.replace("_", "-")}), or unset {RMW}',
    )


def look_at_environment(
    environment: Mapping[str, str], started: Mapping[str, str], alone: bool
) -> Iterator[Finding]:
    """
    Yield which environment variables keep the robot from its teammates.

    :param environment: of this process.
    :param started: that the robot is started with, as far as its folder says.
    :param alone: whether teammates are missing, or nobody listened for them.
    """
    wrong = [*_other_variables(environment, started), *_wrong_variables(environment, alone)]
    yield from wrong
    if not wrong:
        chosen = [f'{name}={environment[name]}' for name in (RANGE, SERVER) if name in environment]
        yield ok('environment', ', '.join(chosen) or 'others are looked for by multicast')


def _other_variables(
    environment: Mapping[str, str], started: Mapping[str, str]
) -> Iterator[Finding]:
    for name in sorted(FINDS & started.keys()):
        if environment.get(name) != started[name]:
            yield warn(
                'environment',
                f'{name} is {environment.get(name)!r} here, and {started[name]!r} in the '
                'environment file of the robot: this looks elsewhere than the robot',
                'unset it here, or correct the file',
            )


def _wrong_variables(environment: Mapping[str, str], alone: bool) -> Iterator[Finding]:
    for name, value, hides, say in (
        (LOCALHOST_ONLY, '1', alone, warn),
        (RANGE, 'LOCALHOST', alone, warn),
        (RANGE, 'OFF', True, fail),
    ):
        if hides and environment.get(name, '').upper() == value:
            yield say(
                'environment',
                f'{name}={value} hides the robots on other computers',
                f'unset {name}, here and in the environment file of the robot; start it again',
            )
    for name in PROFILES:
        file = environment.get(name)
        if file and not Path(file).is_file():
            yield fail(
                'environment',
                f'{name} names {file}, which is not there: DDS then takes its defaults',
                f'correct it, or unset {name}',
            )
    for server in filter(None, environment.get(SERVER, '').split(';')):
        problem = _unreachable(server)
        if problem:
            yield fail(
                'environment',
                f'{SERVER}: {server}: {problem}',
                'start the server there (fastdds discovery --server-id 0), or correct the '
                f'address; without it robots find nobody: unset {SERVER} to look by multicast',
            )


def _unreachable(server: str) -> str:
    """Return why nothing can be at an address; empty if something may be."""
    found = _SERVER.fullmatch(server.strip())
    if found is None:
        return 'is no address; expected HOST:PORT'
    kind = socket.SOCK_STREAM if found['tcp'] else socket.SOCK_DGRAM
    try:
        address = socket.getaddrinfo(found['host'], int(found['port'] or SERVER_PORT), type=kind)[
            0
        ]
        with socket.socket(address[0], kind) as probe:
            probe.settimeout(PATIENCE)
            probe.connect(address[4])
            if kind is socket.SOCK_DGRAM:
                probe.send(b'RTPS')  # too short to mean anything; a closed port is told of
                probe.recv(1)
    except TimeoutError:
        return '' if kind is socket.SOCK_DGRAM else 'does not answer'
    except (OSError, OverflowError, UnicodeError) as error:
        return f'nothing listens there ({getattr(error, "strerror", None) or error})'
    return ''
