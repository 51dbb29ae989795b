"""Exercises, predictions and quiz of notebook 11, MNIST."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from klcourse.studies import settings

from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Code, Number
from .quiz import Quiz

SETUP = """
import numpy as np
import torch

from klcourse import studies
"""


def _log_px(x: Any, logits: Any) -> np.ndarray:
    x, logits = np.asarray(x, float), np.asarray(logits, float)
    return (x * logits - np.logaddexp(0, logits)).sum(-1)


def _digits() -> dict[str, tuple]:
    import torch

    g = torch.Generator().manual_seed(0)
    x = (torch.rand(3, 784, generator=g) < 0.2).float()
    return {
        "coin flips": (x, torch.zeros(3, 784)),
        "three random digits": (x, torch.randn(3, 784, generator=g)),
        "nearly certain, and right": (x, 40 * (2 * x - 1)),
        "nearly certain, and wrong": (x, -40 * (2 * x - 1)),
    }


def _mask(size: int, first: bool) -> np.ndarray:
    mask, middle = np.ones((size, size)), size // 2
    mask[middle, middle + (not first) :] = 0
    mask[middle + 1 :] = 0
    return mask


def _kernels() -> dict[str, tuple]:
    return {"5 × 5, first": (5, True), "5 × 5, later": (5, False), "3 × 3, first": (3, True), "7 × 7, later": (7, False)}


def _combined(rec: Any, kl: Any, lam: float, c: float, beta: float) -> float:
    return float(rec.mean() + beta * kl.mean() + lam * max(c - float(kl.mean()), 0.0))


def _batches() -> dict[str, tuple]:
    import torch

    g = torch.Generator().manual_seed(0)
    rec, kl = 100 + 10 * torch.rand(20, generator=g), 8 * torch.rand(20, generator=g)
    return {
        "λ = 1, c = 5, β = 1": (rec, kl, 1.0, 5.0, 1.0),
        "β = 40, λ = 30": (rec, kl, 30.0, 5.0, 40.0),
        "the mean above c": (rec, kl, 2.0, 2.0, 1.0),
    }


def _share(study: str = "methods_mlp", top: bool = True) -> list[float]:
    """Least and largest share of information in the rate of the hinge on R at λ = 1."""
    runs = settings(study)
    m = runs[runs["method"] == "hinge on R, λ = 1"][["rate", "mi", "mi_upper"]].mean()
    upper = m["mi_upper"] / m["rate"]
    return [m["mi"] / m["rate"], min(upper, 1.0) if top else upper]


EXERCISES = (
    Exercise(
        id="11.1",
        asks="The log-likelihood of black-and-white digits under the factorised decoder.",
        stub="""def log_px(x, logits):
    ...  # (B, 784) both -> (B,), nats""",
        worked="""def log_px(x, logits):
    return (x * logits - torch.nn.functional.softplus(logits)).sum(-1)  # softplus(a) = log(1 + exp(a))""",
        judge=Code(_log_px, _digits, tolerance=1e-4),
        mistakes=(
            Mistake(lambda x, logits: _log_px(x, logits) / 784, "This is a mean over the pixels: sum them."),
            Mistake(lambda x, logits: -_log_px(x, logits), "The sign: a log-probability is never above 0."),
            Mistake(
                lambda x, logits: _log_px(x, logits) / math.log(2), "These are bits: nats come from the natural logarithm."
            ),
            Mistake(
                lambda x, logits: (x.numpy() * logits.numpy()).sum(-1),
                "Only the logits of black pixels: white ones count too.",
            ),
            Mistake(
                lambda x, logits: _log_px(1 - x, logits), "Black and white are exchanged: sigmoid(logit) is p(x_i = 1 | z)."
            ),
        ),
        hints=(
            "log p(x_i = 1) = log sigmoid(a) and log p(x_i = 0) = log sigmoid(−a); sum over the pixels.",
            "The two in one: x a − softplus(a), which is exact for large |a|, where sigmoid rounds to 0 or 1.",
        ),
        name="log_px",
        setup=SETUP,
    ),
    Exercise(
        id="11.2",
        asks="The mask of a PixelCNN's kernel.",
        stub="""def mask(size, first):
    ...  # (size, size): 1 where the kernel may look, else 0""",
        worked="""def mask(size, first):
    allowed, middle = np.ones((size, size)), size // 2
    allowed[middle, middle + (not first):] = 0  # the own row: only what is left
    allowed[middle + 1:] = 0  # all rows below
    return allowed""",
        judge=Code(_mask, _kernels),
        mistakes=(
            Mistake(
                lambda size, first: _mask(size, False),
                "In the first layer the centre is the very pixel to predict: it must be 0 there.",
            ),
            Mistake(
                lambda size, first: _mask(size, True),
                "In later layers the centre is a feature of the pixels before: there it may be seen.",
            ),
            Mistake(lambda size, first: _mask(size, not first), "The first layer and the later ones are exchanged."),
            Mistake(lambda size, first: _mask(size, first).T, "Rows and columns are exchanged: reading goes row by row."),
            Mistake(lambda size, first: 1 - _mask(size, first), "This is what must not be seen: 1 stands for what may."),
            Mistake(
                lambda size, first: np.where(np.arange(size)[:, None] == size // 2, 1.0, _mask(size, first)),
                "In its own row it sees what is right of it: that comes later in reading order.",
            ),
        ),
        hints=(
            "All rows above the middle are 1, all below 0; in the middle row what is left of the centre is 1.",
            "The centre itself is 1 in later layers and 0 in the first.",
        ),
        name="mask",
        setup=SETUP,
    ),
    Exercise(
        id="11.3",
        asks="The article's combined loss of a mini-batch.",
        stub="""def combined(rec, kl, lam, c, beta):
    ...  # rec, kl: (B,), nats -> one number""",
        worked="""def combined(rec, kl, lam, c, beta):
    return rec.mean() + beta * kl.mean() + lam * (c - kl.mean()).clamp(min=0)""",
        judge=Code(_combined, _batches, tolerance=1e-4),
        mistakes=(
            Mistake(
                lambda rec, kl, lam, c, beta: rec.mean() + beta * kl.mean() + lam * (c - kl).clamp(min=0).mean(),
                "The penalty is taken for each example. The article's switch looks at the mean: first mean, then max.",
            ),
            Mistake(
                lambda rec, kl, lam, c, beta: rec.mean() + kl.mean() + lam * (c - kl.mean()).clamp(min=0),
                "β is missing before the rate.",
            ),
            Mistake(
                lambda rec, kl, lam, c, beta: rec.mean() + beta * kl.mean() + lam * (kl.mean() - c).clamp(min=0),
                "This charges for rate above c. The penalty is for what is missing: max(c − R, 0).",
            ),
            Mistake(
                lambda rec, kl, lam, c, beta: rec.mean() + beta * kl.mean() + lam * (c - kl.mean()),
                "Without the max the penalty becomes a reward above c: this is a β-VAE with β − λ everywhere.",
            ),
            Mistake(
                lambda rec, kl, lam, c, beta: rec.mean() + beta * (kl.mean() + lam * (c - kl.mean()).clamp(min=0)),
                "β multiplies the rate alone, not the penalty.",
            ),
            Mistake(
                lambda rec, kl, lam, c, beta: _combined(rec, kl, lam, c, beta) * len(rec), "A loss is a mean over the batch."
            ),
        ),
        hints=("The formula stands above Experiment 3.", "max(c − R, 0) for a tensor is (c - kl.mean()).clamp(min=0)."),
        name="combined",
        setup=SETUP,
    ),
    Exercise(
        id="11.4",
        asks="Bounds on the share of information in a rate, where the lower bound is capped.",
        stub="answer = [..., ...]  # the least and the largest share I_q / R",
        worked="""table = studies.load_study("methods_mlp").query("name == 'hinge on R' and lam == 1")
row = table[["rate", "mi", "mi_upper"]].mean()
answer = [row.mi / row.rate, min(row.mi_upper, row.rate) / row.rate]""",
        judge=Number(_share, takes="two numbers", tolerance=5e-3),
        mistakes=(
            Mistake(
                lambda: _share(top=False), "I_q is at most the rate, R = I_q + M: a share above 1 is an empty statement."
            ),
            Mistake(lambda: [_share()[0]] * 2, "The lower bound sits at its cap, log 1000: the truth may be far above."),
            Mistake(lambda: _share("methods_ar"), "This is the PixelCNN's: take the first table, methods_mlp."),
            Mistake(lambda: [0.0, 1 - _share()[0]], "This is the share of waste, M / R. Asked is that of information."),
        ),
        hints=(
            "Divide both bounds of I_q in the row by R; what else limits I_q from above?",
            "The upper bound is larger than R, and R = I_q + M ≥ I_q: so the largest share is 1.",
        ),
        setup=SETUP,
    ),
)

