"""
Make a bottleneck: few whole numbers for the tensor at a cut, and back, though chunks are lost.

The encoder is solved, not searched for: the Karhunen-Loève transform of patches of the tensor,
in the metric in which the network's answer feels a change (the Fisher information), rounded with
one step for all coefficients, which costs least bits for a given harm. The decoder starts as its
inverse and learns, through the frozen tail, to do without what lost chunks held.
MAHPPO's compressor (https://arxiv.org/abs/2205.11854) is a 1x1 convolution each way, trained.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from collab_robots.inference.training.chain import Chain

Tensor = torch.Tensor
Features = npt.NDArray[np.float16]
LEAST, MOST = -8, 7  # of a sent number: 4 bits
SENT_CHANNELS = 16  # what a lost chunk takes with it is some of these
HIDDEN = 160
FLOOR = 1e-4  # of the greatest sensitivity: no direction counts as harmless
SENSED = 192  # pictures whose gradients tell the metric
SOLVED = 1200  # pictures whose tensors tell the transform
BATCH = 16
LOSS_SHARES = (0.05, 0.4)
CHUNKS = (4, 9)


@dataclass(frozen=True)
class Recipe:
    """
    What to make.

    :param cut: name of the tensor.
    :param patch: side of the patches.
    :param width: numbers sent of each patch.
    :param step: of the rounding, in standard deviations of an average coefficient.
    """

    cut: str
    patch: int
    width: int
    step: float


class Encoder(nn.Module):
    """
    What the sender runs: one convolution without overlap, rounded.

    The numbers are shuffled, so that a lost chunk costs every place a little.

    :param shape: (channels, rows, columns) at the cut.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, patch: int) -> None:
        super().__init__()
        channels, rows, columns = shape
        self.inner = (width, rows // patch, columns // patch)
        self.sent = (SENT_CHANNELS, self.inner[1], width * self.inner[2] // SENT_CHANNELS)
        self.conv = nn.Conv2d(channels, width, patch, patch)
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(math.prod(self.inner), generator=generator)
        self.order = nn.Buffer(order.int(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return what is sent, (n, *sent): whole numbers from -8 to 7."""
        z = self.conv(x).round().clamp(LEAST, MOST).flatten(1)
        sent: Tensor = z.index_select(1, self.order).reshape(-1, *self.sent)
        return sent


class Decoder(nn.Module):
    """What the receiver runs: the way back, and a look at what is around."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        conv = encoder.conv
        channels, patch = conv.in_channels, int(conv.kernel_size[0])
        self.inner = encoder.inner
        self.conv = nn.ConvTranspose2d(conv.out_channels, channels, patch, patch)
        last = nn.Conv2d(HIDDEN, channels, 1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.refine = nn.Sequential(
            nn.Conv2d(channels, HIDDEN, 1),
            nn.ReLU6(),
            nn.Conv2d(HIDDEN, HIDDEN, 5, padding=2, groups=HIDDEN),
            nn.ReLU6(),
            last,
        )
        self.order = nn.Buffer(encoder.order.argsort().int(), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """Return about what was encoded, from what came (0 where it was lost)."""
        z = z.round().flatten(1).index_select(1, self.order).reshape(-1, *self.inner)
        x: Tensor = self.conv(z)
        change: Tensor = self.refine(x)
        return x + change


def sensitivity(chain: Chain, cut: int, features: Features) -> Tensor:
    """Return the Fisher information (channels, channels) of a pixel, mean over places."""
    channels = features.shape[1]
    metric = torch.zeros(channels, channels)
    for start in range(0, len(features), BATCH):
        x = torch.from_numpy(features[start : start + BATCH].astype(np.float32)).requires_grad_()
        chances = chain.run(cut, chain.last, x).log_softmax(1)
        drawn = torch.multinomial(chances.detach().exp(), 1)
        torch.autograd.backward(chances.gather(1, drawn).sum())
        assert x.grad is not None
        flat = x.grad.permute(0, 2, 3, 1).reshape(-1, channels)
        metric += flat.T @ flat
    return metric / metric.trace()


def solve(recipe: Recipe, metric: Tensor, features: Features) -> tuple[Encoder, Decoder]:
    """Return the encoder, and a decoder that inverts it as far as it can be."""
    x = torch.from_numpy(features.astype(np.float32))
    channels, patch, width = x.shape[1], recipe.patch, recipe.width
    values, vectors = torch.linalg.eigh(metric)
    roots = values.clamp(min=float(values.max()) * FLOOR).sqrt()
    root, inverse = vectors * roots @ vectors.T, vectors / roots @ vectors.T
    mean = x.mean((0, 2, 3))
    felt = torch.einsum('ab,nbhw->nahw', root, x - mean[:, None, None])
    patches = functional.unfold(felt, patch, stride=patch).transpose(1, 2).flatten(0, 1)
    energies, basis = torch.linalg.eigh(patches.T @ patches / len(patches))
    energies, basis = energies.flip(0)[:width], basis.flip(1)[:, :width]
    step = recipe.step * float(energies.mean().sqrt())
    parts = basis.reshape(channels, patch * patch, width)
    encoder = Encoder((channels, x.shape[2], x.shape[3]), width, patch)
    decoder = Decoder(encoder)
    with torch.no_grad():
        there = torch.einsum('ab,apk->kbp', root, parts) / step
        encoder.conv.weight.copy_(there.reshape(encoder.conv.weight.shape))
        encoder.conv.bias = nn.Parameter(-torch.einsum('kbp,b->k', there, mean))
        back = torch.einsum('ab,bpk->kap', inverse, parts) * step
        decoder.conv.weight.copy_(back.reshape(decoder.conv.weight.shape))
        decoder.conv.bias = nn.Parameter(mean)
    return encoder.requires_grad_(False), decoder


def lose(sent: Tensor, chunks: int, share: float) -> Tensor:
    """Set to 0 what was in lost chunks; chunk ``i`` of ``n`` holds channels ``i::n``."""
    kept = torch.rand(len(sent), chunks) >= share
    return sent * kept[:, torch.arange(sent.shape[1]) % chunks, None, None]


def train(
    chain: Chain,
    cut: int,
    recipe: Recipe,
    features: Features,
    answers: Features,
    steps: int,
    rng: np.random.Generator,
    rate: float = 1e-3,
) -> tuple[Encoder, Decoder]:
    """
    Make a bottleneck; three of four batches that the decoder learns from lack chunks.

    :param features: (n, …) at the cut.
    :param answers: (n, classes) the whole network's logits.
    :returns: in inference mode.
    """
    some = np.sort(rng.permutation(len(features))[:SOLVED])
    metric = sensitivity(chain, cut, features[some[:: max(1, len(some) // SENSED)]])
    encoder, decoder = solve(recipe, metric, features[some])
    optimiser = torch.optim.Adam(decoder.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(2, steps))
    for step in range(steps):
        batch = np.sort(rng.choice(len(features), BATCH, replace=False))
        sent = encoder(torch.from_numpy(features[batch].astype(np.float32)))
        if step % 4:
            sent = lose(sent, int(rng.integers(*CHUNKS)), rng.uniform(*LOSS_SHARES))
        ours = chain.run(cut, chain.last, decoder(sent)).log_softmax(1)
        theirs = torch.from_numpy(answers[batch].astype(np.float32)).log_softmax(1)
        loss = functional.kl_div(ours, theirs, log_target=True, reduction='batchmean')
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return encoder.eval(), decoder.eval()
