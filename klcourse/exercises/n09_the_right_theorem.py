"""Exercises, predictions and quiz of notebook 09, the right theorem."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from klcourse.exact.equilibria import equilibria
from klcourse.exact.threshold import bernoulli_threshold

from .answers import NotYet, Unusable, as_array, is_stub
from .exercise import Exercise, Mistake
from .forms import Options, Range, Sketch
from .guesses import Guess
from .judges import Build, Code
from .quiz import Quiz

SETUP = "import numpy as np"


def _silent(lam: float, c: float, beta: float) -> tuple[float, float]:
    return (0.0 if lam <= beta else c), (c if lam >= beta else 0.0)


def _prices() -> dict[str, tuple]:
    return {
        "λ = 0.5, β = 1": (0.5, 2.0, 1.0),
        "λ = β = 1": (1.0, 2.0, 1.0),
        "λ = 3, β = 1": (3.0, 2.0, 1.0),
        "λ = 3, β = 4": (3.0, 0.7, 4.0),
        "λ = 1e6, β = 1: your friend's": (1e6, 2.0, 1.0),
    }


def _excess(rate: float, mi: float, lam: float, c: float, beta: float) -> float:
    return beta * (rate - c) + lam * max(c - mi, 0.0)


def _encoders() -> dict[str, tuple]:
    return {
        "R = I = c": (1.0, 1.0, 2.0, 1.0, 1.0),
        "collapse": (0.0, 0.0, 2.0, 1.0, 1.0),
        "lazy: R = c, I = 0": (1.0, 0.0, 2.0, 1.0, 1.0),
        "half of it waste": (1.5, 0.75, 2.0, 1.0, 1.0),
        "more information than asked for": (1.6, 1.4, 2.0, 1.0, 1.0),
        "β = 3, λ = 4": (0.5, 0.4, 4.0, 1.0, 3.0),
    }


def _pair(signal: float, lam: float, c: float, beta: float) -> float:
    found = equilibria(signal, 1.0, lam, c, beta, "mi").informative
    return 0.0 if found is None else float(found.mi)


def _signals() -> dict[str, tuple]:
    return {
        "Λ/σ² = 0.05, λ = 1.01": (0.05, 1.01, 1.0, 1.0),
        "Λ/σ² = 0.5, λ = 0.4: no pair": (0.5, 0.4, 1.0, 1.0),
        "Λ/σ² = 0.5, λ = 0.8: partial": (0.5, 0.8, 1.0, 1.0),
        "Λ/σ² = 20, λ = 2: beyond c": (20.0, 2.0, 1.0, 1.0),
        "Λ/σ² = 2, λ = 1.5, β = 3": (2.0, 1.5, 1.0, 3.0),
    }


def _unclipped(signal: float, lam: float, c: float, beta: float, low: bool, high: bool, half: float = 0.5) -> float:
    """The information of the pair with one end of the clip, or both, forgotten."""
    t = signal * math.exp(-2 * c)
    t = max(t, beta - lam) if low else t
    t = min(t, beta) if high else t
    return half * math.log(signal / t) if signal > t else 0.0


WASTES = {
    "E μ = 0, R = 0.5, c = 2": (np.zeros(3), 0.5, 2.0),
    "E μ = (1, −1), R = 1, c = 3": (np.array([1.0, -1.0]), 1.0, 3.0),
    "E μ = (−0.4), R = 0.3, c = 0.5": (np.array([-0.4]), 0.3, 0.5),
}


def _wasted(shift: Any) -> dict[str, float]:
    """The rates after all codes have been shifted by what the answer returns."""
    if not callable(shift):
        raise Unusable("Give the function itself: its name without brackets.")
    found: dict[str, float] = {}
    for name, (mean, rate, c) in WASTES.items():
        k = shift(mean.copy(), rate, c)
        if is_stub(k):
            raise NotYet
        k = np.atleast_1d(as_array(k))
        if k.shape != mean.shape:
            raise Unusable(f"k has the shape {k.shape}; it shifts all means, so it must have theirs, {mean.shape}.")
        found[f"rate at {name}"] = float(rate + k @ mean + 0.5 * k @ k)
    return found


WANTED = {f"rate at {name}": c for name, (_, _, c) in WASTES.items()}


def _images() -> dict[str, tuple]:
    rng = np.random.default_rng(4)
    bit = (np.arange(40) % 2)[:, None]
    loose = (rng.random((60, 5)) < [0.1, 0.5, 0.5, 0.9, 0.3]).astype(float)
    loose[:, 2] = loose[:, 1]
    framed = np.hstack([np.zeros((60, 1)), loose, np.ones((60, 1))])
    return {
        "7 copies of one bit": (np.repeat(bit, 7, axis=1).astype(float),),
        "two pixels, a and 1 − a": (np.hstack([bit, 1 - bit]).astype(float),),
        "5 pixels, two of them alike": (loose,),
        "the same with a frame": (framed,),
    }


def _threshold(x: np.ndarray) -> float:
    return float(bernoulli_threshold(x))


def _live(x: np.ndarray) -> np.ndarray:
    return np.asarray(x)[:, np.asarray(x).std(0) > 0]


EXERCISES = (
    Exercise(
        id="9.1",
        asks="The rates of the silent encoders that are best replies to a deaf decoder: lowest and highest.",
        stub="""def silent_rates(lam, c, beta):
    ...  # hinge on R; return the lowest and the highest rate""",
        worked="""def silent_rates(lam, c, beta):
    if lam < beta:  # h(R) = lam * c + (beta - lam) R rises from 0 on
        return 0.0, 0.0
    return (0.0 if lam == beta else c), c  # flat up to c, or falling to c""",
        judge=Code(_silent, _prices),
        mistakes=(
            Mistake(
                lambda lam, c, beta: (0.0, 0.0) if lam <= beta else (c, c),
                "At λ = β exactly h is flat below c: every rate from 0 to c is a best reply.",
            ),
            Mistake(
                lambda lam, c, beta: (0.0, 0.0),
                "Above β a nat of rate earns more than it costs, also when nobody listens: B goes to R = c.",
            ),
            Mistake(
                lambda lam, c, beta: (0.0, 0.0) if lam < beta else (c, c),
                "At λ = β exactly silence costs no more than R = c: h is flat on the whole of [0, c].",
            ),
            Mistake(
                lambda lam, c, beta: (0.0, 0.0) if lam < 1 else (0.0 if lam == 1 else c, c),
                "The watershed is λ = β, and β is 1 for the ELBO only.",
            ),
        ),
        hints=(
            "Against a deaf decoder D is a constant. Draw h(R) = βR + λ max(c − R, 0).",
            "Below c its slope is β − λ, above c it is β. Three cases.",
        ),
        name="silent_rates",
        setup=SETUP,
    ),
    Exercise(
        id="9.2",
        asks="B's loss against a deaf decoder, hinge on I_q, less what the best reply pays (λ > β).",
        stub="""def excess(rate, mi, lam, c, beta):
    ...  # nats above the loss of the best reply""",
        worked="""def excess(rate, mi, lam, c, beta):
    return beta * (rate - c) + lam * max(c - mi, 0.0)  # the best reply pays beta * c""",
        judge=Code(_excess, _encoders),
        mistakes=(
            Mistake(
                lambda rate, mi, lam, c, beta: _excess(rate, rate, lam, c, beta),
                "This is the hinge on R. Here what counts for the penalty is the information.",
            ),
            Mistake(
                lambda rate, mi, lam, c, beta: beta * (rate - c) + lam * (c - mi),
                "Information beyond c earns nothing: max(c − I, 0).",
            ),
            Mistake(
                lambda rate, mi, lam, c, beta: beta * rate + lam * max(c - mi, 0.0),
                "That is the loss itself. The best reply, R = I = c, pays βc: take it off.",
            ),
            Mistake(
                lambda rate, mi, lam, c, beta: _excess(rate, mi, lam, c, 1.0),
                "A nat of rate costs β, which is not 1 in the last case.",
            ),
        ),
        hints=(
            "D is a constant. What is left is βR + λ max(c − I, 0).",
            "The best reply has R = I = c and pays βc. No result is negative.",
        ),
        name="excess",
        setup=SETUP,
    ),
    Exercise(
        id="9.3",
        asks="The information of the informative pair in the linear game, 0 if there is none.",
        stub="""def pair(signal, lam, c, beta):
    ...  # nats; signal is Lambda / sigma²""",
        worked="""def pair(signal, lam, c, beta):
    t = np.clip(signal * np.exp(-2 * c), beta - lam, beta)  # the weight of the plain VAE it equals
    return 0.5 * np.log(signal / t) if signal > t else 0.0""",
        judge=Code(_pair, _signals),
        mistakes=(
            Mistake(
                lambda signal, lam, c, beta: _unclipped(signal, lam, c, beta, low=False, high=True),
                "For λ < β the multiplier cannot fall below β − λ: there the pair misses the target.",
            ),
            Mistake(
                lambda signal, lam, c, beta: _unclipped(signal, lam, c, beta, low=True, high=False),
                "The weight is never above β: a strong signal goes beyond c by itself.",
            ),
            Mistake(
                lambda signal, lam, c, beta: _unclipped(signal, lam, c, beta, low=True, high=True, half=1.0),
                "The half is missing: I = ½ ln(Λ / tσ²).",
            ),
        ),
        hints=(
            "t = clip(s(c), β − λ, β), with s(c) = signal · e^(−2c).",
            "There is a pair iff signal > t; its information is ½ ln(signal / t).",
        ),
        name="pair",
        setup=SETUP,
    ),
    Exercise(
        id="9.4",
        asks="A shift of all codes that brings the rate to exactly c, at the same distortion.",
        stub="""def waste(mean, rate, c):
    ...  # mean: E[mu], (d,); return the shift k, (d,)""",
        worked="""def waste(mean, rate, c):
    u = np.zeros_like(mean)
    u[0] = 1.0 if mean[0] >= 0 else -1.0  # any direction will do
    a = u @ mean  # rate(t u) = rate + t a + t² / 2 = c
    return u * (-a + np.sqrt(a**2 + 2 * (c - rate)))""",
        judge=Build(_wasted, WANTED, takes="a function that returns a shift"),
        mistakes=(
            Mistake(
                lambda mean, rate, c: math.sqrt(2 * (c - rate)) * np.eye(len(mean))[0],
                "The codes may have a mean already: the rate becomes R + k·E[μ] + ½‖k‖².",
            ),
            Mistake(
                lambda mean, rate, c: (-mean[0] + math.sqrt(mean[0] ** 2 + c - rate)) * np.eye(len(mean))[0],
                "The half: t a + t²/2 = c − R has the root −a + √(a² + 2(c − R)).",
            ),
            Mistake(
                lambda mean, rate, c: np.zeros_like(mean),
                "Without a shift the rate stays where it is.",
            ),
        ),
        hints=(
            "½ E‖μ + k‖² = ½ E‖μ‖² + k·E[μ] + ½‖k‖². What is added must be c − R.",
            "Choose a direction u, put k = t u, and solve the quadratic equation for t.",
        ),
        name="waste",
        setup=SETUP,
    ),
    Exercise(
        id="9.5",
        asks="s(0) of a decoder of independent pixels, from the data alone.",
        stub="""def threshold_of(x):
    ...  # x: (N, pixels) of 0 and 1; some pixels may be constant""",
        worked="""def threshold_of(x):
    x = np.asarray(x, dtype=float)
    x = x[:, x.std(axis=0) > 0]  # a constant pixel has nothing to say
    return np.linalg.eigvalsh(np.corrcoef(x.T)).max()""",
        judge=Code(_threshold, _images),
        mistakes=(
            Mistake(
                lambda x: float(np.linalg.eigvalsh(np.cov(_live(x).T)).max()),
                "Divide by what p₀ itself produces, the variance of each pixel: correlations, not covariances.",
            ),
            Mistake(
                lambda x: float(np.linalg.eigvalsh(np.cov(_live(x).T, bias=True)).max()),
                "Divide by what p₀ itself produces, the variance of each pixel: correlations, not covariances.",
            ),
            Mistake(
                lambda x: float(abs(np.corrcoef(_live(x).T)).sum(1).max()),
                "Row sums are an upper bound. Asked is the largest eigenvalue.",
            ),
            Mistake(
                lambda x: float(np.trace(np.corrcoef(_live(x).T))),
                "The trace counts the pixels. Only one direction opens first: take the largest eigenvalue.",
            ),
        ),
        hints=(
            "The table of section 7: the largest eigenvalue of the pixels' correlation matrix.",
            "np.corrcoef of the pixels that are not constant, then np.linalg.eigvalsh.",
        ),
        name="threshold_of",
        setup=SETUP,
    ),
)

