"""How likely held-out examples are: importance-weighted bounds on -log p(x), how far they can be trusted, perplexity.

    -log p(x) <= E[-log (1/K) sum_k p(x|z_k) p(z_k) / r(z_k|x)],   z_k ~ r(z|x),

an upper bound whatever the proposal r, tighter as K grows (Burda et al. 2016). How tight depends on r. With the encoder
alone, r = q(z|x), weights are unbounded: an encoder that sits off the posterior, such as a lazy one that only pays a
constraint, misses most of p(x) in a few draws, and the bound has a slack of nats that no average shows. With a share a
of the draws from the prior, r = (1 - a) q(z|x) + a p(z), no weight exceeds p(x|z)/a.

The *ladder*, the same bound at K/4, K/2 and K from the same draws, shows the slack: where it is flat, more samples would
change nothing. The *effective sample size* (sum w)^2 / sum w^2, of K, says how many draws carry the estimate.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from klcourse.gaussians import log_normal, normal, reparameterise
from klcourse.models import VAE
from klcourse.system import is_piped

from .passes import chunks, log_px, most_rows, part, posteriors

STEPS = 3  # of the ladder: K/4, K/2, K


class Likelihood(NamedTuple):
    """A bound on -log p(x) of N examples, nats each, and how far it can be trusted."""

    nll: Tensor  # (N,) at the largest K
    ladder: dict[int, float]  # K -> mean over the examples, smallest K first
    ess: float  # effective sample size at the largest K, mean over the examples
    flat: bool  # whether the ladder falls by less than the tolerance

    @property
    def mean(self) -> float:
        """The bound's mean over the examples, nats."""
        return self.nll.mean().item()

    @property
    def error(self) -> float:
        """The standard error of the mean over the examples, nats: what other test examples would change."""
        return self.nll.std().item() / math.sqrt(len(self.nll)) if len(self.nll) > 1 else math.nan

    def __str__(self) -> str:
        steps = ", ".join(f"K = {k}: {value:.2f}" for k, value in self.ladder.items())
        verdict = "flat" if self.flat else "still falling: a bound with slack"
        return f"{steps} nats ± {self.error:.2f} over examples; {self.ess:.1f} effective samples; {verdict}"


