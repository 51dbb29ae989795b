"""Exercises, predictions and quiz of notebook 12, text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from klcourse.data import EOS, PAD

from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Code, Number
from .quiz import Quiz

SETUP = """
import numpy as np
import torch

from klcourse.data import EOS, PAD
"""


def _words(ids: Any) -> np.ndarray:
    return (np.asarray(ids) == EOS).argmax(1) + 1


def _sentences() -> dict[str, tuple]:
    rows = [[7, 8, 9, EOS, PAD, PAD], [5, EOS, PAD, PAD, PAD, PAD], [9, 9, 4, 6, 7, EOS]]
    return {"three sentences": (np.array(rows),), "one long sentence": (np.array([[*range(4, 20), EOS]]),)}


def _perplexities(distortion: float, rate: float, nll: float, words: float) -> list[float]:
    return [math.exp(part / words) for part in (distortion, distortion + rate, nll)]


def _reports() -> dict[str, tuple]:
    return {
        "this page's λ = 1: reconstruction, ELBO, IW": (49.57, 4.68, 49.9, 9.35),
        "collapsed: reconstruction, ELBO, IW": (50.11, 0.0, 50.11, 9.35),
    }


def _bound(log_w: Any) -> float:
    log_w = np.asarray(log_w, float)
    return float(-(np.logaddexp.reduce(log_w, axis=1) - math.log(log_w.shape[1])).mean())


def _weights() -> dict[str, tuple]:
    import torch

    g = torch.Generator().manual_seed(0)
    return {
        "five sentences, K = 64": (-60 + 2 * torch.randn(5, 64, generator=g).double(),),
        "K = 1": (-60 + 2 * torch.randn(5, 1, generator=g).double(),),
        "very unlikely sentences": (-2000 + torch.randn(3, 8, generator=g).double(),),
    }


EXERCISES = (
    Exercise(
        id="12.1",
        asks="How many words of each sentence are predicted.",
        stub="""def predicted_words(ids):
    ...  # (B, T), one sentence a row, then the end mark, then filled up -> (B,)""",
        worked="""def predicted_words(ids):
    return (np.asarray(ids) == EOS).argmax(1) + 1  # the place of the end mark, which is predicted too""",
        judge=Code(_words, _sentences),
        mistakes=(
            Mistake(lambda ids: _words(ids) - 1, "The end mark is predicted as well: count it."),
            Mistake(lambda ids: np.full(len(ids), ids.shape[1]), "PAD fills the row up and is not predicted: leave it out."),
            Mistake(
                lambda ids: _words(ids) + 1, "One too many. The begin mark is given, not predicted, and is not in the row."
            ),
            Mistake(lambda ids: float(_words(ids).sum()), "A number for each sentence is asked: do not sum over them."),
        ),
        hints=(
            "The rows end with EOS and are filled up with PAD; both names are those of klcourse.data.",
            "(ids == EOS).argmax(1) is the place of the end mark, counted from 0.",
        ),
        name="predicted_words",
        setup=SETUP,
    ),
    Exercise(
        id="12.2",
        asks="Reconstruction, ELBO and importance-weighted perplexity.",
        stub="""def perplexities(distortion, rate, nll, words):
    ...  # nats per sentence; words per sentence -> three numbers""",
        worked="""def perplexities(distortion, rate, nll, words):
    return [np.exp(nats / words) for nats in (distortion, distortion + rate, nll)]""",
        judge=Code(_perplexities, _reports, tolerance=1e-3),
        mistakes=(
            Mistake(
                lambda distortion, rate, nll, words: [math.exp(distortion / words)] * 2 + [math.exp(nll / words)],
                "The ELBO perplexity charges for z: its nats are D + R.",
            ),
            Mistake(
                lambda distortion, rate, nll, words: [
                    math.exp(n / words) for n in (distortion, distortion + rate, nll + rate)
                ],
                "The importance-weighted NLL has the rate in it already.",
            ),
            Mistake(
                lambda distortion, rate, nll, words: [2 ** (n / words) for n in (distortion, distortion + rate, nll)],
                "exp, not 2 to the power: these are nats.",
            ),
            Mistake(
                lambda distortion, rate, nll, words: [n / words for n in (distortion, distortion + rate, nll)],
                "These are nats per word. The perplexity is exp of them.",
            ),
            Mistake(
                lambda distortion, rate, nll, words: [math.exp(n) for n in (distortion, distortion + rate, nll)],
                "These are per sentence: divide the nats by the words first.",
            ),
        ),
        hints=("A perplexity is exp(nats per word).", "The nats are D, then D + R, then the importance-weighted NLL."),
        name="perplexities",
        setup=SETUP,
    ),
    Exercise(
        id="12.3",
        asks="The importance-weighted bound from log-weights.",
        stub="""def bound(log_w):
    ...  # (N, K): log p(x|z_k) p(z_k) / r(z_k|x) -> nats per sentence, one number""",
        worked="""def bound(log_w):
    return -(log_w.logsumexp(1) - np.log(log_w.shape[1])).mean()  # a mean of weights, inside the logarithm""",
        judge=Code(_bound, _weights, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda log_w: -float(log_w.mean()),
                "The logarithm is inside the mean: this is the bound at K = 1, −ELBO, however many draws you take.",
            ),
            Mistake(
                lambda log_w: _bound(log_w) - math.log(log_w.shape[1]),
                "log K is missing: a sum of K weights is K times their mean. It would fall for ever.",
            ),
            Mistake(lambda log_w: -_bound(log_w), "The sign: an NLL is minus the log-likelihood."),
            Mistake(
                lambda log_w: float(-(np.logaddexp.reduce(log_w.flatten().numpy()) - math.log(log_w.numel()))),
                "The mean over the sentences is taken inside the logarithm: each sentence has a log p(x) of its own.",
            ),
        ),
        hints=(
            "For each sentence: log of the mean of exp(log_w) over its K draws; then minus the mean over sentences.",
            "exp of −2000 is 0: use log_w.logsumexp(1), less log K.",
        ),
        name="bound",
        setup=SETUP,
    ),
    Exercise(
        id="12.4",
        asks="The least waste of a rate of 8 nats where z can tell at most 6.56.",
        stub="answer = ...  # nats",
        worked="answer = 8 - 6.56  # R - I_q, with I_q at most H(x|y)",
        judge=Number(1.44, tolerance=5e-3),
        mistakes=(
            Mistake(6.56, "This is the most that z can tell, the information. The waste is the rest of the rate."),
            Mistake(0.0, "M = 0 would need 8 nats of information, and given y there are only 6.56 to be told."),
            Mistake(8.0, "That is the whole rate: it can be information up to H(x|y)."),
            Mistake(-1.44, "M = R − I_q, and is never negative."),
        ),
        hints=(
            "M = R − I_q. How large can I_q be?",
            "A code cannot tell more about x than there is to tell: H(x|y) = 6.56.",
        ),
        setup=SETUP,
    ),
)

