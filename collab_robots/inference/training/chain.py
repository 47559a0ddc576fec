"""The frozen torch network as a chain of sections, for training what hangs on its cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Tensor = torch.Tensor


class Chain:
    """
    A network as sections that follow one another; what flows between two of them is a cut.

    Cut ``i`` is what the first ``i`` sections give: cut 0 is the input, the last the answer.

    :param sections: the network; its weights are frozen.
    """

    def __init__(self, sections: Sequence[nn.Module]) -> None:
        self._sections = [section.eval().requires_grad_(False) for section in sections]
        self.last = len(self._sections)

    def run(self, start: int, end: int, x: Tensor) -> Tensor:
        """Return the tensor at cut ``end`` for one (n, …) at cut ``start``."""
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        for section in self._sections[start:end]:
            x = section(x)
        return x


def efficientnet_lite0(network: Any) -> Chain:
    """Return EfficientNet-Lite0: stem, 16 blocks, head (batch norms folded into convolutions)."""
    for block in network._blocks:
        if block._block_args.expand_ratio != 1:
            block._expand_conv = fuse_conv_bn_eval(block._expand_conv, block._bn0)
            block._bn0 = nn.Identity()
        block._depthwise_conv = fuse_conv_bn_eval(block._depthwise_conv, block._bn1)
        block._project_conv = fuse_conv_bn_eval(block._project_conv, block._bn2)
        block._bn1 = block._bn2 = nn.Identity()
    stem = nn.Sequential(fuse_conv_bn_eval(network._conv_stem, network._bn0), nn.ReLU6())
    head = nn.Sequential(
        fuse_conv_bn_eval(network._conv_head, network._bn1),
        nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        network._fc,
    )
    return Chain([stem, *network._blocks, head])
