"""What the literature does about KL vanishing by changing the loss: the baselines the article does not compare with.

Those that change the model or the schedule of updates instead are options of the model and of the trainer: word dropout,
BN-VAE and delta-VAE in klcourse.models, lagging inference in klcourse.training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from klcourse.gaussians import gaussian_kl_by_latent

from .article import ascend
from .base import Objective, Terms

# ---------------------------------------------------------------------------------------------------- annealing


def linear_weight(epoch: float, warmup: float) -> float:
    """The share of the KL's final weight after `epoch` passes over the data: from 0 to 1 in `warmup` passes.

    >>> [linear_weight(epoch, warmup=4) for epoch in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    return min(1.0, epoch / warmup) if warmup else 1.0


def cyclical_weight(epoch: float, period: float, ratio: float) -> float:
    """The same in cycles of `period` passes: from 0 to 1 in the first `ratio` of each cycle, 1 for the rest of it.

    >>> [cyclical_weight(epoch, period=2, ratio=0.5) for epoch in (0, 0.5, 1, 1.9, 2, 2.5)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
    """
    return linear_weight(epoch % period, ratio * period)


@dataclass
class LinearAnnealing(Objective):
    """Minimise D + w R, w growing from 0 to beta over `warmup` epochs (Bowman et al. 2016). warmup = 0 is a beta-VAE.

    >>> import torch
    >>> LinearAnnealing(warmup=4)(Terms(torch.tensor([80.0]), torch.tensor([8.0]), epoch=1))  # 80 + 8/4
    tensor(82.)
    """

    warmup: float = 5.0  # epochs
    beta: float = 1.0
    name: ClassVar[str] = "anneal"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * linear_weight(t.epoch, self.warmup) * t.kl.mean()


@dataclass
class CyclicalAnnealing(Objective):
    """Minimise D + w R, w growing from 0 to beta in the first `ratio` of every `period` (Fu et al. 2019).

    Their setting is four cycles in the whole training, ratio 0.5. ratio = 0 is a beta-VAE.
    """

    period: float = 2.5  # epochs
    ratio: float = 0.5
    beta: float = 1.0
    name: ClassVar[str] = "cyclical"
    bounds: ClassVar[dict[str, tuple[float, float]]] = {"period": (0.001, math.inf), "ratio": (0, 1)}

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * cyclical_weight(t.epoch, self.period, self.ratio) * t.kl.mean()


# ------------------------------------------------------------------------------------------- a floor for the rate


@dataclass
class FreeBits(Objective):
    """Minimise D + max(R, c), R the batch mean of the KL: c nats in total are free. c = 0 is the ELBO.

    It is the article's objective with lam = beta = 1: below c the rate costs nothing and earns nothing.

    >>> import torch
    >>> t = Terms(torch.tensor([80.0]), torch.tensor([3.0]))
    >>> FreeBits(c=5)(t), FreeBits(c=2)(t)
    (tensor(85.), tensor(83.))
    """

    c: float = 5.0
    name: ClassVar[str] = "freebits"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean().clamp(min=self.c)

    def penalty_on(self, t: Terms) -> bool:
        return t.kl.mean().item() < self.c


@dataclass
class FreeBitsPerDim(Objective):
    """Minimise D + sum_j max(mean KL_j, c/d): every latent has c/d free nats (Kingma et al. 2016, their lambda = c/d).

    No latent can make up for another, so all d are kept off the prior. c = 0 is the ELBO.
    """

    c: float = 5.0
    name: ClassVar[str] = "freebits-dim"

    def __call__(self, t: Terms) -> Tensor:
        by_latent = gaussian_kl_by_latent(t.mu, t.logvar).mean(0)  # (d,)
        return t.rec.mean() + by_latent.clamp(min=self.c / len(by_latent)).sum()

    def penalty_on(self, t: Terms) -> float:
        by_latent = gaussian_kl_by_latent(t.mu, t.logvar).mean(0)
        return (by_latent < self.c / len(by_latent)).float().mean().item()


@dataclass
class Capacity(Objective):
    """Minimise D + lam |R - c|: the rate is tied to c from both sides (Burgess et al. 2018). lam = 1, c = 0 is the ELBO.

    Below c it is a beta-VAE of weight -lam, above c of weight lam.
    """

    lam: float = 1.0
    c: float = 5.0
    name: ClassVar[str] = "capacity"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.lam * (t.kl.mean() - self.c).abs()

    def penalty_on(self, t: Terms) -> bool:
        return t.kl.mean().item() < self.c


@dataclass
class DualAscent(Objective):
    """Minimise the Lagrangian D + beta R + lam (c - R) of 'R >= c', while lam climbs it: lam += eta (c - R) a step.

    lam stays in [0, beta]. It is the proper reading of the article's min max: unlike the hinge it charges lam on both
    sides of c, and where it comes to rest, lam is the multiplier lam*(c) itself. In gradient a step is a beta-VAE of
    weight beta - lam (minimum desired rate, Pelsmaeker & Aziz 2020; GECO, Rezende & Viola 2018, does it for D).
    c = 0 with lam = 0 is a beta-VAE.
    """

    c: float = 5.0
    eta: float = 0.01  # per step and nat
    beta: float = 1.0
    lam: float = 0.0  # where it starts, and where it is
    name: ClassVar[str] = "dual"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + (self.beta - self.lam) * t.kl.mean() + self.lam * self.c

    def after_step(self, t: Terms) -> None:
        self.lam = ascend(self, t)

    def state(self) -> dict[str, float]:
        return {"lam": self.lam}


# ------------------------------------------------------------------------------------------------------ InfoVAE


@dataclass
class InfoVAE(Objective):
    """Minimise D + beta R + lam MMD^2(q(z), p(z)) (Zhao et al. 2017; beta = 1 - alpha). beta = 1, lam = 0 is the ELBO.

    beta = 0, their MMD-VAE, puts no price on information at all: only the aggregate posterior is tied to the prior. MMD^2
    is at most 2, so lam is of the order of the nats it competes with. The article's wish q(z) = p(z) with z and x
    dependent, which KL(q(z|x) || p(z)) = 0 cannot grant, is what this one asks for.
    """

    lam: float = 100.0
    beta: float = 0.0
    name: ClassVar[str] = "mmd"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * t.kl.mean() + self.lam * mmd_to_prior(t.z)


def mmd_to_prior(z: Tensor) -> Tensor:
    """The unbiased estimate of MMD^2 between the law of z (B, d) and N(0, I), scalar; it may be slightly negative.

    MMD^2 = E k(z, z') - 2 E k(z, p) + E k(p, p') with the kernel k(a, b) = exp(-||a - b||^2 / 2d), whose width is the
    usual distance of two draws of the prior. Both expectations over the prior are Gaussian integrals, so no prior
    sample adds its noise.

    >>> import torch
    >>> z = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0))
    >>> abs(mmd_to_prior(z)) < 0.002, mmd_to_prior(z + 1) > 0.1
    (tensor(True), tensor(True))
    """
    b, d = z.shape
    squares = z.square().sum(-1)  # (B,)
    distances = (squares[:, None] + squares - 2 * z @ z.T).clamp(min=0)  # (B, B)
    pairs = ((-distances / (2 * d)).exp().sum() - b) / max(1, b * (b - 1))  # without the B pairs of z with itself
    to_prior = (d / (d + 1)) ** (d / 2) * (-squares / (2 * (d + 1))).exp().mean()
    return pairs - 2 * to_prior + (d / (d + 2)) ** (d / 2)
