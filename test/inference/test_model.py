"""A model file is what it claims to be, and its stages take only what they can answer."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import onnx
from onnx import helper, TensorProto
import pytest

from collab_robots.core.errors import ConfigError, Refusal, RefusedError
from collab_robots.inference import model as module
from collab_robots.inference.model import Model, Preparation, save, seal

PREPARATION = Preparation(mean=(100, 110, 120), std=(50, 60, 70))


def made(
    shape: tuple[int, ...] = (1, 3, 8, 12),
    kind: int = TensorProto.FLOAT,
    factor: float = 2.0,
    knows_shapes: bool = True,
) -> onnx.ModelProto:
    """Make a model of two convolutions: (1, 3, 8, 12) -> (1, 3, 8, 12) -> (1, 3, 8, 12)."""
    weight = helper.make_tensor(
        'weight', TensorProto.FLOAT, (3, 3, 1, 1), (np.eye(3) * factor).ravel().tolist()
    )
    nodes = [
        helper.make_node('Conv', ['image', 'weight'], ['between']),
        helper.make_node('Conv', ['between', 'weight'], ['logits']),
    ]
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ('image', 'logits')]
    between = helper.make_tensor_value_info('between', kind, shape)
    graph = helper.make_graph(
        nodes, 'two', ends[:1], ends[1:], [weight], value_info=[between] * knows_shapes
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)], ir_version=10)


def sealed(**changes) -> onnx.ModelProto:
    proto = made(**changes)
    seal(proto, PREPARATION)
    return proto


@pytest.fixture(scope='module')
def model() -> Model:
    return Model(sealed())


@pytest.fixture
def path(tmp_path):
    save(sealed().SerializeToString(), tmp_path / 'two.onnx')
    return tmp_path / 'two.onnx'


def test_a_file_is_loaded_and_runs(path):
    model = Model.load(path)
    assert [(cut.index, cut.name, cut.shape) for cut in model.cuts] == [
        (0, 'image', (3, 8, 12)),
        (1, 'between', (3, 8, 12)),
        (2, 'logits', (3, 8, 12)),
    ]
    x = np.arange(3 * 8 * 12, dtype=np.float32).reshape(1, 3, 8, 12)
    for start, end, factor in ((0, 1, 2), (1, 2, 2), (0, 2, 4)):
        stage = model.stage(start, end)
        assert (stage.start, stage.end) == (model.cuts[start], model.cuts[end])
        np.testing.assert_array_equal(stage.run(x), factor * x)


def test_the_hash_is_of_what_the_answers_depend_on(path):
    proto = sealed()
    assert Model.load(path).hash == Model(proto).hash
    proto.producer_name, proto.doc_string = 'somebody', 'with words'
    proto.metadata_props.add(key='made', value='on a Sunday')
    assert Model(proto).hash == Model.load(path).hash
    assert Model(proto).notes['made'] == 'on a Sunday'
    other = made()
    seal(other, Preparation(mean=(0, 0, 0), std=(1, 1, 1)))
    hashes = {Model(other).hash, Model(sealed(factor=2.1)).hash, Model.load(path).hash}
    assert len(hashes) == 3 and {len(digest) for digest in hashes} == {32}


def test_the_bytes_that_are_hashed_stay_the_same(model):
    assert model.hash.hex() == '1905245f61f8bbe723e02e771e6f9f8b57346cb758fcb9730a77ef00878157bc'


def test_changed_weights_without_a_new_hash_are_named():
    proto = sealed()
    proto.graph.initializer[0].float_data[0] = 7.0
    with pytest.raises(ConfigError, match=r'expected a model of hash [0-9a-f]{64}, got'):
        Model(proto)


def test_a_model_from_elsewhere_is_named():
    with pytest.raises(ConfigError, match=r'hash \(none\)'):
        Model(made())


def test_a_preparation_that_is_none_is_named():
    proto = made()
    proto.metadata_props.add(key=module.PREPARE, value='{"mean": [0, 0, 0], "std": [1, 0, 1]}')
    proto.metadata_props.add(key=module.HASH, value=module.fingerprint(proto).hex())
    with pytest.raises(ConfigError, match='std'):
        Model(proto)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'shape': (2, 3, 8, 12)}, 'carries everything'),
        ({'shape': (1, 3, 'h', 12)}, 'carries everything'),
        ({'shape': (1, 3, 8, 12, 1)}, 'carries everything'),
        ({'shape': (3,)}, 'carries everything'),
        ({'kind': TensorProto.DOUBLE}, 'carries everything'),
        ({'knows_shapes': False}, 'carries everything'),
        ({'shape': (1, 4, 8, 12)}, r'pictures \(3, h, w\)'),
        ({'shape': (1, 3)}, r'pictures \(3, h, w\)'),
    ],
)
def test_what_cannot_be_cut_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        Model(sealed(**changes))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'none\.onnx: cannot be read'):
        Model.load(tmp_path / 'none.onnx')


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_that_is_cut_short_or_changed_is_named(tmp_path_factory, data):
    whole = sealed().SerializeToString()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    if len(damaged) == len(whole):
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp('damaged') / 'two.onnx'
    path.write_bytes(damaged)
    try:
        loaded = Model.load(path)
    except ConfigError as error:
        assert str(path) in str(error)
    else:  # what says who made it does not count
        assert loaded.hash == Model(sealed()).hash


def test_an_operator_that_does_not_exist_is_named():
    proto = made()
    proto.graph.node[1].op_type = 'Convolute'
    seal(proto, PREPARATION)
    with pytest.raises(ConfigError, match='Convolute'):
        Model(proto).stage(0, 2)


@pytest.mark.parametrize(('start', 'end'), [(0, 0), (1, 0), (-1, 1), (0, 3), (2, 3)])
def test_stages_that_do_not_exist_are_refused(model, start, end):
    with pytest.raises(RefusedError, match='two of 3 cuts') as caught:
        model.stage(start, end)
    assert caught.value.reason is Refusal.MODEL


def tensor(**changes) -> np.ndarray:
    x = np.zeros((1, 3, 8, 12), dtype=np.float32)
    x[0, 1, 2, 3] = changes.get('value', 1.0)
    return x


@pytest.mark.parametrize(
    ('x', 'message'),
    [
        (tensor().astype(np.float64), 'got float64'),
        (tensor().astype(np.uint8), 'got uint8'),
        (tensor()[0], r'got float32 \(3, 8, 12\)'),
        (tensor()[:, :, :7], r'got float32 \(1, 3, 7, 12\)'),
        (tensor().repeat(2, axis=0), r'got float32 \(2, 3, 8, 12\)'),
        (tensor().tolist(), 'got list'),
        (None, 'got NoneType'),
        (tensor(value=np.nan), 'NaN or infinity'),
        (tensor(value=np.inf), 'NaN or infinity'),
        (tensor(value=-np.inf), 'NaN or infinity'),
        (tensor(value=3e38), 'not finite'),
    ],
)
def test_what_is_no_tensor_of_the_cut_is_refused(model, x, message):
    with pytest.raises(RefusedError, match=message) as caught:
        model.stage(0, 2).run(x)
    assert caught.value.reason is Refusal.TENSOR


def test_a_tensor_in_another_order_in_memory_is_the_same(model):
    x = np.random.default_rng(1).random((12, 8, 3, 1), dtype=np.float32).T
    np.testing.assert_array_equal(model.stage(0, 2).run(x), 4 * x)


def test_stages_are_kept_until_their_weights_are_too_many(monkeypatch):
    model = Model(sealed())
    first = model.stage(0, 1)
    assert model.stage(0, 1) is first
    monkeypatch.setattr(module, 'KEPT_BYTES', 5 * first.size // 2)
    second = model.stage(1, 2)
    assert model.stage(0, 1) is first  # used again, so the other one is older
    model.stage(0, 2)
    assert model.stage(0, 1) is first
    assert model.stage(1, 2) is not second


def test_a_picture_is_stretched_and_scaled(model):
    rgb = np.empty((30, 20, 3), dtype=np.uint8)
    rgb[:] = 100, 170, 50
    x = model.prepare(rgb)
    assert x.shape == (1, 3, 8, 12) and x.dtype == np.float32
    np.testing.assert_allclose(x[0, :, 0, 0], [0, 1, -1])
    assert np.ptp(x, axis=(2, 3)).max() == 0


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'x.onnx'
    save(b'old', path)
    save(b'new', path)
    assert path.read_bytes() == b'new' and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ConfigError, match='cannot be written'):
        save(b'new', path / 'below.onnx')
