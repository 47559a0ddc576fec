"""
What runs the whole network fastest on this computer: why robots have ONNX Runtime.

Every runtime has one thread and the same weights. They take turns, picture by picture, so that
what else the computer does hits all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import io
import statistics
import time
from typing import Any
import warnings

import numpy as np
import numpy.typing as npt
import onnxruntime

from benchmarks.report import Report, spread
from collab_robots.inference.classifier import model_path
from collab_robots.inference.export import load_torch

Tensor = npt.NDArray[np.float32]
Runner = Callable[[Tensor], Tensor]
WARM_UP = 3  # pictures
TOLERANCE = 1e-3  # of the logits, about 1 to 10: each runtime sums float32 in its own order


def show(report: Report, pictures: Sequence[Tensor], rounds: int) -> dict[str, Any]:
    """
    Measure all runtimes, and print and keep it.

    :param pictures: prepared, (1, 3, 224, 224) each.
    :param rounds: pictures that each runtime gets, over again from the first if need be.
    :returns: what is kept: per runtime times in ms and the largest difference from eager torch.
    """
    runners: dict[str, Runner] = {'eager torch': _eager(), 'ONNX Runtime': _ort()}
    runners['frozen TorchScript'] = _torchscript(pictures[0])
    notes = []
    try:
        runners['OpenVINO'] = _openvino()
    except ModuleNotFoundError as error:
        notes.append(f'OpenVINO: not measured: {error}')
    times, differences = _measure(runners, pictures, rounds)
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    order = sorted(runners, key=medians.__getitem__)
    figures = {name: {**spread(times[name]), 'difference': differences[name]} for name in order}
    rows = [
        [
            name,
            medians[name],
            figures[name]['p95'],
            medians[name] / medians[order[0]],
            differences[name],
        ]
        for name in order
    ]
    columns = ['runtime', 'median ms', 'p95 ms', 'of the fastest', 'logits differ by']
    title = f'the whole network, one picture, one thread, {rounds} rounds'
    report.table('runtimes', title, columns, rows, figures)
    for note in notes:
        report.note(note)
    return figures


def _measure(
    runners: dict[str, Runner], pictures: Sequence[Tensor], rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    times: dict[str, list[float]] = {name: [] for name in runners}
    differences = dict.fromkeys(runners, 0.0)
    for number in range(WARM_UP + rounds):
        picture = pictures[number % len(pictures)]
        answers = {}
        for name, runner in runners.items():
            began = time.perf_counter()
            answers[name] = runner(picture)
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - began) * 1e3)
        for name, answer in answers.items():
            apart = float(np.abs(answer - answers['eager torch']).max())
            differences[name] = max(differences[name], apart)
            if apart > TOLERANCE:
                raise RuntimeError(f'{name} differs from eager torch by {apart:.2g}')
    return times, differences


def _ort() -> Runner:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model_path(), options, providers=['CPUExecutionProvider']
    )
    source = session.get_inputs()[0].name
    return lambda picture: np.asarray(session.run(None, {source: picture})[0])


def _eager() -> Runner:
    import torch

    torch.set_num_threads(1)
    network = load_torch()

    def run(picture: Tensor) -> Tensor:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(picture)).numpy())

    return run


def _torchscript(example: Tensor) -> Runner:
    import torch

    jit: Any = torch.jit
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter('ignore')  # torch warns about its own deprecated parts
        traced = jit.trace(load_torch(), torch.from_numpy(example))
        file = io.BytesIO()  # what comes back from a file has shed the training graph
        jit.save(jit.freeze(traced), file)
        file.seek(0)
        network = jit.load(file)

    def run(picture: Tensor) -> Tensor:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(picture)).numpy())

    return run


def _openvino() -> Runner:
    import openvino

    core = openvino.Core()
    settings = {'INFERENCE_NUM_THREADS': 1, 'PERFORMANCE_HINT': 'LATENCY'}
    # By default it computes in bfloat16 where the processor can: not the same answer.
    settings['INFERENCE_PRECISION_HINT'] = 'f32'
    network = core.compile_model(core.read_model(model_path()), 'CPU', settings)
    request = network.create_infer_request()
    return lambda picture: np.array(request.infer([picture])[0])
