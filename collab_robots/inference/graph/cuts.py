"""Where an ONNX graph can be cut in two, and the piece between two cuts."""

from __future__ import annotations

import onnx

from collab_robots.core.errors import ConfigError

# What keeps every number's place or only relabels it: a cut before and one after carry the same.
SAME = frozenset(
    'Abs Add Cast Ceil Clip Div Elu Erf Exp Flatten Floor Gelu HardSigmoid HardSwish Identity '
    'LeakyRelu Log Mish Mul Neg Relu Reshape Round Selu Sigmoid Softplus Sqrt Squeeze Sub Tanh '
    'Transpose Unsqueeze'.split()
)


def find_cuts(graph: onnx.GraphProto) -> list[str]:
    """
    Return the tensors through which everything flows: the articulation points, in order.

    A tensor is one when it is the only one alive after its node. Every node that counts lies on a
    way from the input to the output, so this holds in any topological order, and one pass does.

    Of several that only element-wise or relabelling nodes separate the last stays: after an
    activation the numbers are bounded and many are equal, so they code to fewer bytes. The input
    and the output always stay.

    :param graph: with its nodes in topological order, as ONNX demands.
    :returns: names, beginning with the input and ending with the output; nothing where the
        output does not depend on the input.
    :raises ConfigError: if it has not one input and one output, or has nested graphs.
    """
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise ConfigError(
            f'expected a model with 1 input and 1 output, got {len(graph.input)} and '
            f'{len(graph.output)}'
        )
    source, sink = graph.input[0].name, graph.output[0].name
    path = _path(graph, source, sink)
    last = {name: index for index, node in enumerate(path) for name in node.input}
    cuts, alive, same = [source], {source}, True
    for index, node in enumerate(path):
        alive -= {name for name in node.input if last[name] == index}
        alive |= {name for name in node.output if name and (name in last or name == sink)}
        same = same and node.op_type in SAME
        if len(alive) == 1:
            (cut,) = alive
            if not same:
                cuts.append(cut)
            elif len(cuts) > 1:
                cuts[-1] = cut
            same = True
    return cuts if cuts[-1] == sink else []


def extract(
    model: onnx.ModelProto, start: onnx.ValueInfoProto, end: onnx.ValueInfoProto
) -> onnx.ModelProto:
    """
    Return the piece of a model from one cut to a later one, with the weights it needs.

    :param start: its input.
    :param end: its output.
    """
    graph, needed, nodes = model.graph, {end.name}, []
    for node in reversed(graph.node):
        if start.name not in node.output and needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    piece = onnx.GraphProto(
        name=graph.name,
        node=reversed(nodes),
        input=[start],
        output=[end],
        initializer=[weight for weight in graph.initializer if weight.name in needed],
    )
    return onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, graph=piece
    )


def _path(graph: onnx.GraphProto, source: str, sink: str) -> list[onnx.NodeProto]:
    """Return the nodes that lie on a way from the input to the output."""
    fed, after = {source}, []
    for node in graph.node:
        if any(attribute.HasField('g') or attribute.graphs for attribute in node.attribute):
            raise ConfigError(f'{node.op_type} holds a graph of its own: cannot be cut')
        if fed.intersection(node.input):
            fed.update(filter(None, node.output))
            after.append(node)
    needed, path = {sink}, []
    for node in reversed(after):
        if needed.intersection(node.output):
            needed.update(filter(None, node.input))
            path.append(node)
    return path[::-1]
