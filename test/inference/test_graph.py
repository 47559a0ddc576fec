"""Real networks are cut where everything flows through one tensor, and answer the same."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import onnx
from onnx import helper
import onnxruntime
import pytest
import torch
from torch import nn

from collab_robots.core.errors import ConfigError
from collab_robots.inference.classifier import EXPORT_COMMAND, model_path
from collab_robots.inference.graph.cuts import find_cuts
from collab_robots.inference.graph.trace import trace
from collab_robots.inference.graph.zoo import ZOO
from collab_robots.inference.model import Model, Preparation, save

# Tracing ResNet-18 takes a while where other things run, too.
pytestmark = pytest.mark.timeout(240)
PREPARATION = Preparation(mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))
# As a share of the largest logit; measured: at most 2.2e-6 (MobileNetV2).
TOLERANCE = 1e-5
EFFICIENTNET = 'efficientnet_lite0'
CUTS = {EFFICIENTNET: 34, 'resnet18': 13, 'mobilenet_v2': 35, 'vit': 18}
BLOCKS = [
    ('image', 3, 224),
    ('_swish', 32, 112),
    ('_blocks.0._swish', 32, 112),
    ('_blocks.0._bn2', 16, 112),
    ('_blocks.1._swish', 96, 112),
    ('_blocks.1._swish_2', 96, 56),
    ('_blocks.1._bn2', 24, 56),
    ('_blocks.2', 24, 56),
    ('_blocks.3._swish', 144, 56),
    ('_blocks.3._swish_2', 144, 28),
    ('_blocks.3._bn2', 40, 28),
    ('_blocks.4', 40, 28),
    ('_blocks.5._swish', 240, 28),
    ('_blocks.5._swish_2', 240, 14),
    ('_blocks.5._bn2', 80, 14),
    ('_blocks.6', 80, 14),
    ('_blocks.7', 80, 14),
    ('_blocks.8._swish', 480, 14),
    ('_blocks.8._swish_2', 480, 14),
    ('_blocks.8._bn2', 112, 14),
    ('_blocks.9', 112, 14),
    ('_blocks.10', 112, 14),
    ('_blocks.11._swish', 672, 14),
    ('_blocks.11._swish_2', 672, 7),
    ('_blocks.11._bn2', 192, 7),
    ('_blocks.12', 192, 7),
    ('_blocks.13', 192, 7),
    ('_blocks.14', 192, 7),
    ('_blocks.15._swish', 1152, 7),
    ('_blocks.15._swish_2', 1152, 7),
    ('_blocks.15._bn2', 320, 7),
    ('_swish_2', 1280, 7),
]


@pytest.fixture(scope='module', params=CUTS)
def model(request) -> Model:
    if request.param in ZOO:
        return Model(trace(ZOO[request.param](), (224, 224), PREPARATION))
    if not model_path().exists():
        pytest.skip(f'no model: run {EXPORT_COMMAND}')
    return Model.load(model_path())


def test_head_and_tail_of_every_cut_answer_like_the_whole(model, request):
    assert len(model.cuts) == CUTS[request.node.callspec.params['model']]
    last = len(model.cuts) - 1
    whole, generator = model.stage(0, last), np.random.default_rng(3)
    pictures = [generator.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in range(2)]
    images = [model.prepare(picture) for picture in pictures]
    answers = [whole.run(image) for image in images]
    largest = np.abs(answers[0]).max()
    assert np.abs(answers[0] - answers[1]).max() > 100 * TOLERANCE * largest
    for cut in model.cuts[1:-1]:
        head, tail = model.stage(0, cut.index), model.stage(cut.index, last)
        for image, answer in zip(images, answers, strict=True):
            between = head.run(image)
            assert between.shape == (1, *cut.shape)
            np.testing.assert_allclose(tail.run(between), answer, rtol=0, atol=TOLERANCE * largest)


def test_a_way_over_every_cut_answers_like_the_whole(model):
    x = model.prepare(np.full((64, 64, 3), 200, dtype=np.uint8))
    last = len(model.cuts) - 1
    answer = model.stage(0, last).run(x)
    for index in range(last):
        x = model.stage(index, index + 1).run(x)
    np.testing.assert_allclose(x, answer, rtol=0, atol=TOLERANCE * np.abs(answer).max())


def test_the_cuts_of_the_default_model():
    if not model_path().exists():
        pytest.skip(f'no model: run {EXPORT_COMMAND}')
    cuts = Model.load(model_path()).cuts
    assert [(cut.name, cut.shape) for cut in cuts] == [
        *((name, (channels, side, side)) for name, channels, side in BLOCKS),
        ('view', (1280,)),
        ('logits', (1000,)),
    ]
    assert [cut.index for cut in cuts] == list(range(len(cuts)))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
        for part in self.parameters():
            part.data = torch.randn(part.shape, generator=generator) / 4

    def forward(self, x):
        return self.second(self.first(x).relu())


class Branches(Small):
    def forward(self, x):
        y = self.first(x)
        return self.second(y) if y.sum() > 0 else y


class Raises(Small):
    def forward(self, x):
        raise ValueError('not for you')


class Answers(Small):
    def forward(self, x):
        y = self.first(x)
        return self.second(y), y


class Bypassed(Small):
    def forward(self, x):
        return self.second(self.first(x)) + x.mean()


class Constant(Small):
    def forward(self, x):
        return torch.ones(1, 4)


class Chooses(Small):
    def forward(self, x):
        return super().forward(x).argmax(1)


class Noisy(Small):
    def forward(self, x):
        return super().forward(x) + torch.rand(1)


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        (Branches, 'Branches cannot be traced'),
        (Raises, 'Raises cannot be traced: not for you'),
        (Answers, '1 output, got 1 and 2'),
        (Bypassed, 'carries everything'),
        (Constant, 'carries everything'),
        (Chooses, 'carries everything'),
        (Noisy, 'differs from torch'),
    ],
)
def test_what_cannot_be_traced_or_cut_is_named(kind, message):
    with pytest.raises(ConfigError, match=message):
        trace(kind(), (16, 16), PREPARATION)


def test_a_small_model_with_its_own_files(tmp_path):
    proto = trace(Small(), (16, 20), PREPARATION)
    again = trace(Small(), (16, 20), PREPARATION)
    assert proto.SerializeToString(deterministic=True) == again.SerializeToString(
        deterministic=True
    )
    model = Model(proto)
    assert [(cut.name, cut.shape) for cut in model.cuts] == [
        ('image', (3, 16, 20)),
        ('relu', (4, 14, 18)),
        ('logits', (5, 12, 16)),
    ]
    x = model.prepare(np.eye(64, dtype=np.uint8)[:, :, None].repeat(3, axis=2) * 255)
    y = x
    for start, end in ((0, 1), (1, 2)):
        path = tmp_path / 'deep' / f'{start}.onnx'
        save(model.onnx(start, end), path)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
        (y,) = session.run(None, {session.get_inputs()[0].name: y})
    np.testing.assert_allclose(y, model.stage(0, 2).run(x), rtol=1e-5, atol=1e-6)


def test_robots_run_models_without_torch():
    code = 'import sys, collab_robots.inference.classifier as c; print("torch" in sys.modules, c)'
    done = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith('False')


def graph_of(nodes: list[tuple[str, list[str], list[str]]]) -> onnx.GraphProto:
    ends = [helper.make_empty_tensor_value_info(name) for name in ('in', 'out')]
    made = [helper.make_node(kind, inputs, outputs) for kind, inputs, outputs in nodes]
    return helper.make_graph(made, 'test', ends[:1], ends[1:])


@st.composite
def graphs(draw) -> list[tuple[str, list[str], list[str]]]:
    """Nodes of one or two outputs, each fed by something before it or by a weight."""
    tensors, nodes = ['in', 'weight'], []
    for number in range(draw(st.integers(1, 12))):
        recent = st.sampled_from(tensors[-4:] if draw(st.booleans()) else tensors)
        inputs = draw(st.lists(recent, min_size=1, max_size=3))
        outputs = [f'{number}.{part}' for part in range(draw(st.integers(1, 2)))]
        nodes.append(('Conv', inputs, outputs))
        tensors += outputs
    return [*nodes, ('Conv', draw(st.lists(st.sampled_from(tensors[2:]), min_size=1)), ['out'])]


def reaches(nodes, without: str | None) -> bool:
    seen = {'in'} - {without}
    for _, inputs, outputs in nodes:
        if seen & set(inputs):
            seen |= set(outputs) - {without}
    return 'out' in seen


@given(graphs())
def test_cuts_are_what_disconnects_the_output_from_the_input(nodes):
    tensors = ['in', *(name for _, _, outputs in nodes for name in outputs)]
    connected = reaches(nodes, None)
    expected = [name for name in tensors if connected and not reaches(nodes, name)]
    assert find_cuts(graph_of(nodes)) == expected


def test_of_cuts_that_carry_the_same_the_last_stays():
    nodes = [
        ('Mul', ['in', 'weight'], ['scaled']),  # as good as the input, which stays
        ('Conv', ['scaled'], ['conv']),
        ('Sigmoid', ['conv'], ['gate']),
        ('Mul', ['conv', 'gate'], ['silu']),
        ('Reshape', ['silu', 'shape'], ['flat']),
        ('Gemm', ['flat'], ['gemm']),
        ('Identity', ['gemm'], ['out']),  # the output stays
    ]
    assert find_cuts(graph_of(nodes)) == ['in', 'flat', 'out']


def test_a_graph_within_a_node_is_refused():
    node = helper.make_node('If', ['in'], ['out'], then_branch=graph_of([]))
    ends = [helper.make_empty_tensor_value_info(name) for name in ('in', 'out')]
    with pytest.raises(ConfigError, match='graph of its own'):
        find_cuts(helper.make_graph([node], 'test', ends[:1], ends[1:]))
