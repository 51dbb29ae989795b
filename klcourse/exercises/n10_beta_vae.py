"""Exercises, predictions and quiz of notebook 10, the β-VAE."""

from __future__ import annotations

import math

import numpy as np

from klcourse.exact.discrete import DiscreteVAE
from klcourse.exact.discrete_optima import beta_encoder

from .exercise import Exercise, Mistake
from .forms import Options, Range, Sketch
from .guesses import Guess
from .judges import Code, Number
from .quiz import Quiz

SETUP = """
import numpy as np

from klcourse.exact.discrete import DiscreteVAE
from klcourse.exact.discrete_optima import beta_encoder
"""
TABLE = """
model = DiscreteVAE([0.5, 0.5, 0.0], [0.5, 0.5], [[0.5, 0.5]] * 3, [[0.5, 0.5, 0.0], [0.4, 0.1, 0.5]])
"""


def _rates(eigenvalues: np.ndarray, sigma2: float, beta: float) -> np.ndarray:
    return 0.5 * np.log(np.maximum(np.asarray(eigenvalues) / (beta * sigma2), 1.0))


def _spectra() -> dict[str, tuple]:
    values = np.array([3.0, 1.0, 0.2])
    return {
        "β = 1": (values, 0.5, 1.0),
        "β = 2.5": (values, 0.5, 2.5),
        "β = 6: all closed": (values, 0.5, 6.0),
        "β = 0.1": (values, 0.5, 0.1),
    }


def _possible(beta1: float, R1: float, D1: float, beta2: float, R2: float, D2: float) -> bool:
    return beta1 * (R1 - R2) <= D2 - D1 <= beta2 * (R1 - R2)


def _pairs() -> dict[str, tuple]:
    return {
        "β 2 → 4, R 10 → 7, D 95 → 97": (2.0, 10.0, 95.0, 4.0, 7.0, 97.0),
        "β 2 → 4, R 10 → 7, D 95 → 104": (2.0, 10.0, 95.0, 4.0, 7.0, 104.0),
        "β 2 → 4, R 10 → 7, D 95 → 110": (2.0, 10.0, 95.0, 4.0, 7.0, 110.0),
        "β 2 → 4, R 7 → 10, D 97 → 88": (2.0, 7.0, 97.0, 4.0, 10.0, 88.0),
        "β 2 → 4, both collapsed": (2.0, 0.0, 120.0, 4.0, 0.0, 120.0),
    }


def _measured(name: str) -> list[float]:
    model = DiscreteVAE([0.5, 0.5, 0.0], [0.5, 0.5], [[0.5, 0.5]] * 3, [[0.5, 0.5, 0.0], [0.4, 0.1, 0.5]])
    optima = (model.with_(encoder=beta_encoder(model.prior, model.decoder, beta)) for beta in (0.05, 0.3, 1.0))
    return [float(getattr(one, name)) for one in optima]


def _correlation(cov: np.ndarray) -> float:
    return float(0.5 * (np.log(np.diag(cov)).sum() - np.linalg.slogdet(cov)[1]))


def _aggregates() -> dict[str, tuple]:
    return {
        "ρ = 0.9": (np.array([[1.0, 0.9], [0.9, 1.0]]),),
        "independent, not of unit variance": (np.diag([0.5, 2.0, 3.0]),),
        "three latents": (np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]]),),
    }


def _prior_kl(cov: np.ndarray) -> float:
    return float(0.5 * (np.trace(cov) - len(cov) - np.linalg.slogdet(cov)[1]))


