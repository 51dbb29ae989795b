"""Exercises, predictions and quiz of notebook 01, the ELBO."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from klcourse.exact.discrete import DiscreteVAE

from .answers import Unusable, as_array
from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Build, Code, Number
from .quiz import Quiz

SETUP = """
import numpy as np

prior = np.array([0.6, 0.4])
decoder = np.array([[0.70, 0.25, 0.05], [0.10, 0.40, 0.50]])
"""
PRIOR, DECODER = np.array([0.6, 0.4]), np.array([[0.70, 0.25, 0.05], [0.10, 0.40, 0.50]])
P_D = np.array([0.5, 0.3, 0.2])


def _kl(a: np.ndarray, b: np.ndarray) -> float:
    a, b = np.asarray(a), np.asarray(b)
    return float((a[a > 0] * np.log(a[a > 0] / b[a > 0])).sum())


def _pairs() -> dict[str, tuple]:
    rng = np.random.default_rng(0)
    return {
        "(0.5, 0.5) and (0.8, 0.2)": (np.array([0.5, 0.5]), np.array([0.8, 0.2])),
        "four random chances": (rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4))),
        "(1, 0) and (0.6, 0.4)": (np.array([1.0, 0.0]), np.array([0.6, 0.4])),
    }


def _blind(decoder: Any) -> dict[str, float]:
    """What a decoder does when the encoder is the prior: its gap, and whether it fits the days badly."""
    if not callable(decoder):
        raise Unusable("Give the function itself: its name without brackets.")
    p = as_array([decoder(z) for z in range(2)])
    if p.shape != (2, 3):
        raise Unusable(f"For z = 0 and 1 the shape is {p.shape}: return three chances (sun, cloud, rain) for each z.")
    if not (p >= 0).all() or abs(p.sum(1) - 1).max() > 1e-6:
        raise Unusable("The three must be chances: none negative, with the sum 1.")
    if (p[:, P_D > 0] == 0).any():
        raise Unusable("A chance of 0 for weather that occurs makes log p(x) infinite: use a small one instead.")
    m = DiscreteVAE(P_D, PRIOR, np.tile(PRIOR, (3, 1)), p)
    return {"gap": m.gap, "average log p(x) below -2": float(m.log_p < -2)}


GAP = 0.5 * math.log(0.5 / (0.15 / 0.31)) + 0.5 * math.log(0.5 / (0.16 / 0.31))

EXERCISES = (
    Exercise(
        id="1.1",
        asks="p(high | cloud) and the gap of the guess (0.5, 0.5), in this order.",
        stub="answer = [..., ...]  # p(high | cloud), gap in nats",
        worked="""p_cloud = prior @ decoder[:, 1]
