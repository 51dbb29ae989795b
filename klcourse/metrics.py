"""What a trained VAE is measured by: rate, distortion, information, and whether the decoder listens to z.

All are in nats per example, sums over dimensions and means over examples. Work is done in chunks, so that memory does not
grow with the number of examples squared; every random number comes from a generator that the caller may pass.

I_q(x; z) has no closed form. It is reported as a sandwich around its population value, for N examples:
the *self-included* estimate is a lower bound that cannot exceed log N, the *leave-one-out* estimate is an upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from klcourse.data import PAD
from klcourse.models import VAE, gaussian_kl, reparameterise

ROWS = 1000  # rows a network sees at a time
CELLS = 4_000_000  # cells of an (examples x posteriors x dims) table held at a time: 32 MB as float64
LOG_2PI = math.log(2 * math.pi)


class MutualInformation(NamedTuple):
    """Estimates of I_q(x; z) in nats: lower <= I_q <= upper in expectation, and lower <= cap = log N always."""

    lower: float
    upper: float
    cap: float


def chunks(n: int, size: int) -> Iterator[slice]:
    """Slices that cover 0 ... n - 1, at most `size` long and at least 1."""
    size = max(1, size)
    return (slice(i, min(n, i + size)) for i in range(0, n, size))


def part(y: Tensor | None, rows) -> Tensor | None:
    """y[rows], for labels that may be absent."""
    return None if y is None else y[rows]


@torch.no_grad()
def posteriors(model: VAE, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """mu, logvar of q(z|x) for every example: (N, d) each."""
    parts = [model.encode(x[s], part(y, s)) for s in chunks(len(x), ROWS)]
    mu, logvar = (torch.cat(t) for t in zip(*parts))
    return mu, logvar


@torch.no_grad()
def log_px(model: VAE, x: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
    """log p(x|z) of every pair (x_i, z_i): (N,), nats."""
    return torch.cat([model.log_px(x[s], z[s], part(y, s)) for s in chunks(len(x), ROWS)])


def rate(mu: Tensor, logvar: Tensor) -> float:
    """R = mean KL(q(z|x) || p(z)), nats, closed form.

    >>> rate(torch.ones(5, 2), torch.zeros(5, 2))
    1.0
    """
    return gaussian_kl(mu, logvar).mean().item()


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """How many latents have Var_x(mu_j) > threshold (Burda et al. 2016)."""
    return int((mu.var(0) > threshold).sum())


def log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mu, diag exp(logvar)) summed over the last dimension, nats."""
    return -0.5 * ((z - mu).square() / logvar.exp() + logvar + LOG_2PI).sum(-1)


