"""Rate and information: how far q(z|x) is from the prior, and how much of that tells one x from another.

I_q(x; z) has no closed form. It is reported as a sandwich around its population value, for N examples:
the *self-included* estimate is a lower bound that cannot exceed log N, the *leave-one-out* estimate is an upper bound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from klcourse.gaussians import LOG_2PI, gaussian_kl, normal, scaled

from .passes import chunks

EXACT = 1e8  # terms of this size may cancel: double precision leaves 1e-8 nat
CELLS = 4_000_000  # cells of an (examples x posteriors x dims) table held at a time: 32 MB as float64


def check(mu: Tensor, logvar: Tensor) -> None:
    """ValueError unless mu and logvar are those of at least one posterior each: (N, d) twice, finite."""
    if mu.dim() != 2 or mu.shape != logvar.shape or not mu.numel():
        raise ValueError(
            f"posteriors of shapes {tuple(mu.shape)} and {tuple(logvar.shape)}: give mu and logvar, (N, d) each"
        )
    if not (mu.isfinite().all() and logvar.isfinite().all()):
        raise ValueError("a posterior has a mean or a log-variance that is not finite: training has diverged")


class MutualInformation(NamedTuple):
    """Estimates of I_q(x; z) in nats: lower <= I_q <= upper in expectation, and lower <= cap = log N always."""

    lower: float
    upper: float
    cap: float


def mutual_information(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> MutualInformation:
    """I_q(x; z) for N posteriors, (N, d) each, from one sample a posterior.

    log q(z_i) is the log-mean-exp of log q(z_i|x_j) over all j (lower bound) or over all j but i (upper bound).
    Raises ValueError for fewer than two posteriors.

    >>> mi = mutual_information(10.0 * torch.arange(4.0)[:, None], torch.zeros(4, 1))  # four posteriors far apart
    >>> round(mi.lower, 3) == round(mi.cap, 3) == 1.386 and mi.upper > mi.cap
    True
    """
    check(mu, logvar)
    n = len(mu)
    if n < 2:
        raise ValueError(f"mutual information of {n} posterior(s): it needs at least 2")
    noise = normal(mu.shape, generator).to(mu.device).double()
    mu, logvar = mu.double(), logvar.double()  # squares of near-equal numbers: float32 loses them
    mu = mu - mu.mean(0)  # where they are does not matter, and far from 0 digits are lost
    z = mu + (0.5 * logvar).exp() * noise
    precision = (-logvar).exp()
    # sum_k (z_k - mu_k)^2 / var_k, expanded so that it is two matrix products and no (n, N, d) table
    constant = (mu.square() * precision + logvar + LOG_2PI).sum(-1)  # (N,)
    largest = (z.square().amax(0) * precision.amax(0)).sum()  # of what cancels there
    expanded = bool(largest < EXACT)
    own = -0.5 * (noise.square() + logvar + LOG_2PI).sum(-1)  # (N,) log q(z_i|x_i)
    left_out = []  # log of the sum over j other than i
    for s in chunks(n, CELLS // (n if expanded else n * mu.shape[1])):
        if expanded:
            log_q = -0.5 * (z[s].square() @ precision.T - 2 * z[s] @ (mu * precision).T + constant)  # (n, N)
        else:
            log_q = pairwise(mu, logvar, noise, s).sum(-1)
        rows = torch.arange(s.stop - s.start)
        log_q[rows, rows + s.start] = -torch.inf
        left_out.append(log_q.logsumexp(1))
    others = torch.cat(left_out)
    lower = (own - torch.logaddexp(others, own)).mean().item() + math.log(n)
    upper = (own - others).mean().item() + math.log(n - 1)
    return MutualInformation(lower, upper, math.log(n))


def pairwise(mu: Tensor, logvar: Tensor, noise: Tensor, rows: slice) -> Tensor:
    """log q(z_i|x_j) for the samples z_i = mu_i + std_i noise_i of these rows, latent by latent: (n, N, d), nats.

    The difference z_i - mu_j is (mu_i - mu_j) + std_i noise_i: exact where mu_i = mu_j, however narrow the posteriors are.
    """
    difference = (mu[rows, None] - mu) + ((0.5 * logvar[rows]).exp() * noise[rows])[:, None]
    return -0.5 * (scaled(difference, logvar).square() + logvar + LOG_2PI)


def mutual_information_given(
    y: Tensor, mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None
) -> MutualInformation:
    """I(x; z | y): what z tells about x beyond its label y (N,), the mean over labels of I_q within one.

    For a conditional model, whose encoder is told y, I_q is I(x, y; z) and counts what z repeats of y: I(x, y; z) =
    I(y; z) + I(x; z | y). A label that only one example has tells nothing here, and is left out.

    >>> mu = torch.tensor([[0.0], [50.0], [0.0], [50.0]])      # z tells the label, and no more
    >>> y = torch.tensor([0, 1, 0, 1])
    >>> abs(round(mutual_information_given(y, mu, torch.zeros(4, 1), torch.Generator().manual_seed(0)).lower, 3))
    0.0
    """
    parts = [(rows := (y == label).nonzero()[:, 0], len(rows)) for label in y.unique()]
    parts = [(rows, n) for rows, n in parts if n > 1]
    total = sum(n for _, n in parts)
    if not total:
        raise ValueError("I(x; z | y) needs a label that two examples have")
    each = [(n / total, mutual_information(mu[rows], logvar[rows], generator)) for rows, n in parts]
    lower, upper, cap = (sum(share * found[i] for share, found in each) for i in range(3))
    return MutualInformation(lower, upper, cap)


def rate(mu: Tensor, logvar: Tensor) -> float:
    """R = mean KL(q(z|x) || p(z)), nats, closed form.

    >>> rate(torch.ones(5, 2), torch.zeros(5, 2))
    1.0
    """
    check(mu, logvar)
    return gaussian_kl(mu, logvar).mean().item()


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """How many latents have Var_x(mu_j) > threshold (Burda et al. 2016)."""
    return int((mu.var(0) > threshold).sum())


def total_correlation(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> float:
    """TC(q(z)) = KL(q(z) || prod_j q(z_j)), nats, with q(z) the mixture of the N posteriors (self-included estimate).

    Zero iff the latents are independent under the aggregate posterior. The first term is capped as I_q is.
    """
    check(mu, logvar)
    n, d = mu.shape
    noise = normal(mu.shape, generator).to(mu.device).double()
    mu, logvar = mu.double(), logvar.double()
    total = 0.0
    for s in chunks(n, CELLS // (n * d)):
        log_q = pairwise(mu, logvar, noise, s)  # (n, N, d)
        joint = log_q.sum(-1).logsumexp(1) - math.log(n)
        product = (log_q.logsumexp(1) - math.log(n)).sum(-1)
        total += (joint - product).sum().item()
    return total / n
