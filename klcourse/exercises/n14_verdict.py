"""Exercises, predictions and quiz of notebook 14, the verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from klcourse.exact.discrete import DiscreteVAE
from klcourse.exact.discrete_optima import beta_encoder

from .answers import NotYet, Unusable, is_stub
from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Build, Code, Number
from .quiz import Quiz

WORDS = ("collapsed", "not known", "empty", "lazy", "not read", "in use")
REPORTS = {
    "ELBO on text": (0.0, 0.0, 6.9, -0.01, 0.0),
    "SLVAE, joint g": (3.16, 0.0, 6.9, -0.01, 0.0),
    "hinge on R, λ = 2, in short": (5.15, 0.05, 6.9, -0.01, 1.02),
    "codes nobody reads": (3.4, 3.2, 6.9, 0.02, 0.4),
    "hinge on R, λ = 1, an hour": (5.01, 4.71, 6.9, 18.6, 17.9),
    "factorised decoder": (13.96, 6.85, 6.9, 277.7, 250.0),
}


def _reading(rate: float, lower: float, cap: float, shuffle_gap: float, prior_gap: float) -> str:
    if rate < 0.1:
        return "collapsed"
    if lower > cap - 0.5:
        return "not known"
    if lower < 0.1:
        return "lazy" if prior_gap >= 0.1 else "empty"
    return "not read" if shuffle_gap < 0.1 else "in use"


def _words(reading: Any) -> dict[str, float]:
    """What a function calls each of the reports, as the number of the word in the list."""
    if not callable(reading):
        raise Unusable("Give the function itself: its name without brackets.")
    found = {}
    for name, numbers in REPORTS.items():
        word = reading(*numbers)
        if is_stub(word):
            raise NotYet
        if word not in WORDS:
            raise Unusable(f"{word!r} for {name}: return one of {', '.join(map(repr, WORDS))}.")
        found[f"{name}: number of the word"] = float(WORDS.index(word))
    return found


def _deaf_to_cap(rate: float, lower: float, cap: float, shuffle_gap: float, prior_gap: float) -> str:
    return _reading(rate, lower, math.inf, shuffle_gap, prior_gap)


def _by_rate(rate: float, *more: float) -> str:
    return "collapsed" if rate < 0.1 else "in use"


def _one_gap(rate: float, lower: float, cap: float, shuffle_gap: float, prior_gap: float) -> str:
    return _reading(rate, lower, cap, shuffle_gap, 0.0)


def _settles(c: float, tau: float, lam_star: float, lam: float) -> float:
    return c - tau * float(ndtri(lam_star / lam))


def _settings() -> dict[str, tuple]:
    return {
        "c = 5, τ = 0.4, λ* = 0.85, λ = 1": (5.0, 0.4, 0.85, 1.0),
        "a larger λ": (5.0, 0.4, 0.85, 2.0),
        "λ = 2 λ*: exactly at c": (3.0, 1.0, 0.5, 1.0),
    }


BETAS = (0.01, 0.1, 0.3, 1.0, 2.0)


def _table(make: Any) -> dict[str, float]:
    """Waste and information over β of the exact encoders for a decoder table; symbols 1 and 2 occur, each half the time."""
    table = make() if callable(make) else make
    if is_stub(table):
        raise NotYet
    table = np.asarray(table, dtype=float)
    if table.shape != (2, 3) or not np.isfinite(table).all():
        raise Unusable("Return two rows, one a code, of three numbers, one a symbol.")
    if (table < 0).any() or abs(table.sum(1) - 1).max() > 1e-9:
        raise Unusable("Each row is a distribution over the symbols: no negative numbers, sum 1.")
    if (table[:, :2].max(0) == 0).any():
        raise Unusable("Symbols 1 and 2 occur: each must be possible for some code.")
    model = DiscreteVAE([0.5, 0.5, 0.0], [0.5, 0.5], np.full((3, 2), 0.5), table)
    with np.errstate(divide="ignore", invalid="ignore"):
        optima = [model.with_(encoder=beta_encoder(model.prior, model.decoder, b)) for b in BETAS]
    information = np.array([one.mi for one in optima])
    return {
        "M is 0 for every β": float(max(one.marginal_kl for one in optima) < 1e-6),
        "I_q falls with β": float((np.diff(information) < 1e-12).all()),
        "I_q is above 0": float(information[0] > 1e-6),
    }


def _made_up() -> dict[str, tuple]:
    import torch

    from klcourse.objectives import Terms

    g = torch.Generator().manual_seed(0)
    found = {}
    for name, spread in (("little rate", 0.05), ("uneven latents", 1.0), ("much rate", 3.0)):
        mu = spread * torch.randn(20, 4, generator=g) * torch.tensor([1.0, 0.5, 0.2, 2.0])
        logvar = 0.3 * torch.randn(20, 4, generator=g)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)
        found[f"{name}, c = 2"] = (Terms(90 + 5 * torch.rand(20, generator=g), kl, mu, logvar, mu), 2.0)
    return found


def _kl_j(t: Any) -> Any:
    return 0.5 * (t.mu**2 + t.logvar.exp() - 1 - t.logvar)


def _floors(t: Any, c: float) -> Any:
    return t.rec.mean() + _kl_j(t).mean(0).clamp(min=c / t.mu.shape[1]).sum()


EXERCISES = (
    Exercise(
        id="14.1",
        asks="A word for a report of five numbers, by the second part of the cheat sheet.",
        stub="""def reading(rate, lower, cap, shuffle_gap, prior_gap):
    ...  # return one of the six words""",
        worked="""def reading(rate, lower, cap, shuffle_gap, prior_gap):
    if rate < 0.1:
        return "collapsed"
    if lower > cap - 0.5:
        return "not known"  # the bound says how many test examples there are
    if lower < 0.1:
        return "lazy" if prior_gap >= 0.1 else "empty"
    return "not read" if shuffle_gap < 0.1 else "in use\"""",
        judge=Build(
            _words,
            {f"{name}: number of the word": WORDS.index(_reading(*numbers)) for name, numbers in REPORTS.items()},
            takes="a function that returns a word",
        ),
        mistakes=(
            Mistake(_by_rate, "You judge by the rate alone. A rate is what the penalty forces; ask for the information."),
            Mistake(_deaf_to_cap, "A lower bound at its cap, log N, says how many test examples there are: not known."),
            Mistake(
                _one_gap,
                "Where all codes have moved together the shuffle gap is 0 too. The prior gap tells lazy from empty.",
            ),
        ),
        hints=(
            "Five ifs, in the order of the table: collapsed, not known, then little information, then the gaps.",
            "Little information (lower < 0.1) is lazy or empty, by the prior gap; else the shuffle gap decides.",
        ),
        name="reading",
    ),
    Exercise(
        id="14.2",
        asks="Where the rate settles under the batch hinge.",
        stub="""def settles(c, tau, lam_star, lam):
    ...  # nats""",
        worked="""def settles(c, tau, lam_star, lam):
    from scipy.special import ndtri  # the inverse of the normal distribution function
    return c - tau * ndtri(lam_star / lam)""",
        judge=Code(_settles, _settings, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda c, tau, lam_star, lam: 2 * c - _settles(c, tau, lam_star, lam),
                "The sign: where λ* is most of λ the penalty must be on in most batches, so R̄ is below c.",
            ),
            Mistake(
                lambda c, tau, lam_star, lam: c - tau * float(ndtr(lam_star / lam)),
                "This is Φ. Wanted is its inverse, Φ⁻¹: the value below which a share λ*/λ of the batches lies.",
            ),
            Mistake(
                lambda c, tau, lam_star, lam: c - tau * lam_star / lam, "λ*/λ is a share of batches: put it through Φ⁻¹."
            ),
            Mistake(
                lambda c, tau, lam_star, lam: c - tau**2 * float(ndtri(lam_star / lam)),
                "τ is the standard deviation of a batch's KL, not the variance.",
            ),
        ),
        hints=(
            "Part 5 of the cheat sheet has the formula.",
            "scipy.special.ndtri is Φ⁻¹: c − τ Φ⁻¹(λ*/λ).",
        ),
        name="settles",
    ),
    Exercise(
        id="14.3",
        asks="λ* and the slope s from a duty cycle of 0.85 at λ = β = 1.",
        stub="answer = [..., ...]  # lambda*, s",
        worked="answer = [1 * 0.85, 1 - 1 * 0.85]  # lambda * duty; beta - lambda * duty",
        judge=Number([0.85, 0.15], takes="two numbers"),
        mistakes=(
            Mistake([0.15, 0.85], "The two are exchanged: λ·duty is λ*, and s = β − λ·duty is what is left."),
            Mistake([0.85, 0.85], "The first is right. The slope is what is left of β: β − λ·duty."),
            Mistake([1.0, 0.0], "That would be a duty of 1, the penalty on in every batch."),
        ),
        hints=("Training has settled where λ·duty = λ*.", "s = β − λ·duty = 1 − 0.85."),
    ),
    Exercise(
        id="14.4",
        asks="A decoder table for which M = 0 at every β, so that A13's reading applies.",
        stub="""def decoder():
    ...  # two rows, one a code, of three probabilities, one a symbol""",
        worked="""def decoder():
    return [[0.8, 0.2, 0.0], [0.2, 0.8, 0.0]]  # each row the other's mirror image""",
        judge=Build(
            _table,
            {"M is 0 for every β": 1, "I_q falls with β": 1, "I_q is above 0": 1},
            takes="a function that returns a table",
        ),
        mistakes=(
            Mistake(
                lambda: [[0.5, 0.5, 0.0], [0.4, 0.1, 0.5]],
                "This is notebook 10's counterexample or one like it: one code is used more than the other, so M > 0.",
            ),
            Mistake(
                lambda: [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]],
                "M = 0, but the rows are alike: no code is worth anything, and I_q = 0 at every β.",
            ),
        ),
        hints=(
            "Both codes must be used equally often, whatever β is: make the two symbols and the two codes mirror images.",
            "If a row is [a, b, e], the other one is [b, a, e].",
        ),
        name="decoder",
    ),
    Exercise(
        id="14.5",
        asks="The loss with free bits for each latent.",
        stub="""def floors(t, c):
    kl_j = 0.5 * (t.mu**2 + t.logvar.exp() - 1 - t.logvar)  # (B, d)
    ...  # return the loss, one number""",
        worked="""def floors(t, c):
    kl_j = 0.5 * (t.mu**2 + t.logvar.exp() - 1 - t.logvar)  # (B, d)
    return t.rec.mean() + kl_j.mean(0).clamp(min=c / t.mu.shape[1]).sum()""",
        judge=Code(_floors, _made_up),
        mistakes=(
            Mistake(
                lambda t, c: t.rec + _kl_j(t).mean(0).clamp(min=c / t.mu.shape[1]).sum(),
                "A number per example comes back: t.rec needs its .mean().",
            ),
            Mistake(
                lambda t, c: t.rec.mean() + _kl_j(t).clamp(min=c / t.mu.shape[1]).sum(1).mean(),
                "The floor is put under every example. Take the mean over the batch first, then max with c/d.",
            ),
            Mistake(
                lambda t, c: t.rec.mean() + _kl_j(t).mean(0).sum().clamp(min=c),
                "That is total free bits: the floor belongs under each latent, before the sum over latents.",
            ),
            Mistake(
                lambda t, c: t.rec.mean() + _kl_j(t).mean(0).clamp(min=c).sum(),
                "Every latent has the whole of c for free here: it is c / d.",
            ),
            Mistake(
                lambda t, c: t.rec.mean() + _kl_j(t).mean(0).clamp(max=c / t.mu.shape[1]).sum(),
                "max(R_j, c/d) is clamp(min=...): clamp(max=...) makes rate above the floor free.",
            ),
            Mistake(
                lambda t, c: t.rec.mean() - _kl_j(t).mean(0).clamp(min=c / t.mu.shape[1]).sum(),
                "The sign: a loss charges for rate.",
            ),
        ),
        hints=(
            "R_j is the mean of kl_j over the batch: kl_j.mean(0), a number a latent.",
            "max with c/d is .clamp(min=c / t.mu.shape[1]); then sum over the latents, and add t.rec.mean().",
        ),
        name="floors",
    ),
)

