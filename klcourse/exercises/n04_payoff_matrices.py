"""Exercises, predictions and quiz of notebook 04, payoff matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from klcourse.exact.discrete import DiscreteVAE
from klcourse.games import Game

from .answers import NotYet, Unusable, is_stub
from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Build, Code, Number
from .quiz import Quiz

SETUP = """
import numpy as np

from klcourse.exact.discrete import DiscreteVAE
from klcourse.games import Quantities

model = DiscreteVAE([0.6, 0.4], [0.5, 0.5], [[0.85, 0.15], [0.20, 0.80]], [[0.90, 0.10], [0.25, 0.75]])
"""
TABLE = DiscreteVAE([0.6, 0.4], [0.5, 0.5], [[0.85, 0.15], [0.20, 0.80]], [[0.90, 0.10], [0.25, 0.75]])
G, M = TABLE.gap, TABLE.marginal_kl  # .0198 and .0163 nats


def _small_equilibria(make: Any) -> dict[str, float]:
    """Of a 2 x 2 game with a common payoff: is there an equilibrium below the largest cell, by more than a rounding?"""
    a = make() if callable(make) else make
    if is_stub(a):
        raise NotYet
    a = np.asarray(a, dtype=float)
    if a.shape != (2, 2) or not np.isfinite(a).all():
        raise Unusable("Return two rows of two numbers: the payoff of both players in the four cells.")
    below = [cell for cell in Game(a).equilibria() if a[cell.cell] < a.max() - 1e-6]
    return {"it has an equilibrium below its largest cell": float(bool(below)), "cells differ": float(np.ptp(a) > 1e-6)}


def _border(data_var: float, sigma2: float) -> float:
    return data_var / sigma2


def _round(w: float, data_var: float, sigma2: float) -> float:
    """B's best encoder for the gain w, then A's best gain for that encoder (beta = 1)."""
    v, s2 = w / (w**2 + sigma2), sigma2 / (w**2 + sigma2)
    return v * data_var / (v**2 * data_var + s2)


def _rounds() -> dict[str, tuple]:
    return {
        "w = 0.1, Λ = 3, σ² = 1": (0.1, 3.0, 1.0),
        "w = 1, Λ = 0.5, σ² = 2": (1.0, 0.5, 2.0),
        "w = 0: collapse": (0.0, 3.0, 1.0),
    }


def _noise(w: float, sigma2: float) -> float:
    return w**2 / (2 * sigma2)


EXERCISES = (
    Exercise(
        id="4.1",
        asks="By how much the ELBO would have to grow for A to stay, under the letter.",
        stub="answer = ...  # nats, from x = Quantities.of(model): x.log_p, x.elbo, x.G, x.M, x.R",
        worked="x = Quantities.of(model)\nanswer = x.log_p - x.M - x.elbo  # = G - M",
        judge=Number(G - M, tolerance=2e-5),
        mistakes=(
            Mistake(M - G, "The sign: the ELBO has to grow, by what it lacks to log p − M."),
            Mistake(G, "That is what it lacks to log p. Under the letter A compares with log p − M."),
            Mistake(M, "That is M. A stays if G ≤ M: how far is G above it?"),
        ),
        hints=("Under the letter A leaves if ELBO < log p − M.", "log p − ELBO is G, so what is missing is G − M."),
        setup=SETUP,
    ),
    Exercise(
        id="4.2",
        asks="A common payoff with an equilibrium that is not the largest cell.",
        stub="""def two_by_two():
    ...  # return two rows of two payoffs, the same for both players""",
        worked="""def two_by_two():
    return [[0.0, -1.0], [-1.0, 3.0]]  # the phone call: both silent""",
        judge=Build(
            _small_equilibria,
            {"it has an equilibrium below its largest cell": 1.0, "cells differ": 1.0},
            takes="a function that returns a table",
        ),
        mistakes=(
            Mistake(lambda: [[0.0, 0.0], [0.0, 0.0]], "All cells pay the same, so every one is a largest cell."),
            Mistake(
                lambda: [[0.0, 1.0], [1.0, 3.0]],
                "From every other cell somebody gains by moving alone. Make the cells beside the small one worse than it.",
            ),
        ),
        hints=(
            "A cell is an equilibrium if the one beside it in its row and the one in its column pay no more.",
            "Put the largest payoff at the other end of the diagonal, and low ones off the diagonal.",
        ),
        name="two_by_two",
        setup=SETUP,
    ),
    Exercise(
        id="4.3",
        asks="The β from which on collapse is no saddle any more.",
        stub="""def border(data_var, sigma2):
    ...  # return beta""",
        worked="""def border(data_var, sigma2):
    return data_var / sigma2  # where det H = 0""",
        judge=Code(_border, lambda: {"Λ = 3, σ² = 1": (3.0, 1.0), "Λ = 3, σ² = 2": (3.0, 2.0)}),
        mistakes=(
            Mistake(lambda data_var, sigma2: data_var * sigma2, "σ² stands on the other side: det H = 0 where βσ² = Λ."),
            Mistake(
                lambda data_var, sigma2: sigma2 / data_var,
                "Upside down: a stronger signal needs a higher price to stay shut.",
            ),
            Mistake(lambda data_var, sigma2: data_var, "Right for σ² = 1 only: what if the decoder is noisier?"),
        ),
        hints=("The determinant of H changes its sign there.", "det H = (Λ/σ⁴) (βσ² − Λ): solve for β."),
        name="border",
        setup=SETUP,
    ),
    Exercise(
        id="4.4",
        asks="One round of best replies: B answers the gain w, then A answers B; the new gain.",
        stub="""def one_round(w, data_var, sigma2):
    ...  # B: the posterior N(v x, s2) of x = w z + noise; A: the best gain for this encoder""",
        worked="""def one_round(w, data_var, sigma2):
    v, s2 = w / (w**2 + sigma2), sigma2 / (w**2 + sigma2)  # B: the exact posterior
    return v * data_var / (v**2 * data_var + s2)  # A: regression of x on z""",
        judge=Code(_round, _rounds),
        mistakes=(
            Mistake(
                lambda w, data_var, sigma2: 1 / v if (v := w / (w**2 + sigma2)) else 0.0,
                "Regression of x on z divides by the variance of z, v²Λ + s²: the s² is missing.",
            ),
            Mistake(
                lambda w, data_var, sigma2: v * data_var / (v**2 * data_var + 1) if (v := w / (w**2 + sigma2)) else 0.0,
                "B's variance is not 1: the posterior has s² = σ² / (w² + σ²).",
            ),
            Mistake(lambda w, data_var, sigma2: w / (w**2 + sigma2), "That is B's answer v. Now A answers it."),
        ),
        hints=(
            "B's best reply is the posterior of section 4 of notebook 01: v = w / (w² + σ²), s² = σ² / (w² + σ²).",
            "A's best gain is cov(x, z) / var(z), with cov = v Λ and var = v² Λ + s².",
        ),
        name="one_round",
        setup=SETUP,
    ),
    Exercise(
        id="4.5",
        asks="What a decoder N(w z, σ²) loses against w = 0 when z is noise from the prior.",
        stub="""def cost_of_noise(w, sigma2):
    ...  # nats per example, positive""",
        worked="""def cost_of_noise(w, sigma2):
    return w**2 / (2 * sigma2)  # E(x - w z)² = x² + w²""",
        judge=Code(_noise, lambda: {"w = 1, σ² = 1": (1.0, 1.0), "w = 0.5, σ² = 2": (0.5, 2.0), "w = 0": (0.0, 1.0)}),
        mistakes=(
            Mistake(lambda w, sigma2: -_noise(w, sigma2), "As a cost it is positive."),
            Mistake(lambda w, sigma2: w**2 / sigma2, "The factor ½ of the Gaussian's exponent is missing."),
            Mistake(lambda w, sigma2: w / (2 * sigma2), "The variance of w z is w²."),
        ),
        hints=("log N(x; w z, σ²) = constant − (x − w z)² / 2σ².", "z is independent of x: E(x − w z)² = x² + w²."),
        name="cost_of_noise",
        setup=SETUP,
    ),
)

