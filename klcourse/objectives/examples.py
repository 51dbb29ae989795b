"""Free bits of every example by itself, where the others are of the mini-batch's mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from klcourse.gaussians import gaussian_kl_by_latent

from .base import Objective
from .knobs import c, knob
from .schedules import linear_weight
from .terms import Terms

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class FreeBitsEach(Objective, name="freebits-each"):
    """Minimise D + w mean_i sum_j max(KL_ij, c/d): every latent of every example has c/d free nats (Li et al. 2019).

    `of` = "example" gives every example c nats for all its latents together. A latent that tells much of one example and
    little of another is charged for the first, so R of the batch may lie well above c. w grows from 0 to 1 in `warmup`
    epochs. Li et al. train an autoencoder first and keep its encoder (`pretrain`). c = 0 is the ELBO.

    >>> import torch
    >>> mu = torch.tensor([[2.0, 0.0], [0.0, 0.0]])      # KL: 2 and 0 nats for one example, none for the other
    >>> t = Terms(rec=torch.full((2,), 80.0), kl=torch.tensor([2.0, 0.0]), mu=mu, logvar=torch.zeros(2, 2))
    >>> FreeBitsEach(c=2)(t), FreeBitsEach(c=2, of="example")(t)
    (tensor(82.5000), tensor(82.))
    """

    title, formula = "free bits, per example", "D + w mean_i Σ_j max(KL_ij, c/d)"
    tex = r"D + w_t \frac{1}{B} \sum_i \sum_j \max(\mathrm{KL}_{ij}, c/d)"
    paper = "Li et al. 2019"
    published = {"c": 8.0, "warmup": 10.0}
    deviation = (
        "half of their cure without --pretrain; below the threshold their loss shows 0 for c/d, with the same gradient"
    )
    constrains = "rate"
    c: float = c(5.0, "free nats of all d latents of an example together")
    warmup: float = knob(0.0, "until the KL has its full weight", unit="epochs")
    of: str = knob(
        "latent", "whose the free nats are: c/d of every latent, or c of the example", choices=("latent", "example")
    )

    def __call__(self, t: Terms) -> Tensor:
        kl = self.by_group(t)
        return t.rec.mean() + linear_weight(t.epoch, self.warmup) * kl.clamp(min=self.c / kl.shape[1]).sum(1).mean()

    def by_group(self, t: Terms) -> Tensor:
        """The KL of every example and latent, (B, d), or of every example, (B, 1), nats."""
        if self.of == "example":
            return t.kl[:, None]
        assert t.mu is not None and t.logvar is not None
        return gaussian_kl_by_latent(t.mu, t.logvar)

    def penalty_on(self, t: Terms) -> float:
        kl = self.by_group(t)
        return (kl < self.c / kl.shape[1]).float().mean().item()

    def settles(self, epochs: float) -> float:
        return self.warmup
