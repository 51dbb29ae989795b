"""Exercises, predictions and quiz of notebook 07, the constraint."""

from __future__ import annotations

import math

from klcourse.exact.dynamics import growth_rates, settled_rate

from .exercise import Exercise, Mistake
from .forms import Options, Range, Sketch
from .guesses import Guess
from .judges import Code, Number
from .quiz import Quiz

SETUP = "import numpy as np"


def _rest(lam: float, c: float, beta: float, signal: float, half: float = 0.5) -> float:
    """The rate at the minimum of F for s(R) = signal exp(-2R): the four regimes in one line."""

    def at(slope: float) -> float:
        return half * math.log(signal / slope) if 0 < slope < signal else 0.0 if slope > 0 else math.inf

    return max(at(beta), min(at(beta - lam), c))


def _four() -> dict[str, tuple]:
    return {
        "λ = 0.5, c = 2, β = 1, s(0) = 3": (0.5, 2.0, 1.0, 3.0),
        "λ = 0.97, c = 2, β = 1, s(0) = 3": (0.97, 2.0, 1.0, 3.0),
        "λ = 0.5, c = 0.3, β = 1, s(0) = 3": (0.5, 0.3, 1.0, 3.0),
        "λ = 0.5, c = 1, β = 3, s(0) = 2": (0.5, 1.0, 3.0, 2.0),
        "λ = 5, c = 1, β = 3, s(0) = 2": (5.0, 1.0, 3.0, 2.0),
    }


def _step(lam: float, rate: float, c: float, eta: float, beta: float) -> float:
    return min(max(lam + eta * (c - rate), 0.0), beta)


def _steps() -> dict[str, tuple]:
    return {
        "the rate is too small": (0.5, 1.0, 2.0, 0.1, 1.0),
        "the rate is too large": (0.5, 3.0, 2.0, 0.1, 1.0),
        "far too large": (0.1, 9.0, 2.0, 0.1, 1.0),
        "far too small": (0.95, 0.0, 2.0, 0.1, 1.0),
    }


def _speeds(data_var: float, sigma2: float, lam: float, beta: float) -> tuple[float, float]:
    rates = growth_rates(data_var, sigma2, beta=beta, lam=lam)
    return rates.shift, rates.gain


def _models() -> dict[str, tuple]:
    return {
        "Λ = 2, σ² = 1, λ = 2: shift, gain": (2.0, 1.0, 2.0, 1.0),
        "Λ = 0.02, σ² = 0.01, λ = 2: shift, gain": (0.02, 0.01, 2.0, 1.0),
        "Λ = 0.25, σ² = 1, λ = 0.9: shift, gain": (0.25, 1.0, 0.9, 1.0),
        "Λ = 0.25, σ² = 1, λ = 4, β = 3: shift, gain": (0.25, 1.0, 4.0, 3.0),
    }


def _settled(c: float, tau: float, star: float, lam: float) -> float:
    return float(settled_rate(c, tau, star, lam))


def _batches() -> dict[str, tuple]:
    return {
        "weak signal, λ = β = 1": (3.0, 0.2, 0.9, 1.0),
        "λ = 2 λ*": (3.0, 0.2, 0.4, 0.8),
        "strong signal, λ = β = 1": (3.0, 0.2, 0.2, 1.0),
        "batches 4 times as large": (3.0, 0.1, 0.9, 1.0),
    }


