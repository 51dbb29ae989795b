"""Exercises, predictions and quiz of notebook 13, beyond the article."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Code, Number
from .quiz import Quiz

SETUP = """
import numpy as np
import torch
"""
D, C = 16, 3.0  # of the price list


def _kl(mu: Any, logvar: Any) -> np.ndarray:
    mu, logvar = np.asarray(mu, float), np.asarray(logvar, float)
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(-1)


def _second_moment(mu: Any, logvar: Any) -> np.ndarray:
    return (np.asarray(mu, float) ** 2 + np.exp(np.asarray(logvar, float))).sum(-1)


def _price(mu: Any, logvar: Any, lam: float) -> float:
    return float((_kl(mu, logvar) + lam * _second_moment(mu, logvar)).mean())


def _narrow() -> float:
    """The log-variance of the narrowed encoder: C nats of rate, means at 0."""
    s2 = 0.4
    for _ in range(200):
        s2 = math.exp(s2 - 1 - 2 * C / D)
    return math.log(s2)


def _encoders() -> dict[str, tuple]:
    import torch

    g = torch.Generator().manual_seed(0)
    zeros = torch.zeros(50, D)
    s2 = math.exp(-2 * C / D)
    return {
        "collapsed": (zeros, zeros, 0.5),
        "shifted": (zeros + math.sqrt(2 * C / D), zeros, 0.5),
        "narrowed": (zeros, zeros + _narrow(), 0.5),
        "informative": (math.sqrt(1 - s2) * torch.randn(50, D, generator=g), zeros + math.log(s2), 2.0),
    }


def _log_q(z: Any, mu: Any, logvar: Any) -> np.ndarray:
    z, mu, logvar = (np.asarray(part, float) for part in (z, mu, logvar))
    return -0.5 * ((z[:, None] - mu[None]) ** 2 / np.exp(logvar) + logvar + math.log(2 * math.pi)).sum(-1)


def _log_mean(log_q: np.ndarray, axis: int = 1) -> np.ndarray:
    return np.logaddexp.reduce(log_q, axis=axis) - math.log(log_q.shape[axis])


def _seen(z: Any, mu: Any, logvar: Any) -> float:
    log_q = _log_q(z, mu, logvar)
    return float((log_q.diagonal() - _log_mean(log_q)).mean())


def _codes() -> dict[str, tuple]:
    import torch

    g = torch.Generator().manual_seed(0)
    far = 50.0 * torch.arange(6.0)[:, None]
    mu, logvar = torch.randn(20, 3, generator=g), -0.5 + 0.3 * torch.randn(20, 3, generator=g)
    z = mu + (0.5 * logvar).exp() * torch.randn(20, 3, generator=g)
    return {
        "six codes that nobody confuses": (far, far, torch.zeros(6, 1)),
        "the same code for all": (torch.randn(8, 2, generator=g), torch.zeros(8, 2), torch.zeros(8, 2)),
        "twenty codes that overlap": (z, mu, logvar),
    }


def _without_own(z: Any, mu: Any, logvar: Any) -> float:
    log_q = _log_q(z, mu, logvar)
    others = np.where(np.eye(len(log_q), dtype=bool), -np.inf, log_q)
    return float((log_q.diagonal() - np.logaddexp.reduce(others, axis=1) + math.log(len(log_q) - 1)).mean())


def _against_prior(z: Any, mu: Any, logvar: Any) -> float:
    log_p = -0.5 * (np.asarray(z, float) ** 2 + math.log(2 * math.pi)).sum(-1)
    return float((_log_q(z, mu, logvar).diagonal() - log_p).mean())


def _target(true: float = 3.0, size: int = 50) -> float:
    """What batches see of Gaussian codes in 16 latents with that information."""
    rng, s2 = np.random.default_rng(0), math.exp(-2 * true / D)
    found = []
    for _ in range(80):
        mu = math.sqrt(1 - s2) * rng.normal(size=(size, D))
        found.append(_seen(mu + math.sqrt(s2) * rng.normal(size=mu.shape), mu, np.full(mu.shape, math.log(s2))))
    return float(np.mean(found))


def _hinge(t: Any, lam: float, c: float, beta: float) -> float:
    rate = float(t.kl.mean())
    return float(t.rec.mean()) + beta * rate + lam * max(c - rate, 0.0)


def _taxed(t: Any, lam: float, c: float, beta: float, rho: float) -> float:
    return _hinge(t, lam, c, beta) + rho * float((t.mu.mean(0) ** 2).sum())


def _terms() -> dict[str, tuple]:
    import torch

    from klcourse.objectives import Terms

    g = torch.Generator().manual_seed(0)
    found = {}
    for name, shift, spread in (("shifted, below c", 0.4, 0.1), ("spread, above c", 0.0, 1.5), ("both", 1.0, 1.0)):
        mu = shift + spread * torch.randn(30, 4, generator=g)
        kl = 0.5 * (mu**2).sum(-1)
        found[name] = (Terms(90 + torch.rand(30, generator=g), kl, mu, torch.zeros(30, 4), mu), 2.0, 3.0, 1.0, 0.7)
    return found


EXERCISES = (
    Exercise(
        id="13.1",
        asks="What SLVAE with g = 0 charges for an encoder: R + λ E‖z‖².",
        stub="""def price(mu, logvar, lam):
    ...  # (N, d) both -> nats, a mean over the examples""",
        worked="""def price(mu, logvar, lam):
    rate = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)
    return (rate + lam * (mu**2 + logvar.exp()).sum(-1)).mean()  # E z² is mean² + variance""",
        judge=Code(_price, _encoders, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda mu, logvar, lam: float((_kl(mu, logvar) + lam * (np.asarray(mu) ** 2).sum(-1)).mean()),
                "E‖z‖² is ‖μ‖² plus the variances: z scatters around μ.",
            ),
            Mistake(
                lambda mu, logvar, lam: float(lam * _second_moment(mu, logvar).mean()), "The rate itself is charged as well."
            ),
            Mistake(
                lambda mu, logvar, lam: float((_kl(mu, logvar) + lam * _second_moment(mu, logvar) / D).mean()),
                "The distance is a mean over the latents: sum them.",
            ),
            Mistake(
                lambda mu, logvar, lam: float((_kl(mu, logvar) - lam * _second_moment(mu, logvar)).mean()),
                "The sign: distance from the label is charged, not rewarded.",
            ),
        ),
        hints=(
            "With g = 0 the labelling term is λ E‖z‖², and E z² = μ² + σ² in each latent.",
            "The rate is half the sum of mu² + exp(logvar) − 1 − logvar; add λ times the sum of mu² + exp(logvar).",
        ),
        name="price",
        setup=SETUP,
    ),
    Exercise(
        id="13.2",
        asks="What a mini-batch sees of the information.",
        stub="""def batch_sees(z, mu, logvar):
    ...  # (B, d) each -> I_B, nats""",
        worked="""def batch_sees(z, mu, logvar):
    diff = z[:, None] - mu[None]  # (B, B, d): sample i, posterior j
    log_q = -0.5 * (diff**2 / logvar.exp() + logvar).sum(-1)  # (B, B); a constant cancels
    average = log_q.logsumexp(1) - np.log(len(z))  # log of the batch's average posterior
    return (log_q.diagonal() - average).mean()""",
        judge=Code(_seen, _codes, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda z, mu, logvar: _seen(z, mu, logvar) - math.log(len(z)),
                "log B is missing: the average posterior is the sum over the batch divided by B.",
            ),
            Mistake(
                _without_own,
                "The sample's own posterior is left out: that is the upper bound, which has no cap (notebook 03).",
            ),
            Mistake(_against_prior, "This compares with the prior, so it is the rate. Compare with the batch's q(z)."),
            Mistake(
                lambda z, mu, logvar: float((_log_q(z, mu, logvar).diagonal() - _log_q(z, mu, logvar).mean(1)).mean()),
                "The mean belongs inside the logarithm: average the densities, not the log-densities.",
            ),
            Mistake(
                lambda z, mu, logvar: float(
                    (_log_q(z, mu, logvar).diagonal() - _log_mean(_log_q(z, mu, logvar), axis=0)).mean()
                ),
                "The sum runs over the samples. Row i has one sample z_i under all posteriors j: sum over j.",
            ),
        ),
        hints=(
            "First the table of log q(z_i|x_j), (B, B): broadcast z[:, None] against mu[None].",
            "Its diagonal less logsumexp over each row, plus log B; then the mean.",
        ),
        name="batch_sees",
        setup=SETUP,
    ),
    Exercise(
        id="13.3",
        asks="The target c for a hinge on I_B, B = 50, so that the true information is 3 nats.",
        stub="answer = ...  # c, nats",
        worked="""rng, s2, found = np.random.default_rng(1), np.exp(-2 * 3 / 16), []
for _ in range(40):  # Gaussian codes in 16 latents with 3 nats
    mu = np.sqrt(1 - s2) * rng.normal(size=(50, 16))
    z = mu + np.sqrt(s2) * rng.normal(size=mu.shape)
    log_q = -0.5 * ((z[:, None] - mu[None]) ** 2 / s2).sum(-1)
    found.append((log_q.diagonal() - np.log(np.exp(log_q).mean(1))).mean())
answer = np.mean(found)  # or np.interp(3, information, seen[50]), from the curve of section 3""",
        judge=Number(_target, tolerance=0.03),
        mistakes=(
            Mistake(3.0, "With c = 3 the penalty goes on until the batch sees 3 nats, and then there are more than 3."),
            Mistake(4.1, "This is the true information at which c = 3 lets go. Asked is the other way round."),
            Mistake(math.log(50), "This is the cap, log B: no batch of 50 sees more, and this target is never met."),
        ),
        hints=(
            "Read the curve of section 3 for B = 50: what does a batch see where the truth is 3?",
            "Nearly half a nat less than 3: np.interp(3, information, seen[50]).",
        ),
        setup=SETUP,
    ),
    Exercise(
        id="13.4",
        asks="The hinge on the rate with a tax on the shift.",
        stub="""def taxed(t, lam, c, beta, rho):
    ...  # terms of a mini-batch -> the loss, nats""",
        worked="""def taxed(t, lam, c, beta, rho):
    rate = t.kl.mean()
    hinge = t.rec.mean() + beta * rate + lam * (c - rate).clamp(min=0)
    return hinge + rho * (t.mu.mean(0) ** 2).sum()  # the square of the mean, not the mean of squares""",
        judge=Code(_taxed, _terms, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda t, lam, c, beta, rho: _hinge(t, lam, c, beta) + rho * float((t.mu**2).sum(-1).mean()),
                "This taxes means that differ as well, which is information: first the batch mean, then the square.",
            ),
            Mistake(
                lambda t, lam, c, beta, rho: _hinge(t, lam, c, beta) + rho * float((t.mu.mean(0) ** 2).mean()),
                "The tax is a mean over the latents: ‖·‖² is a sum.",
            ),
            Mistake(
                lambda t, lam, c, beta, rho: _hinge(t, lam, c, beta) + rho * float(t.mu.mean(0).norm()),
                "This is the length of the shift. The tax is its square.",
            ),
            Mistake(lambda t, lam, c, beta, rho: _hinge(t, lam, c, beta), "The tax is missing: ρ times the squared shift."),
        ),
        hints=(
            "The shift that all posteriors share is t.mu.mean(0), one number a latent.",
            "Hinge as before, with t.kl.mean(); add rho * (t.mu.mean(0) ** 2).sum().",
        ),
        name="taxed",
        setup=SETUP,
    ),
    Exercise(
        id="13.5",
        asks="The least ρ that makes the shift unprofitable near collapse, at λ = 2, β = 1.",
        stub="answer = ...  # rho",
        worked="answer = (2 - 1) / 2  # -kappa m²/2 + rho m² = 0, with kappa = lambda - beta",
        judge=Number(0.5),
        mistakes=(
            Mistake(1.0, "The reward for a shift m is κ m²/2, with a half: the rate of a shift is m²/2."),
            Mistake(2.0, "Not λ is what a nat of rate earns below c, but κ = λ − β."),
            Mistake(0.25, "The tax ρ m² has no half."),
        ),
        hints=(
            "A shift m, shared by all, has the rate m²/2; what does the loss change by, below c?",
            "By −(λ − β) m²/2 + ρ m².",
        ),
        setup=SETUP,
    ),
)

