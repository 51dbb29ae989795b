"""Diagonal Gaussians, which is all that priors and posteriors are here: sampling, and the KL in closed form."""

from __future__ import annotations

import torch
from torch import Tensor


def reparameterise(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw z ~ N(mu, diag exp(logvar)) so that gradients reach mu and logvar (Kingma & Welling 2014).

    >>> reparameterise(torch.zeros(2, 3), torch.full((2, 3), -80.0)).abs().max() < 1e-6
    tensor(True)
    """
    return mu + torch.exp(0.5 * logvar) * normal(mu.shape, generator).to(mu.device)


def normal(shape, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise. Always drawn on the CPU, so that a seed means the same noise on every device."""
    return torch.randn(shape, generator=generator)


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) || N(0, I)) per example: (B, d), (B, d) -> (B,), nats.

    >>> gaussian_kl(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return gaussian_kl_by_latent(mu, logvar).sum(-1)


def gaussian_kl_by_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """The same, latent by latent: (B, d), (B, d) -> (B, d), nats; they add up because both sides are factorised.

    >>> gaussian_kl_by_latent(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([[0.5000, 0.0000]])
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)
