"""A team of robots with a network so small that hundreds of its days are over in seconds."""

from functools import lru_cache
from random import Random

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto

from collab_robots.inference.model import Model, Preparation, seal
from collab_robots.inference.options import Kind, Option
from collab_robots.inference.profile.times import own_steps, stage, Step, Times
from collab_robots.inference.runtime.course import ANSWER_BITS, Course
from collab_robots.inference.runtime.engine import Engine
from collab_robots.inference.runtime.helper import Helper, HelperSettings
from collab_robots.inference.runtime.lab import Lab, LabWorker, Weather
from collab_robots.inference.runtime.messages import Hop
from collab_robots.inference.runtime.peer import Peer
from collab_robots.inference.runtime.requester import Requester, RequesterSettings

SIDE = 8
CLASSES = 10
LAYERS = 4
SLOW, FAST = 0.02, 0.0025  # s that a layer takes on the frames' owner, and on the others


@lru_cache
def tiny_model(seed=0):
    """Four times convolution and ReLU, then one matrix."""
    draw = np.random.default_rng(seed)
    nodes, weights, name, channels = [], [], 'image', 3
    for layer in range(LAYERS):
        shape = (8, channels, 1, 1)
        kernel = (draw.normal(size=shape) / np.sqrt(channels)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f'w{layer}'))
        nodes.append(helper.make_node('Conv', [name, f'w{layer}'], [f'c{layer}']))
        nodes.append(helper.make_node('Relu', [f'c{layer}'], [f'r{layer}']))
        name, channels = f'r{layer}', 8
    matrix = (draw.normal(size=(8 * SIDE * SIDE, CLASSES)) / 20).astype(np.float32)
    weights.append(numpy_helper.from_array(matrix, 'matrix'))
    nodes.append(helper.make_node('Flatten', [name], ['flat']))
    nodes.append(helper.make_node('MatMul', ['flat', 'matrix'], ['logits']))
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, [1, CLASSES])],
        weights,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    proto.ir_version = 8
    proto = onnx.shape_inference.infer_shapes(proto)
    seal(proto, Preparation(mean=(127.0,) * 3, std=(64.0,) * 3))
    return Model(proto)


def last():
    return len(tiny_model().cuts) - 1


def times(layer_s):
    """Tell what all steps take on a robot on which a layer takes so long."""
    end = last()
    base = {stage(0, cut): layer_s * cut for cut in range(1, end + 1)}
    base |= {stage(cut, end): layer_s * (end - cut) for cut in range(1, end)}
    for option in options():
        for part in own_steps(option, end):
            base |= {step: 1e-4 for step in part if step not in base}
        base[Step('decode', what=option)] = 1e-4
    return Times(base)


def options():
    cuts = range(1, last())
    splits = [Option(Kind.SPLIT, cut, bits) for cut in cuts for bits in (8, 32)]
    return [*splits, Option(Kind.JPEG, quality=90), Option(Kind.RAW)]


def cost(layer_s):
    return lambda job: 5e-4 + layer_s * (job.end - job.start)


def engine(layer_s=FAST, chunk_bytes=200, exits=None):
    return Engine(
        tiny_model(),
        times(layer_s),
        exits or {},
        {},
        chunk_bytes=chunk_bytes,
        clear_bytes=chunk_bytes,
    )


def picture(seed):
    """Draw a smooth picture."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, size=(2, 2, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((SIDE, SIDE, 1))).astype(np.uint8)


def whole(rgb):
    """Return what the network says."""
    model = tiny_model()
    return model.stage(0, last()).run(model.prepare(rgb))


def fixed(option, *robots, bits=ANSWER_BITS):
    """Make a chooser that always does the same; alone while the first robot is not there."""

    def choose(own, helpers):
        if not option.remote or robots[0] not in {state.name for state in helpers}:
            return Course(Option(Kind.LOCAL, exit=option.exit))
        return Course(option, route(option, robots, bits))

    return choose


def route(option, robots, bits=ANSWER_BITS):
    """Share the cuts behind an option among robots, as evenly as there are cuts."""
    ends = np.linspace(option.cut, last(), len(robots) + 1).round().astype(int)[1:]
    hops = [Hop(name, int(end), 32) for name, end in zip(robots, ends, strict=True)]
    return (*hops[:-1], Hop(robots[-1], last(), bits))


def any_course(draw, alone=0.1, probes=0.1, pipelines=0.2):
    """Make a chooser that tries everything."""

    def choose(own, helpers):
        names = [state.name for state in helpers]
        if not names or draw.random() < alone:
            return Course(Option(Kind.LOCAL))
        option = draw.choice(options())
        count = draw.choice([2, 3]) if draw.random() < pipelines else 1
        count = min(count, len(names), last() - option.cut)
        way = route(option, draw.sample(names, count))
        if draw.random() < probes:
            return Course(Option(Kind.LOCAL), (), (option, way))
        return Course(option, way)

    return choose


class Team:
    """
    One robot with frames, and some that help.

    :param helpers: names.
    """

    def __init__(
        self,
        seed=0,
        helpers=('b', 'c', 'd'),
        weather=None,
        choose=None,
        settings=None,
        helper_settings=None,
        checkpoints=None,
        chunk_bytes=200,
    ):
        self.draw = Random(seed)
        self.lab = Lab(Random(seed + 1), weather or Weather())
        self.answers = []
        self.events = []
        self.sessions = 0
        self.settings = settings or RequesterSettings()
        self.helper_settings = helper_settings or HelperSettings()
        self.choose = choose or any_course(self.draw)
        self.chunk_bytes = chunk_bytes
        self.owner(checkpoints)
        self.helpers = {}
        for name in helpers:
            self.start(name)

    def owner(self, checkpoints=None):
        """Start the robot that has frames, or its next process."""
        self.sessions += 1
        self.requester = Requester(
            'a',
            self.sessions,
            engine(SLOW, self.chunk_bytes),
            self.choose,
            LabWorker(self.lab.clock, cost(SLOW)),
            self.lab.post('a'),
            self.answers.append,
            lambda robot: robot != 'stranger',
            Random(self.sessions),
            self.settings,
            checkpoints,
            self.events.append,
        )
        self.lab.join('a', Peer('a', self.requester, None))

    def start(self, name):
        """Start a robot that helps, or its next process."""
        self.helpers[name] = Helper(
            name,
            [engine(FAST, self.chunk_bytes)],
            LabWorker(self.lab.clock, cost(FAST)),
            self.lab.post(name),
            lambda robot: robot != 'stranger',
            self.helper_settings,
        )
        self.lab.join(name, Peer(name, None, self.helpers[name]))

    def run(self, seconds):
        self.lab.run(self.lab.now + round(seconds * 1e9))

    def submit(self, seed=0, **more):
        return self.requester.submit(picture(seed), self.lab.now, **more)
