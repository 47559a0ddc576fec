"""What was trained for a model fits it, answers early as measured, and nothing else is loaded."""

import json
from pathlib import Path
import shutil
import subprocess
import sys

import numpy as np
import pytest
import skimage

from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.inference.classifier import EXPORT_COMMAND, model_path
from collab_robots.inference.exits import OWN, Trained, TRAINED_FILE
from collab_robots.inference.model import Model
from collab_robots.inference.pictures import read_picture

pytestmark = pytest.mark.skipif(not model_path().exists(), reason=f'no model: {EXPORT_COMMAND}')
FOLDER = OWN / 'efficientnet_lite0'
CAT = Path(skimage.__file__).parent / 'data' / 'chelsea.png'


@pytest.fixture(scope='module')
def model():
    return Model.load(model_path())


@pytest.fixture(scope='module')
def trained(model):
    return Trained.load(None, model)


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(FOLDER, tmp_path / 'copy'))


def change(folder, **entries):
    path = folder / TRAINED_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_the_packages_own_belong_to_the_model_that_is_exported(trained):
    assert len(trained.exits) == 1
    assert len(trained.bottlenecks) == 2
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    assert size < 2_000_000


def test_an_exit_says_of_a_cat_what_the_whole_model_says(model, trained):
    early = trained.exits[0]
    x = model.prepare(read_picture(CAT.read_bytes()))
    at = model.stage(0, early.cut).run(x)
    logits, confidence = early.answer(at)
    whole = model.stage(early.cut, len(model.cuts) - 1).run(at)
    assert logits.shape == whole.shape
    assert logits.argmax() == whole.argmax()
    assert 0.3 < confidence <= 1.0
    powers = np.exp(logits - logits.max())
    assert confidence == pytest.approx(float((powers / powers.sum()).max()), rel=1e-5)


def test_noise_is_not_answered_early(model, trained):
    early = trained.exits[0]
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    at = model.stage(0, early.cut).run(model.prepare(noise))
    assert early.answer(at)[1] < early.threshold


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_no_tensor_is_refused(trained, model, value):
    early = trained.exits[0]
    x = np.zeros((1, *model.cuts[early.cut].shape), dtype=np.float32)
    x[0, 0, 0, 0] = value
    for bad in (x, x[0], x.astype(np.float64), x[:, 1:]):
        with pytest.raises(RefusedError):
            early.answer(bad)


def test_measured_figures_hold_together():
    listed = json.loads((FOLDER / TRAINED_FILE).read_text())
    rows = {row['threshold']: row for row in listed['measured']['exit_chosen']}
    chosen = rows[listed['exits'][0]['threshold']]
    assert chosen['accuracy'] >= chosen['whole'] - 0.01
    shares = [rows[threshold]['share'] for threshold in sorted(rows)]
    assert shares == sorted(shares, reverse=True)


def test_another_models_are_refused(copy, model):
    change(copy, model='0' * 64)
    with pytest.raises(ConfigError, match='made for model 000'):
        Trained.load(copy, model)


def test_a_changed_file_is_refused(copy, model):
    path = copy / 'exit_0.onnx'
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match='not the file'):
        Trained.load(copy, model)


@pytest.mark.parametrize(
    ('entries', 'reason'),
    [
        ({'exits': [{'cut': 'x'}]}, 'not valid'),
        ({'unknown': 1}, 'not valid'),
    ],
)
def test_a_malformed_list_is_refused(copy, model, entries, reason):
    change(copy, **entries)
    with pytest.raises(ConfigError, match=reason):
        Trained.load(copy, model)


@pytest.mark.parametrize(
    ('field', 'value', 'reason'),
    [
        ('cut', 'nowhere', 'no cut'),
        ('end', '_blocks.11._bn2', 'between two inner cuts'),
        ('end', '_blocks.15._bn2', 'expected'),
        ('temperature', 0, 'not valid'),
        ('threshold', 1.5, 'not valid'),
        ('graph', {'name': '../exit_0.onnx', 'sha256': '0' * 64}, 'not valid'),
        ('graph', {'name': 'absent.onnx', 'sha256': '0' * 64}, 'cannot be read'),
    ],
)
def test_a_wrong_exit_is_refused(copy, model, field, value, reason):
    entry = json.loads((copy / TRAINED_FILE).read_text())['exits'][0]
    change(copy, exits=[{**entry, field: value}])
    with pytest.raises(ConfigError, match=reason):
        Trained.load(copy, model)


@pytest.mark.parametrize('text', ['{', '[]', '\udcff'.encode('utf-8', 'surrogateescape')])
def test_what_is_no_list_is_refused(copy, model, text):
    (copy / TRAINED_FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError):
        Trained.load(copy, model)


def test_nothing_there(tmp_path, model):
    with pytest.raises(ConfigError, match='cannot be read'):
        Trained.load(tmp_path, model)


def test_robots_need_no_torch():
    code = (
        'import sys; import collab_robots.inference.exits; '
        'raise SystemExit("torch" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False, timeout=60).returncode == 0
