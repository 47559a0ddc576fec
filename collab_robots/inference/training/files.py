"""Small trained torch modules as small ONNX files."""

from __future__ import annotations

import logging
from typing import Any
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
import torch
from torch import nn

SMALL = 256  # numbers; what has fewer is kept as it is


def to_onnx(module: nn.Module, example: torch.Tensor) -> bytes:
    """
    Return a module as an ONNX file with float16 weights; it computes in float32.

    :param example: (1, …) of what it takes.
    """
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch warns about its own deprecated parts
        program: Any = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=['x'],
            output_names=['y'],
        )
    proto: onnx.ModelProto = program.model_proto
    graph = proto.graph
    # The exporter notes the source line of every node: paths of this machine.
    for item in (*graph.node, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ''
    del graph.metadata_props[:]
    del proto.metadata_props[:]
    _halve(graph)
    return bytes(proto.SerializeToString(deterministic=True))


def _halve(graph: onnx.GraphProto) -> None:
    """Keep weights as float16; ONNX Runtime widens them once, when it loads the file."""
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALL:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f'{name}_half'))
        casts.append(
            onnx.helper.make_node('Cast', [weight.name], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
