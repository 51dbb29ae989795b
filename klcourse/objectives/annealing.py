"""Schedules: the KL's weight grows while training goes on, so that the encoder gets going before it is charged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Objective
from .knobs import beta, knob
from .schedules import cyclical_weight, linear_weight
from .terms import Terms

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class LinearAnnealing(Objective, name="anneal"):
    """Minimise D + w R, w growing from 0 to beta over `warmup` epochs (Bowman et al. 2016). warmup = 0 is a beta-VAE.

    >>> import torch
    >>> LinearAnnealing(warmup=4)(Terms(torch.tensor([80.0]), torch.tensor([8.0]), epoch=1))  # 80 + 8/4
    tensor(82.)
    """

    title, formula = "linear annealing", "D + w R, w from 0 to β in the first epochs"
    tex = r"D + w_t R,\quad w_t: 0 \to \beta"
    paper = "Bowman et al. 2016"
    deviation = "a straight ramp, theirs is a logistic one; their word dropout is an option of its own"
    warmup: float = knob(5.0, "until the KL has its full weight", unit="epochs")
    beta: float = beta(help="weight β of the rate R at the end")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * linear_weight(t.epoch, self.warmup) * t.kl.mean()

    def settles(self, epochs: float) -> float:
        return self.warmup


@dataclass
class CyclicalAnnealing(Objective, name="cyclical"):
    """Minimise D + w R, w growing from 0 to beta in the first `ratio` of every cycle (Fu et al. 2019).

    Theirs are four cycles in the whole training, whatever its length: cycles = 4, ratio = 0.5. Where nobody has told how
    long the training will be, cycles have `period` epochs, as with cycles = 0. ratio = 0 is a beta-VAE.

    >>> import torch
    >>> objective = CyclicalAnnealing.as_published()
    >>> [objective.weight(Terms(torch.zeros(1), torch.zeros(1), epoch=e, epochs=20)) for e in (0, 1, 2.5, 4, 5, 10, 15)]
    [0.0, 0.4, 1.0, 1.0, 0.0, 0.0, 0.0]
    """

    title, formula = "cyclical annealing", "D + w R, w from 0 to β in every cycle"
    tex = r"D + w_t R,\quad w_t: 0 \to \beta \text{ in every cycle}"
    paper = "Fu et al. 2019"
    published = {"cycles": 4.0, "ratio": 0.5}
    deviation = "the learning rate stays; their code for Penn Treebank restarts it in every cycle, with weights from 0.1"
    period: float = knob(2.5, "length of one cycle", unit="epochs", low=0.001)
    ratio: float = knob(0.5, "share of a cycle in which the KL's weight grows", high=1.0)
    beta: float = beta(help="weight β of the rate R at the end of each rise")
    cycles: float = knob(0.0, "number of cycles in the whole training, in place of period; 0: cycles of one period")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * self.weight(t) * t.kl.mean()

    def length(self, epochs: float) -> float:
        """Passes in one cycle when `epochs` are planned (0: not known)."""
        return epochs / self.cycles if epochs and self.cycles else self.period

    def weight(self, t: Terms) -> float:
        """The share of beta in force."""
        return cyclical_weight(t.epoch, self.length(t.epochs), self.ratio)

    def settles(self, epochs: float) -> float:
        length = self.length(epochs)  # the last rise ends in the last cycle
        return min(epochs, length * (max(0, math.ceil(epochs / length) - 1) + self.ratio))
