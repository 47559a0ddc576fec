"""Name what a picture shows: EfficientNet-Lite0 in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
import hashlib
from importlib import resources
import os
from pathlib import Path
import sys

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort
from PIL import Image

from collab_robots.core.errors import ConfigError, Refusal, RefusedError

Rgb = npt.NDArray[np.uint8]
MODELS_VARIABLE = 'COLLAB_ROBOTS_MODELS'
MODEL_FILE = 'efficientnet_lite0.onnx'
EXPORT_COMMAND = 'python -m collab_robots.inference.export'
INPUT_SIDE = 224
CLASSES = 1000
MIN_SIDE = 8
MAX_SIDE = 4096
# What loading a file that is no model raises: onnxruntime's errors have no common base.
MODEL_ERRORS = (
    ort.Fail,
    ort.InvalidArgument,
    ort.InvalidGraph,
    ort.InvalidProtobuf,
    ort.NoModel,
    ort.NotImplemented,
    ort.RuntimeException,
)


def model_path() -> Path:
    """
    Return where the exported model lies.

    It is in the folder that the environment variable ``COLLAB_ROBOTS_MODELS`` names, or else
    beside the installed packages, so that each virtual environment has its own.
    """
    folder = os.environ.get(MODELS_VARIABLE)
    default = Path(sys.prefix, 'share', 'collab_robots', 'models')
    return (Path(folder) if folder else default) / MODEL_FILE


def load_labels() -> tuple[str, ...]:
    """Return the ImageNet-1k class names (first WordNet lemma) in the order of the classes."""
    text = (resources.files(__package__) / 'imagenet_labels.txt').read_text(encoding='utf-8')
    labels = tuple(text.splitlines())
    if len(labels) != CLASSES:
        raise ConfigError(f'imagenet_labels.txt: expected {CLASSES} lines, got {len(labels)}')
    return labels


def check_rgb(rgb: Rgb) -> Rgb:
    """
    Return the picture if it is one.

    :param rgb: (h, w, 3) uint8, sides of 8 to 4096 pixels.
    :raises RefusedError: if it is anything else.
    """
    good = isinstance(rgb, np.ndarray) and rgb.dtype == np.uint8 and rgb.ndim == 3
    if not good or rgb.shape[2] != 3:
        came = f'{getattr(rgb, "dtype", type(rgb).__name__)} {getattr(rgb, "shape", "")}'
        raise RefusedError(Refusal.IMAGE, f'expected uint8 (h, w, 3), got {came}')
    if min(rgb.shape[:2]) < MIN_SIDE or max(rgb.shape[:2]) > MAX_SIDE:
        sides = f'{rgb.shape[1]}x{rgb.shape[0]}'
        raise RefusedError(
            Refusal.IMAGE, f'expected sides of {MIN_SIDE} to {MAX_SIDE} pixels, got {sides}'
        )
    return rgb


def preprocess(crops: Sequence[Rgb]) -> npt.NDArray[np.float32]:
    """
    Bring pictures into the form that the network was trained on.

    Each is stretched to a square (bicubic, antialiased), so a picture seen at an angle gets its
    width back.

    :param crops: n pictures (h, w, 3) uint8.
    :returns: (n, 3, 224, 224) float32, ``(x - 127) / 128``.
    :raises RefusedError: if one is no picture.
    """
    batch = np.empty((len(crops), INPUT_SIDE, INPUT_SIDE, 3), dtype=np.float32)
    for row, crop in zip(batch, crops, strict=True):
        image = Image.fromarray(check_rgb(crop))
        row[:] = np.asarray(image.resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(((batch - 127.0) / 128.0).transpose(0, 3, 1, 2))


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
            model = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f'{path}: cannot be read: {error.strerror}; make it with: {EXPORT_COMMAND}'
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=['CPUExecutionProvider']
            )
            ends = [*self._session.get_inputs(), *self._session.get_outputs()]
            shapes = [(end.name, end.shape[1:]) for end in ends]
        except MODEL_ERRORS as error:
            raise ConfigError(
                f'{path}: not an ONNX model ({error}); make it again with: {EXPORT_COMMAND}'
            ) from None
        expected = [('image', [3, INPUT_SIDE, INPUT_SIDE]), ('logits', [CLASSES])]
        if shapes != expected:
            raise ConfigError(f'{path}: expected a model {expected}, got {shapes}')
        self.labels = load_labels()
        self.model_hash = hashlib.sha256(model).hexdigest()

    def probabilities(self, crops: Sequence[Rgb]) -> npt.NDArray[np.float32]:
        """
        Return the probability of every class for each picture.

        :param crops: n pictures (h, w, 3) uint8.
        :returns: (n, 1000) float32; each row sums to 1.
        :raises RefusedError: if one is no picture.
        """
        if not crops:
            return np.empty((0, CLASSES), dtype=np.float32)
        logits = self._session.run(['logits'], {'image': preprocess(crops)})[0]
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
