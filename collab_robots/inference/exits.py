"""What was trained for a model: exits that answer early, and bottlenecks at cuts."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from collab_robots.core.config import parse, read_json, Strict
from collab_robots.core.errors import ConfigError
from collab_robots.inference.bottleneck import Bottleneck, Graph
from collab_robots.inference.model import Model

Tensor = npt.NDArray[np.float32]
Sha256 = Annotated[str, Field(pattern='^[0-9a-f]{64}$')]
TRAINED_FILE = 'trained.json'
OWN = Path(__file__).parent / 'trained'
MAX_FILE_BYTES = 1 << 20


class File(Strict):
    """
    A trained graph.

    :param name: of an ONNX file beside the list.
    """

    name: Annotated[str, Field(pattern='^[a-z0-9_]{1,60}\\.onnx$')]
    sha256: Sha256


class ExitEntry(Strict):
    """
    A trained exit.

    :param cut: name of the cut's tensor.
    :param end: name of the cut where its graph joins the model again.
    :param temperature: what its logits are divided by, so that confidence is a probability.
    :param threshold: a confidence that costs little accuracy.
    """

    cut: str
    end: str
    graph: File
    temperature: Annotated[float, Field(gt=0.0)]
    threshold: Annotated[float, Field(ge=0.0, le=1.0)]


class BottleneckEntry(Strict):
    """A trained bottleneck; ``cut`` is the name of the cut's tensor."""

    cut: str
    encoder: File
    decoder: File


class TrainedFile(Strict):
    """
    What a folder holds.

    :param model: its hash.
    :param command: what made the folder.
    :param measured: what was found with it; nothing depends on that.
    """

    model: Sha256
    command: str
    exits: tuple[ExitEntry, ...]
    bottlenecks: tuple[BottleneckEntry, ...]
    measured: dict[str, Any]


class Exit:
    """
    A short cut: one small graph instead of several stages, then the model's own end.

    :param start: the cut where it leaves.
    :param end: the cut where it joins again.
    :raises ConfigError: if the graph does not fit between these.
    """

    def __init__(
        self,
        model: Model,
        start: int,
        end: int,
        graph: bytes,
        temperature: float,
        threshold: float,
    ) -> None:
        if not 0 < start < end < len(model.cuts) - 1:
            raise ConfigError(f'expected an exit between two inner cuts, got {start} to {end}')
        self.cut = start
        self.end = end
        self.temperature = temperature
        self.threshold = threshold
        self._model = model
        self._graph = Graph(graph, model.cuts[start].shape, model.cuts[end].shape)

    def answer(self, tensor: Tensor) -> tuple[Tensor, float]:
        """
        Answer early; take it if the confidence is at least the threshold.

        :param tensor: (1, …) at the cut.
        :returns: logits (1, classes), and the probability that the likeliest class is what the
            whole model would say.
        :raises RefusedError: if it is no such tensor.
        """
        joined = self._graph.run(tensor)
        logits = self._model.stage(self.end, len(self._model.cuts) - 1).run(joined)
        logits = logits / np.float32(self.temperature)
        return logits, float(1.0 / np.exp(logits - logits.max()).sum())


@dataclass(frozen=True)
class Trained:
    """
    All that was trained for a model.

    :param exits: in order of their cuts.
    :param bottlenecks: by cut.
    """

    exits: tuple[Exit, ...]
    bottlenecks: dict[int, Bottleneck]

    @classmethod
    def load(cls, folder: Path | None, model: Model) -> Trained:
        """
        Read what was trained for a model.

        :param folder: where ``trained.json`` lies; None: the package's own of this model, if any.
        :raises ConfigError: if it is missing, damaged, or for another model.
        """
        if folder is not None:
            return cls._read(folder, _listed(folder), model)
        for own in sorted(OWN.iterdir()):
            if (own / TRAINED_FILE).is_file():
                listed = _listed(own)
                if listed.model == model.hash.hex():
                    return cls._read(own, listed, model)
        return cls((), {})

    @classmethod
    def _read(cls, folder: Path, listed: TrainedFile, model: Model) -> Trained:
        if listed.model != model.hash.hex():
            raise ConfigError(f'{folder}: made for model {listed.model}, not {model.hash.hex()}')
        cuts = {cut.name: cut for cut in model.cuts}
        try:
            exits = [
                Exit(
                    model,
                    cuts[entry.cut].index,
                    cuts[entry.end].index,
                    _content(folder, entry.graph),
                    entry.temperature,
                    entry.threshold,
                )
                for entry in listed.exits
            ]
            bottlenecks = {
                cuts[entry.cut].index: Bottleneck(
                    cuts[entry.cut].index,
                    cuts[entry.cut].shape,
                    _content(folder, entry.encoder),
                    _content(folder, entry.decoder),
                )
                for entry in listed.bottlenecks
            }
        except KeyError as error:
            raise ConfigError(f'{folder}: the model has no cut {error}') from None
        return cls(tuple(sorted(exits, key=lambda early: early.cut)), bottlenecks)


def _listed(folder: Path) -> TrainedFile:
    path = folder / TRAINED_FILE
    try:
        data = read_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
    except ValueError as error:
        raise ConfigError(f'{path}: not JSON: {error}') from None
    return parse(TrainedFile, data, str(path))


def _content(folder: Path, file: File) -> bytes:
    """Return a file's bytes if they are those that were listed."""
    path = folder / file.name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
    if len(data) > MAX_FILE_BYTES or hashlib.sha256(data).hexdigest() != file.sha256:
        raise ConfigError(f'{path}: not the file that {TRAINED_FILE} lists')
    return data