GUESSES = (
    Guess("12.1", "The constraint at λ = 2, c = 5: its information after a minute?", Range(0, 5, 0.1, "nats")),
    Guess("12.2", "How many different sentences does the patient model write on seven steps?", Range(1, 7, 1)),
    Guess(
        "12.3",
        "What does the first direction say about a sentence?",
        Options(("the package", "the length", "the first word", "a common word", "a rare word")),
    ),
    Guess(
        "12.4",
        "Trained out, which beats the language model?",
        Options(("the constraint only", "the constraint and annealing", "neither")),
    ),
    Guess(
        "12.5",
        "Which conditional model has the best D + R?",
        Options(("CVAE", "SLCVAE, alternating g", "hinge on R, λ=1, c=5")),
    ),
)

QUIZ = Quiz.read(
    12,
    """
A paper reports a reconstruction perplexity of 180 against 213. What has it shown?
- a better language model | The rate is left out: on this page the ELBO perplexities order the two the other way round.
+ how much the encoder tells the decoder | The more z says, the lower it is; what z costs is not in it.
- that the decoder uses z better than others do | It may, but the number compares models with different rates.

The ELBO perplexity of the constrained model is worse than the language model's, its IW-PPL better. How can that be?
- a mistake in one of the two | Both are bounds, and only the second is tight here.
+ its encoder is not the decoder's posterior, and the ELBO pays that gap | More than a nat here: the encoder's weakness.
- importance weighting favours models with a rate | The bound errs on the high side, for models with a rate most of all.

Sentences drawn from a CVAE are as varied as true ones. Does it use z?
- yes, variety comes from z | It may all come from the decoder's own dice.
+ one cannot tell: decode greedily, or measure I_q and the gaps | Greedy decoding takes the dice away.
- no | It may; drawn sentences do not show it.

Which measure recommends the collapsed conditional model?
+ BLEU precision | Its greedy sentences are the most typical ones, and so closest to some true sentence.
- BLEU recall | It is lowest there: few of the true sentences are near to one of its.
- coverage | It is lowest there: it writes one sentence or two for a condition.

Short runs without dropout said that the constraint costs likelihood, converged ones with dropout the opposite. Which is it?
- the truth lies in between | They answer different questions.
- the short runs are right: converged models overfit | These stopped on the validation part, with dropout.
+ the claim must name the training: trained out, with dropout, it gains | Length and dropout were changed together.
""",
)
