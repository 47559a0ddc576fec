"""What a robot loads at its start: times are measured once, kept, and checked when read."""

import json
from pathlib import Path

import pytest

from collab_robots.core.errors import ConfigError
from collab_robots.inference.options import Kind, Option
from collab_robots.inference.outfit import load_times, save_times
from collab_robots.inference.profile.times import Do, PREPARE, stage, Step, Times

MODEL = bytes(range(32))
JPEG = Option(Kind.JPEG, quality=75)


def times() -> Times:
    base = {PREPARE: 0.001, stage(0, 3): 0.01, stage(0, 1): 0.002, Step(Do.EXIT, end=1): 1e-4}
    return Times({**base, Step(Do.ENCODE, what=JPEG): 0.003, Step(Do.DECODE, what=JPEG): 0.002})


def test_times_are_kept(tmp_path: Path) -> None:
    file = tmp_path / 'new' / 'times.json'
    save_times(times(), file, MODEL)
    found = load_times(file, MODEL)
    assert found is not None and dict(found.items()) == dict(times().items())


def test_times_of_another_model_or_none_are_none(tmp_path: Path) -> None:
    file = tmp_path / 'times.json'
    assert load_times(file, MODEL) is None
    save_times(times(), file, MODEL)
    assert load_times(file, bytes(32)) is None


def changed(**parts: object) -> str:
    return json.dumps({'model': MODEL.hex(), 'times': [['stage', 0, 3, '', 0.01]], **parts})


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        '7',
        '{}',
        '[' * 100_000,
        changed()[:-1],
        changed(times=3),
        changed(times=[[]]),
        changed(times=[['sleep', 0, 3, '', 0.01]]),
        changed(times=[['encode', 0, 0, 'jpeg900', 0.01]]),
        changed(times=[['stage', 0, 3, '', -1.0]]),
        changed(times=[['stage', 0, 3, '', float('nan')]]),
        changed(times=[['stage', 0, 3, '', 'soon']]),
        changed(times=[['stage', 'a', [], '', 0.01]]),
    ],
)
def test_files_that_hold_no_times_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'times.json'
    file.write_text(text)
    with pytest.raises(ConfigError, match='no times'):
        load_times(file, MODEL)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='cannot be read'):
        load_times(tmp_path, MODEL)