EXERCISES = (
    Exercise(
        id="7.1",
        asks="The rate that training ends with, in all four regimes.",
        stub="""def rest(lam, c, beta, signal):
    ...  # the rate, nats; the slope is s(R) = signal * exp(-2 R)""",
        worked="""def rest(lam, c, beta, signal):
    def rate_at(slope):  # where s(R) is this slope; 0 if no nat buys that much
        if slope <= 0:
            return np.inf
        return max(0.5 * np.log(signal / slope), 0.0)

    return max(rate_at(beta), min(rate_at(beta - lam), c))""",
        judge=Code(_rest, _four),
        mistakes=(
            Mistake(
                lambda lam, c, beta, signal: min(_rest(lam, c, beta, signal), c),
                "One regime is missing: where s(c) ≥ β the rate is above c without any help.",
            ),
            Mistake(
                lambda lam, c, beta, signal: c if lam >= beta - signal * math.exp(-2 * c) else 0.0,
                "All or nothing? Below λ* there is a partial regime: 0 < R < c with s(R) = β − λ.",
            ),
            Mistake(
                lambda lam, c, beta, signal: _rest(lam, c, beta, signal, half=1.0),
                "The half is missing: s(R) = signal · exp(−2R).",
            ),
            Mistake(
                lambda lam, c, beta, signal: max(0.5 * math.log(signal / beta), 0.0),
                "This is the rate without a penalty. Below c a nat costs β − λ, not β.",
            ),
        ),
        hints=(
            "Find the rate at which the slope has a given value t; it is 0 where t > s(0).",
            "Below c a nat costs β − λ, above c it costs β: compare the two rates that belong to these slopes with c.",
        ),
        name="rest",
        setup=SETUP,
    ),
    Exercise(
        id="7.2",
        asks="What a nat is worth at the target, and where a run with λ = 0.5 ends.",
        stub="answer = [..., ...]  # s at the target; s where the run with lambda = 0.5 ends",
        worked="""star = 2 * 0.3  # lambda * duty
answer = [1 - star, 1 - 0.5]  # beta - lambda*; 0.5 < lambda*, so s(R) = beta - lambda""",
        judge=Number([0.4, 0.5], takes="two numbers"),
        mistakes=(
            Mistake([0.6, 0.5], "The first is λ* = λ · duty. The slope is what is left of β: s = β − λ*."),
            Mistake([0.7, 0.5], "The duty is a share of batches. What they push with is λ · duty = 0.6."),
            Mistake([0.4, 0.4], "λ = 0.5 is below λ* = 0.6 and does not hold the target: there s(R) = β − λ."),
            Mistake([-1.0, 0.5], "λ = 2 pushes in 30 % of the batches only: use λ · duty."),
        ),
        hints=("λ · duty is λ* at the rate that results.", "λ* = β − s. Is 0.5 enough to hold c?"),
        setup=SETUP,
    ),
    Exercise(
        id="7.3",
        asks="One step of dual ascent for the price λ, kept between 0 and β.",
        stub="""def dual_step(lam, rate, c, eta, beta):
    ...  # the new lambda""",
        worked="""def dual_step(lam, rate, c, eta, beta):
    return np.clip(lam + eta * (c - rate), 0.0, beta)  # dearer while the target is missed""",
        judge=Code(_step, _steps),
        mistakes=(
            Mistake(
                lambda lam, rate, c, eta, beta: min(max(lam + eta * (rate - c), 0.0), beta),
                "The sign: while R < c the price must rise.",
            ),
            Mistake(
                lambda lam, rate, c, eta, beta: max(lam + eta * (c - rate), 0.0),
                "Nothing keeps the price from passing β: above it waste is rewarded.",
            ),
            Mistake(
                lambda lam, rate, c, eta, beta: min(lam + eta * (c - rate), beta),
                "The multiplier of a constraint R ≥ c is never negative: that would punish rate.",
            ),
            Mistake(
                lambda lam, rate, c, eta, beta: min(max(lam + eta * max(c - rate, 0.0), 0.0), beta),
                "With max(c − R, 0) the price can only rise. The player λ lowers it when R > c.",
            ),
        ),
        hints=("λ is raised in proportion to what is missing, c − R.", "Then np.clip(..., 0, beta)."),
        name="dual_step",
        setup=SETUP,
    ),
    Exercise(
        id="7.4",
        asks="How fast waste and information grow next to collapse.",
        stub="""def speeds(data_var, sigma2, lam, beta):
    ...  # return the growth rates of the shift and of the gain""",
        worked="""def speeds(data_var, sigma2, lam, beta):
    kappa = lam - beta  # what a nat of rate earns
    matrix = [[-1 / sigma2, data_var / sigma2], [data_var / sigma2, kappa * data_var]]
    return kappa, np.linalg.eigvalsh(matrix).max()""",
        judge=Code(_speeds, _models),
        mistakes=(
            Mistake(
                lambda data_var, sigma2, lam, beta: (lam, _speeds(data_var, sigma2, lam, beta)[1]),
                "The shift earns λ and costs β for every nat: its rate is κ = λ − β.",
            ),
            Mistake(
                lambda data_var, sigma2, lam, beta: _speeds(data_var, sigma2, lam, beta)[::-1],
                "The two are exchanged: first the shift.",
            ),
            Mistake(
                lambda data_var, sigma2, lam, beta: _speeds(data_var / sigma2, 1.0, lam, beta),
                "This is right in the unit in which σ² = 1 only: gradient flow depends on the unit of x.",
            ),
            Mistake(
                lambda data_var, sigma2, lam, beta: (lam - beta, lam - beta + data_var / sigma2 - 1),
                "Gain needs decoder and encoder together: take the larger eigenvalue of their 2 × 2 matrix.",
            ),
        ),
        hints=(
            "The folded derivation has both: the shift m grows alone, w and v as a pair.",
            "np.linalg.eigvalsh of the 2 × 2 matrix, the larger one; κ = λ − β.",
        ),
        name="speeds",
        setup=SETUP,
    ),
    Exercise(
        id="7.5",
        asks="The mean rate at which training on mini-batches rests.",
        stub="""def resting(c, tau, star, lam):
    ...  # nats; tau: scatter of the batch means, star: lambda*""",
        worked="""def resting(c, tau, star, lam):
    from statistics import NormalDist

    duty = star / lam  # the share of batches that must be below c
    return c - tau * NormalDist().inv_cdf(duty)""",
        judge=Code(_settled, _batches, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda c, tau, star, lam: 2 * c - _settled(c, tau, star, lam),
                "The sign: the dearer it is to stay below c (duty > ½), the further *under* c the mean must be.",
            ),
            Mistake(
                lambda c, tau, star, lam: c,
                "That is the rate without batches. Only where the penalty is on half the time, λ = 2λ*, is it c.",
            ),
            Mistake(
                lambda c, tau, star, lam: _settled(c, tau**2, star, lam),
                "τ is a standard deviation: four times the batch halves it, and the distance to c with it.",
            ),
            Mistake(
                lambda c, tau, star, lam: c - tau * star / lam,
                "λ*/λ is a probability. Ask the normal quantile, Φ⁻¹, how many τ that is.",
            ),
        ),
        hints=(
            "The share of batches with KL_B < c must be λ*/λ, and KL_B is normal with mean R̄ and deviation τ.",
            "statistics.NormalDist().inv_cdf is Φ⁻¹, and so is scipy.stats.norm.ppf.",
        ),
        name="resting",
        setup=SETUP,
    ),
)

