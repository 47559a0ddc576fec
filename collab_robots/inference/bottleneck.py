"""Few whole numbers for the tensor at a cut: what a trained bottleneck does on a robot."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from collab_robots.core.errors import ConfigError, Refusal, RefusedError
from collab_robots.inference.model import open_session

Tensor = npt.NDArray[np.float32]
MAX_CODE = 1 << 20  # numbers


class Graph:
    """
    A small trained graph: one tensor in, one out.

    :param data: the ONNX file.
    :param taken: shape of what goes in, without batch.
    :param given: shape of what comes out; None: whatever it is.
    :raises ConfigError: if it is no such graph, or its weights are not finite.
    """

    def __init__(
        self, data: bytes, taken: tuple[int, ...], given: tuple[int, ...] | None, threads: int = 1
    ) -> None:
        self._session = open_session(data, threads)
        ends = [*self._session.get_inputs(), *self._session.get_outputs()]
        shapes = [tuple(end.shape) for end in ends]
        if len(ends) != 2 or any(end.type != 'tensor(float)' for end in ends):
            raise ConfigError(f'expected one float32 tensor in and one out, got {shapes}')
        if not all(isinstance(side, int) and side > 0 for shape in shapes for side in shape):
            raise ConfigError(f'expected fixed shapes, got {shapes}')
        self.given = given or shapes[1][1:]
        if shapes != [(1, *taken), (1, *self.given)] or math.prod(self.given) > MAX_CODE:
            raise ConfigError(f'expected {taken} to {given or "anything"}, got {shapes}')
        self._names = [end.name for end in ends]
        self._taken = taken
        try:
            self.run(np.zeros((1, *taken), dtype=np.float32))
        except RefusedError as error:
            raise ConfigError(f'its weights are not usable: {error}') from None

    def run(self, x: Tensor) -> Tensor:
        """
        Compute.

        :param x: (1, *taken) float32, finite.
        :returns: (1, *given) float32, finite.
        :raises RefusedError: if the input is anything else, or drives the graph out of range.
        """
        shape = (1, *self._taken)
        if not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.shape != shape:
            came = f'{getattr(x, "dtype", type(x).__name__)} {getattr(x, "shape", "")}'
            raise RefusedError(Refusal.TENSOR, f'expected float32 {shape}, got {came}')
        if not np.isfinite(x).all():
            raise RefusedError(Refusal.TENSOR, 'expected finite numbers, got NaN or infinity')
        y: Tensor = self._session.run([self._names[1]], {self._names[0]: x})[0]
        if not np.isfinite(y).all():
            raise RefusedError(Refusal.TENSOR, 'numbers too large: the answer is not finite')
        return y


class Bottleneck:
    """
    What makes a cut's tensor small, and large again.

    The code consists of whole numbers from -8 to 7: the codec's 4 bits lose nothing of it, fewer
    lose some. What is lost on the way is filled with 0.

    :param cut: of the model.
    :param shape: of the cut's tensor, without batch.
    :param encoder: ONNX file, from the tensor to the code.
    :param decoder: ONNX file, from the code to about the tensor.
    :raises ConfigError: if they do not fit.
    """

    def __init__(
        self, cut: int, shape: tuple[int, ...], encoder: bytes, decoder: bytes, threads: int = 1
    ) -> None:
        self.cut = cut
        self._encoder = Graph(encoder, shape, None, threads)
        self.shape = self._encoder.given
        self._decoder = Graph(decoder, self.shape, shape, threads)

    @property
    def channels(self) -> int:
        """How many channels the code has."""
        return self.shape[0]

    def encode(self, tensor: Tensor) -> Tensor:
        """
        Return the code (1, *shape) of a cut's tensor (1, …).

        :raises RefusedError: if it is no such tensor.
        """
        return self._encoder.run(tensor)

    def decode(self, tensor: Tensor) -> Tensor:
        """
        Return about the cut's tensor (1, …) for a code (1, *shape), whole or in part.

        :raises RefusedError: if it is no such code.
        """
        return self._decoder.run(tensor)
