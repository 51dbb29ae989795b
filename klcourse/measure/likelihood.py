"""How likely held-out examples are: importance-weighted bounds on -log p(x), and perplexity."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from tqdm.auto import tqdm

from klcourse.gaussians import log_normal, reparameterise
from klcourse.models import VAE

from .passes import ROWS, chunks, log_px, posteriors


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
