"""The exported network is the published one, and exporting twice costs nothing."""

import subprocess
import sys

import numpy as np
import pytest

from collab_robots.inference.classifier import Classifier, MODEL_FILE, model_path
from collab_robots.inference.export import export, load_torch
from collab_robots.inference.model import Model


@pytest.fixture(scope='module')
def fresh(tmp_path_factory):
    """Export once into an empty folder, as the set-up does."""
    folder = tmp_path_factory.mktemp('models') / 'new'
    command = [sys.executable, '-m', 'collab_robots.inference.export', '--out', str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 'exported' in done.stdout
    return folder / MODEL_FILE


def test_answers_are_those_of_torch(fresh):
    import torch

    generator = np.random.default_rng(7)
    pictures = [
        generator.integers(0, 256, size, dtype=np.uint8) for size in ((50, 60, 3), (224, 224, 3))
    ]
    with torch.no_grad():
        batch = np.concatenate([Model.load(fresh).prepare(picture) for picture in pictures])
        logits = load_torch()(torch.from_numpy(batch))
        theirs = torch.softmax(logits, dim=1).numpy()
    np.testing.assert_allclose(Classifier(fresh).probabilities(pictures), theirs, atol=1e-5)


def test_the_file_is_the_same_wherever_it_is_made(fresh):
    raw = fresh.read_bytes()
    assert sys.prefix.encode() not in raw and b'.py"' not in raw
    assert list(fresh.parent.iterdir()) == [fresh]
    if model_path().exists():
        assert Model.load(fresh).hash.hex() == Classifier().model_hash


def test_a_whole_file_is_kept(fresh):
    before = fresh.stat().st_mtime_ns
    assert export(fresh) is False
    assert fresh.stat().st_mtime_ns == before


def test_a_damaged_file_is_made_again(fresh, monkeypatch, tmp_path):
    converted = []
    monkeypatch.setattr(
        'collab_robots.inference.export._convert', lambda: converted.append(1) or 1 / 0
    )
    damaged = tmp_path / fresh.name
    damaged.write_bytes(fresh.read_bytes()[:1000])
    with pytest.raises(ZeroDivisionError):
        export(damaged)
    assert converted
