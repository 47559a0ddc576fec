"""How good trained exits and bottlenecks are, with pictures that taught them nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collab_robots.inference import codec
from collab_robots.inference.bottleneck import Bottleneck
from collab_robots.inference.exits import Exit
from collab_robots.inference.model import Model

Tensor = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
CHUNK_BYTES = 256
LOSSES = (0.0, 0.1, 0.3)
THRESHOLDS = (*(round(0.05 * step, 2) for step in range(4, 20)), 0.96, 0.97, 0.98, 0.99)
HARM = 0.01  # of all answers that may become wrong because an exit was taken
TEMPERATURES = np.geomspace(0.25, 4.0, 81)


def tensors(model: Model, cut: int, pictures: Sequence[Tensor]) -> list[Tensor]:
    """Return what prepared pictures are at a cut, each (1, …)."""
    return [model.stage(0, cut).run(picture) for picture in pictures]


def temperature(logits: Tensor, answers: Labels) -> float:
    """
    Return what to divide logits by so that they are likeliest (https://arxiv.org/abs/1706.04599).

    :param logits: (n, classes).
    :param answers: (n,) what the whole model says.
    """
    losses = []
    for divisor in TEMPERATURES:
        scaled = logits / divisor
        top = scaled.max(axis=1, keepdims=True)
        total = np.log(np.exp(scaled - top).sum(axis=1)) + top[:, 0]
        losses.append(float((total - scaled[np.arange(len(answers)), answers]).mean()))
    return float(TEMPERATURES[int(np.argmin(losses))])


def exit_rows(
    confidences: Tensor, early: Labels, whole: Labels, labels: Labels
) -> list[dict[str, float]]:
    """Return for each threshold: share that exits, its accuracy, and the accuracy of all."""
    rows = []
    for threshold in THRESHOLDS:
        taken = confidences >= threshold
        both = np.where(taken, early, whole)
        rows.append(
            {
                'threshold': threshold,
                'share': float(taken.mean()),
                'accuracy': float((both == labels).mean()),
                'whole': float((whole == labels).mean()),
                'agreement': float((early[taken] == whole[taken]).mean()) if taken.any() else 1.0,
            }
        )
    return rows


def threshold(rows: Sequence[dict[str, float]]) -> float:
    """Return the least threshold from which on exits cost no more than :data:`HARM`; 1 if none."""
    best = 1.0
    for row in reversed(rows):
        if row['accuracy'] < row['whole'] - HARM:
            break
        best = row['threshold']
    return best


def answers(early: Exit, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return an exit's logits (n, classes) and confidences (n,)."""
    found = [early.answer(x) for x in inputs]
    return np.concatenate([logits for logits, _ in found]), np.array([sure for _, sure in found])


def code_row(
    model: Model,
    cut: int,
    bits: int,
    inputs: Sequence[Tensor],
    labels: Labels,
    bottleneck: Bottleneck | None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return bytes and accuracies of one way to send a cut's tensors; None: without bottleneck."""
    tail = model.stage(cut, len(model.cuts) - 1)
    right = dict.fromkeys(LOSSES, 0)
    sizes, counts = [], []
    for x, label in zip(inputs, labels, strict=True):
        sent = bottleneck.encode(x) if bottleneck else x
        chunks = codec.encode(sent[0], bits, chunk_bytes=CHUNK_BYTES)
        sizes.append(sum(map(len, chunks)))
        counts.append(len(chunks))
        for share in LOSSES:
            came = [None if rng.random() < share else chunk for chunk in chunks]
            got = codec.decode(came, sent.shape[1:], bits).tensor[None]
            back = bottleneck.decode(got) if bottleneck else got
            right[share] += int(tail.run(back).argmax()) == label
    return {
        'cut': model.cuts[cut].name,
        'bits': bits,
        'bottleneck': bottleneck is not None,
        'bytes': float(np.mean(sizes)),
        'chunks': float(np.mean(counts)),
        'accuracy': {str(share): count / len(labels) for share, count in right.items()},
    }
