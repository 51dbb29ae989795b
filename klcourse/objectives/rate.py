"""Losses that weigh the rate R or hold it at a target: ELBO, beta-VAE, the article's constraint, and its relatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from klcourse.gaussians import gaussian_kl_by_latent

from .base import Objective
from .knobs import beta, c, knob, lam
from .schedules import linear_weight
from .terms import Terms

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class ELBO(Objective, name="elbo"):
    """Minimise -ELBO = D + R (article, section 'KL vanishing problem'; Kingma & Welling 2014).

    >>> import torch
    >>> t = Terms(rec=torch.tensor([80.0, 90.0]), kl=torch.tensor([1.0, 3.0]))
    >>> ELBO()(t)
    tensor(87.)
    """

    title, formula, tex = "ELBO", "D + R", "D + R"
    paper = "Kingma & Welling 2014"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean()

    def rate_weight(self, duty: float) -> float:
        return 1.0


@dataclass
class BetaVAE(Objective, name="beta"):
    """Minimise D + beta R (Higgins et al. 2017; article, section on beta-VAE). beta = 1 is the ELBO.

    >>> import torch
    >>> t = Terms(rec=torch.tensor([80.0, 90.0]), kl=torch.tensor([1.0, 3.0]))
    >>> BetaVAE(beta=4)(t)
    tensor(93.)
    """

    title, formula, tex = "β-VAE", "D + β R", r"D + \beta R"
    paper = "Higgins et al. 2017"
    beta: float = beta()

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * t.kl.mean()

    def rate_weight(self, duty: float) -> float:
        return self.beta


@dataclass
class RateHinge(Objective, name="rate-hinge", aliases=("mi",)):
    """Minimise D + beta R + lam max(c - R, 0), R the batch mean of the KL: the article's new objective, eqs. (3), (4).

    beta > 1 is the article's combination with beta-VAE. The loss is written as the article's algorithm switches: below
    c the KL has weight beta - lam, and that is all a step sees of lam and beta (beta_eff = beta - lam). The article calls
    it a constraint on mutual information; what is constrained is the rate (ledger A9), hence the name.

    eta > 0 moves lam by dual ascent, as DualAscent does. On a hinge that is a mistake worth seeing: above c the hinge is
    silent, so lam comes to rest above the multiplier of the constraint (lam times the duty cycle is the multiplier).

    >>> import torch
    >>> t = Terms(rec=torch.tensor([80.0, 90.0]), kl=torch.tensor([1.0, 3.0]))
    >>> RateHinge(lam=0.5, c=5)(t), RateHinge(lam=0.5, c=1)(t)      # the rate is 2
    (tensor(88.5000), tensor(87.))
    """

    title, formula = "hinge on R", "D + β R + λ max(c − R, 0)"
    tex = r"D + \beta R + \lambda \max(c - R, 0)"
    paper = "the article, eqs. (3), (4)"
    constrains = "rate"
    weight_formula = "β − λ·duty"
    lam: float = lam(1.0)
    c: float = c(5.0)
    beta: float = beta()
    eta: float = knob(0.0, "step size of λ, per step and nat; 0 keeps λ where it is", symbol="η", tex=r"\eta", shown=False)

    def __call__(self, t: Terms) -> Tensor:
        if self.penalty_on(t):
            return t.rec.mean() + (self.beta - self.lam) * t.kl.mean() + self.lam * self.c
        return t.rec.mean() + self.beta * t.kl.mean()

    def penalty_on(self, t: Terms) -> float:
        return float(t.kl.mean().item() < self.c)

    def rate_weight(self, duty: float) -> float:
        return self.beta - self.lam * duty

    def after_step(self, t: Terms) -> None:
        if self.eta:
            self.lam = ascend(self.lam, self.eta, self.c, self.beta, t)

    def state(self) -> dict[str, float]:
        return {"lam": self.lam} if self.eta else {}


def ascend(lam: float, eta: float, c: float, beta: float, t: Terms) -> float:
    """The multiplier after a step of dual ascent on R >= c: lam + eta (c - R of this batch), kept in [0, beta].

    beta is the largest price that makes sense: above it the loss pays for rate even where nothing is learnt from it.
    """
    return min(max(lam + eta * (c - t.kl.mean().item()), 0.0), beta)


@dataclass
class FreeBits(Objective, name="freebits"):
    """Minimise D + max(R, c), R the batch mean of the KL: c nats in total are free. c = 0 is the ELBO.

    It is the article's objective with lam = beta = 1: below c the rate costs nothing and earns nothing.

    >>> import torch
    >>> t = Terms(torch.tensor([80.0]), torch.tensor([3.0]))
    >>> FreeBits(c=5)(t), FreeBits(c=2)(t)
    (tensor(85.), tensor(83.))
    """

    title, formula, tex = "free bits, total", "D + max(R, c)", r"D + \max(R, c)"
    paper = "Kingma et al. 2016, one group"
    constrains = "rate"
    weight_formula = "1 − duty"
    c: float = c(5.0, "free nats in total")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean().clamp(min=self.c)

    def penalty_on(self, t: Terms) -> float:
        return float(t.kl.mean().item() < self.c)

    def rate_weight(self, duty: float) -> float:
        return 1 - duty


@dataclass
class FreeBitsPerDim(Objective, name="freebits-dim"):
    """Minimise D + sum_j max(mean KL_j, c/d): every latent has c/d free nats (Kingma et al. 2016, their lambda = c/d).

    No latent can make up for another, so all d are kept off the prior. c = 0 is the ELBO.
    """

    title, formula = "free bits, per dimension", "D + Σ_j max(R_j, c/d)"
    tex = r"D + \sum_j \max(R_j, c/d)"
    paper = "Kingma et al. 2016"
    deviation = "their groups are the feature maps of a deep hierarchy, here every latent is one"
    constrains = "rate"
    c: float = c(5.0, "free nats of all d latents together")

    def __call__(self, t: Terms) -> Tensor:
        by_latent = self.by_latent(t)
        return t.rec.mean() + by_latent.clamp(min=self.c / len(by_latent)).sum()

    def by_latent(self, t: Terms) -> Tensor:
        """The mean KL of each latent, (d,), nats."""
        assert t.mu is not None and t.logvar is not None
        return gaussian_kl_by_latent(t.mu, t.logvar).mean(0)

    def penalty_on(self, t: Terms) -> float:
        by_latent = self.by_latent(t)
        return (by_latent < self.c / len(by_latent)).float().mean().item()


@dataclass
class Capacity(Objective, name="capacity"):
    """Minimise D + lam |R - C|: the rate is tied to C from both sides (Burgess et al. 2018). lam = 1, c = 0 is the ELBO.

    Below C it is a beta-VAE of weight -lam, above C of weight lam. Theirs is lam = 1000 with C raised from 0 to c = 25 over
    the training, `rise` = 1. Where nobody has told how long the training will be, C = c from the start. Any lam above the
    largest slope of the rate-distortion curve (32 for the digits' MLP decoder) has the same optimum.

    >>> import torch
    >>> t = Terms(torch.tensor([80.0]), torch.tensor([3.0]), epoch=5, epochs=20)
    >>> Capacity(lam=2, c=10, rise=1.0)(t)  # a quarter of the way C is 2.5: 80 + 2 |3 - 2.5|
    tensor(81.)
    """

    title, formula = "capacity", "D + λ |R − C|, C fixed at c or rising to it"
    tex = r"D + \lambda |R - C_t|,\quad C_t \to c"
    paper = "Burgess et al. 2018"
    published = {"lam": 1000.0, "c": 25.0, "rise": 1.0}
    deviation = "data and networks are the course's; on dSprites they raise C over 100 000 steps"
    constrains = "rate"
    weight_formula = "λ·(1 − 2 duty)"
    lam: float = lam(1.0)
    c: float = c(5.0)
    rise: float = knob(0.0, "share of the training in which C rises from 0 to c; 0: C = c from the start", high=1.0)

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.lam * (t.kl.mean() - self.capacity(t)).abs()

    def capacity(self, t: Terms) -> float:
        """C at this point of the training, nats."""
        return self.c * linear_weight(t.epoch, self.rise * t.epochs)

    def penalty_on(self, t: Terms) -> float:
        return float(t.kl.mean().item() < self.capacity(t))

    def rate_weight(self, duty: float) -> float:
        return self.lam * (1 - 2 * duty)

    def settles(self, epochs: float) -> float:
        return self.rise * epochs