def pairwise_log_q(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log q(z_i|x_j) for every sample i and posterior j, one latent at a time: (n, d), (N, d), (N, d) -> (n, N, d)."""
    return -0.5 * ((z[:, None] - mu).square() / logvar.exp() + logvar + LOG_2PI)


def mutual_information(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> MutualInformation:
    """I_q(x; z) for N posteriors, (N, d) each, from one sample a posterior.

    log q(z_i) is the log-mean-exp of log q(z_i|x_j) over all j (lower bound) or over all j but i (upper bound).
    Raises ValueError for fewer than two posteriors.

    >>> mi = mutual_information(10.0 * torch.arange(4.0)[:, None], torch.zeros(4, 1))  # four posteriors far apart
    >>> round(mi.lower, 3) == round(mi.cap, 3) == 1.386 and mi.upper > mi.cap
    True
    """
    n = len(mu)
    if n < 2:
        raise ValueError(f"mutual information of {n} posterior(s): it needs at least 2")
    mu, logvar = mu.double(), logvar.double()  # squares of near-equal numbers: float32 loses them
    z = reparameterise(mu, logvar, generator)
    precision = (-logvar).exp()
    # sum_k (z_k - mu_k)^2 / var_k, expanded so that it is two matrix products and no (n, N, d) table
    constant = (mu.square() * precision + logvar + LOG_2PI).sum(-1)  # (N,)
    own = log_normal(z, mu, logvar)  # (N,) log q(z_i|x_i)
    left_out = []  # log of the sum over j other than i
    for s in chunks(n, CELLS // n):
        log_q = -0.5 * (z[s].square() @ precision.T - 2 * z[s] @ (mu * precision).T + constant)  # (n, N)
        rows = torch.arange(s.stop - s.start)
        log_q[rows, rows + s.start] = -torch.inf
        left_out.append(log_q.logsumexp(1))
    others = torch.cat(left_out)
    lower = (own - torch.logaddexp(others, own)).mean().item() + math.log(n)
    upper = (own - others).mean().item() + math.log(n - 1)
    return MutualInformation(lower, upper, math.log(n))


def total_correlation(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> float:
    """TC(q(z)) = KL(q(z) || prod_j q(z_j)), nats, with q(z) the mixture of the N posteriors (self-included estimate).

    Zero iff the latents are independent under the aggregate posterior. The first term is capped as I_q is.
    """
    n, d = mu.shape
    mu, logvar = mu.double(), logvar.double()
    z = reparameterise(mu, logvar, generator)
    total = 0.0
    for s in chunks(n, CELLS // (n * d)):
        log_q = pairwise_log_q(z[s], mu, logvar)  # (n, N, d)
        joint = log_q.sum(-1).logsumexp(1) - math.log(n)
        product = (log_q.logsumexp(1) - math.log(n)).sum(-1)
        total += (joint - product).sum().item()
    return total / n


def shuffled_distortion_gap(model: VAE, x: Tensor, z: Tensor, log_likelihood: Tensor, y: Tensor | None = None) -> float:
    """D(shuffled z) - D, nats: what the decoder loses when every example gets another one's z. Zero: it ignores z.

    z (N, d) are samples of q(z|x) and log_likelihood (N,) their log p(x|z). The shuffle moves all by half of N, so nobody
    keeps their own; examples should be in random order.
    """
    other = z.roll(max(1, len(z) // 2), 0)
    return (log_likelihood - log_px(model, x, other, y)).mean().item()


@torch.no_grad()
def iw_nll(
    model: VAE,
    x: Tensor,
    y: Tensor | None = None,
    *,
    samples: int = 64,
    generator: torch.Generator | None = None,
    mu_logvar: tuple[Tensor, Tensor] | None = None,
    progress: bool = False,
) -> Tensor:
    """-log p(x) by importance weighting, per example (N,), nats (Burda et al. 2016): an upper bound, tighter as K grows.

    With K = samples = 1 it is the sampled -ELBO. Pass `mu_logvar` if the posteriors are known already.
    """
    if samples < 1:
        raise ValueError(f"iw_nll with {samples} samples: choose 1 or more")
    mu, logvar = mu_logvar or posteriors(model, x, y)
    log_k = math.log(samples)
    out = []
    slices = list(chunks(len(x), ROWS // samples))
    for s in tqdm(slices, desc="importance-weighted NLL", delay=2, leave=False, disable=not progress):
        m, lv = mu[s].repeat_interleave(samples, 0), logvar[s].repeat_interleave(samples, 0)  # (n K, d)
        z = reparameterise(m, lv, generator)
        many_x = x[s].repeat_interleave(samples, 0)
        many_y = None if y is None else y[s].repeat_interleave(samples, 0)
        log_w = log_px(model, many_x, z, many_y) + log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
        log_w = log_w - log_normal(z, m, lv)
        out.append(log_k - log_w.view(-1, samples).logsumexp(1))
    return torch.cat(out)


def perplexity(nll: float, words: float) -> float:
    """exp(nats per word): nll is nats per sentence, words the mean number of words per sentence, EOS counted.

    >>> round(perplexity(nll=2 * math.log(50), words=2))
    50
    """
    return math.exp(nll / words) if nll / words < 700 else math.inf


@torch.no_grad()
def evaluate(
    model: VAE,
    x: Tensor,
    y: Tensor | None = None,
    *,
    iw_samples: int = 64,
    seed: int = 0,
    text: bool = False,
    progress: bool = False,
) -> dict[str, float]:
    """All metrics of a model on the examples x: a dictionary of plain numbers, nats per example.

    rate, distortion, elbo = -(D + R); mi with mi_upper and mi_cap; marginal_kl = R - mi (an upper bound on M, as mi is a
    lower one on I_q) and marginal_kl_lower = R - mi_upper; active_units; total_correlation; shuffle_gap = D(shuffled z) - D;
    iw_nll with iw_samples (0 leaves it out); and for text elbo_ppl, iw_ppl, reconstruction_ppl.
    """
    was_training = model.training
    model.eval()
    try:
        generator = torch.Generator().manual_seed(seed)
        mu, logvar = posteriors(model, x, y)
        z = reparameterise(mu, logvar, generator)
        log_likelihood = log_px(model, x, z, y)
        r, d = rate(mu, logvar), -log_likelihood.mean().item()
        mi = mutual_information(mu, logvar, generator)
        out = {
            "rate": r,
            "distortion": d,
            "elbo": -(d + r),
            "mi": mi.lower,
            "mi_upper": mi.upper,
            "mi_cap": mi.cap,
            "marginal_kl": r - mi.lower,
            "marginal_kl_lower": r - mi.upper,
            "total_correlation": total_correlation(mu, logvar, generator),
            "active_units": active_units(mu),
            "shuffle_gap": shuffled_distortion_gap(model, x, z, log_likelihood, y),
        }
        if iw_samples:
            known = {"mu_logvar": (mu, logvar), "generator": generator}
            nll = iw_nll(model, x, y, samples=iw_samples, progress=progress, **known)
            out |= {"iw_nll": nll.mean().item(), "iw_samples": iw_samples}
        if text:
            words = (x != PAD).sum(1).float().mean().item()  # EOS counts, BOS does not: it is never predicted
            out |= {"elbo_ppl": perplexity(d + r, words), "reconstruction_ppl": perplexity(d, words)}
            if iw_samples:
                out["iw_ppl"] = perplexity(out["iw_nll"], words)
        return out
    finally:
        model.train(was_training)