q, truth = np.array([0.5, 0.5]), prior * decoder[:, 1] / p_cloud
answer = [truth[0], (q * np.log(q / truth)).sum()]""",
        judge=Number([0.15 / 0.31, GAP], tolerance=2e-4, takes="two numbers"),
        mistakes=(
            Mistake(
                [0.25, 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.4)],
                "0.25 is p(cloud | high), the other way round.",
            ),
            Mistake(
                [0.25 / 0.65, 0.5 * math.log(0.5 / (0.25 / 0.65)) + 0.5 * math.log(0.5 / (0.40 / 0.65))],
                "The prior is missing: high pressure is more frequent than low, so weigh the two columns by p(z).",
            ),
            Mistake([0.15 / 0.31, GAP / math.log(2)], "The gap is in bits: the course uses the natural logarithm, nats."),
            Mistake([0.15 / 0.31, -GAP], "A gap is never negative: it is KL(q || posterior), not its negative."),
        ),
        hints=(
            "Bayes' rule: p(high | cloud) is p(high) p(cloud | high), divided by the sum of the same over both pressures.",
            "The sum is 0.6 × 0.25 + 0.4 × 0.40. The gap is the sum over z of q(z) log(q(z) / p(z | cloud)).",
        ),
        setup=SETUP,
    ),
    Exercise(
        id="1.2",
        asks="The β of a loss that averages over 784 pixels and sums the KL.",
        stub="answer = ...  # beta",
        worked="answer = 784  # D / 784 + R = (D + 784 R) / 784",
        judge=Number(784.0),
        mistakes=(
            Mistake(1 / 784, "That is what D was multiplied by. Make D's factor 1, and see what stands before R."),
            Mistake(1.0, "With β = 1 nothing would have changed. Multiply the whole loss so that D stands alone."),
            Mistake(28.0, "28 is the side of the picture; it has 28 × 28 pixels."),
        ),
        hints=("Write her loss as D / 784 + R.", "Multiply it by 784: a factor of the whole loss moves no optimum."),
    ),
    Exercise(
        id="1.3",
        asks="A function from nats per picture to bits per pixel.",
        stub="""def bits_per_pixel(nats, pixels):
    ...""",
        worked="""def bits_per_pixel(nats, pixels):
    return nats / np.log(2) / pixels""",
        judge=Code(
            lambda nats, pixels: nats / math.log(2) / pixels,
            lambda: {"140 nats, 784 pixels": (140.0, 784), "a coin flip for each of 784": (784 * math.log(2), 784)},
        ),
        mistakes=(
            Mistake(lambda nats, pixels: nats / pixels, "These are nats per pixel: one bit is ln 2 = 0.69 nats."),
            Mistake(
                lambda nats, pixels: nats * math.log(2) / pixels,
                "The factor is upside down: a nat is worth more than a bit, so the number of bits is larger.",
            ),
            Mistake(lambda nats, pixels: nats / math.log(2), "These are bits per picture: divide by the pixels too."),
        ),
        hints=("A fair coin costs 1 bit, and ln 2 = 0.69 nats.", "Divide by np.log(2), then by the number of pixels."),
        name="bits_per_pixel",
        setup=SETUP,
    ),
    Exercise(
        id="1.4",
        asks="KL(a || b) of two lists of chances, in nats; where a is 0, nothing is added.",
        stub="""def kl(a, b):
    ...""",
        worked="""def kl(a, b):
    there = a > 0  # 0 log 0 counts as 0
    return (a[there] * np.log(a[there] / b[there])).sum()""",
        judge=Code(_kl, _pairs),
        mistakes=(
            Mistake(
                lambda a, b: _kl(b, a) if (a > 0).all() else _kl(a, b),
                "The two are exchanged: average over a, the first one.",
            ),
            Mistake(lambda a, b: -_kl(a, b), "The sign is wrong: KL is never negative. It averages log(a / b)."),
            Mistake(lambda a, b: _kl(a, b) / math.log(2), "These are bits: use the natural logarithm."),
            Mistake(
                lambda a, b: _kl(a, b) / len(a),
                "This is a mean over the outcomes. The chances a are the weights already: sum.",
            ),
            Mistake(
                lambda a, b: float(np.nan_to_num((a * np.log(np.where(a > 0, a, np.nan) / b)).sum(), nan=math.inf)),
                "It breaks where a is 0. There the term is 0, since t log t goes to 0: leave those outcomes out.",
            ),
        ),
        hints=(
            "KL(a || b) is the average of log(a / b), taken over a.",
            "Choose the entries with a > 0, then sum a log(a / b).",
        ),
        name="kl",
        setup=SETUP,
    ),
    Exercise(
        id="1.5",
        asks="A decoder whose gap is 0 with q = p(z), and whose average log p(x) is below -2.",
        stub="""def blind_decoder(z):
    ...  # for z = 0 (high) or 1 (low): three chances, of sun, cloud, rain""",
        worked="""def blind_decoder(z):
    return [0.01, 0.01, 0.98]  # the same for every z, and it believes in rain""",
        judge=Build(_blind, {"gap": 0.0, "average log p(x) below -2": 1.0}, tolerance=1e-6, takes="a function of z"),
        mistakes=(
            Mistake(
                lambda z: [0.46, 0.31, 0.23], "The gap is closed, and this one fits the days well. Now make it fit badly."
            ),
            Mistake(lambda z: DECODER[z], "This is the table of section 1: it uses z, so q = p(z) is not its posterior."),
        ),
        hints=(
            "When is the posterior p(z|x) equal to the prior, whatever x is?",
            "Return the same chances for both z: then z tells nothing. Choose them so that the frequent sun is improbable.",
        ),
        name="blind_decoder",
        setup=SETUP,
    ),
)

GUESSES = (
    Guess("1.1", "At which t does the ELBO touch log p(rain)?", Range(0, 1, 0.01)),
    Guess("1.2", "Which mistake costs more?", Options(("too vague", "too sure"))),
    Guess("1.3", "At which rate R does the ELBO stop?", Range(0, 2.2, 0.05, "nats")),
    Guess("1.4", "What happens?", Options(("D falls by more than R rises", "R rises by more than D falls", "both fall"))),
)

QUIZ = Quiz.read(
    1,
    """
What does log p(x) − ELBO(x) measure?
- how far q(z|x) is from the prior | That is the rate. It is a part of the ELBO itself.
+ how far q(z|x) is from the posterior p(z|x) | Identity 1: the gap is KL(q(z|x) ‖ p(z|x)).
- how well the decoder fits the data | That is log p(x), which the gap leaves untouched.

The gap is 0. What follows?
- the model fits the data | No: a decoder that ignores z has gap 0 with q = p(z), whatever it says about x.
- the rate is 0 | No: the exact posterior has gap 0, and it usually differs from the prior.
+ the encoder is the exact posterior | Yes. A KL is 0 only if the two are equal.

You replace the sum over 784 pixels by a mean, and keep the KL. What happens?
- nothing: a factor moves no optimum | It would, were the KL divided too. Only one of the terms was.
+ the KL counts 784 times as much | Yes: D/784 + R has the optima of D + 784 R. The code empties.
- the reconstruction counts 784 times as much | The other way round: it was made smaller.

Where does the ELBO stop on the curve D(R)?
+ where one more nat of rate buys one nat of distortion | Yes: slope −1, that is s(R) = 1.
- where D is least | There the last nats of rate buy less than they cost.
- where R = 0 | Only if even the first nat buys less than one nat: collapse.

Why is z written as μ + σ ε?
- so that z is standard normal | ε is; z has the mean μ and the deviation σ.
- so that the KL has a closed form | That it has for Gaussians anyway; nothing is sampled for it.
+ so that gradients reach μ and σ through the sample | Yes: the noise is drawn outside.
""",
)
