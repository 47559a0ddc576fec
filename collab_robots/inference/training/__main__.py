"""
Train what is shipped for EfficientNet-Lite0: ``python -m collab_robots.inference.training``.

The network is frozen and teaches; pictures to learn from need no labels. Thresholds are chosen
with one half of the labelled pictures, and what exits cost is measured with the other; nothing is
learned from either.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
import hashlib
import json
from pathlib import Path
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collab_robots.core.errors import CollabError
from collab_robots.inference import album
from collab_robots.inference.bottleneck import Bottleneck
from collab_robots.inference.classifier import model_path
from collab_robots.inference.exits import (
    BottleneckEntry,
    Exit,
    ExitEntry,
    File,
    Trained,
    TRAINED_FILE,
    TrainedFile,
)
from collab_robots.inference.export import load_torch
from collab_robots.inference.model import Model, save
from collab_robots.inference.pictures import Rgb
from collab_robots.inference.training import bottlenecks, judge, pictures, shortcuts
from collab_robots.inference.training.chain import Chain, efficientnet_lite0
from collab_robots.inference.training.files import to_onnx

Features = npt.NDArray[np.float16]
BOTTLENECKS = (
    bottlenecks.Recipe('_blocks.3._bn2', 4, 256, 1.3),
    bottlenecks.Recipe('_blocks.5._bn2', 2, 192, 1.4),
)
EXIT = ('_blocks.11._bn2', '_blocks.14')
MODULE = 'collab_robots.inference.training'
OUT = Path(__file__).parents[1] / 'trained' / 'efficientnet_lite0'
SAME = 1e-3  # how far a tensor of the chain is from the model's, at most


def match(model: Model, chain: Chain) -> dict[str, int]:
    """Return the chain's cut for each of the model's by name, if both have it."""
    found = {}
    x = np.random.default_rng(0).uniform(-1, 1, (1, *model.cuts[0].shape)).astype(np.float32)
    with torch.no_grad():
        theirs = [chain.run(0, cut, torch.from_numpy(x)).numpy() for cut in range(1, chain.last)]
    at = 0
    for cut in model.cuts[1:-1]:
        x, at = model.stage(at, cut.index).run(x), cut.index
        for number, their in enumerate(theirs, 1):
            if their.shape == x.shape and np.abs(their - x).max() < SAME:
                found[cut.name] = number
    return found


def look_at(
    model: Model, cuts: Sequence[int], shots: Sequence[Rgb], count: int, rng: pictures.Rng
) -> dict[int, Features]:
    """Return what the model makes of ``count`` random views, at ascending cuts, (count, …)."""
    found = {cut: np.empty((count, *model.cuts[cut].shape), dtype=np.float16) for cut in cuts}
    for number, view in enumerate(pictures.views(shots, count, rng)):
        x, at = model.prepare(view), 0
        for cut in cuts:
            x, at = model.stage(at, cut).run(x), cut
            found[cut][number] = x[0]
    return found


class Lesson:
    """
    One training of all that is shipped.

    :param learned: folders of pictures to learn from.
    :param labelled: folder of pictures to choose and measure with.
    :raises ConfigError: if the model or the pictures are missing.
    """

    def __init__(
        self, learned: Sequence[Path], labelled: Path, views: int, steps: int, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self._steps = steps
        self.model = Model.load(model_path())
        self._chain = efficientnet_lite0(load_torch())
        self._links = match(self.model, self._chain)
        self._cuts = {cut.name: cut.index for cut in self.model.cuts}
        self._last = len(self.model.cuts) - 1
        known = album.labelled(labelled)
        names = {path.name for path, _ in known}
        paths = [path for path in album.find(learned) if path.name not in names]
        self.learned_from = len(paths)
        cuts = {self._cuts[name] for name in (EXIT[0], *(recipe.cut for recipe in BOTTLENECKS))}
        shots = [pictures.read(path) for path in paths]
        self._features = look_at(self.model, [*sorted(cuts), self._last], shots, views, self._rng)
        self._tests = [self.model.prepare(pictures.read(path)) for path, _ in known]
        self._labels = np.array([label for _, label in known])
        self.choosing = np.array([pictures.is_validation(path) for path, _ in known])
        self.files: dict[str, bytes] = {}
        self.codes: list[dict[str, Any]] = []

    def bottleneck(self, number: int, recipe: bottlenecks.Recipe) -> BottleneckEntry:
        """Make a bottleneck, and measure it beside plain levels."""
        cut = self._cuts[recipe.cut]
        encoder, decoder = bottlenecks.train(
            self._chain,
            self._links[recipe.cut],
            recipe,
            self._features[cut],
            self._features[self._last],
            self._steps,
            self._rng,
        )
        shape = self.model.cuts[cut].shape
        ends = (
            to_onnx(encoder, torch.zeros(1, *shape)),
            to_onnx(decoder, torch.zeros(1, *encoder.sent)),
        )
        bottleneck = Bottleneck(cut, shape, *ends)
        inputs = judge.tensors(self.model, cut, self._tests)
        for coded, bits in ((bottleneck, 4), (None, 3), (None, 2)):
            rng = np.random.default_rng(0)
            row = judge.code_row(self.model, cut, bits, inputs, self._labels, coded, rng)
            self.codes.append(row)
            print(row, flush=True)
        first, second = (
            self._keep(f'{kind}_{number}.onnx', data)
            for kind, data in zip(('encoder', 'decoder'), ends, strict=True)
        )
        return BottleneckEntry(cut=recipe.cut, encoder=first, decoder=second)

    def exit(self) -> tuple[ExitEntry, list[dict[str, float]], list[dict[str, float]]]:
        """Make the exit; return also what each threshold costs while choosing, and measured."""
        start, end = (self._cuts[name] for name in EXIT)
        first, second = (self._links[name] for name in EXIT)
        shortcut = shortcuts.train(
            self._chain, first, second, self._features[start], self._steps, self._rng
        )
        data = to_onnx(shortcut, torch.zeros(1, *self.model.cuts[start].shape))
        inputs = judge.tensors(self.model, start, self._tests)
        rest = self.model.stage(start, self._last)
        whole = np.array([int(rest.run(x).argmax()) for x in inputs])
        logits, _ = judge.answers(Exit(self.model, start, end, data, 1.0, 1.0), inputs)
        divisor = judge.temperature(logits[self.choosing], whole[self.choosing])
        _, sure = judge.answers(Exit(self.model, start, end, data, divisor, 1.0), inputs)
        early = logits.argmax(axis=1)
        chosen, measured = (
            judge.exit_rows(sure[part], early[part], whole[part], self._labels[part])
            for part in (self.choosing, ~self.choosing)
        )
        entry = ExitEntry(
            cut=EXIT[0],
            end=EXIT[1],
            graph=self._keep('exit_0.onnx', data),
            temperature=divisor,
            threshold=judge.threshold(chosen),
        )
        return entry, chosen, measured

    def _keep(self, name: str, data: bytes) -> File:
        self.files[name] = data
        return File(name=name, sha256=hashlib.sha256(data).hexdigest())


def train(
    learned: Sequence[Path], labelled: Path, out: Path, *, views: int, steps: int, seed: int
) -> Trained:
    """
    Train all, and write it.

    :param out: folder to write to.
    :param views: random views to learn from.
    :param steps: of each decoder, and of the exit.
    :raises ConfigError: if the model or the pictures are missing, or it cannot be written.
    """
    begun = time.process_time()
    lesson = Lesson(learned, labelled, views, steps, seed)
    made = tuple(lesson.bottleneck(*pair) for pair in enumerate(BOTTLENECKS))
    early, chosen, measured = lesson.exit()
    listed = TrainedFile(
        model=lesson.model.hash.hex(),
        command=f'python -m {MODULE} --views {views} --steps {steps} --seed {seed}',
        exits=(early,),
        bottlenecks=made,
        measured={
            'pictures_learned_from': lesson.learned_from,
            'pictures_chosen_with': int(lesson.choosing.sum()),
            'pictures_measured_with': int((~lesson.choosing).sum()),
            'codes': lesson.codes,
            'exit_chosen': chosen,
            'exit': measured,
            'cpu_s': round(time.process_time() - begun),
        },
    )
    text = json.dumps(listed.model_dump(), indent=1) + '\n'
    for name, data in {**lesson.files, TRAINED_FILE: text.encode()}.items():
        save(data, out / name)
    return Trained.load(out, lesson.model)


def _rows(trained: Trained) -> Iterator[str]:
    for early in trained.exits:
        yield f'exit at cut {early.cut}: threshold {early.threshold}'
    for cut, bottleneck in trained.bottlenecks.items():
        yield f'bottleneck at cut {cut}: {bottleneck.shape}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=f'python -m {MODULE}', description='Train what is shipped for EfficientNet-Lite0.'
    )
    parser.add_argument(
        '--pictures', type=Path, nargs='+', required=True, help='folders to learn from'
    )
    parser.add_argument('--labelled', type=Path, required=True, help='folder with index.csv')
    parser.add_argument('--out', type=Path, default=OUT)
    parser.add_argument('--views', type=int, default=1350, help='random views to learn from')
    parser.add_argument('--steps', type=int, default=60, help='of each decoder, and of the exit')
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        trained = train(
            options.pictures,
            options.labelled,
            options.out,
            views=options.views,
            steps=options.steps,
            seed=options.seed,
        )
    except (CollabError, OSError) as error:
        parser.exit(1, f'{error}\n')
    print('\n'.join(_rows(trained)))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
