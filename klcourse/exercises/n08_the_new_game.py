"""Exercises, predictions and quiz of notebook 08, the new game."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np

from klcourse.exact import linear_gaussian
from klcourse.exact.dynamics import settled_rate
from klcourse.exact.linear_gaussian import LinearGaussianVAE, article_condition_5

from .exercise import Exercise, Mistake
from .forms import Options, Sketch
from .guesses import Guess
from .judges import Code, Number
from .quiz import Quiz

SETUP = "import numpy as np"
TIE = 1e-9  # nats


def _price(c: float, d: int) -> float:
    return float(article_condition_5(c, d))


def _channels() -> dict[str, tuple]:
    return {"c = 5, d = 1": (5.0, 1), "c = 5, d = 32": (5.0, 32), "c = 0.5, d = 2": (0.5, 2)}


@cache
def _models() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """D (2, 3) of the game of section 3, weak signal and c = 1; rate and information (3,) of its three encoders."""
    best = linear_gaussian.constrained_optimum(1.0, 0.5, 1.0)
    silent = LinearGaussianVAE(0.0, 0.0, 1.0, data_var=0.5)
    shift = np.asarray(math.sqrt(2))  # a rate of 1 nat
    encoders = silent, replace(silent, v=best.v, s2=best.s2), replace(silent, m=shift)
    table = [[replace(one, w=w) for one in encoders] for w in (np.asarray(0.0), best.w)]
    table[1][2] = replace(table[1][2], b=-best.w * shift)
    rate, information = ([float(getattr(one, name)) for one in encoders] for name in ("rate", "mi"))
    return np.array([[float(one.distortion) for one in row] for row in table]), np.array(rate), np.array(information)


def _stable(D: np.ndarray, R: np.ndarray, X: np.ndarray, lam: float, c: float, beta: float) -> np.ndarray:
    loss = D + beta * R + lam * np.maximum(c - X, 0)
    return np.asarray((loss <= loss.min(0) + TIE) & (loss <= loss.min(1, keepdims=True) + TIE))


def _strict(D: np.ndarray, R: np.ndarray, X: np.ndarray, lam: float, c: float, beta: float) -> np.ndarray:
    """Equilibria that nobody leaves even for a tie."""
    loss = D + beta * R + lam * np.maximum(c - X, 0)
    alone = [((line <= line.min() + TIE).sum() == 1) * (line <= line.min() + TIE) for line in loss]
    above = [((line <= line.min() + TIE).sum() == 1) * (line <= line.min() + TIE) for line in loss.T]
    return np.array(alone) * np.array(above).T > 0


def _games() -> dict[str, tuple]:
    D, R, information = _models()
    return {
        "λ = 0.95 < β, hinge on R": (D, R, R, 0.95, 1.0, 1.0),
        "λ = 1 = β, hinge on R": (D, R, R, 1.0, 1.0, 1.0),
        "λ = 2 > β, hinge on R": (D, R, R, 2.0, 1.0, 1.0),
        "λ = 2 > β, hinge on I": (D, R, information, 2.0, 1.0, 1.0),
        "λ = 0.95 < β, hinge on I": (D, R, information, 0.95, 1.0, 1.0),
    }


def _choice(signal: float, c: float, beta: float, tau: float) -> tuple[float, float, float]:
    star = max(beta - signal * math.exp(-2 * c), 0.0)
    rests = settled_rate(c, tau, star, beta) if star else 0.5 * math.log(signal / beta)
    return star, beta, float(rests)


def _wishes() -> dict[str, tuple]:
    return {
        "weak signal, c = 1": (0.5, 1.0, 1.0, 0.1),
        "strong signal, c = 1": (6.0, 1.0, 1.0, 0.1),
        "middling signal, c = 1": (3.0, 1.0, 1.0, 0.1),
        "weak signal, c = 1, β = 2": (0.5, 1.0, 2.0, 0.1),
        "very strong signal, c = 1": (20.0, 1.0, 1.0, 0.1),
    }


def _wish_without_clip(signal: float, c: float, beta: float, tau: float) -> tuple[float, float, float]:
    return (beta - signal * math.exp(-2 * c), *_choice(signal, c, beta, tau)[1:])


EXERCISES = (
    Exercise(
        id="8.1",
        asks="The λ from which (5) holds in section 2, and the one from which (I ≥ c, q ≠ p) is an equilibrium.",
        stub="answer = [..., ...]  # lambda for (5); lambda for the equilibrium",
        worked="""J = 2 - 0.5 * np.log(3)  # e^(2 I) - 1 - I with I = 0.549, as in the print of section 2
