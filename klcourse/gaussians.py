"""Diagonal Gaussians, which is all that priors and posteriors are here: densities, samples, the KL in closed form.

A leaf: it imports nothing of the course, and PyTorch only where noise is drawn, so that whoever only wants to know what
the objectives are called need not load it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def reparameterise(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw z ~ N(mu, diag exp(logvar)) so that gradients reach mu and logvar (Kingma & Welling 2014): (B, d) -> (B, d).

    >>> import torch
    >>> reparameterise(torch.zeros(2, 3), torch.full((2, 3), -80.0)).abs().max() < 1e-6
    tensor(True)
    """
    return mu + (0.5 * logvar).exp() * normal(mu.shape, generator).to(mu.device)


def normal(shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise. Always drawn on the CPU, so that a seed means the same noise on every device."""
    import torch

    return torch.randn(tuple(shape), generator=generator)


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) || N(0, I)) per example: (B, d), (B, d) -> (B,), nats.

    >>> import torch
    >>> gaussian_kl(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return gaussian_kl_by_latent(mu, logvar).sum(-1)


def gaussian_kl_by_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """The same, latent by latent: (B, d), (B, d) -> (B, d), nats; they add up because both sides are factorised.

    >>> import torch
    >>> gaussian_kl_by_latent(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([[0.5000, 0.0000]])
    """
    return 0.5 * (mu.square() + (logvar.expm1() - logvar))  # exp(logvar) - 1 loses all digits next to the prior


def log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mu, diag exp(logvar)), summed over the last dimension: (..., d) -> (...), nats.

    >>> import torch
    >>> round(log_normal(torch.zeros(1), torch.zeros(1), torch.zeros(1)).item(), 4)  # -log sqrt(2 pi)
    -0.9189
    """
    return -0.5 * (scaled(z - mu, logvar).square() + logvar + LOG_2PI).sum(-1)


def pairwise_log_q(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log q(z_i|x_j) for every sample i and posterior j, latent by latent: (n, d), (N, d), (N, d) -> (n, N, d), nats."""
    return -0.5 * (scaled(z[:, None] - mu, logvar).square() + logvar + LOG_2PI)


FAR = 1e15  # standard deviations beyond which a density is 0, whose square is still a number


def scaled(difference: Tensor, logvar: Tensor) -> Tensor:
    """A difference in standard deviations, so that neither it nor its gradient overflows where the variance is tiny."""
    return (difference * (-0.5 * logvar).exp()).clamp(-FAR, FAR)
