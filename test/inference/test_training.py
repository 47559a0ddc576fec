"""What training does with pictures, transforms and thresholds."""

from pathlib import Path

import numpy as np
import pytest
import skimage

from collab_robots.core.errors import RefusedError
from collab_robots.inference.bottleneck import Graph

torch = pytest.importorskip('torch')

from collab_robots.inference.training import bottlenecks, judge, pictures, shortcuts  # noqa: E402
from collab_robots.inference.training.__main__ import main  # noqa: E402
from collab_robots.inference.training.chain import Chain  # noqa: E402
from collab_robots.inference.training.files import to_onnx  # noqa: E402

PHOTOGRAPHS = Path(skimage.__file__).parent / 'data'
SHAPE = (6, 8, 8)


@pytest.fixture
def chain():
    """Make a network of three sections whose first cut is (6, 8, 8)."""
    torch.manual_seed(1)
    first = torch.nn.Conv2d(3, 6, 1)
    second = torch.nn.Sequential(torch.nn.Conv2d(6, 6, 3, padding=1), torch.nn.ReLU())
    last = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(6, 5))
    return Chain([first, second, last])


@pytest.fixture
def features(chain):
    """Tensors at the first cut, smooth as those of pictures are, and the answers."""
    torch.manual_seed(2)
    small = torch.randn(96, 3, 3, 3)
    x = torch.nn.functional.interpolate(small, (8, 8), mode='bilinear')
    with torch.no_grad():
        at = chain.run(0, 1, x)
        return at.numpy().astype(np.float16), chain.run(1, 3, at).numpy().astype(np.float16)


def test_the_same_seed_gives_the_same_views():
    shots = [pictures.read(PHOTOGRAPHS / name) for name in ('coffee.png', 'chelsea.png')]
    first, second = (list(pictures.views(shots, 5, np.random.default_rng(3))) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert {view.shape for view in first} == {(256, 256, 3)}
    assert (first[0] != first[2]).any()


def test_pictures_are_no_larger_than_needed(tmp_path):
    assert min(pictures.read(PHOTOGRAPHS / 'astronaut.png').shape[:2]) == pictures.KEPT_SIDE
    (tmp_path / 'a.jpg').touch()
    with pytest.raises(RefusedError):
        pictures.read(tmp_path / 'a.jpg')


def test_labelled_pictures_are_halved_by_name():
    paths = [Path(f'{number}.png') for number in range(200)]
    half = sum(map(pictures.is_validation, paths))
    assert 70 < half < 130
    assert half == sum(pictures.is_validation(Path('elsewhere', path)) for path in paths)


def test_a_wide_transform_with_small_steps_is_undone(chain, features):
    metric = bottlenecks.sensitivity(chain, 1, features[0][:32])
    assert metric.trace() == pytest.approx(1.0)
    recipe = bottlenecks.Recipe('cut', 2, 24, 0.7)
    encoder, decoder = bottlenecks.solve(recipe, metric, features[0])
    x = torch.from_numpy(features[0].astype(np.float32))
    with torch.no_grad():
        sent = encoder(x)
        back = decoder(sent)
        theirs = chain.run(1, 3, x)
        ours = chain.run(1, 3, back)
    assert sent.shape[1:] == encoder.sent
    assert sent.min() >= -8 and sent.max() <= 7
    assert (ours - theirs).std() < 0.1 * theirs.std()


def test_lessons_with_lost_chunks_make_the_loss_of_chunks_cheaper(chain, features):
    recipe = bottlenecks.Recipe('cut', 2, 16, 0.7)
    harms = []
    for steps in (0, 150):
        torch.manual_seed(4)
        ends = bottlenecks.train(
            chain, 1, recipe, *features, steps, np.random.default_rng(4), rate=1e-2
        )
        torch.manual_seed(5)
        with torch.no_grad():
            x = torch.from_numpy(features[0].astype(np.float32))
            ours = chain.run(1, 3, ends[1](bottlenecks.lose(ends[0](x), 6, 0.3)))
            theirs = torch.from_numpy(features[1].astype(np.float32))
            harms.append(
                float(
                    torch.nn.functional.kl_div(
                        ours.log_softmax(1),
                        theirs.log_softmax(1),
                        log_target=True,
                        reduction='batchmean',
                    )
                )
            )
    assert harms[1] < 0.8 * harms[0]


def test_a_lost_chunk_is_every_nth_channel():
    torch.manual_seed(0)
    sent = bottlenecks.lose(torch.ones(200, 16, 2, 3), 4, 0.5)
    flat = sent.amax((2, 3))
    assert ((flat == 0) | (flat == 1)).all()
    assert all((flat[:, first] == flat[:, first + 4]).all() for first in range(12))
    assert 0.4 < flat.mean() < 0.6


def test_a_short_cut_first_hands_nearly_all_through_then_learns(chain, features):
    start, learnt = (
        shortcuts.train(chain, 1, 2, features[0], steps, np.random.default_rng(0), rate=1e-2)
        for steps in (0, 60)
    )
    x = torch.from_numpy(features[0].astype(np.float32))
    with torch.no_grad():
        assert (start(x) - x).abs().max() < 0.1
        aim = chain.run(1, 2, x)
        assert (learnt(x) - aim).square().mean() < 0.5 * (x - aim).square().mean()


def test_a_file_with_halved_weights_computes_the_same():
    torch.manual_seed(0)
    shortcut = shortcuts.Shortcut(24).eval()
    torch.nn.init.normal_(shortcut.block[-1].weight, std=0.1)
    data = to_onnx(shortcut, torch.zeros(1, 24, 7, 7))
    assert str(Path.cwd()).encode() not in data and b'.py' not in data
    size = sum(4 * parameter.numel() for parameter in shortcut.parameters())
    assert len(data) < 0.65 * size
    x = torch.randn(1, 24, 7, 7)
    with torch.no_grad():
        theirs = shortcut(x).numpy()
    ours = Graph(data, (24, 7, 7), (24, 7, 7)).run(x.numpy())
    np.testing.assert_allclose(ours, theirs, atol=5e-3)


def test_a_temperature_makes_confidence_true():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 10)).astype(np.float32) * 2
    powers = np.exp(logits)
    chances = powers / powers.sum(axis=1, keepdims=True)
    answers = np.array([rng.choice(10, p=row / row.sum()) for row in chances.astype(np.float64)])
    assert judge.temperature(logits, answers) == pytest.approx(1.0, rel=0.1)
    assert judge.temperature(3 * logits, answers) == pytest.approx(3.0, rel=0.1)


def test_a_threshold_is_the_least_that_does_no_harm():
    sure = np.linspace(0, 1, 1000)
    labels = np.zeros(1000, dtype=np.int64)
    early = (sure < 0.6).astype(np.int64)  # wrong below 0.6
    rows = judge.exit_rows(sure, early, labels, labels)
    assert judge.threshold(rows) == 0.6
    assert rows[0]['share'] == pytest.approx(0.8, abs=0.01)
    always = np.ones(1000)
    assert judge.threshold(judge.exit_rows(always, 1 - labels, labels, labels)) == 1.0


def test_the_command_names_what_is_missing(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(['--pictures', str(tmp_path), '--labelled', str(tmp_path), '--out', str(tmp_path)])
    assert stop.value.code == 1
    assert 'index.csv' in capsys.readouterr().err or 'make it' in capsys.readouterr().err
