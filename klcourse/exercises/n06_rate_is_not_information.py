"""Exercises, predictions and quiz of notebook 06, rate is not information."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from klcourse.exact.linear_gaussian import LinearGaussianVAE

from .answers import NotYet, Unusable, as_array, is_stub
from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Build, Code, Number
from .quiz import Quiz

SETUP = """
import numpy as np

from klcourse.exact.discrete import DiscreteVAE
"""
CASES = {"s² = 0.25, Λ = 3": (0.25, 3.0), "s² = 0.9, Λ = 0.5": (0.9, 0.5), "s² = 1": (1.0, 2.0)}


def _waste(encoder: Any) -> dict[str, float]:
    """M and I_q of the encoders N(v x + m, s2) for three pairs (s2, Lambda)."""
    if not callable(encoder):
        raise Unusable("Give the function itself: its name without brackets.")
    found: dict[str, float] = {}
    for name, (s2, data_var) in CASES.items():
        pair = encoder(s2, data_var)
        if is_stub(pair):
            raise NotYet
        if as_array(pair).shape != (2,):
            raise Unusable("Return two numbers: v and m.")
        v, m = as_array(pair)
        one = LinearGaussianVAE(w=0.0, v=v, s2=s2, m=m, data_var=data_var)
        found |= {f"waste M at {name}": float(one.marginal_kl), f"I_q at {name}": float(one.mi)}
    return found


WANTED = {key: value for name, (s2, _) in CASES.items() for key, value in
          ((f"waste M at {name}", 0.0), (f"I_q at {name}", -0.5 * math.log(s2)))}  # fmt: skip


def _price(p_D: np.ndarray, prior: np.ndarray, decoder: np.ndarray) -> float:
    there = np.asarray(p_D) > 0
    return float(-(np.asarray(p_D)[there] * np.log((prior @ np.asarray(decoder))[there])).sum())


def _decoders() -> dict[str, tuple]:
    p_D, prior = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.5])
    return {
        "fits the data": (p_D, prior, np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]])),
        "believes in the third symbol": (p_D, prior, np.array([[0.018, 0.002, 0.98], [0.002, 0.018, 0.98]])),
        "uneven data": (np.array([0.7, 0.2, 0.1]), np.array([0.3, 0.7]), np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])),
    }


def _surgery(p_D: np.ndarray, q: np.ndarray, prior: np.ndarray) -> tuple[float, float]:
    q_z = p_D @ q
    return float((p_D[:, None] * q * np.log(q / q_z)).sum()), float((q_z * np.log(q_z / prior)).sum())


def _encoders() -> dict[str, tuple]:
    rng = np.random.default_rng(3)
    tables = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(2), 3), np.array([0.5, 0.5])
    lazy = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0.5, 0.5])
    return {"a random table: I, M": tables, "the same row for every x: I, M": lazy}


EXERCISES = (
    Exercise(
        id="6.1",
        asks="‖m‖ for R = 5 with s = 1, and the larger variance s² for R = 5 with m = 0, d = 4.",
        stub="answer = [..., ...]  # the length of m; the larger s²",
        worked="""s2 = 5.0
for _ in range(50):
    s2 = 3.5 + np.log(s2)  # s² - 1 - ln s² = 2 R / d = 2.5
