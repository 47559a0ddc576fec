"""The network names real pictures, and nothing else gets in."""

import csv
import os
from pathlib import Path

import numpy as np
from PIL import Image
import pytest
import skimage

from collab_robots.core.errors import ConfigError
from collab_robots.inference.classifier import Classifier, EXPORT_COMMAND, model_path
from collab_robots.inference.labels import load_labels

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get('COLLAB_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'))
SAMPLES = SHARED / 'imagenet_samples'
PHOTOGRAPHS = Path(skimage.__file__).parent / 'data'
needs_model = pytest.mark.skipif(
    not model_path().exists(), reason=f'no model: run {EXPORT_COMMAND}'
)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert('RGB'))


@pytest.fixture(scope='module')
def classifier() -> Classifier:
    return Classifier()


def test_labels_are_in_imagenet_order():
    labels = load_labels()
    assert (labels[0], labels[281], labels[999]) == ('tench', 'tabby', 'toilet tissue')


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f'{SAMPLES} is absent')
def test_labels_are_those_of_the_samples():
    labels = load_labels()
    with (SAMPLES / 'index.csv').open() as rows:
        for row in csv.DictReader(rows):
            assert labels[int(row['class_index'])] == row['label']


@needs_model
@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f'{SAMPLES} is absent')
def test_names_imagenet_pictures(classifier):
    with (SAMPLES / 'index.csv').open() as rows:
        samples = [(SAMPLES / r['file'], int(r['class_index'])) for r in csv.DictReader(rows)]
    right = sum(classifier.classify(read(path), 1)[0][0] == truth for path, truth in samples)
    assert right >= 0.84 * len(samples)  # 0.874 measured


@needs_model
@pytest.mark.parametrize(
    ('photograph', 'names'),
    [
        ('chelsea.png', {'tabby', 'tiger cat', 'Egyptian cat'}),
        ('coffee.png', {'espresso', 'cup', 'coffee mug'}),
        ('camera.png', {'tripod'}),
        ('motorcycle_left.png', {'moped', 'motor scooter'}),
    ],
)
def test_names_the_photographs_of_the_posters(classifier, photograph, names):
    (best, probability), *_ = classifier.classify(read(PHOTOGRAPHS / photograph))
    assert classifier.labels[best] in names
    assert probability > 0.4


@needs_model
def test_a_batch_answers_like_single_pictures(classifier):
    pictures = [read(PHOTOGRAPHS / name) for name in ('chelsea.png', 'coffee.png', 'rocket.jpg')]
    together = classifier.probabilities(pictures)
    alone = np.concatenate([classifier.probabilities([picture]) for picture in pictures])
    assert together.shape == (3, 1000)
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(together.sum(axis=1), 1.0, atol=1e-5)


@needs_model
def test_no_pictures_no_answers(classifier):
    assert classifier.probabilities([]).shape == (0, 1000)


@needs_model
def test_a_black_picture_is_nothing_in_particular(classifier):
    black = np.zeros((240, 320, 3), dtype=np.uint8)
    assert classifier.classify(black, 1)[0][1] < 0.1


def test_a_missing_model_names_the_command(tmp_path):
    with pytest.raises(ConfigError, match=EXPORT_COMMAND):
        Classifier(tmp_path / 'none.onnx')


def test_a_damaged_model_names_the_command(tmp_path):
    path = tmp_path / 'cut.onnx'
    path.write_bytes(b'\x08\x0a not a model')
    with pytest.raises(ConfigError, match=EXPORT_COMMAND):
        Classifier(path)


def test_the_folder_of_models_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv('COLLAB_ROBOTS_MODELS', str(tmp_path))
    assert model_path().parent == tmp_path
