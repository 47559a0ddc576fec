"""
Turn a torch module into one ONNX file that can be cut.

Imports torch: robots run the file alone. The same module, weights and exporter give the same
bytes everywhere, so robots can compare hashes.
"""

from __future__ import annotations

import ast
import logging
from typing import Any
import warnings

import numpy as np
import onnx

from collab_robots.core.errors import ConfigError
from collab_robots.inference.graph.cuts import find_cuts
from collab_robots.inference.model import Model, Preparation, seal

# How far ONNX Runtime may be from torch, as a share of the largest number in the answer: folding
# the batch norms into the convolutions reorders float32 sums.
TOLERANCE = 1e-5
SCOPES = 'pkg.torch.onnx.name_scopes'


def trace(network: Any, size: tuple[int, int], preparation: Preparation) -> onnx.ModelProto:
    """
    Return the model of a torch module, with torch's answers.

    It is traced with :func:`torch.export` for one picture at a time: with a symbolic batch the
    graph would hand its size past every cut.

    :param network: a module that takes (1, 3, height, width) float32 and returns one tensor.
    :param size: height and width.
    :raises ConfigError: if it cannot be traced or cut, or ONNX Runtime answers differently.
    :raises RefusedError: if its answer is not finite.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    picture = torch.rand((1, 3, *size), generator=generator) * 2 - 1
    proto = _export(network.eval(), picture)
    _rename_cuts(proto.graph)
    _remove_notes(proto)
    seal(proto, preparation)
    model = Model(proto)
    ours = model.stage(0, len(model.cuts) - 1).run(picture.numpy())
    with torch.no_grad():
        theirs = network(picture).numpy()
    difference, largest = np.abs(ours - theirs).max(), np.abs(theirs).max()
    if not difference <= TOLERANCE * largest:
        raise ConfigError(f'ONNX Runtime differs from torch by {difference:.2g} of {largest:.2g}')
    return proto


def _export(network: Any, picture: Any) -> onnx.ModelProto:
    import torch

    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # torch warns about its own deprecated parts
            program = torch.onnx.export(
                network,
                (picture,),
                dynamo=True,
                input_names=['image'],
                output_names=['logits'],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).partition('\n')[0]
        raise ConfigError(f'{type(network).__name__} cannot be traced: {reason}') from error
    assert program is not None  # None only for the exporter before dynamo
    proto: onnx.ModelProto = program.model_proto
    return proto


def _rename_cuts(graph: onnx.GraphProto) -> None:
    """Name every cut after the torch module that makes it; further ones of it get a number."""
    modules = {name: _module(node) for node in graph.node for name in node.output}
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    names = {}
    for cut in find_cuts(graph)[1:-1]:
        module = modules[cut]
        if not module:
            continue
        count = 1
        while (name := module if count == 1 else f'{module}_{count}') in taken:
            count += 1
        names[cut] = name
        taken.add(name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
    for value in graph.value_info:
        value.name = names.get(value.name, value.name)


def _module(node: onnx.NodeProto) -> str:
    """Return the path of the innermost torch module that a node stems from."""
    scopes = next((item.value for item in node.metadata_props if item.key == SCOPES), "['']")
    path: str = ast.literal_eval(scopes)[-2:][0]
    return path


def _remove_notes(proto: onnx.ModelProto) -> None:
    """Remove where in the source every node came from: paths of this machine."""
    graph = proto.graph
    for item in (*graph.node, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ''
    del graph.metadata_props[:]
    del proto.metadata_props[:]
