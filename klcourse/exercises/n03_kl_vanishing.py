"""Exercises, predictions and quiz of notebook 03, KL vanishing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .answers import NotYet, Unusable, as_array, is_stub
from .exercise import Exercise, Mistake
from .forms import Options, Range, Sketch
from .guesses import Guess
from .judges import Build, Code, Number
from .quiz import Quiz

SETUP = "import numpy as np"


def _rate_and_information(encoder: Any) -> dict[str, float]:
    """R and I_q of a Gaussian encoder of one number, over nine inputs; I_q by quadrature."""
    if not callable(encoder):
        raise Unusable("Give the function itself: its name without brackets.")
    found = [encoder(float(x)) for x in np.linspace(-2, 2, 9)]
    if any(is_stub(pair) for pair in found):
        raise NotYet
    pairs = as_array(found)
    if pairs.shape != (9, 2):
        raise Unusable("For each x return two numbers: the mean and the variance of q(z|x).")
    mean, variance = pairs.T
    if not (variance > 0).all():
        raise Unusable("A variance must be positive.")
    rate = float((0.5 * (mean**2 + variance - 1 - np.log(variance))).mean())
    z = np.linspace((mean - 9 * variance**0.5).min(), (mean + 9 * variance**0.5).max(), 4001)[:, None]
    q = np.exp(-0.5 * (z - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
    ratio = np.log(np.maximum(q, 1e-300) / np.maximum(q.mean(1, keepdims=True), 1e-300))
    return {"rate R": rate, "information I_q": float(np.trapezoid((q * ratio).mean(1), z[:, 0]))}


def _mixed(prior: np.ndarray, decoder: np.ndarray, t: float) -> np.ndarray:
    return (1 - t) * (prior @ decoder) + t * decoder


def _decoders() -> dict[str, tuple]:
    rng = np.random.default_rng(1)
    weather = np.array([0.6, 0.4]), np.array([[0.70, 0.25, 0.05], [0.10, 0.40, 0.50]])
    return {
        "the weather, t = 0.3": (*weather, 0.3),
        "a random table, t = 0.8": (rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4), 3), 0.8),
    }


def _gap(log_px: Any, x: np.ndarray, z: np.ndarray) -> float:
    return float((log_px(x, z) - log_px(x, np.roll(z, 1, axis=0))).mean())


def _listeners() -> dict[str, tuple]:
    rng = np.random.default_rng(2)
    z = rng.normal(size=(50, 3))
    x = z + 0.3 * rng.normal(size=(50, 3))

    def listens(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -0.5 * ((x - z) ** 2).sum(1)

    def deaf(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -0.5 * (x**2).sum(1)

    return {"a decoder that listens": (listens, x, z), "a deaf decoder": (deaf, x, z)}


def _log_p(w: float, sigma2: float, data_var: float) -> float:
    variance = w**2 + sigma2
    return -0.5 * (math.log(2 * math.pi * variance) + data_var / variance)


def _models() -> dict[str, tuple]:
    return {
        "collapsed, w = 0, σ² = Λ = 3": (0.0, 3.0, 3.0),
        "w = 1, σ² = 2, Λ = 3": (1.0, 2.0, 3.0),
        "w = 0.5, σ² = 1, Λ = 3": (0.5, 1.0, 3.0),
    }


ENTROPY = 1.5 * math.log(2)

EXERCISES = (
    Exercise(
        id="3.1",
        asks="An encoder of one number with R = 2 nats and I_q = 0, against the prior N(0, 1).",
        stub="""def encoder(x):
    ...  # return mean and variance of q(z|x) for the number x""",
        worked="""def encoder(x):
    return 2.0, 1.0  # the same for every x, and not the prior: R = 2² / 2""",
        judge=Build(_rate_and_information, {"rate R": 2.0, "information I_q": 0.0}, takes="a function"),
        mistakes=(
            Mistake(lambda x: (math.sqrt(2), 1.0), "The KL is half of the squared shift: you have solved m² = 2."),
            Mistake(lambda x: (0.0, 1.0), "This is the prior. It says nothing, and it costs nothing."),
            Mistake(
                lambda x: (2.0 if x > 0 else -2.0, 1.0), "The rate is right, but the sign of x can be read off the code."
            ),
            Mistake(lambda x: (2.0, 2.0), "The wider variance costs rate of its own, ½ (2 − 1 − ln 2): leave it at 1."),
        ),
        hints=(
            "I_q = 0 means that the posterior is the same for every x. It need not be the prior.",
            "N(m, 1) against N(0, 1) costs m² / 2.",
        ),
        name="encoder",
        setup=SETUP,
    ),
    Exercise(
        id="3.2",
        asks="The table p_t(x|z) = (1 − t) p(x) + t p(x|z).",
        stub="""def mixed(prior, decoder, t):
    ...  # decoder: a row per z; return a table of the same shape""",
        worked="""def mixed(prior, decoder, t):
    return (1 - t) * (prior @ decoder) + t * decoder""",
        judge=Code(_mixed, _decoders),
        mistakes=(
            Mistake(
                lambda prior, decoder, t: _mixed(prior, decoder, 1 - t), "t and 1 − t are exchanged: at t = 0 it ignores z."
            ),
            Mistake(
                lambda prior, decoder, t: (1 - t) * decoder.mean(0) + t * decoder,
                "p(x) is not the plain mean of the rows: weigh them by the prior.",
            ),
        ),
        hints=("p(x) is prior @ decoder.", "(1 - t) times it, plus t times the decoder: NumPy adds the row to every row."),
        name="mixed",
        setup=SETUP,
    ),
    Exercise(
        id="3.3",
        asks="D with shuffled codes minus D with the own codes.",
        stub="""def shuffle_gap(log_px, x, z):
    ...  # log_px(x, z) is log p(x|z) of every example; example i gets the code of example i - 1""",
        worked="""def shuffle_gap(log_px, x, z):
    return log_px(x, z).mean() - log_px(x, np.roll(z, 1, axis=0)).mean()""",
        judge=Code(_gap, _listeners),
        mistakes=(
            Mistake(
                lambda log_px, x, z: -_gap(log_px, x, z), "The sign: D is minus the log-likelihood, and a listener loses."
            ),
            Mistake(lambda log_px, x, z: len(x) * _gap(log_px, x, z), "This is a sum over the examples: D is a mean."),
            Mistake(
                lambda log_px, x, z: float((log_px(x, z) - log_px(x, np.roll(z, 1))).mean()),
                "np.roll without axis=0 moves single numbers, so that codes are torn apart.",
            ),
            Mistake(
                lambda log_px, x, z: float((log_px(x, z) - log_px(x, 0 * z)).mean()),
                "Here every example gets z = 0. Give it the code of another one.",
            ),
        ),
        hints=(
            "D = −mean of log_px(x, z). Shuffled codes: np.roll(z, 1, axis=0).",
            "The minus signs turn the difference round: own log-likelihood minus shuffled one.",
        ),
        name="shuffle_gap",
        setup=SETUP,
    ),
    Exercise(
        id="3.4",
        asks="The average of log p(x) over data N(0, Λ), for the model with gain w and noise σ².",
        stub="""def log_p(w, sigma2, data_var):
    ...  # p(x) is a Gaussian: which one?""",
        worked="""def log_p(w, sigma2, data_var):
    variance = w**2 + sigma2  # of x = w z + noise
    return -0.5 * (np.log(2 * np.pi * variance) + data_var / variance)""",
        judge=Code(_log_p, _models),
        mistakes=(
            Mistake(lambda w, sigma2, data_var: _log_p(math.sqrt(w), sigma2, data_var), "The variance of w z is w², not w."),
            Mistake(lambda w, sigma2, data_var: _log_p(0.0, sigma2, data_var), "The gain is missing: x varies with z too."),
            Mistake(lambda w, sigma2, data_var: -_log_p(w, sigma2, data_var), "This is minus the log-likelihood."),
            Mistake(
                lambda w, sigma2, data_var: _log_p(w, sigma2, data_var) + 0.5 * math.log(2 * math.pi),
                "The constant ½ ln 2π is missing.",
            ),
        ),
        hints=(
            "x = w z + noise, with z of variance 1 and noise of variance σ²: what is the variance of x?",
            "−½ [ln(2π variance) + x² / variance], and the average of x² over the data is Λ.",
        ),
        name="log_p",
        setup=SETUP,
    ),
    Exercise(
        id="3.5",
        asks="D of a perfect decoder that ignores z, for data with the chances ½, ¼, ¼.",
        stub="answer = ...  # D in nats",
        worked="p_D = np.array([0.5, 0.25, 0.25])\nanswer = -(p_D * np.log(p_D)).sum()  # H(p_D)",
        judge=Number(ENTROPY),
        mistakes=(
            Mistake(1.5, "1.5 bits: in nats it is 1.5 ln 2."),
            Mistake(-ENTROPY, "The sign: D is minus the log-likelihood."),
            Mistake(math.log(3), "ln 3 is what a decoder pays that knows nothing but that there are three symbols."),
            Mistake(0.0, "0 nats would mean that it knows x. It knows only how often each x occurs."),
        ),
        hints=("D + R = H(p_D), and R = 0.", "H is minus the sum of p log p, natural logarithm."),
        setup=SETUP,
    ),
)

