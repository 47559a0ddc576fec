"""
Networks of known shape with seeded weights, to try cuts on: none of them has learned anything.

Imports torch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 1000


def resnet18(seed: int = 0) -> nn.Module:
    """Return a ResNet-18 (https://arxiv.org/abs/1512.03385) for (1, 3, 224, 224)."""
    return _seeded(_resnet18, seed)


def mobilenet_v2(seed: int = 0) -> nn.Module:
    """Return a MobileNetV2 (https://arxiv.org/abs/1801.04381) for (1, 3, 224, 224)."""
    return _seeded(_mobilenet_v2, seed)


def vit(seed: int = 0) -> nn.Module:
    """Return a small vision transformer (https://arxiv.org/abs/2010.11929) for 224x224."""
    return _seeded(Vit, seed)


ZOO: dict[str, Callable[[], nn.Module]] = {
    'resnet18': resnet18,
    'mobilenet_v2': mobilenet_v2,
    'vit': vit,
}


class Basic(nn.Module):
    """A residual block of two 3x3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _conv(inputs, outputs, 3, stride, nn.ReLU())
        self.second = _conv(outputs, outputs, 3, 1, nn.Identity())
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else _conv(inputs, outputs, 1, stride, nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (1, inputs, h, w) -> (1, outputs, h / stride, w / stride)."""
        return F.relu(self.second(self.first(x)) + self.skip(x))


class Inverted(nn.Module):
    """An inverted residual block: widen, filter each channel, narrow."""

    def __init__(self, inputs: int, outputs: int, stride: int, widen: int) -> None:
        super().__init__()
        width = inputs * widen
        expand = [_conv(inputs, width, 1, 1, nn.ReLU6())] if widen > 1 else []
        self.layers = nn.Sequential(
            *expand,
            _conv(width, width, 3, stride, nn.ReLU6(), groups=width),
            _conv(width, outputs, 1, 1, nn.Identity()),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (1, inputs, h, w) -> (1, outputs, h / stride, w / stride)."""
        y: torch.Tensor = self.layers(x)
        return x + y if self.residual else y


class Encoder(nn.Module):
    """A transformer block with the norms before attention and perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (1, tokens, width) -> the same."""
        batch, tokens, width = x.shape
        qkv = self.qkv(self.before(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each: (1, heads, tokens, width / heads)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        x = x + self.out(mixed.reshape(batch, tokens, width))
        y: torch.Tensor = x + self.perceptron(self.between(x))
        return y


class Vit(nn.Module):
    """A vision transformer with a class token."""

    def __init__(self, patch: int = 16, width: int = 192, heads: int = 3, depth: int = 6) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, (224 // patch) ** 2 + 1, width) * 0.02)
        self.encoders = nn.Sequential(*(Encoder(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (1, 3, 224, 224) -> (1, CLASSES)."""
        x = self.patches(x).flatten(2).transpose(1, 2)  # (1, tokens, width)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.places
        logits: torch.Tensor = self.head(self.norm(self.encoders(x))[:, 0])
        return logits


def _conv(
    inputs: int, outputs: int, side: int, stride: int, activation: nn.Module, groups: int = 1
) -> nn.Sequential:
    """Return a convolution, its batch norm and its activation."""
    conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), activation)


def _resnet18() -> nn.Module:
    shapes = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
    blocks: list[nn.Module] = []
    for inputs, outputs, stride in shapes:
        blocks += [Basic(inputs, outputs, stride), Basic(outputs, outputs, 1)]
    return _network(_conv(3, 64, 7, 2, nn.ReLU()), [nn.MaxPool2d(3, 2, 1), *blocks], 512)


def _mobilenet_v2() -> nn.Module:
    # widen, channels, repeats, stride: table 2 of the paper
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    table += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    blocks: list[nn.Module] = []
    inputs = 32
    for widen, outputs, repeats, stride in table:
        for repeat in range(repeats):
            blocks.append(Inverted(inputs, outputs, 1 if repeat else stride, widen))
            inputs = outputs
    blocks.append(_conv(320, 1280, 1, 1, nn.ReLU6()))
    return _network(_conv(3, 32, 3, 2, nn.ReLU6()), blocks, 1280)


def _network(stem: nn.Module, blocks: list[nn.Module], channels: int) -> nn.Module:
    parts = OrderedDict(
        stem=stem,
        blocks=nn.Sequential(*blocks),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        head=nn.Linear(channels, CLASSES),
    )
    return nn.Sequential(parts)


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return a network with its own random weights; batch norms get what training would leave."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make()
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity='relu')
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.get_buffer('running_mean'), std=0.1)
                nn.init.uniform_(part.get_buffer('running_var'), 0.5, 1.5)
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, std=0.1)
    return network.eval()
