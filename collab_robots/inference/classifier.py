"""Name what a picture shows: EfficientNet-Lite0 in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
import os
from pathlib import Path
import sys

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import ConfigError
from collab_robots.inference.labels import CLASSES, load_labels
from collab_robots.inference.model import Model
from collab_robots.inference.pictures import Rgb

MODELS_VARIABLE = 'COLLAB_ROBOTS_MODELS'
MODEL_FILE = 'efficientnet_lite0.onnx'
EXPORT_COMMAND = 'python -m collab_robots.inference.export'
INPUT_SIDE = 224


def model_path() -> Path:
    """
    Return where the exported model lies.

    It is in the folder that the environment variable ``COLLAB_ROBOTS_MODELS`` names, or else
    beside the installed packages, so that each virtual environment has its own.
    """
    folder = os.environ.get(MODELS_VARIABLE)
    default = Path(sys.prefix, 'share', 'collab_robots', 'models')
    return (Path(folder) if folder else default) / MODEL_FILE


class Classifier:
    """
    EfficientNet-Lite0 with its ImageNet weights (https://arxiv.org/abs/1905.11946).

    :param path: the exported model; the default is :func:`model_path`.
    :param threads: threads for one inference; 1 because all robots share the machine's cores.
    :raises ConfigError: if the model is missing or is no such model.
    """

    def __init__(self, path: Path | None = None, threads: int = 1) -> None:
        path = path or model_path()
        try:
            model = Model.load(path, threads)
        except ConfigError as error:
            raise ConfigError(f'{error}; make it with: {EXPORT_COMMAND}') from None
        shapes = model.cuts[0].shape, model.cuts[-1].shape
        expected = (3, INPUT_SIDE, INPUT_SIDE), (CLASSES,)
        if shapes != expected:
            raise ConfigError(f'{path}: expected a model {expected}, got {shapes}')
        self._model = model
        self._network = model.stage(0, len(model.cuts) - 1)
        self.labels = load_labels()
        self.model_hash = model.hash.hex()

    def probabilities(self, crops: Sequence[Rgb]) -> npt.NDArray[np.float32]:
        """
        Return the probability of every class for each picture.

        :param crops: n pictures (h, w, 3) uint8.
        :returns: (n, 1000) float32; each row sums to 1.
        :raises RefusedError: if one is no picture.
        """
        if not crops:
            return np.empty((0, CLASSES), dtype=np.float32)
        logits = np.concatenate([self._network.run(self._model.prepare(crop)) for crop in crops])
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)

    def classify(self, rgb: Rgb, top: int = 5) -> list[tuple[int, float]]:
        """
        Name one picture.

        :param rgb: (h, w, 3) uint8.
        :param top: how many answers.
        :returns: (class, probability), the likeliest first.
        :raises RefusedError: if it is no picture.
        """
        row = self.probabilities([rgb])[0]
        best = np.argsort(-row, kind='stable')[:top]
        return [(int(index), float(row[index])) for index in best]
