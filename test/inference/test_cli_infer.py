"""The command line of collaborative inference, from a torch module to a picture's name."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image
import pytest
from typer.testing import CliRunner, Result

from collab_robots.cli import app, BAD_INPUT, OK
from collab_robots.inference.model import Model
from collab_robots.inference.options import LOCAL, Option
from collab_robots.inference.outfit import TRAINED
from collab_robots.inference.profile.sheet import Sheet, SHEET_FILE

# Torch takes long to import where other things run, too.
pytestmark = pytest.mark.timeout(240)
RUNNER = CliRunner()
DOMAIN = 86
# So much work at the end that help pays.
NET = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(8, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 5),
    )

def make_number():
    return 5
"""
COLOURS = ((220, 30, 30), (30, 200, 40), (20, 40, 210), (230, 220, 40))


def _infer(*arguments: str | Path) -> Result:
    environment = {'COLUMNS': '200', 'NO_COLOR': '1'}
    return RUNNER.invoke(app, ['infer', *map(str, arguments)], env=environment)


def _said(result: Result) -> str:
    """Return what a command printed that went well."""
    assert result.exit_code == OK, result.output
    return result.stdout


@pytest.fixture(scope='module')
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder with a net, its model, its profile, and pictures."""
    folder = tmp_path_factory.mktemp('infer')
    (folder / 'cli_net.py').write_text(NET)
    (folder / 'pictures').mkdir()
    for number, colour in enumerate(COLOURS):
        Image.new('RGB', (48, 40), colour).save(folder / f'pictures/{number}.png')
    (folder / 'empty').mkdir()
    data = (folder / 'pictures/0.png').read_bytes()
    (folder / 'damaged.png').write_bytes(data[: len(data) // 2])
    (folder / 'other.csv').write_text('file,class_index\nother.png,1\n')
    (folder / 'text.onnx').write_text('no model')
    before = Path.cwd()
    os.chdir(folder)
    try:
        _said(_infer('export', 'cli_net:make', 'net.onnx', '--size', '32'))
        _said(_infer('profile', 'net.onnx', 'pictures'))
        yield folder
    finally:
        os.chdir(before)


def _answers(model: Model, folder: Path) -> list[int]:
    """Return what the whole model says of each picture."""
    whole = model.stage(0, len(model.cuts) - 1)
    pictures = (np.asarray(Image.open(path)) for path in sorted(folder.glob('*.png')))
    return [int(whole.run(model.prepare(rgb)).argmax()) for rgb in pictures]


def test_head_and_tail_of_a_cut_are_the_whole(place: Path) -> None:
    told = json.loads(_said(_infer('cuts', 'net.onnx', '--json')))
    model = Model.load(place / 'net.onnx')
    assert told['model'] == model.hash.hex()
    assert [tuple(cut['shape']) for cut in told['cuts']] == [cut.shape for cut in model.cuts]
    assert told['cuts'][0]['numbers'] == 3 * 32 * 32
    assert model.hash.hex() in _said(_infer('cuts', 'net.onnx'))

    head, tail = _said(_infer('cuts', 'net.onnx', '--write', '2', '--out', 'parts')).split()
    tensor = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    value = tensor
    for path in (head, tail):
        session = onnxruntime.InferenceSession(place / path)
        (value,) = session.run(None, {session.get_inputs()[0].name: value})
    whole = model.stage(0, len(model.cuts) - 1).run(tensor)
    np.testing.assert_allclose(value, whole, atol=1e-5)


def test_a_profile_is_of_its_model_and_right_by_its_labels(place: Path) -> None:
    model = Model.load(place / 'net.onnx')
    assert Sheet.load(place / 'net.profile' / SHEET_FILE, model.hash).rows[LOCAL].accuracy == 1.0
    answers = _answers(model, place / 'pictures')
    answers[0] = (answers[0] + 1) % 5
    rows = [f'{number}.png,{answer}' for number, answer in enumerate(answers)]
    (place / 'labels.csv').write_text('\n'.join(['file,class_index', *rows]))
    told = _said(
        _infer(
            *('profile', 'net.onnx', 'pictures', 'damaged.png', '--labels', 'labels.csv'),
            *('--out', 'labelled', '--json'),
        )
    )
    assert json.loads(told)['pictures'] == len(COLOURS)
    sheet = Sheet.load(place / 'labelled' / SHEET_FILE, model.hash)
    assert sheet.rows[LOCAL].accuracy == 0.75
    assert sheet.rows[LOCAL].agreement == 1.0


def test_a_plan_follows_the_link_and_says_why(place: Path) -> None:
    rates = ('0.001', '1', '100')
    chosen = [part for rate in rates for part in ('--rate', rate)]
    rows = json.loads(_said(_infer('plan', 'net.onnx', '--slow', '50', *chosen, '--json')))
    assert [row['rate_mbit'] for row in rows] == [0.001, 1, 100]
    assert rows[0]['option'] == 'local'
    assert Option.parse(rows[2]['option']).remote
    totals = [row['total_s'] for row in rows]
    assert totals == sorted(totals, reverse=True)
    why = _said(_infer('plan', 'net.onnx', '--slow', '50', '--rate', '100', '--why'))
    assert f'{rows[2]["option"]} with helper: the least cost' in why
    assert 'local if the link had below' in why
    table = _said(_infer('plan', 'net.onnx', '--slow', '50', *chosen))
    *shown, energy = table.splitlines()[1:]
    assert [line.split()[0] for line in shown] == list(rates)
    assert energy.startswith('Energy is ')


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['cuts', 'nowhere.onnx'], 'nowhere.onnx: cannot be read'),
        (['cuts', 'text.onnx'], 'text.onnx: not an ONNX model'),
        (['cuts', 'net.onnx', '--write', '77'], 'got 0 and 77'),
        (['export', 'cli_net', 'o.onnx'], 'expected MODULE:FUNCTION'),
        (['export', 'no_such_module:make', 'o.onnx'], 'ModuleNotFoundError'),
        (['export', 'cli_net:none', 'o.onnx'], "no attribute 'none'"),
        (['export', 'cli_net:make_number', 'o.onnx'], 'expected a torch module, got int'),
        (['export', 'cli_net:make', 'o.onnx', '--std', '0', '0', '0'], 'std'),
        (['profile', 'net.onnx', 'empty'], 'no pictures in empty'),
        (['profile', 'net.onnx', 'damaged.png'], 'no picture: damaged.png'),
        (['profile', 'net.onnx', 'pictures', '--labels', 'nowhere.csv'], 'cannot be read'),
        (['profile', 'net.onnx', 'pictures', '--labels', 'damaged.png'], 'file, class_index'),
        (['profile', 'net.onnx', 'pictures', '--labels', 'other.csv'], 'none of these pictures'),
        (['profile', 'efficientnet_lite0', 'pictures'], 'name a folder with --out'),
        (['plan', 'net.onnx', '--profile', 'empty'], 'make it with: collab-robots infer profile'),
        (['plan', 'net.onnx', '--profile', str(TRAINED)], 'of model'),
        (['plan', 'net.onnx', '--rate', 'nan'], '--rate'),
        (['run', 'net.onnx', 'nowhere.png'], 'nowhere.png: cannot be read'),
        (['run', 'net.onnx', 'pictures', '--helper', 'no such host'], 'no such host'),
        (['serve', 'net.onnx', '--name', 'Desk 1'], 'expected a name of a-z, 0-9 and _'),
    ],
)
def test_what_is_wrong_is_said_in_words(place: Path, arguments: list[str], words: str) -> None:
    result = _infer(*arguments)
    assert result.exit_code == BAD_INPUT
    assert words in ' '.join(result.stderr.split())
    assert not (place / 'o.onnx').exists()


def test_another_process_names_the_pictures(place: Path) -> None:
    def command(name: str, *arguments: str) -> list[str]:
        mine = ['infer', name, 'net.onnx', *arguments, '--domain', str(DOMAIN)]
        return [sys.executable, '-m', 'collab_robots.cli', *mine]

    def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)

    alone = run('run', 'pictures', 'damaged.png', '--wait', '0', '--json')
    assert alone.returncode == 1
    assert 'nobody offers to help' in alone.stderr
    assert 'no readable picture' in rows(alone)[-1]['refused']
    with subprocess.Popen(
        command('serve', '--name', 'desk'), stdout=subprocess.PIPE, text=True
    ) as helper:
        try:
            assert helper.stdout is not None
            assert helper.stdout.readline().startswith('desk serves model ')
            helped = run('run', 'pictures', '--slow', '50', '--wait', '30', '--json')
            compared = run('bench', 'pictures', '--slow', '50', '--wait', '30', '--json')
        finally:
            helper.send_signal(signal.SIGTERM)
    assert helper.returncode == OK
    assert helped.returncode == OK, helped.stderr
    assert {row['helper'] for row in rows(helped)} == {'desk'}
    assert all(row['bytes'] > 0 for row in rows(helped))
    model = Model.load(place / 'net.onnx')
    answers = [str(answer) for answer in _answers(model, place / 'pictures')]
    assert [row['top'][0][0] for row in rows(helped)] == answers
    assert [row['top'][0][0] for row in rows(alone)[:-1]] == answers
    assert [row['bytes'] for row in rows(alone)[:-1]] == [0] * len(answers)
    result = json.loads(compared.stdout)
    assert result['helpers'] == ['desk']
    assert [way['way'] for way in result['ways']] == ['alone', 'JPEG 75', 'JPEG 90', 'planned']
    assert [way['helped'] for way in result['ways'][:3]] == [0, 1, 1]