GUESSES = (
    Guess(
        "13.1",
        "For which weights is the hinge total free bits?",
        Options(("λ = 1, β = 1", "λ = 2, β = 1", "λ = 1, β = 0", "for none")),
    ),
    Guess("13.2", "I_q behind BN-VAE's floor, an untrained encoder?", Range(0, 3, 0.1, "nats")),
    Guess("13.3", "When the hinge lets go, the true I_q is", Options(("less than 3 nats", "3 nats", "more than 3 nats"))),
    Guess("13.4", "Half the signal: by which factor is the hinge on R slower?", Range(1, 10, 0.5)),
    Guess(
        "13.5",
        "Whose bound falls most from K = 1 to the largest K?",
        Options(("hinge on R, λ = 2", "hinge on R, λ = 1", "hinge on I, λ = 2")),
    ),
)

QUIZ = Quiz.read(
    13,
    """
What can a schedule, such as annealing, change about where training ends?
- the minimum of the loss | When it is over, the loss is the ELBO.
+ which of several minima is found | In the end every schedule minimises the ELBO; it may arrive at a better equilibrium.
- nothing at all | On sentences, trained out, annealing ends with a better ELBO than the run that collapsed.

Which objective tells three nats of waste from three nats of information, with a decoder that ignores z?
- the hinge on the rate, with λ large enough | Every function of the rate gives both the same price.
- free bits for each latent | It counts nats a latent, whatever they carry.
+ a hinge on I_q, or a price on M | Shifted or narrowed codes are charged, informative ones are not.

Free bits for each latent charge at least as much as free bits in total. When the same?
- never | All latents above c/d, for one: then both charge R.
+ when all latents are on the same side of c/d | Then the sum of the maxima is the maximum of the sums.
- when all latents have the same variance | It is the rate of each that counts.

Lagging inference was given more seconds than the others. In whose favour is the comparison unfair?
+ in its own | If it still has less information than a method that took less time, the conclusion stands.
- in that of the others | They did fewer updates, of the encoder above all.
- in nobody's: the number of decoder updates is the same | That is one way to count, to be said; the seconds are another.

A likelihood at K = 8 compares a lazy model with an informative one. Whom does it favour?
- the lazy one | A small K charges it for rate its decoder never uses.
+ the informative one | The bound of the lazy one has more slack: it falls furthest as K grows.
- neither: both are bounds | Bounds with unequal slack rank wrongly.
""",
)
