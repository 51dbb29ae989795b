"""Exercises, predictions and quiz of notebook 05, self-labelling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from klcourse.exact import selflabel

from .answers import NotYet, Unusable, is_stub
from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Build, Code, Number
from .quiz import Quiz

SETUP = "import numpy as np"
J = 0.5  # of exercise 5.3


def _empty_rate(d: int, lam: float) -> float:
    return float(selflabel.tilted_rate(lam, d))


def _terms() -> dict[str, tuple]:
    return {"d = 32, λ = 0.5": (32, 0.5), "d = 1, λ = 2": (1, 2.0), "λ = 0": (16, 0.0)}


def _condition(make: Any) -> dict[str, float]:
    """Whether a table f makes condition (1) hold, with J = 0.5, and whether it depends on the encoder alone."""
    f = make() if callable(make) else make
    if is_stub(f):
        raise NotYet
    f = np.asarray(f, dtype=float)
    if f.shape != (2, 2) or not np.isfinite(f).all():
        raise Unusable("Return two rows (A ignores z, A uses z) of two numbers (q = p, q ≠ p).")
    return {
        "condition (1) holds": float(f[1, 0] - f[0, 0] > J),
        "f looks at the decoder": float(abs(f[1] - f[0]).max() > 1e-9),
    }


def _information(lam: float, cov: np.ndarray) -> float:
    return float(selflabel.tilted_mi(lam, cov))


def _scale(lam: float) -> float:
    return 4 * lam**2 / (1 + 2 * lam)


def _labels() -> dict[str, tuple]:
    return {
        "λ = 0.5, C = I₂": (0.5, np.eye(2)),
        "λ = 1, C = [[1, ½], [½, 1]]": (1.0, np.array([[1.0, 0.5], [0.5, 1.0]])),
        "constant labels": (2.0, np.zeros((2, 2))),
    }


EXERCISES = (
    Exercise(
        id="5.1",
        asks="The rate of SLVAE with joint labels when the decoder ignores z.",
        stub="""def empty_rate(d, lam):
    ...  # nats, for d latent dimensions""",
        worked="""def empty_rate(d, lam):
    return d / 2 * (np.log(1 + 2 * lam) - 2 * lam / (1 + 2 * lam))""",
        judge=Code(_empty_rate, _terms),
        mistakes=(
            Mistake(lambda d, lam: 2 * _empty_rate(d, lam), "The half is missing: every dimension pays ½ [...]."),
            Mistake(lambda d, lam: _empty_rate(d, lam) / d, "This is the rate of one dimension: there are d."),
            Mistake(
                lambda d, lam: d / 2 * math.log(1 + 2 * lam), "This is what B pays in all. The rate is less by λ E‖z‖²."
            ),
            Mistake(
                lambda d, lam: d / 2 * (math.log2(1 + 2 * lam) - 2 * lam / (1 + 2 * lam)),
                "The logarithm must be the natural one.",
            ),
        ),
        hints=("Section 4 has it: d/2 times a bracket.", "In the bracket: log(1 + 2λ) − 2λ / (1 + 2λ)."),
        name="empty_rate",
        setup=SETUP,
    ),
    Exercise(
        id="5.2",
        asks="The λ at which B's posterior has a standard deviation of 0.1.",
        stub="answer = ...  # lambda",
        worked="answer = (1 / 0.1**2 - 1) / 2  # 1 / (1 + 2 lambda) = 0.1²",
        judge=Number(49.5),
        mistakes=(
            Mistake(4.5, "With this λ the variance is 0.1. The standard deviation is its root."),
            Mistake(99.0, "Solve 1 + 2λ = 100: the 2 is missing."),
            Mistake(50.0, "Nearly: 1 + 2λ = 100, not 2λ = 100."),
        ),
        hints=("The tilted prior has the variance 1 / (1 + 2λ).", "A standard deviation of 0.1 is a variance of 0.01."),
        setup=SETUP,
    ),
    Exercise(
        id="5.3",
        asks="A table f that makes condition (1) hold although J = 0.5.",
        stub="""def extra():
    ...  # f: rows (A ignores z, A uses z), columns (q = p, q ≠ p)""",
        worked="""def extra():
    return [[0.0, 0.0], [1.0, 0.0]]  # pay A for using z: f10 - f00 = 1 > J""",
        judge=Build(
            _condition, {"condition (1) holds": 1.0, "f looks at the decoder": 1.0}, takes="a function that returns a table"
        ),
        mistakes=(
            Mistake(
                lambda: [[1.0, 0.0], [1.0, 0.0]],
                "This f looks at the encoder alone: its rows are the same, f10 and f00 cancel, and (1) contradicts Jensen.",
            ),
            Mistake(
                lambda: [[1.0, 0.0], [0.0, 0.0]],
                "The rows differ, but not enough in favour of the decoder that uses z: f10 − f00 must exceed J.",
            ),
        ),
        hints=(
            "(1) reads f10 − f00 > J, as E_p(z) log p(x|z) = log p − J.",
            "The first column counts: make the entry of the lower row larger than that of the upper row by more than 0.5.",
        ),
        name="extra",
        setup=SETUP,
    ),
    Exercise(
        id="5.4",
        asks="The information of the tilted prior for Gaussian labels with covariance C.",
        stub="""def information(lam, cov):
    ...  # nats; cov is the covariance of Gaussian labels, (d, d)""",
        worked="""def information(lam, cov):
    signal = 4 * lam**2 / (1 + 2 * lam) * np.asarray(cov)  # of the means, over the noise
    return 0.5 * np.linalg.slogdet(np.eye(len(signal)) + signal)[1]""",
        judge=Code(_information, _labels),
        mistakes=(
            Mistake(lambda lam, cov: 2 * _information(lam, cov), "The half is missing: I = ½ log det(...)."),
            Mistake(
                lambda lam, cov: 0.5 * math.log(np.linalg.det(np.eye(2) + (2 * lam / (1 + 2 * lam)) ** 2 * cov)),
                "The means vary by a² C, but the noise is 1 / (1 + 2λ), not 1: divide by it.",
            ),
            Mistake(
                lambda lam, cov: 0.5 * math.log(1 + _scale(lam) * float(np.trace(cov))),
                "The trace will not do: dimensions are separate channels, so take the determinant.",
            ),
            Mistake(lambda lam, cov: _information(lam, cov) / math.log(2), "These are bits: use the natural logarithm."),
        ),
        hints=(
            "z = a g(x) + noise, with a = 2λ / (1 + 2λ) and noise of variance 1 / (1 + 2λ).",
            "For Gaussians I = ½ log det(identity + covariance of the signal / variance of the noise).",
        ),
        name="information",
        setup=SETUP,
    ),
)

