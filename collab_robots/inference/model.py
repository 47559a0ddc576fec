"""A network as robots run it: one ONNX file, its cuts, and the stages between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import hashlib
from pathlib import Path
import tempfile
from threading import Lock
from typing import Annotated

from google.protobuf.message import DecodeError
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort
from pydantic import Field, ValidationError

from collab_robots.core import heap
from collab_robots.core.config import Strict
from collab_robots.core.errors import ConfigError, Refusal, RefusedError
from collab_robots.inference.graph.cuts import extract, find_cuts
from collab_robots.inference.pictures import Rgb, to_tensor

Positive = Annotated[float, Field(gt=0.0)]
Tensor = npt.NDArray[np.float32]
HASH = 'collab_robots.sha256'
PREPARE = 'collab_robots.prepare'
DOMAIN = b'collab_robots model 1\0'
MAX_RANK = 3  # without the batch: (channels, height, width), (tokens, features) or (features,)
# Sessions hold their weights each, in 2.3 times their bytes; beyond this many bytes of weights the
# oldest unused go.
KEPT_BYTES = 100_000_000
# What loading a file that is no model raises: onnxruntime's errors have no common base.
MODEL_ERRORS = (
    DecodeError,
    ort.Fail,
    ort.InvalidArgument,
    ort.InvalidGraph,
    ort.InvalidProtobuf,
    ort.NoModel,
    ort.NotImplemented,
    ort.RuntimeException,
)


class Preparation(Strict):
    """
    What a picture's channels (red, green, blue) need before the network: ``(x - mean) / std``.

    :param mean: in steps of the 8-bit scale.
    :param std: likewise.
    """

    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]


@dataclass(frozen=True)
class Cut:
    """
    A tensor through which everything flows.

    :param index: 0 is the input, the last one the output.
    :param name: of the tensor in the ONNX graph; the torch module that makes it.
    :param shape: without the batch.
    """

    index: int
    name: str
    shape: tuple[int, ...]


class Stage:
    """
    The piece of a model between two cuts, ready to run.

    :param start: what it takes.
    :param end: what it gives.
    :param piece: its graph and weights.
    """

    def __init__(self, start: Cut, end: Cut, piece: bytes, threads: int) -> None:
        self.start = start
        self.end = end
        self.size = len(piece)
        self._session = open_session(piece, threads)

    def run(self, x: Tensor) -> Tensor:
        """
        Compute.

        :param x: (1, *start.shape) float32, finite.
        :returns: (1, *end.shape) float32, finite.
        :raises RefusedError: if the input is anything else, or drives the network out of range.
        """
        shape = (1, *self.start.shape)
        if not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.shape != shape:
            came = f'{getattr(x, "dtype", type(x).__name__)} {getattr(x, "shape", "")}'
            raise RefusedError(Refusal.TENSOR, f'expected float32 {shape}, got {came}')
        if not np.isfinite(x).all():
            raise RefusedError(Refusal.TENSOR, 'expected finite numbers, got NaN or infinity')
        y: Tensor = self._session.run([self.end.name], {self.start.name: x})[0]
        if not np.isfinite(y).all():
            raise RefusedError(Refusal.TENSOR, 'numbers too large: the answer is not finite')
        return y


class Model:
    """
    A network that can be cut.

    :param proto: its graph and weights, as :func:`~.graph.trace.trace` makes it.
    :param threads: for one inference; 1 because all robots share the machine's cores.
    :raises ConfigError: if it is no such model, or has no place to cut it.
    """

    def __init__(self, proto: onnx.ModelProto, threads: int = 1) -> None:
        self.notes = {item.key: item.value for item in proto.metadata_props}
        self.hash = fingerprint(proto)
        if self.notes.get(HASH) != self.hash.hex():
            raise ConfigError(
                f'expected a model of hash {self.notes.get(HASH, "(none)")}, got {self.hash.hex()}'
            )
        try:
            self._preparation = Preparation.model_validate_json(self.notes.get(PREPARE, ''))
        except ValidationError as error:
            raise ConfigError(f'{PREPARE}: not valid: {error}') from None
        self._proto = proto
        self._threads = threads
        graph = proto.graph
        self._values = {
            value.name: value for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self.cuts = _cuts(find_cuts(graph), self._values)
        self._stages: dict[tuple[int, int], Stage] = {}
        self._lock = Lock()

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Model:
        """
        Read a model.

        :raises ConfigError: if it cannot be read, is damaged, or cannot be cut.
        """
        try:
            return cls(onnx.ModelProto.FromString(path.read_bytes()), threads)
        except OSError as error:
            raise ConfigError(f'{path}: cannot be read: {error.strerror}') from None
        except DecodeError:
            raise ConfigError(f'{path}: not an ONNX model') from None
        except ConfigError as error:
            raise ConfigError(f'{path}: {error}') from None

    def prepare(self, rgb: Rgb) -> Tensor:
        """
        Bring a picture into the form of the first cut.

        :param rgb: (h, w, 3) uint8; files of other kinds: :func:`~.pictures.read_picture`.
        :returns: (1, *cuts[0].shape) float32.
        :raises RefusedError: if it is no picture.
        """
        _, height, width = self.cuts[0].shape
        return to_tensor(rgb, (height, width), self._preparation.mean, self._preparation.std)

    def stage(self, start: int, end: int) -> Stage:
        """
        Return the piece between two cuts; it is kept for the next time.

        :raises RefusedError: if there are no such cuts, in this order.
        """
        with self._lock:
            stage = self._stages.pop((start, end), None)
            if stage is None:
                piece = self.onnx(start, end)
                stage = Stage(self.cuts[start], self.cuts[end], piece, self._threads)
            self._stages[start, end] = stage
            while len(self._stages) > 1 and self._kept() > KEPT_BYTES:
                del self._stages[next(iter(self._stages))]
        return stage

    def is_loaded(self, start: int, end: int) -> bool:
        """Tell whether the piece between two cuts is in memory: the first use loads it."""
        return (start, end) in self._stages

    def onnx(self, start: int, end: int) -> bytes:
        """
        Return the piece between two cuts as an ONNX file, which any ONNX runtime runs.

        :raises RefusedError: if there are no such cuts, in this order.
        """
        if not 0 <= start < end < len(self.cuts):
            raise RefusedError(
                Refusal.MODEL,
                f'expected two of {len(self.cuts)} cuts in order, got {start} and {end}',
            )
        ends = (self._values[self.cuts[index].name] for index in (start, end))
        return bytes(extract(self._proto, *ends).SerializeToString(deterministic=True))

    def _kept(self) -> int:
        return sum(stage.size for stage in self._stages.values())


def fingerprint(proto: onnx.ModelProto) -> bytes:
    """Return the SHA-256 (32 bytes) of all that an answer depends on, in canonical bytes."""
    # What is not UTF-8 comes as bytes (protobuf), and matches no noted hash as text.
    prepare = ''.join(str(item.value) for item in proto.metadata_props if item.key == PREPARE)
    bare = onnx.ModelProto(
        ir_version=proto.ir_version, opset_import=proto.opset_import, graph=proto.graph
    )
    content = bare.SerializeToString(deterministic=True)
    return hashlib.sha256(DOMAIN + prepare.encode() + b'\0' + content).digest()


def seal(proto: onnx.ModelProto, preparation: Preparation) -> None:
    """Note in a model how its pictures are prepared, and its hash."""
    proto.metadata_props.add(key=PREPARE, value=preparation.model_dump_json())
    proto.metadata_props.add(key=HASH, value=fingerprint(proto).hex())


def save(data: bytes, path: Path) -> None:
    """
    Write a file that appears whole or not at all.

    :raises ConfigError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix='.model-') as folder:
            whole = Path(folder) / path.name
            whole.write_bytes(data)
            whole.replace(path)
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from None


