"""All metrics of a model at once: what a run stores, and every table of the course shows."""

from __future__ import annotations

import torch
from torch import Tensor

from klcourse.data import PAD
from klcourse.gaussians import gaussian_kl, reparameterise
from klcourse.models import VAE

from .information import active_units, mutual_information, mutual_information_given, rate, total_correlation
from .likelihood import importance_weighted, perplexity
from .passes import log_px, posteriors
from .use import prior_gap, shuffle_gap

TOLERANCE, MOST = 0.1, 4096  # nats of the ladder; draws
PRIOR, GIVEN = 1_000_003, 1_000_033  # streams of random numbers of their own: new metrics leave old ones as they are


@torch.no_grad()
def evaluate(
    model: VAE,
    x: Tensor,
    y: Tensor | None = None,
    *,
    iw_samples: int = 64,
    prior_share: float = 0.0,
    tolerance: float | None = None,
    seed: int = 0,
    text: bool = False,
    progress: bool = False,
    scores: dict[str, Tensor] | None = None,
) -> dict[str, float]:
    """All metrics of a model on the examples x: a dictionary of plain numbers, nats per example.

    rate, distortion, elbo = -(D + R); mi with mi_upper and mi_cap; marginal_kl = R - mi (an upper bound on M, as mi is a
    lower one on I_q) and marginal_kl_lower = R - mi_upper; active_units; total_correlation; shuffle_gap = D(shuffled z) - D
    and prior_gap = D(z ~ p) - D, see `use`. Of a conditional model mi is I(x, y; z); mi_given_y, with its upper and cap, is
    I(x; z | y).

    With K = iw_samples > 0, importance weighting: iw_nll at iw_samples draws, of which `prior_share` from the prior;
    iw_nll_k2 and iw_nll_k4, the same at K/2 and K/4; iw_error, the standard error over examples; iw_ess, the effective
    sample size; iw_flat, 1 if the ladder falls by less than `tolerance` (default .1 nat) from K/4 to K. With a
    `tolerance`, K is doubled until it does, up to 4096. For text elbo_ppl, iw_ppl, reconstruction_ppl.

    Into `scores`, if given, go the numbers of every example, (N,) each: rate, distortion and iw_nll.

    >>> from klcourse.models import build_vae
    >>> _ = torch.manual_seed(0)
    >>> model = build_vae("image", "mlp", latent_dim=2, hidden=8)
    >>> found = evaluate(model, torch.eye(20, 784), iw_samples=4)
    >>> found["mi"] <= found["mi_upper"], round(found["mi_cap"], 3), found["rate"] + found["distortion"] == -found["elbo"]
    (True, 2.996, True)
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
            "shuffle_gap": shuffle_gap(model, x, z, log_likelihood, y),
            "prior_gap": prior_gap(model, x, log_likelihood, y, torch.Generator().manual_seed(seed + PRIOR)),
        }
        if y is not None and model.n_labels and len(y) > len(y.unique()):  # some label has two examples
            given = mutual_information_given(y, mu, logvar, torch.Generator().manual_seed(seed + GIVEN))
            out |= {"mi_given_y": given.lower, "mi_given_y_upper": given.upper, "mi_given_y_cap": given.cap}
        if scores is not None:
            scores |= {"rate": gaussian_kl(mu, logvar), "distortion": -log_likelihood}
        if iw_samples:
            found = importance_weighted(
                model,
                x,
                y,
                samples=iw_samples,
                prior_share=prior_share,
                tolerance=tolerance or TOLERANCE,
                most=0 if tolerance is None else MOST,
                generator=generator,
                mu_logvar=(mu, logvar),
                progress=progress,
            )
            k = max(found.ladder)
            out |= {"iw_nll": found.mean, "iw_samples": k, "iw_error": found.error, "iw_ess": found.ess}
            out |= {f"iw_nll_k{part}": found.ladder[k // part] for part in (2, 4) if k // part in found.ladder and k >= part}
            out |= {"iw_flat": float(found.flat)}
            if scores is not None:
                scores["iw_nll"] = found.nll
        if text:
            words = (x != PAD).sum(1).float().mean().item()  # EOS counts, BOS does not: it is never predicted
            out |= {"elbo_ppl": perplexity(d + r, words), "reconstruction_ppl": perplexity(d, words)}
            if iw_samples:
                out["iw_ppl"] = perplexity(out["iw_nll"], words)
        return out
    finally:
        model.train(was_training)
