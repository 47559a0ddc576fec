"""The inference benchmark: its smallest run, and what it draws and counts."""

import csv
import json
from pathlib import Path
import subprocess
import sys

import numpy as np
from PIL import Image
import pytest
from runtime_team import picture, tiny_model, whole

from benchmarks.inference_pictures import Labelled
from benchmarks.inference_plots import chart
from benchmarks.inference_rates import Cell, RATES, statics
from benchmarks.inference_trace import trace
from benchmarks.inference_ways import (
    BATCH,
    Coder,
    Cost,
    DYNO,
    FLOAT,
    measure,
    OURS,
    Way,
    worthwhile,
)
from collab_robots.inference.options import Kind, LOCAL, Option

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pictures(tmp_path):
    folder, rng = tmp_path / 'pictures', np.random.default_rng(1)
    folder.mkdir()
    with (folder / 'index.csv').open('w', newline='') as table:
        rows = csv.writer(table)
        rows.writerow(['file', 'class_index'])
        for number in range(3):
            pixels = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f'{number}.png')
            rows.writerow([f'{number}.png', number])
    return folder


def test_the_runtimes_are_compared_on_any_labelled_pictures(tmp_path, pictures):
    out = tmp_path / 'out.json'
    command = [sys.executable, '-m', 'benchmarks.inference', '--quick', '--part', 'runtimes']
    done = subprocess.run(
        [*command, '--images', pictures, '--out', out],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(out.read_text())
    assert written['options']['pictures'] == 3
    figures = written['figures']['runtimes']
    assert {'ONNX Runtime', 'eager torch', 'frozen TorchScript'} <= set(figures)
    for found in figures.values():
        assert 0 < found['median'] <= found['p95'] and found['difference'] < 1e-3


def test_the_trace_is_the_same_for_a_seed_and_stays_in_its_range():
    rates = trace(7, 200)
    assert rates == trace(7, 200) != trace(8, 200)
    assert RATES[0] <= min(rates) < 2 and 50 < max(rates) <= RATES[-1]


def test_a_cut_is_worthwhile_if_no_earlier_one_has_less():
    shapes = [(3, 8, 8), (4, 8, 8), (2, 8, 8), (3, 7, 7), (2, 8, 8), (9,), (5,)]
    assert worthwhile(shapes) == [2, 4, 5]


def test_fixed_ways_of_later_cuts_are_tried_only_if_they_send_less():
    def split(cut, bits):
        return Option(Kind.SPLIT, cut, bits)

    costs = {
        Way.of(OURS, LOCAL): Cost(0, 0.9),
        Way.of(OURS, Option(Kind.JPEG, quality=50)): Cost(7000, 0.895),
        Way.of(OURS, Option(Kind.JPEG, quality=30)): Cost(5000, 0.8),
        Way.of(OURS, split(4, 4)): Cost(6000, 0.9),
        Way.of(OURS, split(4, 2)): Cost(3000, 0.5),
        Way.of(OURS, split(5, 4)): Cost(6500, 0.9),
        Way.of(OURS, split(6, 3)): Cost(2000, 0.9),
        Way.of(DYNO, split(6, 2)): Cost(1000, 0.9),
    }
    assert statics(costs) == [Option(Kind.JPEG, quality=50), split(4, 4), split(6, 3)]


def test_a_coder_packs_tensors_its_own_way_and_answers_as_ours():
    coder = Coder((10,), DYNO)
    tensor = np.random.default_rng(2).standard_normal((4, 6, 6)).astype(np.float32)
    answer = tensor.reshape(-1)[:10].copy()
    ours = Coder((10,))
    assert coder.encode(answer, 8, chunk_bytes=900) == ours.encode(answer, 8, chunk_bytes=900)
    chunks = coder.encode(tensor, 8, chunk_bytes=900)
    assert chunks != ours.encode(tensor, 8, chunk_bytes=900)
    assert np.abs(coder.decode(chunks, tensor.shape, 8).tensor - tensor).max() < 0.02


def test_every_picture_counts_in_what_a_way_costs():
    model, rgbs = tiny_model(), [picture(seed) for seed in range(BATCH + 8)]
    answers = [int(whole(rgb).argmax()) for rgb in rgbs]
    pictures = [
        Labelled(rgb, answer if index < BATCH else (answer + 1) % 10)
        for index, (rgb, answer) in enumerate(zip(rgbs, answers, strict=True))
    ]
    ways = [Way(FLOAT, Option(Kind.SPLIT, cut, 32)) for cut in (2, 1)]
    ways.append(Way(DYNO, Option(Kind.SPLIT, 1, 8)))
    found = measure(model, ways, pictures)
    assert set(found) == set(ways)
    for way in ways[:2]:
        assert found[way].top1 == BATCH / len(pictures)
        values = np.prod(model.cuts[way.option.cut].shape)
        assert 4 * values < found[way].bytes < 5 * values
    assert found[ways[2]].bytes < found[ways[1]].bytes


def test_a_cells_accuracy_is_that_of_the_ways_its_frames_took():
    jpeg = Option(Kind.JPEG, quality=75)
    lines = [
        {'packing': way.packing, 'option': str(way.option), 'seconds': 0.1 * number}
        for number, way in enumerate([Way.of(OURS, LOCAL), *[Way.of(OURS, jpeg)] * 3], 1)
    ]
    cell = Cell('ours', {}, 1.0, lines)
    costs = {Way.of(OURS, LOCAL): Cost(0, 0.9), Way.of(OURS, jpeg): Cost(9, 0.8)}
    assert cell.accuracy(costs) == pytest.approx(0.825)
    assert cell.usual() == 'jpeg75'
    assert cell.median == pytest.approx(250)


def test_a_figure_is_the_same_file_for_the_same_points(tmp_path):
    series = {'ours': [(2.0, 3.0), (1.0, 4.0)], 'other': [(1.0, 5.0), (2.0, 6.0)]}
    for name in ('a.svg', 'b.svg'):
        chart(tmp_path / name, 'title', ('x', 'y'), series, 'xy')
    text = (tmp_path / 'a.svg').read_text()
    assert text == (tmp_path / 'b.svg').read_text()
    assert '>ours<' in text and '>other<' in text
