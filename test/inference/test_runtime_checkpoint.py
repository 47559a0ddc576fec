"""A frame's progress is the one before or the one after, wherever a write is torn."""

import os

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from runtime_team import fixed, last, picture, Team, whole

from collab_robots.core.errors import Refusal, StoreError
from collab_robots.inference.options import Kind, Option
from collab_robots.inference.runtime.answer import Outcome
from collab_robots.inference.runtime.checkpoint import Checkpoint, Checkpoints, Progress
from collab_robots.inference.runtime.messages import FrameId
from collab_robots.inference.runtime.requester import RequesterSettings


def state(seq, cut, size):
    array = np.full((2, size), seq % 200, dtype=np.float32 if cut else np.uint8)
    return Progress(FrameId('a', 2**64 - 1, seq), b'note', bytes(32), cut, array)


def same(one, other):
    if one is None or other is None:
        return one is other
    return one[:4] == other[:4] and np.array_equal(one.array, other.array)


class Recorded:
    """What is written to a file, byte by byte."""

    def __init__(self, monkeypatch):
        self.writes = []
        write = os.pwrite
        monkeypatch.setattr(os, 'pwrite', lambda *call: self._take(write, *call))

    def _take(self, write, handle, data, offset):
        self.writes.append((bytes(data), offset))
        return write(handle, data, offset)


def torn(before, writes, count):
    """Return a file after so many bytes of the writes."""
    image = bytearray(before)
    for data, offset in writes:
        data = data[:count]
        count -= len(data)
        image.extend(bytes(max(offset + len(data) - len(image), 0)))
        image[offset : offset + len(data)] = data
    return bytes(image)


def read(path):
    file = Checkpoint(path)
    try:
        return file.read()
    finally:
        file.close()


@pytest.mark.parametrize('sizes', [(3, 3, 3), (3, 60, 3), (60, 3, 3), (3, None, 9), (9, 3, None)])
def test_torn_at_any_byte(sizes, tmp_path, monkeypatch):
    path, copy = tmp_path / 'frame', tmp_path / 'copy'
    file = Checkpoint(path)
    before = None
    for seq, size in enumerate(sizes):
        image = path.read_bytes()
        with monkeypatch.context() as patch:
            recorded = Recorded(patch)
            after = state(seq, seq, size) if size else None
            file.commit(after) if after else file.clear()
        total = sum(len(data) for data, _ in recorded.writes)
        for count in range(total + 1):
            copy.write_bytes(torn(image, recorded.writes, count))
            assert same(read(copy), after if count == total else before), count
        if after:  # the disk may keep the flag and lose the state
            copy.write_bytes(torn(image, recorded.writes[1:], total))
            assert same(read(copy), before)
        before = after
    file.close()


@given(st.lists(st.one_of(st.none(), st.integers(1, 400)), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_was_committed_last_is_read(tmp_path, sizes):
    path = tmp_path / 'frame'
    path.unlink(missing_ok=True)
    for seq, size in enumerate(sizes):
        file = Checkpoint(path, durable=seq % 2 == 0)
        expected = state(seq, seq % 3, size) if size else None
        file.commit(expected) if expected else file.clear()
        file.close()
        assert same(read(path), expected)
    assert not sizes or path.stat().st_size < 1024 + 3 * (400 * 8 + 100)


def test_a_damaged_file_is_no_progress(tmp_path):
    path = tmp_path / 'frame'
    path.write_bytes(os.urandom(3000))
    assert read(path) is None


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(StoreError):
        Checkpoints(tmp_path / 'file', 2)
    (tmp_path / '0.frame').mkdir()
    with pytest.raises(StoreError):
        Checkpoints(tmp_path, 2)


@pytest.mark.parametrize('steps', range(1, 30, 2))
def test_frames_survive_the_process(steps, tmp_path):
    """Killed at any time, all frames are answered, by one process or the next."""
    settings = RequesterSettings(frames=4, pauses=(1, 2, 3, 4))
    checkpoints = Checkpoints(tmp_path, 4)
    choose = fixed(Option(Kind.SPLIT, 3, 32), 'b')
    team = Team(steps, helpers=('b',), settings=settings, checkpoints=checkpoints, choose=choose)
    team.run(1.1)
    frames = {}
    for seed in range(3):
        frames[team.submit(seed, note=b'%d' % seed)] = seed
    team.run(steps * 0.01)
    checkpoints.close()
    answered = {answer.frame for answer in team.answers}
    checkpoints = Checkpoints(tmp_path, 4)
    team.owner(checkpoints)
    assert set(team.requester.resume(team.lab.now)) == frames.keys() - answered
    team.run(3.0)
    assert {answer.frame for answer in team.answers} == frames.keys()
    assert len(team.answers) == len(frames)
    for answer in team.answers:
        seed = frames[answer.frame]
        assert answer.note == b'%d' % seed
        assert np.allclose(answer.logits, whole(picture(seed)), atol=0.02)
        assert answer.trace.resumed == (answer.frame not in answered)
    assert Checkpoints(tmp_path, 4).resume() == []
    assert team.requester.resume(team.lab.now) == []


def test_progress_is_kept_at_each_pause(tmp_path):
    settings = RequesterSettings(frames=1, pauses=(1, 3))
    checkpoints = Checkpoints(tmp_path, 1)
    team = Team(settings=settings, checkpoints=checkpoints, helpers=())
    team.submit()
    seen = set()
    while team.requester.in_progress:
        team.run(0.005)
        progress = read(tmp_path / '0.frame')
        seen.add(progress and progress.cut)
    assert seen == {0, 1, 3, None}
    assert last() not in seen
    checkpoints.close()


@pytest.mark.parametrize('cut', [0, 2])
def test_a_frame_that_another_model_began(cut, tmp_path):
    """What was computed is worth nothing, but the picture is."""
    checkpoints = Checkpoints(tmp_path, 1)
    array = np.zeros((1, 8, 8, 8), np.float32) if cut else picture(3)
    name = FrameId('a', 77, 5)
    checkpoints.commit(Progress(name, b'', bytes(32), cut, array))
    checkpoints.commit(Progress(FrameId('a', 77, 6), b'', bytes(32), cut, array))
    checkpoints.close()
    checkpoints = Checkpoints(tmp_path, 1)
    team = Team(helpers=(), checkpoints=checkpoints)
    assert team.requester.resume(team.lab.now) == [name]
    team.run(1.0)
    (answer,) = team.answers
    assert answer.frame == name
    if cut:
        assert answer.outcome is Outcome.REFUSED and answer.refusal.reason is Refusal.MODEL
    else:
        assert np.array_equal(answer.logits, whole(picture(3)))
    assert checkpoints.resume() == []
    checkpoints.close()
