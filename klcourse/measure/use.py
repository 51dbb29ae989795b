"""Whether the decoder listens to z: information that is held is not yet information that is used."""

from __future__ import annotations

from torch import Tensor

from klcourse.models import VAE

from .passes import log_px


def shuffled_distortion_gap(model: VAE, x: Tensor, z: Tensor, log_likelihood: Tensor, y: Tensor | None = None) -> float:
    """D(shuffled z) - D, nats: what the decoder loses when every example gets another one's z. Zero: it ignores z.

    z (N, d) are samples of q(z|x) and log_likelihood (N,) their log p(x|z). The shuffle moves all by half of N, so nobody
    keeps their own; examples should be in random order.
    """
    other = z.roll(max(1, len(z) // 2), 0)
    return (log_likelihood - log_px(model, x, other, y)).mean().item()