EXERCISES = (
    Exercise(
        id="10.1",
        asks="The rate of every latent of a linear VAE at its optimum.",
        stub="""def open_rates(eigenvalues, sigma2, beta):
    ...  # nats, one for each eigenvalue of the data's covariance""",
        worked="""def open_rates(eigenvalues, sigma2, beta):
    signal = np.asarray(eigenvalues) / sigma2  # what the first nat of each latent buys
    return 0.5 * np.log(np.maximum(signal / beta, 1.0))""",
        judge=Code(_rates, _spectra),
        mistakes=(
            Mistake(
                lambda eigenvalues, sigma2, beta: 0.5 * np.log(eigenvalues / (beta * sigma2)),
                "A rate is never negative: a latent whose first nat buys less than β is closed.",
            ),
            Mistake(
                lambda eigenvalues, sigma2, beta: 2 * _rates(eigenvalues, sigma2, beta),
                "The half is missing: R = ½ ln(Λ / βσ²).",
            ),
            Mistake(
                lambda eigenvalues, sigma2, beta: _rates(eigenvalues, sigma2, 1.0),
                "β is not used: each nat must buy β, not 1.",
            ),
            Mistake(
                lambda eigenvalues, sigma2, beta: _rates(eigenvalues, sigma2**2, beta),
                "sigma2 is the variance already.",
            ),
        ),
        hints=(
            "Latent i is open if Λᵢ/σ² > β.",
            "½ ln(Λᵢ / βσ²) if that is positive, else 0: np.maximum inside the logarithm.",
        ),
        name="open_rates",
        setup=SETUP,
    ),
    Exercise(
        id="10.2",
        asks="Whether two runs with β₁ < β₂ can both be global minimisers.",
        stub="""def possible(beta1, R1, D1, beta2, R2, D2):
    ...  # True or False; beta1 < beta2""",
        worked="""def possible(beta1, R1, D1, beta2, R2, D2):
    first_stays = D1 + beta1 * R1 <= D2 + beta1 * R2  # each beats the other at its own weight
    second_stays = D2 + beta2 * R2 <= D1 + beta2 * R1
    return first_stays and second_stays""",
        judge=Code(_possible, _pairs, takes="a function that returns True or False"),
        mistakes=(
            Mistake(
                lambda beta1, R1, D1, beta2, R2, D2: D1 + beta1 * R1 <= D2 + beta1 * R2,
                "Only the first run is tested. The second must win at its own β too.",
            ),
            Mistake(
                lambda beta1, R1, D1, beta2, R2, D2: D2 + beta2 * R2 <= D1 + beta2 * R1,
                "Only the second run is tested. The first must win at its own β too.",
            ),
            Mistake(
                lambda beta1, R1, D1, beta2, R2, D2: R2 <= R1,
                "R must not rise, but that is not enough: the slope between the runs must lie between the two β.",
            ),
            Mistake(
                lambda beta1, R1, D1, beta2, R2, D2: R2 < R1 and beta1 <= (D2 - D1) / (R1 - R2) <= beta2,
                "Two runs at one point are possible as well: compare losses, and do not divide by R₁ − R₂.",
            ),
        ),
        hints=(
            "At β₁ the first must not score worse than the second, and the other way round at β₂.",
            "The score of run 2 at β₁ is D2 + beta1 * R2.",
        ),
        name="possible",
        setup=SETUP,
    ),
    Exercise(
        id="10.3",
        asks="The information of the table of section 2 at β = 0.05, 0.3 and 1.",
        stub="answer = [..., ..., ...]  # I_q at beta = 0.05, 0.3, 1",
        worked="""optima = [model.with_(encoder=beta_encoder(model.prior, model.decoder, b)) for b in (0.05, 0.3, 1)]
answer = [one.mi for one in optima]""",
        judge=Number(lambda: _measured("mi"), takes="three numbers", tolerance=2e-3),
        mistakes=(
            Mistake(lambda: _measured("rate"), "These are the rates. The information is what is left of them without M."),
            Mistake(lambda: _measured("mi")[::-1], "The order: β = 0.05 first."),
            Mistake(lambda: _measured("marginal_kl"), "This is M, the waste. R = I + M."),
        ),
        hints=(
            "Section 2 has the line: model.with_(encoder=beta_encoder(model.prior, model.decoder, b)).",
            "A DiscreteVAE knows its .rate, .mi and .marginal_kl.",
        ),
        setup=SETUP + TABLE,
    ),
    Exercise(
        id="10.4",
        asks="The β of the plain β-VAE with the same gradients, and how much larger the loss is.",
        stub="answer = [..., ...]  # beta of the plain VAE; difference of the losses, nats",
        worked="answer = [4 - 3, 3 * 6]  # beta - lambda; lambda * c",
        judge=Number([1.0, 18.0], takes="two numbers"),
        mistakes=(
            Mistake([7.0, 18.0], "Below c the penalty works against β: the weight of R is β − λ."),
            Mistake([1.0, 12.0], "The constant is λc. That is λR, which is in β_eff already."),
            Mistake([1.0, 6.0], "λ(c − R) is the penalty. But −λR is in β_eff already, so the constant is λc."),
            Mistake([4.0, 18.0], "With the penalty always on the weight of R is not β but β − λ."),
        ),
        hints=("Write D + βR + λ(c − R) as D + ( ) R + constant.", "The bracket is β − λ."),
        setup=SETUP,
    ),
    Exercise(
        id="10.5",
        asks="The total correlation of a Gaussian q(z) from its covariance.",
        stub="""def total(cov):
    ...  # nats; cov is (d, d)""",
        worked="""def total(cov):
    cov = np.asarray(cov)
    return 0.5 * (np.log(np.diag(cov)).sum() - np.linalg.slogdet(cov)[1])""",
        judge=Code(_correlation, _aggregates),
        mistakes=(
            Mistake(lambda cov: -_correlation(cov), "The sign: a KL is never negative, and log det is the smaller one."),
            Mistake(lambda cov: 2 * _correlation(cov), "The half is missing."),
            Mistake(
                _prior_kl,
                "This is M, against the prior N(0, I). TC compares q(z) with the product of its own marginals.",
            ),
            Mistake(
                lambda cov: -0.5 * float(np.linalg.slogdet(cov)[1]),
                "The variances of the latents do not matter for TC: add ½ Σ ln of the diagonal.",
            ),
            Mistake(lambda cov: _correlation(cov) / math.log(2), "These are bits: use the natural logarithm."),
        ),
        hints=(
            "TC is the entropy of the marginals, added up, minus the entropy of q(z).",
            "A Gaussian has the entropy ½ ln det(2πe C); the constants cancel.",
        ),
        name="total",
        setup=SETUP,
    ),
)

