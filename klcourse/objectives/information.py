"""Losses on the parts of the rate, R = I_q + M: a hinge on the information itself, beta-TCVAE, InfoVAE."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from klcourse.gaussians import pairwise_log_q

from .base import Objective
from .knobs import beta, c, lam
from .terms import Terms

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class InfoHinge(Objective, name="info-hinge", aliases=("mi-hinge",)):
    """Minimise D + beta R + lam max(c - I_B, 0), I_B the mini-batch's estimate of I_q(x; z). lam = 0 is a beta-VAE.

    The article derives a constraint on I and then puts the rate R in its place; R >= I_q, with equality only if q(z) =
    p(z), so R can be bought without information (ledger A9). This hinge cannot be paid with an encoder that ignores x,
    and so may use lam > beta.

    I_B is at most log B, so c must be well below that: a ValueError names both. In the last mini-batch of an epoch, if it
    is smaller, the hinge is simply on.

    >>> import torch
    >>> z = torch.zeros(4, 1)      # four posteriors that nobody can tell apart: I_B = 0
    >>> InfoHinge(lam=2, c=1)(Terms(rec=torch.full((4,), 80.0), kl=torch.full((4,), 3.0), mu=z, logvar=z, z=z))
    tensor(85.)
    """

    title, formula = "hinge on I", "D + β R + λ max(c − I_B, 0), I_B ≤ log B"
    tex = r"D + \beta R + \lambda \max(c - \hat I_q, 0)"
    paper = "the article's words, taken literally; Zhao et al. 2018"
    deviation = "the article has no such algorithm; Zhao et al. push I itself, under constraints on the ELBO and the MMD"
    constrains = "information"
    lam: float = lam(2.0)
    c: float = c(3.0, "target of the information I_q")
    beta: float = beta()

    def __call__(self, t: Terms) -> Tensor:
        self.check_batch_size(t.batch_size or len(t.kl))
        plain = t.rec.mean() + self.beta * t.kl.mean()
        return plain + self.lam * (self.c - batch_information(t)).clamp(min=0)

    def penalty_on(self, t: Terms) -> float:
        return float(batch_information(t).item() < self.c)

    def check_batch_size(self, size: int) -> None:
        if 0 < self.c and self.c >= math.log(size):
            raise ValueError(
                f"c = {self.c} of objective {self.name}: {size} examples cannot show more than log {size} = "
                f"{math.log(size):.2f} nats; choose a smaller c or mini-batches of more than {math.exp(min(self.c, 99)):.0f}"
            )


def batch_information(t: Terms) -> Tensor:
    """The self-included estimate of I_q(x; z) on a mini-batch, scalar, nats: at most log B, and low by design.

    I_B = mean_i [log q(z_i|x_i) - log (1/B) sum_j q(z_i|x_j)] (Hoffman & Johnson 2016), with the very samples z_i that
    the decoder got. Gradients reach the samples and all posteriors.

    >>> import torch
    >>> far = 100.0 * torch.arange(4.0)[:, None]  # four posteriors that nobody confuses: log 4
    >>> batch_information(Terms(far[:, 0], far[:, 0], mu=far, logvar=torch.zeros(4, 1), z=far))
    tensor(1.3863)
    """
    log_q = batch_log_q(t).sum(-1)  # (B, B): sample i under posterior j
    return (log_q.diagonal() - log_q.logsumexp(1)).mean() + math.log(len(log_q))


def batch_log_q(t: Terms) -> Tensor:
    """log q(z_i|x_j) of every sample under every posterior of the mini-batch, latent by latent: (B, B, d)."""
    assert t.z is not None and t.mu is not None and t.logvar is not None
    return pairwise_log_q(t.z, t.mu, t.logvar)


@dataclass
class BetaTC(Objective, name="tc"):
    """Minimise D + I_q + beta TC + sum_j KL(q(z_j) || p(z_j)): beta-TCVAE (Chen et al. 2018; the article's reference 2).

    As those three add up to R, this is D + R + (beta - 1) TC; beta = 1 is the ELBO. TC, the total correlation of q(z), is
    estimated by minibatch-weighted sampling: right for its gradient, off by a constant, so never a metric.
    """

    title, formula, tex = "β-TCVAE", "D + R + (β − 1) TC", r"D + R + (\beta - 1)\, \mathrm{TC}(q(z))"
    paper = "Chen et al. 2018"
    beta: float = beta(6.0, "weight β of the total correlation of q(z)")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean() + (self.beta - 1) * minibatch_total_correlation(t)


def minibatch_total_correlation(t: Terms) -> Tensor:
    """The estimate of TC(q(z)) = E log q(z) - sum_j E log q(z_j) that beta-TCVAE trains on; scalar, nats.

    log q(z) is approximated by logsumexp_i log q(z|x_i) - log(N B) over the batch (Chen et al. 2018, eq. 5).
    """
    log_q = batch_log_q(t)  # (B, B, d): sample i against posterior j
    size = len(log_q)
    log_nb = math.log(max(t.dataset_size, size) * size)
    joint = log_q.sum(-1).logsumexp(1) - log_nb  # (B,)
    product = (log_q.logsumexp(1) - log_nb).sum(-1)  # (B,)
    return (joint - product).mean()


@dataclass
class InfoVAE(Objective, name="mmd"):
    """Minimise D + beta R + lam MMD^2(q(z), p(z)) (Zhao et al. 2017; beta = 1 - alpha). beta = 1, lam = 0 is the ELBO.

    beta = 0, their MMD-VAE, puts no price on information at all: only the aggregate posterior is tied to the prior. MMD^2
    is at most 2, so lam is of the order of the nats it competes with. The article's wish q(z) = p(z) with z and x
    dependent, which KL(q(z|x) || p(z)) = 0 cannot grant, is what this one asks for.
    """

    title, formula = "InfoVAE-MMD", "D + β R + λ MMD²(q(z), p(z))"
    tex = r"D + \beta R + \lambda\, \mathrm{MMD}^2(q(z), p(z))"
    paper = "Zhao et al. 2017"
    deviation = "the kernel's mean over the prior is exact, theirs is sampled"
    lam: float = lam(100.0, "weight λ of the distance of q(z) from p(z)")
    beta: float = beta(0.0)

    def __call__(self, t: Terms) -> Tensor:
        assert t.z is not None
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
