"""
Make an early exit: a small block that stands in for several sections, then the network's own end.

It is distilled from what the skipped sections make of unlabelled pictures. It imitates tensors and
leaves naming to the network's own end, so it works for classes that no picture showed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from collab_robots.inference.training.chain import Chain

Tensor = torch.Tensor
Features = npt.NDArray[np.float16]
HIDDEN = 384
BATCH = 32
ANSWER_WEIGHT = 0.1  # of the answers beside the tensors: they show only classes that were seen
DECAY = 0.05


class Shortcut(nn.Module):
    """
    An inverted residual block (https://arxiv.org/abs/1801.04381); at first it hands all through.

    :param channels: at both ends, where the sides are equal too.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(HIDDEN, channels, 1)
        nn.init.zeros_(last.weight)
        self.block = nn.Sequential(
            nn.Conv2d(channels, HIDDEN, 1, bias=False),
            nn.BatchNorm2d(HIDDEN),
            nn.ReLU6(),
            nn.Conv2d(HIDDEN, HIDDEN, 5, padding=2, groups=HIDDEN, bias=False),
            nn.BatchNorm2d(HIDDEN),
            nn.ReLU6(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return about what the skipped sections would have made of ``x``."""
        change: Tensor = self.block(x)
        return x + change


def train(
    chain: Chain,
    start: int,
    end: int,
    features: Features,
    steps: int,
    rng: np.random.Generator,
    rate: float = 3e-3,
) -> Shortcut:
    """
    Distil one.

    :param start: cut of the chain where it leaves; at ``end`` it joins again.
    :param features: (n, …) at ``start``.
    :returns: in inference mode.
    """
    shortcut = Shortcut(features.shape[1])
    optimiser = torch.optim.AdamW(shortcut.parameters(), rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(2, steps))
    for _ in range(steps):
        batch = np.sort(rng.choice(len(features), BATCH, replace=False))
        x = torch.from_numpy(features[batch].astype(np.float32))
        with torch.no_grad():
            aims = [chain.run(start, end, x)]
            aims += [chain.run(end, chain.last - 1, aims[0])]
            answers = chain.run(chain.last - 1, chain.last, aims[1])
        tensors = [shortcut(x)]
        tensors += [chain.run(end, chain.last - 1, tensors[0])]
        ours = chain.run(chain.last - 1, chain.last, tensors[1])
        loss = ANSWER_WEIGHT * functional.kl_div(
            ours.log_softmax(1), answers.log_softmax(1), log_target=True, reduction='batchmean'
        )
        for tensor, aim in zip(tensors, aims, strict=True):
            loss = loss + ((tensor - aim).square().mean((0, 2, 3)) / aim.var((0, 2, 3))).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    shortcut.eval()
    return shortcut
