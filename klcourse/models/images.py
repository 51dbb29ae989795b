"""Images: an encoder, and two decoders, one that needs z and one that can do without."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from klcourse.system import is_piped

from .decoder import Decoder

SIDE = 28  # MNIST digits are 28 x 28, stored as rows of 784 pixels


def mlp(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """Two tanh layers, the network of Burda et al. (2016)."""
    return nn.Sequential(nn.Linear(n_in, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, n_out))


class ImageEncoder(nn.Module):
    """(B, 784) pixels and (B, k) label code -> (B, n_out)."""

    def __init__(self, hidden: int, n_out: int, n_labels: int = 0):
        super().__init__()
        self.net = mlp(SIDE * SIDE + n_labels, hidden, n_out)

    def forward(self, x: Tensor, extra: Tensor) -> Tensor:
        return self.net(torch.cat([x, extra], -1))


class SkipMLP(nn.Module):
    """As `mlp`, but every layer is told the input too: skip connections from z (Dieng et al. 2019)."""

    def __init__(self, n_in: int, hidden: int, n_out: int):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(n_in, hidden), nn.Linear(hidden + n_in, hidden)])
        self.out = nn.Linear(hidden + n_in, n_out)

    def forward(self, h: Tensor) -> Tensor:
        state = h
        for layer in self.layers:
            state = torch.cat([layer(state).tanh(), h], -1)
        return self.out(state)


def check_pixels(x: Tensor, most: float = 1.0) -> None:
    """Raise ValueError unless x are images (N, 784) of numbers from 0 to `most`."""
    if x.dim() != 2 or x.shape[1] != SIDE * SIDE:
        raise ValueError(f"images of shape {tuple(x.shape)}: give {SIDE * SIDE} pixels a row, (N, {SIDE * SIDE})")
    if x.dtype != torch.uint8 and not x.is_floating_point():
        raise ValueError(f"images of {x.dtype}: give bytes or floats, x.to(torch.uint8); whole numbers are word ids")
    if len(x) and not (x.min() >= 0 and x.max() <= most):
        remedy = "draw them with klcourse.data.binarise, or divide by 255" if most == 1 else "give grey values as bytes"
        raise ValueError(f"pixels from {x.min().item():g} to {x.max().item():g}, where 0 to {most:g} is meant: {remedy}")


class FactorisedDecoder(Decoder):
    """p(x|z) = prod_i Bernoulli(x_i; pi_i(z)): pixels are independent once z is known."""

    def __init__(self, n_in: int, hidden: int, skip: bool = False):
        super().__init__()
        self.net = (SkipMLP if skip else mlp)(n_in, hidden, SIDE * SIDE)

    def log_px(self, x: Tensor, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return bernoulli_log_likelihood(self.net(h), x)

    def mean(self, h: Tensor) -> Tensor:
        return self.net(h).sigmoid()

    def check(self, x: Tensor) -> None:
        check_pixels(x)

    def cells(self, x: Tensor) -> int:
        return 4 * SIDE * SIDE

    def sample(self, h: Tensor, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        return torch.bernoulli(self.mean(h).cpu(), generator=generator).to(h.device)


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """log prod_i Bernoulli(x_i; sigmoid(logits_i)): (B, 784), (B, 784) -> (B,), nats, summed over pixels."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees only pixels before the current one in reading order (van den Oord et al. 2016).

    The kernel holds just the rows above and the current one: the rows below would be masked, and cost as much.
    `include_centre` is False in the first layer (mask A), where the centre is the very pixel to predict, and True after
    it (mask B). Row r of the output depends on rows r - size // 2 ... r of the input.
    """

    mask: Tensor

    def __init__(self, n_in: int, n_out: int, size: int, include_centre: bool):
        reach = size // 2
        super().__init__(n_in, n_out, (reach + 1, size), padding=reach)
        mask = torch.ones(reach + 1, size)
        mask[reach, reach + include_centre :] = 0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)
        return y[..., : x.shape[-2], :]  # the padding below let the kernel run past the last row


class PixelCNNDecoder(Decoder):
    """p(x|z) = prod_i Bernoulli(x_i; pi_i(x_1 .. x_{i-1}, z)): 7x7 and four 3x3 masked convolutions.

    z enters as one bias per channel and layer: it can say what to draw, and where only in so far as the layers work it out.
    """

    def __init__(self, n_in: int, channels: int = 32, layers: int = 4):
        super().__init__()
        self.first = MaskedConv2d(1, channels, 7, include_centre=False)
        self.rest = nn.ModuleList(MaskedConv2d(channels, channels, 3, include_centre=True) for _ in range(layers))
        self.bias = nn.Linear(n_in, channels * (layers + 1))  # z -> one bias per channel and layer
        # Quiet at first: at the usual scale, moving q(z) as a whole is the fastest way to set these biases, so the encoder
        # does that, and unlearns it over the next thousand steps (after 2 epochs: rate 10, information 0.3).
        nn.init.normal_(self.bias.weight, std=0.01)
        self.out = nn.Conv2d(channels, 1, 1)
        self.context_rows = 3 + layers  # how many rows above a pixel its prediction depends on

    def logits(self, x: Tensor, biases: Tensor) -> Tensor:
        """(B, 1, rows, 28) pixels and (B, layers + 1, channels) biases -> (B, 1, rows, 28) logits."""
        b = biases[..., None, None]  # (B, layers + 1, channels, 1, 1)
        a = F.relu(self.first(x) + b[:, 0])
        for i, layer in enumerate(self.rest, start=1):
            a = a + F.relu(layer(a) + b[:, i])  # residual: the 7x7 features reach every layer
        return self.out(a)

    def biases(self, h: Tensor) -> Tensor:
        """What z says to every channel of every layer: (B, d) -> (B, layers + 1, channels)."""
        return self.bias(h).unflatten(-1, (len(self.rest) + 1, -1))  # (B, layers + 1, channels)

    def check(self, x: Tensor) -> None:
        check_pixels(x)

    def cells(self, x: Tensor) -> int:
        return 3 * SIDE * SIDE * self.out.in_channels

    def log_px(self, x: Tensor, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        pixels = x.view(-1, 1, SIDE, SIDE)
        return bernoulli_log_likelihood(self.logits(pixels, self.biases(h)).flatten(1), x)

    def sample(self, h: Tensor, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        biases = self.biases(h)
        x = h.new_zeros(len(h), 1, SIDE, SIDE)
        u = torch.rand(SIDE, SIDE, len(h), generator=generator).to(h.device)
        for r in tqdm(range(SIDE), desc="drawing row by row", delay=2, leave=False, disable=is_piped()):
            top = max(0, r - self.context_rows)  # rows further up cannot change the answer: 3.5 times less work
            for c in range(SIDE):
                p = self.logits(x[:, :, top : r + 1], biases)[:, 0, -1, c].sigmoid()
                x[:, 0, r, c] = (u[r, c] < p).float()
        return x.flatten(1)
