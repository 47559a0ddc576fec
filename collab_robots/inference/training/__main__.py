"""
Train the exits and bottlenecks of EfficientNet-Lite0: ``python -m collab_robots.inference.training``.

The network is frozen and teaches; pictures to learn from need no labels. Thresholds are chosen with
one half of the labelled pictures, and what is claimed is measured with the other; neither half may
be learned from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import hashlib
import json
from pathlib import Path
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collab_robots.core.errors import CollabError, ConfigError
from collab_robots.inference.bottleneck import Bottleneck
from collab_robots.inference.classifier import model_path
from collab_robots.inference.exits import Exit, TRAINED_FILE
from collab_robots.inference.export import load_torch
from collab_robots.inference.model import Model, save
from collab_robots.inference.training import bottlenecks, judge, pictures, shortcuts
from collab_robots.inference.training.chain import Chain, efficientnet_lite0
from collab_robots.inference.training.files import to_onnx

Features = npt.NDArray[np.float16]
BOTTLENECKS = (
    bottlenecks.Recipe('_blocks.3._bn2', 4, 256, 1.3),
    bottlenecks.Recipe('_blocks.5._bn2', 2, 192, 1.4),
)
EXIT = ('_blocks.11._bn2', '_blocks.14')
SAME = 1e-3  # how far a tensor of the chain is from the model's, at most


def match(model: Model, chain: Chain) -> dict[str, int]:
    """Return the chain's cut for each of the model's by name, if both have it."""
    found = {}
    x = np.random.default_rng(0).uniform(-1, 1, (1, *model.cuts[0].shape)).astype(np.float32)
    with torch.no_grad():
        theirs = [chain.run(0, cut, torch.from_numpy(x)).numpy() for cut in range(1, chain.last)]
    ours, at = x, 0
    for cut in model.cuts[1:-1]:
        ours, at = model.stage(at, cut.index).run(ours), cut.index
        for number, their in enumerate(theirs, 1):
            if their.shape == ours.shape and np.abs(their - ours).max() < SAME:
                found[cut.name] = number
    return found


def learn_from(
    model: Model,
    cuts: Sequence[int],
    shots: Sequence[pictures.Rgb],
    count: int,
    rng: np.random.Generator,
) -> dict[int, Features]:
    """Return what the model makes of ``count`` random views, at ascending cuts, (count, …)."""
    found = {cut: np.empty((count, *model.cuts[cut].shape), dtype=np.float16) for cut in cuts}
    for number, view in enumerate(pictures.views(shots, count, rng)):
        x, at = model.prepare(view), 0
        for cut in cuts:
            x, at = model.stage(at, cut).run(x), cut
            found[cut][number] = x[0]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='python -m collab_robots.inference.training',
        description='Train the exits and bottlenecks of EfficientNet-Lite0.',
    )
    parser.add_argument(
        '--pictures', type=Path, nargs='+', required=True, help='folders to learn from'
    )
    parser.add_argument('--labelled', type=Path, required=True, help='folder with index.csv')
    parser.add_argument(
        '--out', type=Path, default=Path(__file__).parents[1] / 'trained' / 'efficientnet_lite0'
    )
    parser.add_argument('--views', type=int, default=2700, help='random views to learn from')
    parser.add_argument('--steps', type=int, default=120, help='of each decoder, and of the exit')
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        _train(options)
    except (CollabError, OSError) as error:
        parser.exit(1, f'{error}\n')
    return 0


def _train(options: argparse.Namespace) -> None:
    begun = time.process_time()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    model = Model.load(model_path())
    chain = efficientnet_lite0(load_torch())
    links = match(model, chain)
    indices = {cut.name: cut.index for cut in model.cuts}
    labelled = pictures.labelled(options.labelled)
    held_out = {path.name for path, _ in labelled}
    shots = [
        pictures.read(path)
        for path in pictures.find(options.pictures)
        if path.name not in held_out
    ]
    last = len(model.cuts) - 1
    names = [EXIT[0], *(recipe.cut for recipe in BOTTLENECKS)]
    cuts = sorted({indices[name] for name in names} | {last})
    features = learn_from(model, cuts, shots, options.views, rng)
    tests = [model.prepare(pictures.read(path)) for path, _ in labelled]
    labels = np.array([label for _, label in labelled])
    choosing = np.array([pictures.is_validation(path) for path, _ in labelled])
    files: dict[str, bytes] = {}
    made: dict[str, Any] = {'bottlenecks': [], 'exits': []}
    measured: dict[str, Any] = {
        'pictures_learned_from': len(shots),
        'pictures_to_choose_with': int(choosing.sum()),
        'pictures_to_measure_with': int((~choosing).sum()),
        'codes': [],
    }

    def add(name: str, data: bytes) -> dict[str, str]:
        files[name] = data
        return {'name': name, 'sha256': hashlib.sha256(data).hexdigest()}

    for number, recipe in enumerate(BOTTLENECKS):
        cut = indices[recipe.cut]
        shape = model.cuts[cut].shape
        encoder, decoder = bottlenecks.train(
            chain, links[recipe.cut], recipe, features[cut], features[last], options.steps, rng
        )
        ends = (
            to_onnx(encoder, torch.zeros(1, *shape)),
            to_onnx(decoder, torch.zeros(1, *encoder.sent)),
        )
        entry = {'cut': recipe.cut}
        for kind, data in zip(('encoder', 'decoder'), ends, strict=True):
            entry[kind] = add(f'{kind}_{number}.onnx', data)
        made['bottlenecks'].append(entry)
        bottleneck = Bottleneck(cut, shape, *ends)
        inputs = [x for x, chosen in zip(judge.tensors(model, cut, tests), choosing, strict=True)]
        for coded, bits in ((bottleneck, 4), (None, 3), (None, 2)):
            row = judge.code_row(model, cut, bits, inputs, labels, coded, np.random.default_rng(0))
            measured['codes'].append(row)
            print(row, flush=True)
    measured.update(
        _exit(model, chain, links, features, tests, labels, choosing, options, rng, made, add)
    )
    measured['cpu_s'] = round(time.process_time() - begun)
    content = {
        'model': model.hash.hex(),
        'command': 'python -m collab_robots.inference.training '
        f'--views {options.views} --steps {options.steps} --seed {options.seed}',
        **made,
        'measured': measured,
    }
    files[TRAINED_FILE] = (json.dumps(content, indent=1) + '\n').encode()
    for name, data in files.items():
        save(data, options.out / name)


def _exit(model, chain, links, features, tests, labels, choosing, options, rng, made, add):
    start, end = (next(cut.index for cut in model.cuts if cut.name == name) for name in EXIT)
    shortcut = shortcuts.train(
        chain, links[EXIT[0]], links[EXIT[1]], features[start], options.steps, rng
    )
    data = to_onnx(shortcut, torch.zeros(1, *model.cuts[start].shape))
    inputs = judge.tensors(model, start, tests)
    rest = model.stage(start, len(model.cuts) - 1)
    whole = np.array([int(rest.run(x).argmax()) for x in inputs])
    logits, _ = judge.answers(Exit(model, start, end, data, 1.0, 1.0), inputs)
    divisor = judge.temperature(logits[choosing], whole[choosing])
    _, sure = judge.answers(Exit(model, start, end, data, divisor, 1.0), inputs)
    early = logits.argmax(axis=1)
    rows = [
        judge.exit_rows(sure[part], early[part], whole[part], labels[part])
        for part in (choosing, ~choosing)
    ]
    made['exits'].append(
        {
            'cut': EXIT[0],
            'end': EXIT[1],
            'graph': add('exit_0.onnx', data),
            'temperature': divisor,
            'threshold': judge.threshold(rows[0]),
        }
    )
    for row in rows[1]:
        print(row)
    return {'exit_validation': rows[0], 'exit': rows[1]}


if __name__ == '__main__':
    raise SystemExit(main())