GUESSES = (
    Guess("14.1", "How many of the 22 claims fail as written?", Range(0, 22, 1)),
    Guess(
        "14.2",
        "Where do the runs with the constraint lie?",
        Options(("about on the line", "clearly above", "clearly below")),
    ),
    Guess(
        "14.3",
        "The constraint at λ = β, trained out: how does it compare with the language model?",
        Options(("better", "the same", "worse")),
    ),
    Guess("14.4", "On sentences, which has the most information?", Options(("ELBO", "hinge on R, λ = 1", "yours"))),
)

QUIZ = Quiz.read(
    14,
    """
A paper reports "our method prevents posterior collapse: KL = 8.0". Which number do you ask for first?
- the KL on the training part | It will be much the same, and says as little.
+ the information, with both bounds and the cap | The KL may be M through and through: SLVAE's closed form is.
- the weight of the penalty | It tells how the KL was held, not what is in it.

The article's game asks for (I ≥ c, q(z|x) = p(z)). Why is the rescue, q(z) = p(z), worth having without any game?
+ M is a pure cost: with M = 0 all rate is information | And draws from the prior look like codes the decoder knows.
- it makes I_q as large as possible | It says nothing about how much: collapse has M = 0 as well.
- the posterior becomes exact | That is G = 0, another gap.

What does "holds if" mean in the ledger?
- the claim is nearly true | Nothing is judged by degree there.
- somebody may have meant it so | The reading must be stated, and the claim true in every computed case of it.
+ true in every case in which the stated reading applies, false in some others | One case outside is enough to need the "if".

You set λ = β and c = 5. After training R = 4.9. What has happened?
- λ was too small | Then R would rest well below c, with a duty of 1.
+ what the rule foretells: the mean rests a little under c | As soon as β < 2λ*, by c − τ Φ⁻¹(λ*/λ).
- the model has wasted 0.1 nats | Waste is R less I_q, and c does not enter.

Your objective reaches 3 nats of information, with a shuffle gap of 0.05 and a worse likelihood. What next?
- raise its weight | More of what is not read will not be read either.
- report the information: that was the aim | Then a random code stapled to each example would do.
+ train longer, with a regularised decoder, and look again | On sentences the decoders did learn to read, given time.
""",
)