def open_session(data: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """
    Return what runs an ONNX file.

    :raises ConfigError: if it is none.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # as quick, and a fifth less memory
    try:
        session = onnxruntime.InferenceSession(data, options, providers=['CPUExecutionProvider'])
    except MODEL_ERRORS as error:
        raise ConfigError(f'not an ONNX model: {error}') from None
    heap.give_back()  # to make one takes more than to keep it, again for each piece of a network
    return session


def _cuts(names: Sequence[str], values: Mapping[str, onnx.ValueInfoProto]) -> tuple[Cut, ...]:
    """Return those tensors that can be handed on: float32, of known shape and rank."""
    shapes = {name: _shape(values.get(name, onnx.ValueInfoProto())) for name in names}
    usable = [name for name in names if shapes[name] is not None]
    if len(usable) < 3 or usable[0] != names[0] or usable[-1] != names[-1]:
        raise ConfigError('no single float32 tensor between input and output carries everything')
    cuts = tuple(Cut(index, name, shapes[name] or ()) for index, name in enumerate(usable))
    if len(cuts[0].shape) != MAX_RANK or cuts[0].shape[0] != 3:
        raise ConfigError(f'expected pictures (3, h, w) as input, got {cuts[0].shape}')
    return cuts


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    """Return a tensor's shape without its batch of 1; None if it can be no cut."""
    kind = value.type.tensor_type
    batch, *shape = [side.dim_value for side in kind.shape.dim] or [0]
    good = kind.elem_type == onnx.TensorProto.FLOAT and batch == 1 and all(shape)
    return tuple(shape) if good and 1 <= len(shape) <= MAX_RANK else None
