"""Processes that are started, watched, started again and ended together."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import signal

import pytest

from collab_robots.bringup.processes import Process
from collab_robots.explorer.supervise import Supervisor

PROGRAM = """
import signal, sys, time
from pathlib import Path
what, life = sys.argv[1:]
with open(life, 'a') as lives:
    lives.write('.')
print('up', flush=True)
if what.isdigit():
    sys.exit(int(what))
if what == 'twice' and Path(life).read_text() == '.':
    raise ValueError('bad luck')
if what == 'stubborn':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('ready', flush=True)
signal.pause()
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[bool, list[tuple[str, str]]]]:
    """Give what runs processes, and a person who interrupts when a text was said so many times."""
    (tmp_path / 'program_to_watch.py').write_text(PROGRAM)

    def go(
        until: str, count: int, respawn: float | None = None, vital: str = '', **whats: str
    ) -> tuple[bool, list[tuple[str, str]]]:
        said: list[tuple[str, str]] = []

        def say(name: str, line: str) -> None:
            said.append((name, line))
            if until in line and sum(until in text for _, text in said) == count:
                signal.raise_signal(signal.SIGINT)

        processes = [
            Process(
                name,
                'program_to_watch',
                (what, str(tmp_path / name)),
                vital=name == vital,
            )
            for name, what in whats.items()
        ]
        env = {**os.environ, 'PYTHONPATH': str(tmp_path)}
        return Supervisor(processes, env, say, respawn).run(), said

    return go


def test_a_person_ends_all_cleanly(run) -> None:
    clean, said = run('ready', 2, a='stay', b='stay')
    assert clean
    assert sorted(said) == [('a', 'ready'), ('a', 'up'), ('b', 'ready'), ('b', 'up')]


def test_one_that_does_not_end_cleanly_is_no_success(run) -> None:
    clean, _ = run('ready', 2, a='stay', b='stubborn')
    assert not clean


def test_the_others_go_on_without_one_that_died(run) -> None:
    clean, said = run('go on', 1, a='stay', b='3')
    assert not clean
    assert ('', 'b ended with code 3: the others go on without it; its last lines:') in said


def test_one_that_died_is_started_again_and_its_last_lines_are_told(run, tmp_path: Path) -> None:
    clean, said = run('ready', 1, respawn=0.0, a='twice')
    assert clean
    own = [line for name, line in said if name == '']
    assert own[0] == 'a ended with code 1: started again in 0 s; its last lines:'
    assert own[-1] == '  ValueError: bad luck'
    assert (tmp_path / 'a').read_text() == '..'


def test_wrong_input_is_not_tried_again(run, tmp_path: Path) -> None:
    clean, said = run('ready', 1, respawn=0.0, a='2')
    assert not clean
    assert said[1:] == [
        ('', 'a ended with code 2: not started again, as it would say the same; its last lines:'),
        ('', '  up'),
    ]
    assert (tmp_path / 'a').read_text() == '.'


def test_all_ends_with_a_vital_one(run) -> None:
    clean, said = run('never', 1, vital='a', respawn=0.0, a='0', b='stay')
    assert not clean
    assert ('', 'a ended with code 0: all ends with it; its last lines:') in said