GUESSES = (
    Guess(
        "7.1",
        "Where is the minimum of F?",
        Sketch(("λ = 0.5", "λ = 2", "λ = 2.9", "λ = 3.5"), 0, 2, 0.05, "nats"),
    ),
    Guess(
        "7.2",
        "From which λ on is the target held?",
        Sketch(("c = 1", "c = 3", "c = 5", "c = 8"), 0, 3, 0.05),
    ),
    Guess(
        "7.3",
        "Where does training settle?",
        Options(
            (
                "below c for λ = 1.8, above c for λ = 4",
                "above c for λ = 1.8, below c for λ = 4",
                "at c for both: both are above λ*",
                "below c for both",
            )
        ),
    ),
    Guess("7.4", "In what share of the batches is the penalty on?", Range(0, 1, 0.05)),
    Guess(
        "7.5",
        "What share of the rate is information when R first reaches .95 c?",
        Sketch(("λ = 0.99", "λ = 2", "hinge on I, λ = 2"), 0, 1, 0.05),
    ),
    Guess(
        "7.6",
        "Which way does λ = 2 take on sentences?",
        Options(
            (
                "along the diagonal: every nat is information",
                "along the floor to R = c, and up from there",
                "along the floor to R = c, where it stays",
            )
        ),
    ),
    Guess(
        "7.7",
        "How much of the waste is left when R reaches .97 c?",
        Sketch(("λ = 0.97", "λ = 1"), 0, 0.5, 0.05, "nats"),
    ),
)

QUIZ = Quiz.read(
    7,
    """
Why can a fixed λ do the work of a multiplier?
+ the minimum sits in a kink, and there a larger λ does not move it | From λ* on; below it there is no kink to sit in.
- because λ is large enough to make the penalty infinite | It asks a finite price a nat; λ* is the price that is enough.
- it cannot, a multiplier must be adapted | In the kink every λ ≥ λ* gives the same solution.

A run with β = 1 and λ = 0.5 stays at R = 1.2 though c = 3, the penalty always on. What has been trained?
- the constrained problem, not to the end | λ is below λ*(c): more steps do not help.
+ a plain VAE with β = 0.5 | Below c the loss is D + (β − λ)R + λc.
- a collapsed model | R = 1.2 is not 0: it is the partial regime.

λ = 2, β = 1: the penalty is on in 35 % of the batches, and R is held. What is s(R)?
- 0.7 | That is λ · duty, the price that was needed: λ*.
+ 0.3 | The counter reads the slope: s = β − λ · duty = 1 − 0.7.
- 0.65 | The share of batches without a penalty has no unit of slope.

What happens at λ = β exactly?
- wasted rate is given back, as with the ELBO | Below c it costs β − λ = 0: nothing presses it out.
- wasted rate is rewarded | That begins above β, where a wasted nat earns λ − β.
+ below c waste costs nothing; on batches R rests a little under c where the signal is weak
  | There β < 2λ*, so the penalty must be on in more than half of the batches.

The monitor shows R = c and a duty of one half that does not move with λ. What do you suspect?
+ the lazy code: one posterior for every x | KL_B is then the same in every batch and hops across c.
- that λ* is half of λ | Then the duty would fall as λ grows.
- a slope of one half | Read a slope only where λ · duty stays the same for several λ.
""",
)
