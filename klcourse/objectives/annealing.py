"""Schedules: the KL's weight grows while training goes on, so that the encoder gets going before it is charged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Objective
from .knobs import beta, knob
from .terms import Terms

if TYPE_CHECKING:
    from torch import Tensor


def linear_weight(epoch: float, warmup: float) -> float:
    """The share of the KL's final weight after `epoch` passes over the data: from 0 to 1 in `warmup` passes.

    >>> [linear_weight(epoch, warmup=4) for epoch in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    return min(1.0, epoch / warmup) if warmup else 1.0


def cyclical_weight(epoch: float, period: float, ratio: float) -> float:
    """The same in cycles of `period` passes: from 0 to 1 in the first `ratio` of each cycle, 1 for the rest of it.

    >>> [cyclical_weight(epoch, period=2, ratio=0.5) for epoch in (0, 0.5, 1, 1.9, 2, 2.5)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
    """
    return linear_weight(epoch % period, ratio * period)


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
    warmup: float = knob(5.0, "until the KL has its full weight", unit="epochs")
    beta: float = beta(help="weight β of the rate R at the end")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * linear_weight(t.epoch, self.warmup) * t.kl.mean()

    def settles(self, epochs: float) -> float:
        return self.warmup


@dataclass
class CyclicalAnnealing(Objective, name="cyclical"):
    """Minimise D + w R, w growing from 0 to beta in the first `ratio` of every `period` (Fu et al. 2019).

    Their setting is four cycles in the whole training, ratio 0.5. ratio = 0 is a beta-VAE.
    """

    title, formula = "cyclical annealing", "D + w R, w from 0 to β in every cycle"
    tex = r"D + w_t R,\quad w_t: 0 \to \beta \text{ in every cycle}"
    paper = "Fu et al. 2019"
    period: float = knob(2.5, "length of one cycle", unit="epochs", low=0.001)
    ratio: float = knob(0.5, "share of a cycle in which the KL's weight grows", high=1.0)
    beta: float = beta(help="weight β of the rate R at the end of each rise")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * cyclical_weight(t.epoch, self.period, self.ratio) * t.kl.mean()