GUESSES = (
    Guess("9.1", "How often do they run in a circle?", Sketch(("same table", "own tables"), 0, 100, 5, "%")),
    Guess(
        "9.2",
        "Where does B pay least, for λ > β and a hinge on I?",
        Options(("at collapse, R = I = 0", "everywhere on R = c", "at R = I = c only", "everywhere on I = c")),
    ),
    Guess(
        "9.3", "At which two λ does the number of equilibria change, hinge on I?", Sketch(("first", "second"), 0, 2, 0.05)
    ),
    Guess("9.4", "The largest eigenvalue of the pixel correlation matrix", Range(1, 784, 1)),
    Guess(
        "9.5",
        "Is it a steady way down from 0 to 8 pixels?",
        Options(
            (
                "yes, for both ways to listen",
                "only if z adds one number for each pixel",
                "only if z may say something else in every context",
                "for neither",
            )
        ),
    ),
)

QUIZ = Quiz.read(
    9,
    """
Why can no condition on λ and c free the rate-constrained game of collapse?
- because λ would have to be infinite | Not even that helps: for λ > β the lazy pair takes the place of collapse.
+ a deaf decoder and a silent encoder, with R = 0 or R = c, are best replies for every λ and c
  | That is T1: neither gains by leaving.
- because the game has no equilibrium then | A potential game always has one; and this one too.

Which two repairs make the article's theorem true?
- λ larger than J/c, and c small | That is (5). T1 holds for every λ and c.
- a stronger decoder, and a free encoder | The decoder may still be deaf, and then nothing has changed.
+ the hinge on I_q for R, and q(z) = p(z) for q(z|x) = p(z) | With λ > β; that is T2, and T3 for the linear game.

A decoder has s(0) = 2.5. You train at β = 1, without a penalty, and find R = 0.001. What follows?
- the theorem is wrong | It says that a small step leads down, for a free encoder. It does not say how fast.
+ collapse is a saddle, and this encoder has not found the way out | As the LSTM-VAE's, which lags.
- the optimum is collapsed | It is not, since s(0) > β: a model that uses z is better.

What does T2 promise?
+ no equilibrium has a deaf decoder, if codes can be heard | Its limits: unused codes, and codes that cannot be heard.
- that training reaches I_q = c | An equilibrium need not be reached, and I_q must be measurable.
- that the information is worth its price | The pair of the weak signal pays a nat for 0.02 nats of distortion.

Your encoder has few codes, and its decoder no bias. What about λ = β?
- it holds every target | That needs a way to waste rate at the same D.
- it holds none | Where D still falls with R it may hold, as for any model.
+ it may miss a target: λ*(c) can be above β | T4's example: more rate would raise D.
""",
)
