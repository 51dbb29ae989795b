"""Whether the decoder listens to z: information that is held is not yet information that is used.

Two numbers, and neither alone says that a decoder is deaf. The *shuffle gap*: does it read the differences between
posteriors? The *prior gap*: is it tuned to where q(z|x) is, be it the same place for all x? A lazy model, which shifts all
posteriors alike to pay for a constraint, has a shuffle gap of nothing and may have a prior gap of nats.
"""

from __future__ import annotations

import torch
from torch import Tensor

from klcourse.gaussians import normal
from klcourse.models import VAE

from .passes import log_px


def shuffle_gap(model: VAE, x: Tensor, z: Tensor, log_likelihood: Tensor, y: Tensor | None = None) -> float:
    """D(shuffled z) - D(own z), nats: what the decoder loses when every example gets another one's z.

    z (N, d) are samples of q(z|x) and log_likelihood (N,) their log p(x|z). The shuffle moves all by half of N, so nobody
    keeps their own; examples should be in random order.
    """
    other = z.roll(max(1, len(z) // 2), 0)
    return (log_likelihood - log_px(model, x, other, y)).mean().item()


def prior_gap(
    model: VAE, x: Tensor, log_likelihood: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None
) -> float:
    """D(z ~ p) - D(z ~ q), nats: what the decoder loses when z comes from the prior and not from q(z|x).

    log_likelihood (N,) are log p(x|z) of samples z of q(z|x).
    """
    z = normal((len(x), model.latent_dim), generator).to(log_likelihood)
    return (log_likelihood - log_px(model, x, z, y)).mean().item()