GUESSES = (
    Guess("5.1", "Can condition (2) hold?", Options(("yes, for some f", "no, for none"))),
    Guess("5.2", "How far from 1.545 nats will the network's rate be?", Range(0, 2, 0.05, "nats")),
    Guess(
        "5.3",
        "With alternating labels?",
        Options(
            ("the rate is on the closed form", "more rate, and the decoder listens", "more rate, and the decoder is deaf")
        ),
    ),
)

QUIZ = Quiz.read(
    5,
    """
SLVAE with joint labels reports a KL of 3.1 nats, d = 32, λ = 0.5. What does it say?
- the code carries about 3 nats of information | The closed form gives 3.09 for a code that is the same for every x.
+ nothing yet: ask for I_q and the shuffle gap | This KL is the price of a narrower Gaussian.
- the decoder listens | The prediction of 3.09 was made for a deaf decoder.

Why does (1) fail when g is the same in both rows?
+ f10 and f00 cancel, and Jensen remains | E_p(z) log p(x|z) > log p(x) is never true.
- because λ is too small | λ is a factor of both terms, which cancel for every λ.
- because the labels are not trained | They may be anything, as long as they do not depend on the row.

(dependent, q = p) is no equilibrium. Does training therefore end in (independent, q = p)?
- yes, it is the only cell left | There are four cells.
- yes, by the article's supplement | It proves that the target is no equilibrium, not where training ends.
+ no: B leaves q = p there too, for every λ > 0 | A narrower posterior saves the label term right away.

Which labels can make a deaf decoder's encoder carry information?
- joint ones | They follow the encoder's mean and go to 0 with it.
+ alternating ones that differ between the x | A deaf decoder gives g no gradient, so it stays as it began.
- constant ones | One label for all x is one code for all x.

I_q > 0 with SLVAE. Does the decoder use it?
- yes, information is information | B speaks; whether A listens is another question.
- no, never | With alternating labels it does: the shuffle gap says so.
+ ask the shuffle gap and the prior gap | I_q > 0 is necessary for listening, not sufficient.
""",
)