GUESSES = (
    Guess(
        "10.1",
        "How do the latents fade as β rises?",
        Options(("all together", "one by one, the weakest first", "one by one, the strongest first")),
    ),
    Guess(
        "10.2",
        "From β = .01 to .3, the information",
        Options(("rises", "stays the same", "falls")),
    ),
    Guess("10.3", "What is left of the information at β = 20?", Sketch(("β-VAE", "β-TCVAE"), 0, 2, 0.05, "nats")),
    Guess("10.4", "Up to which β is the rate held at c?", Range(0, 16, 0.1)),
    Guess(
        "10.5",
        "How far apart are the rates of β = 10 and of β = 40, λ = 30, c = 5, at most?",
        Range(0, 5, 0.05, "nats"),
    ),
    Guess("10.6", "From β = 1.5 to 16, with λ = β and c fixed, TC", Options(("falls", "stays the same", "rises"))),
)

QUIZ = Quiz.read(
    10,
    """
What does a larger β never do at the optimum?
+ raise the rate | Two lines prove it for every model: each optimum beats the other at its own β.
- raise the information | In the table of section 2 it does, from β = .01 to .3: the waste goes first.
- raise the distortion | It does, or leaves it as it is: that is the price.

A linear VAE has eigenvalues 4, 2, 1 and σ² = ½. Which latents are closed at β = 3?
- none | The first nat of each buys Λ/σ² = 8, 4 and 2.
- all | Total collapse comes at β = 8 only.
+ the weakest | 2 < 3 < 4: its first nat buys less than β.

You minimise D + I + β TC + Σ KL_j with a large β. What happens?
- information and correlation both go | That is the β-VAE, which charges β for all three parts.
+ correlation goes, information need not | β-TCVAE charges the information at its own price.
- the rate goes to 0 | Only the middle part of the rate is charged β.

β = 40, λ = 30, c = 5, and the penalty is on in every batch. What has been trained?
- a VAE with a rate of 5 | If it had reached the target, the penalty would have been off at times.
- a VAE with β = 40 | Below c the penalty takes off 30 of it.
+ a β-VAE with β = 10, to the last bit | The losses differ by the constant λc = 150.

λ = β, and the target is held. You double both. What happens to TC?
+ nothing: the optimum is the plain VAE of weight s(c) | s(c) does not contain β.
- it falls, as β is larger | The constraint undoes the larger β, and with it what it would have done.
- it rises, as the constraint is harder | R stays at c, and the encoder with it.
""",
)