GUESSES = (
    Guess("3.1", "Can an encoder have R = 0 and I_q > 0?", Options(("yes", "no"))),
    Guess("3.2", "How many of the 500 reach ELBO = log p(x)?", Sketch(("decoder as drawn", "it ignores z"), 0, 500, 1)),
    Guess("3.3", "What does it do?", Options(("it falls, with a slope at t = 0", "it falls, flat at t = 0", "it rises"))),
    Guess("3.4", "At which Λ/σ² does the optimal rate leave zero?", Range(0.25, 16, 0.25)),
    Guess("3.5", "The rate on the way?", Sketch(("after 20 steps", "after 100 steps", "at the end"), 0, 12, 0.5, "nats")),
    Guess("3.6", "What comes out?", Options(("six different sentences", "the same sentence six times", "no sentences"))),
)

QUIZ = Quiz.read(
    3,
    """
R = 0. What follows?
- the decoder ignores z | It may use z all the same: I_p > 0 is possible, and costs the Jensen gap.
+ I_q = 0: the codes say nothing about x | R = I_q + M, and neither part is negative.
- the ELBO is log p(x) | Only if the decoder ignores z as well; else the Jensen gap is missing.

R = 6 nats on test data. What do you know about I_q?
- it is 6 nats | Only if q(z) = p(z). The rest of the rate is M.
- it is at least 3 nats | It can be 0: an encoder that sends all x to one place away from the prior.
+ it is at most 6 nats | R = I_q + M with M ≥ 0, and that is all.

The collapsed pair has gap 0. Is that a good sign?
- yes, the model fits | The gap says that the encoder is right about the decoder, nothing about the data.
+ it says only that the encoder is exact | The posterior of a decoder that ignores z is the prior.
- no, the gap should be large | The gap is a loss. It should be small, but that is not enough.

When is collapse the optimum of the ELBO?
- always with text | With a decoder that models text perfectly it ties; a weaker one can gain from z.
- never, it is an accident of training | In the linear model it is the optimum whenever Λ ≤ σ².
+ when no use of z beats the best decoder without it | ELBO ≤ L₀ for every pair that uses z.

Samples from a text model look good and are all different. Does it use z?
+ one cannot tell | The decoder's own dice make them differ. Measure I_q and D with shuffled codes.
- yes, else they would be alike | Drawn words differ from draw to draw, also for one and the same z.
- no, a good decoder never does | Some do. What it gains from z decides, and the two gaps show it.
""",
)