GUESSES = (
    Guess("4.1", "Will the two games have the same equilibria?", Options(("yes", "no"))),
    Guess("4.2", "What will A do?", Options(("ignore z, because it is noise", "use z, although it is noise"))),
    Guess(
        "4.3", "Where does the payoff rise?", Options(("nowhere", "along the diagonal, if Λ = 3", "along an axis, if Λ = 3"))
    ),
    Guess(
        "4.4",
        "And the runs that start next to the cross?",
        Options(("they stay", "they leave for Λ = 3 only", "they leave")),
    ),
    Guess("4.5", "By how many nats does the working VAE beat the blind decoder?", Range(0, 200, 1, "nats")),
    Guess(
        "4.6",
        "Which cell may differ from the other three?",
        Options(("(hidden, q = p)", "(hidden, free)", "(shown, q = p)", "(shown, free)")),
    ),
)

QUIZ = Quiz.read(
    4,
    """
What is a Nash equilibrium?
- the cell that pays most | With a common payoff that cell is one, but there may be others that pay less.
+ a cell that nobody gains by leaving alone | Moving together may still pay.
- where training ends | That depends on the start and on how the players learn.

Why may A not compare with log p − M when it stops listening?
- because M is unknown | In an exact model it is known. That is not the point.
- because log p is not the ELBO | A compares two payoffs, and this would be one: of a cell that A cannot reach alone.
+ because M instead of R needs B to move at the same time | The encoder is B's. Until B moves, R is paid.

Collapse is a strict equilibrium, and training leaves it. How can that be?
+ it is a saddle: both modules move a little at once | Along each axis the payoff falls, along the diagonal it rises.
- the step size is too large | Gradient flow, with infinitely small steps, leaves it too.
- then it was not strict | It is: every move of one module alone loses.

What does the collapse cell need to be an equilibrium?
- Jensen's inequality, nothing else | Jensen compares a decoder with its own marginal; A may choose another one.
+ that A can play the best decoder that ignores z | Then no mixture of slices beats it.
- a weak decoder | It is one for strong and weak decoders alike.

On MNIST with a factorised decoder training does not collapse. Why?
- its collapse cell is no equilibrium | It is one: the arrows of the live game say so.
- because digits are easy | Easy or not, what counts is what the decoder can do without z.
+ z is worth tens of nats to the decoder | It has no other way to know which pixels go together.
""",
)
