"""A trained bottleneck makes a cut's tensor small, and large again though chunks are lost."""

import csv
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage

from collab_robots.core.errors import ConfigError, RefusedError
from collab_robots.inference import codec
from collab_robots.inference.bottleneck import Bottleneck, Graph
from collab_robots.inference.classifier import EXPORT_COMMAND, model_path
from collab_robots.inference.exits import Trained
from collab_robots.inference.model import Model
from collab_robots.inference.pictures import read_picture

pytestmark = pytest.mark.skipif(not model_path().exists(), reason=f'no model: {EXPORT_COMMAND}')
REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get('COLLAB_SHARED_DATA', REPOSITORY.parent / 'shared' / 'data'))
SAMPLES = SHARED / 'imagenet_samples'
CAT = Path(skimage.__file__).parent / 'data' / 'chelsea.png'
CHUNK_BYTES = 256


@pytest.fixture(scope='module')
def model():
    return Model.load(model_path())


@pytest.fixture(scope='module')
def bottlenecks(model):
    return Trained.load(None, model).bottlenecks


def tensor_at(model, cut, path=CAT):
    return model.stage(0, cut).run(model.prepare(read_picture(path.read_bytes())))


def weights(shape=(4, 4), value=1.0, kind=onnx.TensorProto.FLOAT, given=None):
    """Return a graph that adds a number to a (1, 4, 4) tensor."""
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, (1, *sides))
        for name, sides in (('x', shape), ('y', given or shape))
    ]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node('Add', ['x', 'w'], ['y'])],
        'adds',
        ends[:1],
        ends[1:],
        [onnx.helper.make_tensor('w', kind, (1,), [value])],
    )
    opset = onnx.helper.make_opsetid('', 18)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


def test_the_codecs_four_bits_lose_nothing_of_the_code(model, bottlenecks):
    for cut, bottleneck in bottlenecks.items():
        code = bottleneck.encode(tensor_at(model, cut))
        assert code.shape == (1, *bottleneck.shape)
        assert bottleneck.channels == bottleneck.shape[0]
        assert (np.rint(code) == code).all() and -8 <= code.min() and code.max() <= 7
        chunks = codec.encode(code[0], 4, chunk_bytes=CHUNK_BYTES)
        back = codec.decode(chunks, bottleneck.shape, 4).tensor
        assert (np.rint(back) == code[0]).all()
        direct, coded = (bottleneck.decode(x) for x in (code, back[None]))
        np.testing.assert_array_equal(direct, coded)


def test_a_cat_stays_a_cat_in_fewer_bytes_than_two_bits_take(model, bottlenecks):
    for cut, bottleneck in bottlenecks.items():
        x = tensor_at(model, cut)
        tail = model.stage(cut, len(model.cuts) - 1)
        code = bottleneck.encode(x)
        assert tail.run(bottleneck.decode(code)).argmax() == tail.run(x).argmax()
        learned, plain = (
            sum(map(len, codec.encode(tensor[0], bits))) for tensor, bits in ((code, 4), (x, 2))
        )
        assert learned < plain


def test_a_lost_chunk_costs_every_place_a_little(model, bottlenecks):
    for cut, bottleneck in bottlenecks.items():
        code = bottleneck.encode(tensor_at(model, cut))
        chunks = codec.encode(code[0], 4, chunk_bytes=CHUNK_BYTES)
        assert len(chunks) >= 4
        came = codec.decode([None, *chunks[1:]], bottleneck.shape, 4)
        assert 0 < came.lost < 0.3
        whole, part = (bottleneck.decode(x) for x in (code, came.tensor[None]))
        harm = np.abs(whole - part).mean(axis=(0, 1))
        assert harm.max() < 8 * harm.mean()  # a block of lost places would stand out


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f'{SAMPLES} is absent')
def test_names_pictures_that_taught_it_nothing(model, bottlenecks):
    with (SAMPLES / 'index.csv').open() as rows:
        samples = [(SAMPLES / r['file'], int(r['class_index'])) for r in csv.DictReader(rows)][::6]
    cut, bottleneck = max(bottlenecks.items())
    tail = model.stage(cut, len(model.cuts) - 1)
    tensors = [(tensor_at(model, cut, path), label) for path, label in samples]
    whole = np.mean([tail.run(x).argmax() == label for x, label in tensors])
    ours = np.mean(
        [tail.run(bottleneck.decode(bottleneck.encode(x))).argmax() == y for x, y in tensors]
    )
    assert ours >= whole - 0.08


def test_no_tensor_is_refused(model, bottlenecks):
    cut, bottleneck = max(bottlenecks.items())
    for run, shape in (
        (bottleneck.encode, model.cuts[cut].shape),
        (bottleneck.decode, bottleneck.shape),
    ):
        x = np.zeros((1, *shape), dtype=np.float32)
        nan, huge = x.copy(), x.copy()
        nan.flat[0] = np.nan
        huge.flat[0] = np.inf
        for bad in (x[0], x[:, 1:], x.astype(np.float64), x.tolist(), nan, huge):
            with pytest.raises(RefusedError):
                run(bad)


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'no model',
        weights((4, 5)),
        weights(value=np.nan),
        weights(value=np.inf),
        weights(kind=onnx.TensorProto.DOUBLE),
        weights(('n', 4), given=('n', 4)),
    ],
)
def test_what_is_no_such_graph_is_refused(data):
    with pytest.raises(ConfigError):
        Graph(data, (4, 4), (4, 4))


def test_encoder_and_decoder_must_fit():
    bottleneck = Bottleneck(3, (4, 4), weights(), weights(value=-1.0))
    x = np.ones((1, 4, 4), dtype=np.float32)
    np.testing.assert_array_equal(bottleneck.decode(bottleneck.encode(x)), x)
    with pytest.raises(ConfigError):
        Bottleneck(3, (4, 4), weights(), weights((5, 4)))