@torch.no_grad()
def importance_weighted(
    model: VAE,
    x: Tensor,
    y: Tensor | None = None,
    *,
    samples: int = 512,
    prior_share: float = 0.5,
    tolerance: float = 0.1,
    most: int = 0,
    generator: torch.Generator | None = None,
    mu_logvar: tuple[Tensor, Tensor] | None = None,
    progress: bool = False,
) -> Likelihood:
    """The importance-weighted bound on -log p(x) with `samples` draws, of which `prior_share` from the prior.

    The ladder is flat if it falls by less than `tolerance` nats from K/4 to K. If it is not, K is doubled and all is done
    again, up to `most` draws (0: once only). Pass `mu_logvar` if the posteriors are known already. Raises ValueError for
    fewer draws than the mixture needs, a share outside [0, 1), a tolerance that is not above 0.
    """
    check_proposal(samples, prior_share)
    if not tolerance > 0:
        raise ValueError(f"tolerance = {tolerance}: choose a number of nats above 0, such as 0.1")
    mu, logvar = mu_logvar or posteriors(model, x, y)
    while True:
        blocks, ess = [], []
        size = samples // 2 ** (STEPS - 1) if samples % 2 ** (STEPS - 1) == 0 else samples  # of the smallest K
        if prior_share and size < 2:
            size = samples
        slices = list(chunks(len(x), most_rows(x) // samples))
        for s in tqdm(slices, desc=f"likelihood, K = {samples}", delay=2, leave=False, disable=not progress or is_piped()):
            log_w = log_weights(
                model,
                x[s],
                part(y, s),
                mu[s],
                logvar[s],
                samples=samples,
                size=size,
                prior_share=prior_share,
                generator=generator,
            )  # (n, K)
            blocks.append(log_w.unflatten(1, (-1, size)).logsumexp(2))  # (n, K / size)
            ess.append((2 * log_w.logsumexp(1) - (2 * log_w).logsumexp(1)).exp())
        sums, steps = torch.cat(blocks), {}
        while True:
            k = samples // sums.shape[1]
            steps[k] = math.log(k) - sums  # (N, blocks)
            if sums.shape[1] == 1:
                break
            sums = sums.unflatten(1, (-1, 2)).logsumexp(2)
        ladder = {k: values.mean().item() for k, values in steps.items()}
        drop = ladder[min(ladder)] - ladder[max(ladder)]
        flat = len(ladder) > 1 and drop < tolerance
        if flat or 2 * samples > most:
            return Likelihood(steps[samples][:, 0], ladder, torch.cat(ess).mean().item(), flat)
        samples *= 2


def log_weights(
    model: VAE,
    x: Tensor,
    y: Tensor | None,
    mu: Tensor,
    logvar: Tensor,
    *,
    samples: int,
    size: int,
    prior_share: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """log p(x|z) p(z) / r(z|x) of `samples` draws for every example: (n, K), nats.

    Every `size` of them hold the same number of draws from the prior, so that they are an estimate by themselves. That
    number is fixed and not drawn, which makes the estimate better and leaves it a bound.
    """
    m, lv = mu.repeat_interleave(samples, 0), logvar.repeat_interleave(samples, 0)  # (n K, d)
    z = reparameterise(m, lv, generator)
    from_prior = round(prior_share * size)
    if prior_share:
        from_prior = min(max(from_prior, 1), size - 1)
        place = torch.arange(samples).remainder(size) < from_prior  # which of an example's draws come from the prior
        rows = place.repeat(len(x)).to(z.device)
        z[rows] = normal((int(rows.sum()), z.shape[1]), generator).to(z)
    many_x = x.repeat_interleave(samples, 0)
    many_y = None if y is None else y.repeat_interleave(samples, 0)
    zero = torch.zeros_like(z)
    log_p, log_r = log_normal(z, zero, zero), log_normal(z, m, lv)
    if from_prior:
        log_r = torch.logaddexp(log_r + math.log1p(-from_prior / size), log_p + math.log(from_prior / size))
    return (log_px(model, many_x, z, many_y) + log_p - log_r).view(-1, samples)


def iw_nll(
    model: VAE,
    x: Tensor,
    y: Tensor | None = None,
    *,
    samples: int = 64,
    prior_share: float = 0.0,
    generator: torch.Generator | None = None,
    mu_logvar: tuple[Tensor, Tensor] | None = None,
    progress: bool = False,
) -> Tensor:
    """The bound on -log p(x) with `samples` draws, per example (N,), nats; by default all from the encoder.

    With K = samples = 1 it is the sampled -ELBO. `importance_weighted` says how far it can be trusted.
    """
    known = {"prior_share": prior_share, "generator": generator, "mu_logvar": mu_logvar, "progress": progress}
    return importance_weighted(model, x, y, samples=samples, **known).nll  # type: ignore[arg-type]


def check_proposal(samples: int, prior_share: float) -> None:
    """Raise ValueError for a number of draws or a share of the prior that make no estimate."""
    if samples < 1:
        raise ValueError(f"{samples} samples: choose 1 or more")
    if not 0 <= prior_share < 1:
        raise ValueError(
            f"prior_share = {prior_share}: choose 0 (draws of the encoder only) or a share below 1, such as 0.5"
        )
    if prior_share and samples < 2:
        raise ValueError(f"{samples} sample cannot come from both encoder and prior: choose 2 or more, or prior_share = 0")


def perplexity(nll: float, words: float) -> float:
    """exp(nats per word): nll is nats per sentence, words the mean number of words per sentence, EOS counted.

    >>> round(perplexity(nll=2 * math.log(50), words=2))
    50
    """
    if not (words > 0 and math.isfinite(nll)):
        raise ValueError(f"nll = {nll} and words = {words}: a perplexity needs finite nats and at least a word")
    return math.exp(nll / words) if nll / words < 700 else math.inf