answer = [np.sqrt(2 * 5), s2]""",
        judge=Number([math.sqrt(10), 5.14392], takes="two numbers", tolerance=5e-3),
        mistakes=(
            Mistake([10, 5.14392], "The first is ‖m‖²: take its root."),
            Mistake([math.sqrt(5), 5.14392], "R = ½ ‖m‖²: the half is missing in the first number."),
            Mistake([math.sqrt(10), 0.03116], "The second is the smaller solution. It has R = 5 too; asked is the larger."),
            Mistake([math.sqrt(10), 13.63], "In the second all four dimensions pay: s² − 1 − ln s² = 2 R / 4."),
        ),
        hints=("With s = 1: R = ½ ‖m‖².", "With m = 0: R = (d/2)(s² − 1 − ln s²); solve s² = 3.5 + ln s² by repetition."),
        setup=SETUP,
    ),
    Exercise(
        id="6.2",
        asks="v and m that make q(z) = p(z), for given s² ≤ 1 and Λ.",
        stub="""def matched(s2, data_var):
    ...  # return v, m""",
        worked="""def matched(s2, data_var):
    return np.sqrt((1 - s2) / data_var), 0.0""",
        judge=Build(_waste, WANTED, takes="a function"),
        mistakes=(
            Mistake(lambda s2, data_var: (math.sqrt(1 - s2), 0.0), "Right for Λ = 1 only: v x has the variance v² Λ."),
            Mistake(lambda s2, data_var: ((1 - s2) / data_var, 0.0), "That is v²: take the root."),
            Mistake(
                lambda s2, data_var: (math.sqrt((1 - s2) / data_var), 1.0),
                "The shift m adds ½ m² to the rate and no information.",
            ),
            Mistake(
                lambda s2, data_var: (0.0, 0.0), "With v = 0 there is no information, and the narrow code is all waste."
            ),
        ),
        hints=("q(z) is N(m, v²Λ + s²): when is it N(0, 1)?", "m = 0, and v² Λ = 1 − s²."),
        name="matched",
        setup=SETUP,
    ),
    Exercise(
        id="6.3",
        asks="D + R of a decoder table with its exact posterior as encoder.",
        stub="""def price(p_D, prior, decoder):
    ...  # nats; decoder: a row per z""",
        worked="""def price(p_D, prior, decoder):
    p_D, p_x = np.asarray(p_D), np.asarray(prior) @ np.asarray(decoder)
    there = p_D > 0  # what never occurs costs nothing
    return -(p_D[there] * np.log(p_x[there])).sum()""",
        judge=Code(_price, _decoders),
        mistakes=(
            Mistake(lambda p_D, prior, decoder: -_price(p_D, prior, decoder), "This is the ELBO. D + R is minus it."),
            Mistake(
                lambda p_D, prior, decoder: _price(p_D, prior, decoder) / math.log(2), "These are bits: use the natural log."
            ),
            Mistake(
                lambda p_D, prior, decoder: _price((p_D > 0) / (p_D > 0).sum(), prior, decoder),
                "All symbols count alike here: average over the data, p_D.",
            ),
        ),
        hints=(
            "With the exact posterior the gap is 0, so the ELBO is log p(x).",
            "D + R = −Σ p_D log(prior @ decoder), over the symbols that occur.",
        ),
        name="price",
        setup=SETUP,
    ),
    Exercise(
        id="6.4",
        asks="Information I_q and waste M of an encoder table.",
        stub="""def surgery(p_D, q, prior):
    ...  # q: a row per x; return I_q, M""",
        worked="""def surgery(p_D, q, prior):
    q_z = p_D @ q  # the aggregate posterior
    information = (p_D[:, None] * q * np.log(q / q_z)).sum()
    return information, (q_z * np.log(q_z / prior)).sum()""",
        judge=Code(_surgery, _encoders),
        mistakes=(
            Mistake(
                lambda p_D, q, prior: ((p_D[:, None] * q * np.log(q / prior)).sum(), _surgery(p_D, q, prior)[1]),
                "The first is the rate: compare with q(z), not with the prior.",
            ),
            Mistake(
                lambda p_D, q, prior: _surgery(np.full(len(p_D), 1 / len(p_D)), q, prior),
                "q(z) is an average over the data: weigh the rows by p_D.",
            ),
            Mistake(lambda p_D, q, prior: _surgery(p_D, q, prior)[::-1], "The two are exchanged: first I_q, then M."),
        ),
        hints=(
            "First the aggregate posterior: q_z = p_D @ q.",
            "I_q compares every row with q_z, M compares q_z with the prior.",
        ),
        name="surgery",
        setup=SETUP,
    ),
)

GUESSES = (
    Guess(
        "6.1",
        "Which two agree?",
        Options(("I(x, z) and KL(q(x, z) ‖ p(x)p(z))", "KL(q(x, z) ‖ p(x)p(z)) and E KL(q(z|x) ‖ p(z))", "all three")),
    ),
    Guess("6.2", "Which m passes the test for c = 1?", Range(0, 4, 0.05)),
    Guess("6.3", "Which decoder does it prefer?", Options(("the one that fits the data", "the other one", "neither"))),
)

QUIZ = Quiz.read(
    6,
    """
Which sign of the article's line is wrong in general?
+ I(x, z) = KL(q(x, z) ‖ p(x)p(z)) | The product must be of q's own marginals, p(x) and q(z).
- KL(q(x, z) ‖ p(x)p(z)) = E KL(q(z|x) ‖ p(z)) | An identity: p(x) cancels inside the logarithm.
- both | The second one is an identity for every encoder and prior.

When is the rate exactly the information?
- when the decoder is perfect | Rate and information are the encoder's; the decoder does not enter.
+ when q(z) = p(z) | Then M = 0, and only then.
- when c is reached | The lazy encoder reaches every c with no information.

The lazy encoder N(m, 1) with ‖m‖² = 2c passes the test "mean KL ≥ c". What is its I_q?
- c | That is its rate, and all of it is M.
- it depends on m | The shift is the same for every x, so it tells nothing, however long.
+ 0 | One posterior for every x tells nothing about x.

For whom is the constrained problem still the original one?
- for encoder and decoder | log p(x) changes with the decoder: min KL(q ‖ p(z|x)) alone never fits the data.
+ for the encoder, with the decoder fixed | There log p(x) is a constant.
- for the decoder | For the decoder it is log p(x) that matters, and the KL to the posterior leaves it free.

Is M good for anything?
- it makes training more stable | D + R − H(p_D) contains M as it stands: it is paid for and buys nothing.
+ no, it is a pure cost of the ELBO | Which is why a good optimum has little of it.
- it is part of the information | R = I_q + M: it is the other part.
""",
)
