"""The objectives of the article: ELBO, SLVAE, the constraint, beta-VAE and its beta-TCVAE."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from .base import Objective, Terms


@dataclass
class ELBO(Objective):
    """Minimise -ELBO = D + R (article, section 'KL vanishing problem'; Kingma & Welling 2014)."""

    name: ClassVar[str] = "elbo"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean()


@dataclass
class BetaVAE(Objective):
    """Minimise D + beta R (Higgins et al. 2017; article, section on beta-VAE). beta = 1 is the ELBO."""

    beta: float = 1.0
    name: ClassVar[str] = "beta"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * t.kl.mean()


@dataclass
class RateHinge(Objective):
    """Minimise D + beta R + lam max(c - R, 0), R the batch mean of the KL: the article's new objective, eqs. (3), (4).

    beta > 1 is the article's combination with beta-VAE. The loss is written as the article's algorithm switches: below
    c the KL has weight beta - lam, and that is all a step sees of lam and beta (beta_eff = beta - lam).

    eta > 0 moves lam by dual ascent, as DualAscent does. On a hinge that is a mistake worth seeing: above c the hinge is
    silent, so lam comes to rest above the multiplier of the constraint (lam times the duty cycle is the multiplier).
    """

    lam: float = 1.0
    c: float = 5.0
    beta: float = 1.0
    eta: float = field(default=0.0, repr=False)
    name: ClassVar[str] = "mi"

    def __call__(self, t: Terms) -> Tensor:
        if self.penalty_on(t):
            return t.rec.mean() + (self.beta - self.lam) * t.kl.mean() + self.lam * self.c
        return t.rec.mean() + self.beta * t.kl.mean()

    def penalty_on(self, t: Terms) -> bool:
        return t.kl.mean().item() < self.c

    def after_step(self, t: Terms) -> None:
        if self.eta:
            self.lam = ascend(self, t)

    def state(self) -> dict[str, float]:
        return {"lam": self.lam} if self.eta else {}


def ascend(objective: Objective, t: Terms) -> float:
    """The multiplier after a step of dual ascent on R >= c: lam + eta (c - R of this batch), kept in [0, beta].

    beta is the largest price that makes sense: above it the loss pays for rate even where nothing is learnt from it.
    """
    lam = objective.lam + objective.eta * (objective.c - t.kl.mean().item())
    return min(max(lam, 0.0), objective.beta)


@dataclass
class SelfLabelling(Objective):
    """Minimise D + R + lam E_q ||z - g(x)||^2 (article: L_SLVAE; Zhang et al., ICASSP 2019).

    The expectation is taken in closed form, ||mu - g(x)||^2 + sum var, as the KL's is. `label` says how g learns:
    "joint" by this very loss, as the article writes it; "alternating", as in the SLCVAE paper, by -log p(x|g(x)) with the
    decoder frozen, on mini-batches of its own (the trainer does that step; here g(x) is a constant).
    """

    lam: float = 0.5
    label: str = "joint"
    name: ClassVar[str] = "sl"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"label": ("joint", "alternating")}

    def __call__(self, t: Terms) -> Tensor:
        if t.label is None:
            raise ValueError("objective sl needs a labelling network g: the batch came without g(x)")
        distance = (t.mu - t.label).square().sum(-1) + t.logvar.exp().sum(-1)  # (B,) E_q ||z - g(x)||^2
        return t.rec.mean() + t.kl.mean() + self.lam * distance.mean()


@dataclass
class BetaTC(Objective):
    """Minimise D + I_q + beta TC + sum_j KL(q(z_j) || p(z_j)): beta-TCVAE (Chen et al. 2018; the article's reference 2).

    As those three add up to R, this is D + R + (beta - 1) TC; beta = 1 is the ELBO. TC, the total correlation of q(z), is
    estimated by minibatch-weighted sampling: right for its gradient, off by a constant, so never a metric.
    """

    beta: float = 6.0
    name: ClassVar[str] = "tc"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean() + (self.beta - 1) * minibatch_total_correlation(t)


def minibatch_total_correlation(t: Terms) -> Tensor:
    """The estimate of TC(q(z)) = E log q(z) - sum_j E log q(z_j) that beta-TCVAE trains on; scalar, nats.

    log q(z) is approximated by logsumexp_i log q(z|x_i) - log(N B) over the batch (Chen et al. 2018, eq. 5).
    """
    diff = t.z[:, None] - t.mu[None]  # (B, B, d): sample i against posterior j
    log_q = -0.5 * (diff.square() / t.logvar.exp() + t.logvar + math.log(2 * math.pi))  # (B, B, d)
    log_nb = math.log(max(t.dataset_size, len(t.z)) * len(t.z))
    joint = log_q.sum(-1).logsumexp(1) - log_nb  # (B,)
    product = (log_q.logsumexp(1) - log_nb).sum(-1)  # (B,)
    return (joint - product).mean()
