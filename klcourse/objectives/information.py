"""A hinge on the information itself: what the article says, where its algorithm measures the rate instead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from klcourse.gaussians import pairwise_log_q

from .base import Objective, Terms


@dataclass
class InfoHinge(Objective):
    """Minimise D + beta R + lam max(c - I_B, 0), I_B the mini-batch's estimate of I_q(x; z). lam = 0 is a beta-VAE.

    The article derives a constraint on I and then puts the rate R in its place; R >= I_q, with equality only if q(z) =
    p(z), so R can be bought without information (ledger A9). This hinge cannot be paid with an encoder that ignores x,
    and so may use lam > beta.

    I_B is at most log B, so c must be well below that: a ValueError names both. In the last mini-batch of an epoch, if it
    is smaller, the hinge is simply on.
    """

    lam: float = 2.0
    c: float = 3.0
    beta: float = 1.0
    name: ClassVar[str] = "mi-hinge"

    def __call__(self, t: Terms) -> Tensor:
        self.check_batch_size(t.batch_size or len(t.z))
        plain = t.rec.mean() + self.beta * t.kl.mean()
        return plain + self.lam * (self.c - batch_information(t)).clamp(min=0)

    @torch.no_grad()
    def penalty_on(self, t: Terms) -> bool:
        return batch_information(t).item() < self.c

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

    >>> far = 100.0 * torch.arange(4.0)[:, None]  # four posteriors that nobody confuses: log 4
    >>> batch_information(Terms(far[:, 0], far[:, 0], mu=far, logvar=torch.zeros(4, 1), z=far))
    tensor(1.3863)
    """
    log_q = pairwise_log_q(t.z, t.mu, t.logvar).sum(-1)  # (B, B): sample i under posterior j
    return (log_q.diagonal() - log_q.logsumexp(1)).mean() + math.log(len(log_q))