GUESSES = (
    Guess("11.1", "The distortion of the ELBO's model, factorised decoder?", Range(0, 205, 5, "nats")),
    Guess("11.2", "PixelCNN, λ = 1: how much of the rate is information?", Range(0, 100, 5, "%")),
    Guess("11.3", "β = 40, λ = 30, below c: which β-VAE trains like it?", Range(0, 70, 5)),
    Guess("11.4", "Which of the six will the seeds not bear out?", Options(("1", "2", "3", "4", "5", "6", "none"))),
)

QUIZ = Quiz.read(
    11,
    """
The same ELBO collapses with one decoder and not with the other. What decides?
- the number of weights | Size is not the point: what the decoder sees beside z is.
+ how much z can still tell a decoder that sees the pixels before | A hundred nats for one, a few for the other.
- the encoder | It is the same network in both.

λ = 0.5, c = 5, and the rate rests at 1 nat. What is this run?
- a failure of the optimiser | It found the optimum of the loss it was given.
- a VAE with the constraint held | Then R would be near 5.
+ a β-VAE with β = 0.5 | Below c the weights act through β − λ alone, and λ is below λ*.

I_q is at least 6.9 and at most 25.7 nats; cap 6.9, R = 14. How much of the rate is waste?
- 7.1 nats | That is R less a lower bound at its cap: an upper bound on M.
+ between 0 and 7.1 nats | R − I_q with I_q from 6.9 to 14: the lower bound is at its cap.
- it cannot be negative, so 0 | It may be anything up to 7.1.

Samples of a PixelCNN with I_q = 2 nats do not resemble the encoded digit. Is z unused?
+ not by that: two nats are lost among 784 coin flips | Measure the shuffle gap, or average drawings from one z.
- yes | The shuffle gap of such a model is about two nats.
- yes, else R would be 0 | The rate says what was sent, not what was read.

With three seeds "not clearly different" means
- the methods are equal | Three numbers cannot show that.
+ zero lies inside a wide interval: nothing was shown | The interval has 4.3 standard errors to each side.
- the difference is smaller than a nat | The interval may be wider than that.
""",
)