answer = [J / 0.5, 0.0]  # G = G' = 0 and R' < c: the informative pair needs no price at all""",
        judge=Number([2.90139, 0.0], takes="two numbers"),
        mistakes=(
            Mistake([1.45069, 0.0], "That is J. (5) says λc > J: divide by c."),
            Mistake([2.90139, 2.90139], "(5) is about another cell. Test B's and A's comparison in the cell itself."),
            Mistake([2.90139, 1.0], "λ = β is where *collapse* stops being an equilibrium. Asked is the informative pair."),
        ),
        hints=(
            "The printed line of condition (5) has J; c is 0.5.",
            "(I ≥ c, q ≠ p) is an equilibrium iff G ≤ J and λ(c − R') ≥ G − G'. Both models have their exact posterior.",
        ),
        setup=SETUP,
    ),
    Exercise(
        id="8.2",
        asks="The price that (5) demands for d Gaussian channels that carry c nats in all.",
        stub="""def demanded(c, d):
    ...  # the least lambda""",
        worked="""def demanded(c, d):
    J = d * np.expm1(2 * c / d) - c
    return J / c""",
        judge=Code(_price, _channels),
        mistakes=(
            Mistake(lambda c, d: _price(c, d) * c, "That is J. (5) asks for λ > J/c."),
            Mistake(lambda c, d: d * math.expm1(2 * c / d) / c, "J has − c at its end: the rate is paid, noise or not."),
            Mistake(lambda c, d: _price(c, 1), "Each of the d channels carries c/d nats."),
            Mistake(lambda c, d: d * math.expm1(c / d) / c - 1, "A Gaussian channel with I nats has w²/σ² = e^{2I} − 1."),
        ),
        hints=("J is given in the question; each channel has c/d nats.", "(5) says λc > J, so λ > J/c."),
        name="demanded",
        setup=SETUP,
    ),
    Exercise(
        id="8.3",
        asks="Which cells of the trained game are equilibria, weak ones included.",
        stub="""def stable(D, R, X, lam, c, beta):
    ...  # D (2, 3); R, X (3,): rate and what the hinge counts. Return a table (2, 3) of True and False""",
        worked="""def stable(D, R, X, lam, c, beta):
    loss = D + beta * R + lam * np.maximum(c - X, 0)  # what both pay, (2, 3)
    A_stays = loss <= loss.min(axis=0) + 1e-9  # A chooses the row
    B_stays = loss <= loss.min(axis=1, keepdims=True) + 1e-9  # B chooses the column
    return A_stays & B_stays""",
        judge=Code(_stable, _games, takes="a function that returns a table"),
        mistakes=(
            Mistake(
                _strict, "Weak equilibria count: nobody *gains* by leaving. Compare with <=, and a little room for rounding."
            ),
            Mistake(
                lambda D, R, X, lam, c, beta: _stable(-D, -R, -X, lam, -c, beta),
                "The sign: D, R and the penalty are losses, so both want the least.",
            ),
            Mistake(
                lambda D, R, X, lam, c, beta: _stable(D, R, R, lam, c, beta),
                "The hinge must count X. Here it counts R in any case, so both hinges give the same game.",
            ),
            Mistake(
                lambda D, R, X, lam, c, beta: (
                    _stable(D, R, X, lam, c, beta)
                    * (D + beta * R + lam * np.maximum(c - X, 0) < (D + beta * R + lam * np.maximum(c - X, 0)).min() + TIE)
                ),
                "This is the best cell of the table. An equilibrium need only be the best of its row and of its column.",
            ),
        ),
        hints=(
            "First the loss of every cell: D + βR + λ max(c − X, 0), a (2, 3) array by broadcasting.",
            "A changes the row: compare with loss.min(axis=0). B changes the column: axis=1. Ties are allowed.",
        ),
        name="stable",
        setup=SETUP,
    ),
    Exercise(
        id="8.4",
        asks="Which λ may be chosen for a target c, and the rate to be expected at λ = β.",
        stub="""def choose_price(signal, c, beta, tau):
    ...  # return the lowest lambda, the highest, and the rate at which training rests with the highest""",
        worked="""def choose_price(signal, c, beta, tau):
    from statistics import NormalDist

    star = max(beta - signal * np.exp(-2 * c), 0.0)  # lambda*(c) = beta - s(c)
    if star == 0:  # no price is needed: the rate is above c by itself
        return star, beta, 0.5 * np.log(signal / beta)
    return star, beta, c - tau * NormalDist().inv_cdf(star / beta)  # the share of batches below c""",
        judge=Code(_choice, _wishes, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda signal, c, beta, tau: (*_choice(signal, c, beta, tau)[:2], c),
                "Held, but on batches: with the penalty on in more than half of them the mean rests *under* c.",
            ),
            Mistake(
                lambda signal, c, beta, tau: (
                    *_choice(signal, c, beta, tau)[:2],
                    2 * c - _choice(signal, c, beta, tau)[2],
                ),
                "The sign: P(KL_B < c) = λ*/λ above one half means a mean below c.",
            ),
            Mistake(
                lambda signal, c, beta, tau: (
                    _choice(signal, c, beta, tau)[0],
                    2 * _choice(signal, c, beta, tau)[0],
                    _choice(signal, c, beta, tau)[2],
                ),
                "λ = 2λ* rests on c exactly, but may be above β, where waste is rewarded. The upper end is β.",
            ),
            Mistake(
                lambda signal, c, beta, tau: (
                    max(beta - signal, 0.0),
                    *_choice(signal, c, beta, tau)[1:],
                ),
                "β − s(0) is where collapse stops being a minimum. The target is held from β − s(c) on.",
            ),
            Mistake(_wish_without_clip, "A price is never negative: where s(c) ≥ β no penalty is needed, λ* = 0."),
        ),
        hints=(
            "The rule is λ*(c) ≤ λ ≤ β, with λ*(c) = β − s(c), at least 0, and s(c) = signal · e^(−2c).",
            "At λ = β the penalty is on in a share λ*/β of the batches: R̄ = c − τ Φ⁻¹(λ*/β). If λ* = 0: s(R) = β.",
        ),
        name="choose_price",
        setup=SETUP,
    ),
    Exercise(
        id="8.5",
        asks="What a wasted nat costs B below c, at three λ, and on average at c.",
        stub="answer = [..., ..., ..., ...]  # below c at lambda = 0.95, 1, 2; at the target",
        worked="answer = [1 - 0.95, 1 - 1, 1 - 2, 0.07]  # beta - lambda; at c beta - lambda * duty = s(c)",
        judge=Number([0.05, 0.0, -1.0, 0.07], takes="four numbers"),
        mistakes=(
            Mistake([-0.05, 0.0, 1.0, 0.07], "The sign: a nat costs β and saves λ. Give β − λ."),
            Mistake([0.95, 1.0, 2.0, 0.07], "That is what it saves. It also costs β."),
            Mistake(
                [0.05, 0.0, -1.0, 1.0], "β is the price above c. At c the penalty is on part of the time: β − λ · duty."
            ),
            Mistake([0.05, 0.0, -1.0, 0.93], "That is λ* = λ · duty, which is saved. The price is what is left of β."),
        ),
        hints=(
            "D does not change: nobody hears a wasted nat. What is left is βR + λ max(c − R, 0).",
            "At the target λ · duty = λ* = β − s(c), whatever λ is.",
        ),
        setup=SETUP,
    ),
)

