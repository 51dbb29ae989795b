"""Will it collapse? The threshold s(0) of theorem T5, estimated for a trained decoder that ignores z (notebook 09).

Let the decoder begin to listen: z adds a little to the layers that it enters. What log p(x|z) changes by, per unit of such
an addition, is a score u(x). Its mean square is larger on data than on the decoder's own samples if something is left that
the decoder does not explain, and s(0) is the largest ratio, over all directions of listening. Collapse is a saddle iff
s(0) > beta.

`klcourse.sweep.threshold` does this for three kinds of decoder.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor, nn

from klcourse.gaussians import gaussian_kl_by_latent
from klcourse.models.decoder import Decoder
from klcourse.models.images import FactorisedDecoder, PixelCNNDecoder
from klcourse.models.text import TextDecoder

Array = NDArray[np.float64]

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
ROWS = 250  # examples at a time


def _unit_inputs(layer: nn.Linear, width: int, start: int) -> nn.Linear:
    """The layer as it answers h = 0, with input number start + i added to output i."""
    told = nn.Linear(width, layer.out_features)
    with torch.no_grad():
        told.weight.zero_()
        told.weight[:, start : start + layer.out_features] = torch.eye(layer.out_features)
        told.bias.copy_(layer.bias)
    return told


def listening(decoder: Decoder) -> Decoder:
    """A copy of a decoder trained with h = 0, whose h has one number for every unit that z could reach directly.

    PixelCNN: a bias per channel and layer. LSTM: the first state, and the gates at every step. Factorised: the first layer.
    At h = 0 it is the decoder it was copied from. ValueError for another kind, and for skip connections.

    >>> width(listening(PixelCNNDecoder(4, channels=3, layers=2)))
    9
    """
    device = next(decoder.parameters()).device
    copied: Any = copy.deepcopy(decoder).cpu().eval()
    if isinstance(decoder, PixelCNNDecoder):
        copied.bias = _unit_inputs(copied.bias, copied.bias.out_features, 0)
    elif isinstance(decoder, FactorisedDecoder) and isinstance(decoder.net, nn.Sequential):
        copied.net[0] = _unit_inputs(copied.net[0], copied.net[0].out_features, 0)
    elif isinstance(decoder, TextDecoder) and not (decoder.skip or len(decoder.more)):
        state, gates, words = copied.start.out_features, 4 * copied.lstm.hidden_size, copied.embed.embedding_dim
        copied.start = _unit_inputs(copied.start, state + gates, 0)
        kept = {name: value.detach() for name, value in copied.lstm.named_parameters()}
        unit = torch.cat([torch.zeros(gates, state), torch.eye(gates)], 1)
        kept["weight_ih_l0"] = torch.cat([kept["weight_ih_l0"][:, :words], unit], 1)
        copied.lstm = nn.LSTM(words + state + gates, copied.lstm.hidden_size, batch_first=True)
        copied.lstm.load_state_dict(kept)
    else:
        raise ValueError(f"{type(decoder).__name__}: only a plain MLP, a PixelCNN and one LSTM without skip are covered")
    return cast(Decoder, copied.requires_grad_(False).to(device))


def width(decoder: Any) -> int:
    """How many numbers a listening decoder is told."""
    for layer in ("bias", "start"):
        if hasattr(decoder, layer):
            return int(getattr(decoder, layer).in_features)
    return int(decoder.net[0].in_features)


def scores(decoder: Decoder, x: Tensor) -> Array:
    """d log p(x|h) / dh at h = 0 of a listening decoder, one row an example: (N, k)."""
    found = []
    for rows in x.split(ROWS):
        h = torch.zeros(len(rows), width(decoder), requires_grad=True, device=x.device)
        (slope,) = torch.autograd.grad(decoder.log_px(rows, h).sum(), h)
        found.append(slope.double().cpu().numpy())
    return np.concatenate(found)


@torch.no_grad()
def own_samples(decoder: Decoder, n: int, seed: int, **options: int) -> Tensor:
    """n samples of a listening decoder at h = 0; texts of different length are padded with 0."""
    generator, device = torch.Generator().manual_seed(seed), next(decoder.parameters()).device
    drawn = [
        decoder.sample(torch.zeros(min(1000, n - begin), width(decoder), device=device), generator, **options)
        for begin in range(0, n, 1000)
    ]
    longest = max(part.shape[1] for part in drawn)
    return torch.cat([nn.functional.pad(part, (0, longest - part.shape[1])) for part in drawn])


class Threshold(NamedTuple):
    """An estimate of s(0). The direction is chosen on one half and judged on the other, so held_out does not flatter."""

    fitted: float  # the ratio where the direction was found: too large
    held_out: float  # the same direction on fresh data and fresh samples: a lower bound of s(0), up to its error
    error: float  # standard error of held_out
    direction: Array  # (k,), scaled so that the decoder's own samples have E u^2 = 1


def threshold(fit: Array, test: Array, own: Array) -> Threshold:
    """s(0) from the scores of training data, of fresh data and of the decoder's own samples, (N, k) each.

    A ridge keeps directions out that neither has seen enough of; it is chosen on a part of the training scores.

    >>> rng = np.random.default_rng(0)
    >>> own, fit, test = (rng.standard_normal((4000, 3)) for _ in range(3))
    >>> fit[:, 0] *= 2; test[:, 0] *= 2                                   # s(0) = 4
    >>> bool(3.5 < threshold(fit, test, own).held_out < 4.5)
    True
    """
    half = len(own) // 2
    mine, theirs = own[:half], own[half:]

    def direction(data: Array, ridge: float) -> Array:
        second = mine.T @ mine / len(mine)
        scale = ridge * np.trace(second) / len(second)
        return eigh(np.cov(data.T), second + scale * np.eye(len(second)), subset_by_index=[len(second) - 1] * 2)[1][:, 0]

    def ratio(u: Array, data: Array, samples: Array) -> float:
        return float(np.var(data @ u) / np.mean(np.square(samples @ u)))

    first, second = np.array_split(fit, 2)
    ridge = max(RIDGES, key=lambda r: ratio(direction(first, r), second, theirs[: half // 2]))
    u = direction(fit, ridge)
    a, b = np.square(test @ u - (test @ u).mean()), np.square(theirs[half // 2 :] @ u)
    found = float(a.mean() / b.mean())
    error = found * float(np.sqrt(a.var() / len(a) / a.mean() ** 2 + b.var() / len(b) / b.mean() ** 2))
    return Threshold(ratio(u, fit, mine), found, error, u / float(np.sqrt(np.mean(np.square(own @ u)))))


class FreeCodes(NamedTuple):
    """A first latent learnt with a free encoder, epoch by epoch."""

    direction: Tensor  # (k,), what the decoder is told for z = 1
    rate: list[float]  # R, nats
    gain: list[float]  # what D + beta R has fallen by since z was not heard, nats


def free_codes(
    decoder: Decoder,
    x: Tensor,
    beta: float = 1.0,
    epochs: int = 60,
    seed: int = 0,
    direction: Tensor | None = None,
    lr: float = 1e-3,
) -> FreeCodes:
    """The theorem's experiment: a listening decoder, one latent, and a code N(a_i, s_i^2) of its own for every example.

    Codes and direction start next to collapse and are trained on D + beta R; all other weights stay as they are. With a
    `direction` given, the codes alone are trained: what such a latent is worth on fresh examples. `lr` is the direction's
    learning rate (Adam); the codes' is 20 times as large.
    """
    generator, device = torch.Generator().manual_seed(seed), x.device
    mean = (0.01 * torch.randn(len(x), generator=generator)).to(device).requires_grad_()
    log_var = torch.zeros(len(x), device=device, requires_grad=True)
    fixed = direction is not None
    if direction is None:
        direction = (0.003 * torch.randn(width(decoder), generator=generator)).to(device).requires_grad_()
    groups = [{"params": [mean, log_var], "lr": 20 * lr}, *([] if fixed else [{"params": [direction], "lr": lr}])]
    optimiser, rates, gains = torch.optim.Adam(groups), [], []
    with torch.no_grad():
        silent = torch.cat([decoder.log_px(rows, x.new_zeros(len(rows), len(direction)).float()) for rows in x.split(ROWS)])
    for _ in range(epochs):
        rate = gain = 0.0
        for rows in torch.randperm(len(x), generator=generator).to(device).split(ROWS):
            noise = torch.randn(len(rows), generator=generator).to(device)
            z = mean[rows] + (0.5 * log_var[rows]).exp() * noise
            better = decoder.log_px(x[rows], z[:, None] * direction) - silent[rows]
            kl = gaussian_kl_by_latent(mean[rows], log_var[rows])
            optimiser.zero_grad()
            (beta * kl - better).mean().backward()
            optimiser.step()
            rate, gain = rate + float(kl.detach().sum()), gain + float((better - beta * kl).detach().sum())
        rates.append(rate / len(x))
        gains.append(gain / len(x))
    return FreeCodes(direction.detach(), rates, gains)