GUESSES = (
    Guess(
        "8.1",
        "Which comparison is missing?",
        Options(
            (
                "A's, in the left column",
                "A's, in the right column",
                "B's, in the lower row",
                "none: two comparisons are enough",
            )
        ),
    ),
    Guess(
        "8.2",
        "Where are the fitted encoders?",
        Options(("below the diagonal, G < J", "above the diagonal, G > J", "on both sides")),
    ),
    Guess("8.3", "How many equilibria?", Sketch(("λ = 0.95", "λ = 2"), 0, 6, 1)),
)

QUIZ = Quiz.read(
    8,
    """
(5) and (6) hold in section 2, yet (I ≥ c, q = p) is no equilibrium. Who leaves, and why?
- A, to save λc | (5) says just that A does not gain by that.
+ B, because its encoder would be better than none | B compares −J with −G, and a fitted encoder has G < J.
- nobody: the cell is empty | Only if I is the encoder's; in the article's own reading the cell exists, and B leaves.

What do (5) and (6) say about the pair (I ≥ c, q ≠ p)?
+ nothing: it is an equilibrium where (5) fails, and none where both hold | The two regions of the map differ both ways.
- they are enough for it | In the weak-signal map both hold below λ*, where B slides back.
- they are needed for it | For a strong signal it is an equilibrium at λ = 0, where (5) fails.

λ = 2β with a hinge on the rate. Which bad equilibrium is there?
- collapse, R = 0 | A deaf decoder's B would gain λ − β for every nat.
- none: λ is large enough | No λ is: the lazy pair takes the place of collapse.
+ the lazy pair: R = c and I = 0 | Nobody gains by leaving, and B may drift for free along R = c.

You choose λ = β for a weak signal, batches of moderate size. What should the monitor of R show?
- c, to the last digit | That would take λ = 2λ*, which is above β here.
+ a little less than c | The penalty must be on in a share λ*/β, more than half of the batches.
- much more than c | Above c a nat costs β and buys s(c) < β.

Which change of one symbol makes the article's sentence describe the optimum of the linear model?
- λ ≥ β for λ > 0 | At λ > β the sentence is no truer: B still leaves q(z|x) = p(z).
- I ≤ c for I ≥ c | The constraint is not what is wrong with it.
+ q(z) = p(z) for q(z|x) = p(z) | Different codes may tile the prior; then M = 0 and I = R.
""",
)
